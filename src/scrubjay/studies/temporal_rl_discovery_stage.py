"""Paper 17: the searches, and what is measured on tasks that no search has seen.

Grids: learned policy gradients (unaware and aware of n/N and log N), found by evolution and by
meta-gradients, beside tuned actor-critics with and without a falling step size. Bandits: learned
drifts of three kinds of clock, beside PPO with four clips, constant and annealed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.studies.parallel import Report
from scrubjay.studies.study import Scale
from scrubjay.training.meta import (
    BanditScore,
    ClipDrift,
    DriftNet,
    Experience,
    GridScore,
    LearnedDrift,
    LearnedPolicyGradient,
    LPGNet,
    MetaGradient,
    OpenES,
    Pulling,
    Tasks,
    Unroll,
    clip_width,
    evolve,
    live,
    pull_lives,
)
from scrubjay.training.meta.actor_critic import tune
from scrubjay.training.meta.drift import Drift
from scrubjay.training.meta.lifetimes import EXPERIENCE, Rule, with_lifetime
from scrubjay.worlds.gridworld import GridWorld, Level, Levels
from scrubjay.worlds.gridworld_values import best_return, random_return

WORTHWHILE = 0.1
"""Held-out levels in which the best earns less than this above chance are left out: nothing can be
learned there, and a normalised return would divide by next to nothing."""
CLIPS = (0.1, 0.2, 0.4, 0.8)
CLOCKS = {"lpo": "none", "ta-lpo": "relative", "ta-lpo, log N": "relative and length"}
SHAPES = (10, 20, 40)
"""Lifetimes whose schedules are kept."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is searched and measured."""

    grid_seeds: int
    bandit_seeds: int
    pairs: int
    steps: int
    unrolls: int
    """Meta-steps of the meta-gradients."""
    levels: int
    """Held out; as many again, others, to tune the actor-critics."""
    bandit_pairs: int
    bandit_tasks: int
    bandit_steps: int
    tests: int
    """Bandit tasks, held out."""
    seen: tuple[int, ...] = (5, 10, 20, 40)
    unseen: tuple[int, ...] = (80, 160)
    side: tuple[int, int] = (4, 5)
    gru: int = 16
    how: Experience = EXPERIENCE

    @property
    def horizons(self) -> tuple[int, ...]:
        return (*self.seen, *self.unseen)

    @property
    def room(self) -> Levels:
        return Levels(side=self.side, lifetime=(self.seen[0], self.seen[-1]))


SIZES: dict[Scale, Size] = {
    "smoke": Size(
        1, 2, 2, 2, 2, 6, 2, 4, 3, 20, (3, 6), (8,), (3, 4), 4, Experience(2, 5)
    ),
    "laptop": Size(5, 5, 24, 120, 120, 64, 12, 24, 80, 500),
    "full": Size(
        5, 10, 512, 2500, 20_000, 256, 64, 512, 1000, 10_000,
        (10, 50, 250), (500, 1000), (4, 10), 256, Experience(64, 20),
    ),
}  # fmt: skip
GRID_RATE, BANDIT_RATE, UNROLL_RATE = 0.03, 0.03, 3e-3
GRID_ARMS = ("es lpg", "es ta-lpg", "mg lpg", "mg ta-lpg")


@dataclass(frozen=True, slots=True)
class Held:
    """Levels that no search sees, with what can be earned in them."""

    levels: list[Level]
    best: np.ndarray
    blind: np.ndarray

    @classmethod
    def draw(cls, size: Size, seed: int, name: str) -> Held:
        found: list[Level] = []
        k = 0
        while len(found) < size.levels:
            batch = [size.room.draw(seed, name, k + i) for i in range(size.levels)]
            world = GridWorld(batch, 1)
            gain = best_return(world) - random_return(world)
            found += [level for level, g in zip(batch, gain) if g > WORTHWHILE]
            k += size.levels
        world = GridWorld(found[: size.levels], 1)
        return cls(found[: size.levels], best_return(world), random_return(world))

    def normalised(self, returns: np.ndarray) -> list[float]:
        """0: as chance; 1: as the best that knows the level and the clock."""
        return [float(x) for x in (returns - self.blind) / (self.best - self.blind)]


def grid_arm(size: Size, arm: str, seed: int, base: int, out: Path, report: Report) -> Any:
    """Find an objective and measure it on the held-out levels."""
    way, _, kind = arm.partition(" ")
    net = LPGNet(gru=size.gru, lifetime="ta" if kind == "ta-lpg" else "none")
    start = net.layout.draw(numpy_stream(seed, "start"))
    state = out / f"{arm.replace(' ', '-')}-{seed}.npz"

    def look(done: int, score: float) -> None:
        report(done)

    if way == "es":
        search = OpenES(start, 2 * size.pairs, rate=GRID_RATE, seed=seed)
        score = GridScore(net, size.room, size.how, seed)
        history = evolve(search, score, size.steps, checkpoint=state, look=look)
        weights = search.mean
    else:
        unroll = Unroll(rate=UNROLL_RATE)
        mine = MetaGradient(net, start, size.room, size.how, unroll, seed)
        history = mine.run(size.unrolls, checkpoint=state, look=look)
        weights = mine.weights
    rule = LearnedPolicyGradient(net, weights)
    held = Held.draw(size, base, "held out")
    found = measure(rule, held, size)
    return {
        "arm": arm,
        "seed": seed,
        "history": history,
        "response": response(rule, held, size) if net.aware else None,
        **found,
    }


def measure(rule: Rule, held: Held, size: Size) -> dict[str, Any]:
    """Normalised final returns by horizon and level, and schedules."""
    returns, schedules = {}, {}
    for horizon in size.horizons:
        lived = live(rule, with_lifetime(held.levels, horizon), size.how, room=size.room)
        returns[str(horizon)] = held.normalised(lived.returns)
        if horizon in SHAPES or horizon == size.seen[-1]:
            schedules[str(horizon)] = {
                "size": np.round(lived.size, 5).tolist(),
                "entropy": np.round(lived.entropy, 5).tolist(),
            }
    return {"returns": returns, "schedules": schedules}


class _Asked:
    """A rule that is also asked, before every update, what it would say at other times."""

    def __init__(self, rule: LearnedPolicyGradient, times: Sequence[float]) -> None:
        self.rule, self.width, self.times = rule, rule.width, times
        self.said: list[list[np.ndarray]] = []

    def ordered(self, place: np.ndarray) -> _Asked:
        self.rule = self.rule.ordered(place)
        return self

    def update(self, agents: Any, rollout: Any, done: np.ndarray, lifetime: np.ndarray) -> Any:
        other = [self.rule.targets(rollout, t * lifetime, lifetime)[0] for t in self.times]
        self.said.append([np.abs(w).mean(axis=(1, 2)) for w in other])
        return self.rule.update(agents, rollout, done, lifetime)


def response(rule: LearnedPolicyGradient, held: Held, size: Size) -> dict[str, list[float]]:
    """Mean |π̂| on the *same* rollouts when told that n/N is .1 and when told .9, by level.

    Agents change as they learn, so what a rule says early and late differs even if it has no
    clock; this doesn't.
    """
    asked = _Asked(rule, (0.1, 0.9))
    live(asked, with_lifetime(held.levels, size.seen[-2]), size.how, room=size.room)
    early, late = (np.mean([said[i] for said in asked.said], axis=0) for i in (0, 1))
    return {"early": early.tolist(), "late": late.tolist()}


def grid_baselines(size: Size, base: int) -> list[dict[str, Any]]:
    """Tuned actor-critics, with and without a falling step size, on the same levels."""
    held, practice = Held.draw(size, base, "held out"), Held.draw(size, base, "tuning")
    rows = []
    for decay in (False, True):
        rule, _ = tune(practice.levels, decay, size.how)
        name = f"a2c, {'falling' if decay else 'constant'} step"
        row = {"arm": name, "seed": 0, "rate": rule.rate, "entropy": rule.entropy}
        rows.append({**row, **measure(rule, held, size)})
    return rows


def bandit_arm(size: Size, arm: str, seed: int, base: int, out: Path, report: Report) -> Any:
    """Find a drift and measure it on the held-out bandits."""
    net = DriftNet(clock=CLOCKS[arm])  # type: ignore[arg-type]
    start = LearnedDrift.start(net, numpy_stream(seed, "start"))
    search = OpenES(start, 2 * size.bandit_pairs, rate=BANDIT_RATE, shaping="zscore", seed=seed)
    score = BanditScore(net, size.bandit_tasks, size.seen, seed=seed)
    state = out / f"{arm.replace(', ', '-').replace(' ', '-')}-{seed}.npz"

    def look(done: int, score: float) -> None:
        report(done)

    history = evolve(search, score, size.bandit_steps, checkpoint=state, look=look)
    drift = LearnedDrift(net, search.mean)
    return {
        "arm": arm,
        "seed": seed,
        "history": history,
        "shares": bandit_shares(drift, size, base),
        "widths": widths(drift, size),
    }


def bandit_shares(drift: Drift, size: Size, base: int) -> dict[str, list[float]]:
    """What final policies earn as a share of the best arm, by horizon and task."""
    tests = Tasks.draw(size.tests, (1,), base, "bandits held out")
    return {
        str(h): np.round(
            pull_lives(drift, replace(tests, horizons=np.full(size.tests, h)), Pulling())[0], 6
        ).tolist()
        for h in size.horizons
    }


def widths(drift: Drift, size: Size) -> list[dict[str, float]]:
    """Effective clip widths over a lifetime, for three lifetimes."""
    rows = []
    for horizon in (size.seen[0], size.seen[-1], size.unseen[-1]):
        for step in range(10):
            done = min(round(step / 10 * horizon), horizon - 1)
            up, down = clip_width(drift, done, horizon)
            rows.append({"N": horizon, "n/N": done / horizon, "up": up, "down": down})
    return rows


def bandit_baselines(size: Size, base: int) -> list[dict[str, Any]]:
    """PPO with constant and annealed clips on the same bandits."""
    made: dict[str, Callable[[float], Drift]] = {
        "ppo": lambda c: ClipDrift(c),
        "ppo annealed": lambda c: ClipDrift(c, anneal=True),
    }
    return [
        {"arm": f"{name}, clip {c:g}", "seed": 0, "shares": bandit_shares(make(c), size, base)}
        for name, make in made.items()
        for c in CLIPS
    ]
