"""A thousand runs of 10-armed bandits at once, beside what plays one run step after step.

Steps a second, counted over all runs, with the environment and the regret. Peers: MABWiser (which
has no EXP3); a plain loop with numpy arrays for the ten arms, as most people write it; a plain loop
with the standard library only, which for ten arms is several times faster than both. Peers are
timed over fewer steps, their speed doesn't depend on how many there are. Only what grows with the
rounds is timed: seeding and the interval of the mean are not.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from math import exp, log, sqrt
from typing import Any

import numpy as np

from scrubjay.deciding.bandits import UCB1, Exp3, IIDArms, Lanes, Setting, ThompsonBeta

MEANS = [0.6, *[0.5] * 9]
RUNS, HORIZON, ROUNDS = 1000, 500, 5
PLAIN, PEER = 3000, 200
"""Steps that the plain loop and MABWiser are timed over."""


def run() -> list[dict[str, Any]]:
    rows = []
    for bandit, plain, arrays, policy in (
        (UCB1(), plain_ucb1, numpy_ucb1, "UCB1"),
        (ThompsonBeta(), plain_thompson, numpy_thompson, "ThompsonSampling"),
        (Exp3(), plain_exp3, numpy_exp3, None),
    ):
        peers: list[tuple[str, Callable[[], float]]] = [
            ("a loop, standard library", lambda plain=plain: PLAIN / seconds(lambda: plain(PLAIN))),
            ("a loop, numpy", lambda arrays=arrays: PLAIN / seconds(lambda: arrays(PLAIN))),
        ]
        if policy is not None:
            peers.append(("MABWiser", lambda policy=policy: mabwiser(policy)))
        for peer, rate in peers:
            pairs = [(ours(bandit), rate()) for _ in range(ROUNDS + 1)][1:]
            rows.append(row(f"bandits-{bandit.name}-{peer.split()[-1].lower()}", peer, pairs))
    return rows


def ours(bandit: Any) -> float:
    """Simulated steps a second."""
    environment = IIDArms(MEANS)
    environment.begin(HORIZON, Lanes(0, RUNS, "environment"))
    bandit.begin(Setting(10, HORIZON), Lanes(0, RUNS, "bandit"))

    def steps() -> None:
        for _ in range(HORIZON):
            arms = bandit.select()
            bandit.update(arms, environment.play(arms)[0])

    return RUNS * HORIZON / seconds(steps)


def mabwiser(policy: str) -> float:
    """Steps a second of the peer: predict, draw a reward, learn."""
    from mabwiser.mab import MAB, LearningPolicy

    rng = random.Random(0)
    mab = MAB(list(range(10)), getattr(LearningPolicy, policy)(), seed=0)
    mab.fit(list(range(10)), [0, 1] * 5)

    def steps() -> None:
        for _ in range(PEER):
            arm = mab.predict()
            mab.partial_fit([arm], [int(rng.random() < MEANS[arm])])

    return PEER / seconds(steps)


def plain_ucb1(steps: int) -> float:
    rng, pulls, sums, lost = random.Random(0), [0] * 10, [0.0] * 10, 0.0
    scale = 2 * log(HORIZON)
    for t in range(steps):
        if t < 10:
            arm = t
        else:
            arm = max(range(10), key=lambda a: sums[a] / pulls[a] + sqrt(scale / pulls[a]))
        pulls[arm] += 1
        sums[arm] += rng.random() < MEANS[arm]
        lost += MEANS[0] - MEANS[arm]
    return lost


def plain_thompson(steps: int) -> float:
    rng, won, failed, lost = random.Random(0), [1] * 10, [1] * 10, 0.0
    for _ in range(steps):
        arm = max(range(10), key=lambda a: rng.betavariate(won[a], failed[a]))
        if rng.random() < MEANS[arm]:
            won[arm] += 1
        else:
            failed[arm] += 1
        lost += MEANS[0] - MEANS[arm]
    return lost


def plain_exp3(steps: int) -> float:
    rng, logs, lost = random.Random(0), [0.0] * 10, 0.0
    rate = sqrt(log(10) / (30 * HORIZON))
    for _ in range(steps):
        top = max(logs)
        weights = [exp(x - top) for x in logs]
        arm = rng.choices(range(10), weights)[0]
        cost = 1 - (rng.random() < MEANS[arm])
        logs[arm] -= rate * cost * sum(weights) / weights[arm]
        lost += MEANS[0] - MEANS[arm]
    return lost


def numpy_ucb1(steps: int) -> float:
    rng, pulls, sums, lost = np.random.default_rng(0), np.zeros(10), np.zeros(10), 0.0
    scale = 2 * log(HORIZON)
    for t in range(steps):
        arm = t if t < 10 else int(np.argmax(sums / pulls + np.sqrt(scale / pulls)))
        pulls[arm] += 1
        sums[arm] += rng.random() < MEANS[arm]
        lost += MEANS[0] - MEANS[arm]
    return lost


def numpy_thompson(steps: int) -> float:
    rng, won, failed, lost = np.random.default_rng(0), np.ones(10), np.ones(10), 0.0
    for _ in range(steps):
        arm = int(np.argmax(rng.beta(won, failed)))
        if rng.random() < MEANS[arm]:
            won[arm] += 1
        else:
            failed[arm] += 1
        lost += MEANS[0] - MEANS[arm]
    return lost


def numpy_exp3(steps: int) -> float:
    rng, logs, lost = np.random.default_rng(0), np.zeros(10), 0.0
    rate = sqrt(log(10) / (30 * HORIZON))
    for _ in range(steps):
        share = np.exp(logs - logs.max())
        share /= share.sum()
        arm = int(rng.choice(10, p=share))
        logs[arm] -= rate * (1 - (rng.random() < MEANS[arm])) / share[arm]
        lost += MEANS[0] - MEANS[arm]
    return lost


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def row(name: str, peer: str, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    ratios = [a / b for a, b in pairs]
    ours_, theirs = (statistics.median(side) for side in zip(*pairs))
    return {
        "name": name,
        "ours": ours_,
        "peer": theirs,
        "peer_name": peer,
        "unit": "steps/s",
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
    }
