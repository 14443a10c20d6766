"""A race: algorithms in the same environment, side by side, with regret curves and proven bounds.

    curves = race(IIDArms([0.1, 0.5, 0.6]), [UCB1(), Exp3()], horizon=10_000, runs=200)
    curves["ucb1"].mean[-1], curves["ucb1"].bound[-1]

All runs are simulated at once, in chunks that fit the memory; every run has its own stream of
random numbers, so neither the chunks nor the other algorithms change a number. Environments give
every algorithm the same streams. With ``keep`` a race that was killed goes on after its last whole
chunk.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from scrubjay.core.arrays import load_arrays, save_arrays
from scrubjay.core.errors import InputError
from scrubjay.core.progress import Progress
from scrubjay.deciding.bandits.bounds import proven
from scrubjay.deciding.bandits.curves import RegretCurve, log_spaced, mean_interval
from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Bandit, Environment, Setting

_KEPT = 1000
"""Runs of a chunk that is kept, so that a killed race loses little."""
_NEWS = 500
"""Rounds between two reports of progress at most."""


def race(
    environment: Environment,
    bandits: Sequence[Bandit],
    horizon: int,
    runs: int = 100,
    seed: int = 0,
    *,
    chunk: int | None = None,
    checkpoints: int = 50,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, RegretCurve]:
    """Run every algorithm in the environment.

    Args:
        environment: a fresh copy is used for every algorithm and chunk.
        bandits: the algorithms, each with a name of its own.
        horizon: rounds of a run.
        runs: how many runs of each.
        seed: fixes everything.
        chunk: runs simulated at once; by default as many as fit. Changes no number.
        checkpoints: at how many rounds, spaced evenly in log, the regret is kept.
        keep: a folder for whole chunks; what is there is not simulated again. It is the caller's
            to see that it comes from the same race (``core.folders.begin``).
        progress: called with (name, rounds done, rounds in all).

    Raises:
        InputError: a kept chunk can't be read.
        DiskError: a chunk can't be kept.
        ValueError: no algorithms, no runs, no rounds, an empty chunk, two of one name, or an
            algorithm that needs feedback the environment doesn't give.
    """
    setting = check_race(environment, bandits, horizon, runs)
    if chunk is not None and chunk < 1:
        raise ValueError(f"a chunk holds at least one run, not {chunk}")
    rounds = log_spaced(horizon, checkpoints)
    size = chunk or max(1, min(runs, 400_000 // environment.arms))
    if keep is not None and chunk is None:
        size = min(size, _KEPT)
    curves = {}
    for bandit in bandits:
        parts = []
        for begin in range(0, runs, size):
            numbers = range(begin, min(begin + size, runs))
            done = begin * horizon
            report = _reporter(progress, bandit.name, done, len(numbers), runs * horizon)
            file = None if keep is None else keep / f"{bandit.name}-{begin}-{numbers.stop}.npz"
            if file is not None and file.exists():
                parts.append(_read(file, (len(numbers), len(rounds))))
                report(horizon)
                continue
            parts.append(
                _simulate(
                    copy.deepcopy(environment),
                    copy.deepcopy(bandit),
                    setting,
                    Lanes(seed, numbers, "environment"),
                    Lanes(seed, numbers, "bandit", bandit.name),
                    rounds,
                    report,
                )
            )
            if file is not None:
                save_arrays(file, {"regret": parts[-1]})
        regret = np.concatenate(parts)
        curves[bandit.name] = _curve(bandit, environment, horizon, rounds, regret, seed)
    return curves


def check_race(
    environment: Environment, bandits: Sequence[Bandit], horizon: int, runs: int
) -> Setting:
    """What the algorithms are told; raises ``ValueError`` as ``race`` does."""
    if not bandits:
        raise ValueError("a race needs at least one algorithm")
    if runs < 1:
        raise ValueError(f"a race needs at least one run, not {runs}")
    names = [b.name for b in bandits]
    if len({*names}) < len(names):
        raise ValueError(f"two algorithms of one name in a race: {', '.join(names)}")
    for bandit in bandits:
        check_feedback(environment, bandit)
    return Setting(environment.arms, horizon)


def _simulate(
    environment: Environment,
    bandit: Bandit,
    setting: Setting,
    world: Lanes,
    own: Lanes,
    rounds: Ints,
    report: Callable[[int], None],
) -> Floats:
    environment.begin(setting.horizon, world)
    environment.show = bandit.feedback
    bandit.begin(setting, own)
    kept = np.empty((len(world), len(rounds)))
    following = 0
    for t in range(1, setting.horizon + 1):
        arms = bandit.select(environment.context())
        reward, seen = environment.play(arms)
        bandit.update(arms, reward, seen)
        if t == rounds[following]:
            kept[:, following] = environment.regret()
            following += 1
            report(t)
        elif t % _NEWS == 0:
            report(t)
    return kept


def _read(file: Path, shape: tuple[int, int]) -> Floats:
    regret = load_arrays(file).get("regret")
    if regret is None or regret.shape != shape or regret.dtype != np.float64:
        raise InputError("is a part of another race; delete it", file=file)
    return regret


def check_feedback(environment: Environment, bandit: Bandit) -> None:
    """Raises ``ValueError`` if the environment doesn't show what the algorithm learns from."""
    if bandit.feedback not in environment.gives:
        raise ValueError(
            f"'{bandit.name}' needs {bandit.feedback} feedback, and this environment gives "
            f"{' or '.join(sorted(environment.gives))} feedback"
        )
    if getattr(bandit, "points", False) != bool(getattr(environment, "dimensions", 0)):
        raise ValueError(
            f"'{bandit.name}' chooses {'points' if getattr(bandit, 'points', False) else 'numbers'}"
            " of arms, and this environment's arms are of the other kind"
        )


def _curve(
    bandit: Bandit,
    environment: Environment,
    horizon: int,
    rounds: Ints,
    regret: Floats,
    seed: int,
) -> RegretCurve:
    low, high = mean_interval(regret, seed)
    bound = proven(bandit, environment, horizon, rounds)
    return RegretCurve(bandit.name, rounds, regret, regret.mean(axis=0), low, high, bound)


def _reporter(
    progress: Progress | None, name: str, done: int, size: int, total: int
) -> Callable[[int], None]:
    def report(t: int) -> None:
        if progress:
            progress(name, done + size * t, total)

    return report
