"""How sure a number is: bootstrap intervals over items; how well confidences rank and calibrate.

Every comparison here is *paired*: the items of a world and its twins mirror each other, so the
difference is taken per item and the items are resampled (2,000 times; percentile interval). With
several twins an item's value is its average over them. Differences of differences work the same
way: take them per item first.

Two honest edges. When all values are equal the bootstrap would give an interval of width 0; if the
metric is bounded, we give the exact bound instead (n equal draws leave room for a share
``1 - (alpha/2)^(1/n)`` of unseen others; with 120 items that is about 3 %). A single value of an
unbounded metric has no interval (None).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scrubjay.core.finding import Number
from scrubjay.core.randomness import numpy_stream

RESAMPLES = 2000
_CELLS = 4_000_000
"""Resampled values held in memory at once."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval; ``n`` items."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def excludes_zero(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def above_zero(self) -> bool:
        """Whether all of the interval is; without one, nothing is certain."""
        return self.low is not None and self.low > 0

    @property
    def number(self) -> Number:
        """As a finding keeps it."""
        return Number(self.value, self.low, self.high, self.n)

    @property
    def signed(self) -> str:
        """A difference for people: ``+0.120 [-0.031, +0.272]``."""
        if self.low is None or self.high is None:
            return f"{self.value:+.3f} (no interval)"
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def bootstrap_mean(
    values: Sequence[float] | np.ndarray,
    *,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """Mean of ``values`` (n,) with a percentile bootstrap interval.

    The resamples depend on ``seed`` and n only: equal values get equal intervals, whatever else is
    computed. ``bounds`` of a single value, if it has any: (-1, 1) for a difference of scores.

    Raises:
        ValueError: there are no values.
    """
    x = np.asarray(values, dtype=np.float64)
    n = x.size
    if n == 0:
        raise ValueError("an interval needs at least one value")
    mean = float(x.mean())
    tail = (1 - level) / 2
    if x.min() == x.max():
        return _constant(float(x[0]), n, tail, bounds)
    rng = numpy_stream(seed, "bootstrap")
    rows = max(1, _CELLS // n)
    means = np.concatenate(
        [
            x[rng.integers(0, n, size=(min(rows, resamples - begin), n))].mean(axis=1)
            for begin in range(0, resamples, rows)
        ]
    )
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(mean, float(low), float(high), n)


def student_mean(values: Sequence[float] | np.ndarray, *, level: float = 0.95) -> Interval:
    """Mean of a few independent values, such as one a seed, with Student's interval.

    mean ± t sd / sqrt(n). A bootstrap of three values never leaves the range between the smallest
    and the largest, which misses the true mean one time in four.

    Raises:
        ValueError: there are no values.
    """
    from scipy.special import stdtrit

    x = np.asarray(values, dtype=np.float64)
    if x.size == 0:
        raise ValueError("an interval needs at least one value")
    mean = float(x.mean())
    if x.size == 1:
        return Interval(mean, None, None, 1)
    reach = float(stdtrit(x.size - 1, (1 + level) / 2) * x.std(ddof=1) / np.sqrt(x.size))
    return Interval(mean, mean - reach, mean + reach, x.size)


def paired_bootstrap(
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
    *,
    seed: int = 0,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """Mean of ``a - b`` per item, with its interval. Options as for ``bootstrap_mean``.

    Shapes: ``a`` and ``b`` are (n,), or (n, k) for k repetitions (twins, seeds) of each item, which
    are averaged.

    Raises:
        ValueError: the two don't have the same number of items.
    """
    x, y = _per_item(a), _per_item(b)
    if x.size != y.size:
        raise ValueError(f"paired values must be as many on both sides, not {x.size} and {y.size}")
    return bootstrap_mean(x - y, seed=seed, level=level, bounds=bounds)


def auroc(scores: Sequence[float], positive: Sequence[bool]) -> float | None:
    """Chance that a positive scores above a negative, ties counting half; None without both kinds.

    Equals the Mann-Whitney U statistic over the number of pairs.
    """
    s, p = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    if p.all() or not p.any():
        return None
    _, inverse, counts = np.unique(s, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, m = int(p.sum()), int((~p).sum())
    return float((ranks[p].sum() - n * (n + 1) / 2) / (n * m))


def calibration_error(
    confidences: Sequence[float], correct: Sequence[float], bins: int = 10
) -> float:
    """Expected calibration error: |confidence - accuracy| per equal-width bin, weighted by size.

    Raises:
        ValueError: there are no values.
    """
    c, y = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if c.size == 0:
        raise ValueError("calibration needs at least one answer")
    bin_of = np.minimum((c * bins).astype(int), bins - 1)
    size = np.bincount(bin_of, minlength=bins)
    gap = np.bincount(bin_of, c, bins) - np.bincount(bin_of, y, bins)
    return float(np.abs(gap[size > 0]).sum() / c.size)


def brier(confidences: Sequence[float], correct: Sequence[float]) -> float:
    """Mean squared distance between confidence and outcome; 0 is perfect."""
    c, y = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    return float(np.mean((c - y) ** 2))


def _per_item(values: Sequence[float] | np.ndarray) -> np.ndarray:
    x = np.asarray(values, dtype=np.float64)
    return x.mean(axis=1) if x.ndim == 2 else x


def _constant(value: float, n: int, tail: float, bounds: tuple[float, float] | None) -> Interval:
    if bounds is None:
        edge = value if n > 1 else None
        return Interval(value, edge, edge, n)
    unseen = 1 - tail ** (1 / n)
    low, high = bounds
    return Interval(value, value - unseen * (value - low), value + unseen * (high - value), n)
