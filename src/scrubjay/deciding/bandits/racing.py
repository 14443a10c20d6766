"""A race: algorithms in the same environment, side by side, with regret curves and proven bounds.

    curves = race(IIDArms([0.1, 0.5, 0.6]), [UCB1(), Exp3()], horizon=10_000, runs=200)
    curves["ucb1"].mean[-1], curves["ucb1"].bound[-1]

All runs are simulated at once, in chunks that fit the memory; every run has its own stream of
random numbers, so neither the chunks nor the other algorithms change a number. Environments give
every algorithm the same streams. Intervals are percentile bootstraps over runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scrubjay.core.finding import Number
from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.bandits.bounds import proven
from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Bandit, Environment, Setting

RESAMPLES = 1000
_NEWS = 500
"""Rounds between two reports of progress at most."""


@dataclass(frozen=True, slots=True, eq=False)
class RegretCurve:
    """The regret of one algorithm at some rounds: mean over runs with a 95 % interval."""

    name: str
    rounds: Ints
    regret: Floats
    """Of every run: array (runs, rounds)."""
    mean: Floats
    low: Floats
    high: Floats
    bound: Floats | None = None
    """What a theorem promises for the mean, with its constants; None where none is known."""

    @property
    def last(self) -> Number:
        """The regret of all rounds."""
        return Number(
            float(self.mean[-1]), float(self.low[-1]), float(self.high[-1]), len(self.regret)
        )

    def slope(self, since: float = 0.1) -> Number:
        """Exponent e of regret ~ T^e over the rounds after the share ``since`` of all; see
        ``fit_slope``."""
        kept = self.rounds >= since * self.rounds[-1]
        return fit_slope(self.rounds[kept], self.regret[:, kept])


def race(
    environment: Environment,
    bandits: Sequence[Bandit],
    horizon: int,
    runs: int = 100,
    seed: int = 0,
    *,
    chunk: int | None = None,
    checkpoints: int = 50,
    progress: Callable[[str, int, int], None] | None = None,
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
        progress: called with (name, rounds done, rounds in all).

    Raises:
        ValueError: no algorithms, no runs, no rounds, an empty chunk, two of one name, or an
            algorithm that needs feedback the environment doesn't give.
    """
    if not bandits:
        raise ValueError("a race needs at least one algorithm")
    if runs < 1:
        raise ValueError(f"a race needs at least one run, not {runs}")
    if chunk is not None and chunk < 1:
        raise ValueError(f"a chunk holds at least one run, not {chunk}")
    setting = Setting(environment.arms, horizon)
    names = [b.name for b in bandits]
    if len({*names}) < len(names):
        raise ValueError(f"two algorithms of one name in a race: {', '.join(names)}")
    rounds = log_spaced(horizon, checkpoints)
    size = chunk or max(1, min(runs, 400_000 // environment.arms))
    curves = {}
    for bandit in bandits:
        parts = []
        for begin in range(0, runs, size):
            numbers = range(begin, min(begin + size, runs))
            done = begin * horizon
            parts.append(
                _simulate(
                    copy.deepcopy(environment),
                    copy.deepcopy(bandit),
                    setting,
                    Lanes(seed, numbers, "environment"),
                    Lanes(seed, numbers, "bandit", bandit.name),
                    rounds,
                    _reporter(progress, bandit.name, done, len(numbers), runs * horizon),
                )
            )
        regret = np.concatenate(parts)
        curves[bandit.name] = _curve(bandit, environment, horizon, rounds, regret, seed)
    return curves


def _simulate(
    environment: Environment,
    bandit: Bandit,
    setting: Setting,
    world: Lanes,
    own: Lanes,
    rounds: Ints,
    report: Callable[[int], None],
) -> Floats:
    check_feedback(environment, bandit)
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


def mean_interval(values: Floats, seed: int = 0) -> tuple[Floats, Floats]:
    """Ends of the 95 % bootstrap interval of the mean of each column of (runs, n)."""
    runs = len(values)
    rng = numpy_stream(seed, "race", "bootstrap")
    shares = rng.multinomial(runs, np.full(runs, 1 / runs), size=RESAMPLES) / runs
    low, high = np.quantile(shares @ values, [0.025, 0.975], axis=0)
    return low, high


def fit_slope(rounds: Ints, regret: Floats, seed: int = 0) -> Number:
    """Exponent e of mean regret ~ T^e: least squares in log-log, bootstrap interval over runs.

    Raises:
        ValueError: fewer than two checkpoints, or mean regret that is not above 0.
    """
    if len(rounds) < 2:
        raise ValueError("a slope needs the regret at two rounds or more")
    x = np.log(np.asarray(rounds, dtype=np.float64))
    x -= x.mean()

    def slopes(means: Floats) -> Floats:
        # A resample without any regret has no logarithm; a tiny number stands for it.
        y = np.log(np.maximum(means, 1e-12))
        return np.asarray((y * x).sum(axis=-1) / (x * x).sum())

    mean = regret.mean(axis=0)
    if (mean <= 0).any():
        raise ValueError("a slope needs regret above 0 at every round it is fitted to")
    runs = len(regret)
    rng = numpy_stream(seed, "slope", "bootstrap")
    shares = rng.multinomial(runs, np.full(runs, 1 / runs), size=RESAMPLES) / runs
    low, high = np.quantile(slopes(shares @ regret), [0.025, 0.975])
    return Number(float(slopes(mean)), float(low), float(high), runs)


def log_spaced(horizon: int, count: int) -> Ints:
    """Up to ``count`` different rounds from 1 to ``horizon``, evenly in log; the last is the
    end."""
    return np.unique(np.geomspace(1, horizon, max(count, 2)).round().astype(np.int64))


def _reporter(
    progress: Callable[[str, int, int], None] | None, name: str, done: int, size: int, total: int
) -> Callable[[int], None]:
    def report(t: int) -> None:
        if progress:
            progress(name, done + size * t, total)

    return report


def chart(curves: Mapping[str, RegretCurve], title: str = "") -> dict[str, Any]:
    """Regret by round, both in log, as a Vega-Lite specification: mean, interval, dashed bound."""
    values = [
        {"algorithm": c.name, "round": int(t), "regret": float(m), "low": float(lo)}
        | {"high": float(hi), "bound": None if c.bound is None else float(c.bound[i])}
        for c in curves.values()
        for i, (t, m, lo, hi) in enumerate(zip(c.rounds, c.mean, c.low, c.high))
        if lo > 0
    ]
    x = {"field": "round", "type": "quantitative", "scale": {"type": "log"}}
    scale = {"type": "log", "nice": False}
    y = {"type": "quantitative", "scale": scale, "title": "regret"}
    color = {"field": "algorithm", "type": "nominal", "sort": list(curves)}
    layer = [
        {
            "mark": {"type": "area", "opacity": 0.25},
            "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}},
        },
        {"mark": "line", "encoding": {"x": x, "y": {"field": "regret", **y}}},
        {
            "transform": [{"filter": "datum.bound != null"}],
            "mark": {"type": "line", "strokeDash": [4, 4], "opacity": 0.6},
            "encoding": {"x": x, "y": {"field": "bound", **y}},
        },
    ]
    for part in layer:
        part["encoding"]["color"] = color  # type: ignore[index]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": title or "Regret by round; dashed: the proven bound",
        "width": 560,
        "height": 360,
        "data": {"values": values},
        "layer": layer,
    }
