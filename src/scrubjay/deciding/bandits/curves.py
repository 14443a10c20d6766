"""Regret by round: a curve with its interval and its proven bound, its exponent, its picture.

Intervals are percentile bootstraps over runs. The exponent e of regret ~ T^e is fitted by least
squares in log-log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scrubjay.core.finding import Number
from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.bandits.lanes import Floats, Ints

RESAMPLES = 1000


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
