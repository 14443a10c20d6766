"""Intervals for instruments: a bootstrap over clusters, because copies are not independent.

Rows that share a cluster (shifts of one list, layers of one text, tokens of one question) are drawn
together; without clusters every row is one. Percentile intervals, 2,000 draws, seeded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scrubjay.core.finding import Number
from scrubjay.core.randomness import numpy_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DRAWS = 2000


def bootstrap(
    values: Sequence[float] | Array,
    statistic: Callable[[Any], float] = np.median,
    *,
    clusters: Sequence[Any] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> Number:
    """``statistic`` of the rows of ``values`` with an interval from resampling clusters.

    Args:
        values: (rows,) or (rows, columns); the statistic gets an array of the same kind.
        clusters: a label for every row.

    Raises:
        ValueError: there are no values, or not a label for every row.
    """
    x = np.asarray(values, dtype=np.float64)
    if not len(x):
        raise ValueError("an interval needs at least one value")
    labels = list(range(len(x))) if clusters is None else list(clusters)
    if len(labels) != len(x):
        raise ValueError(f"there are {len(x)} values and {len(labels)} clusters")
    members: dict[Any, list[int]] = {}
    for row, label in enumerate(labels):
        members.setdefault(label, []).append(row)
    groups = [np.array(rows) for rows in members.values()]
    value = float(statistic(x))
    if len(groups) < 2:
        return Number(value, n=len(x))
    random = numpy_stream(seed, "cluster bootstrap")
    told = []
    for picks in random.integers(0, len(groups), size=(draws, len(groups))):
        told.append(float(statistic(x[np.concatenate([groups[i] for i in picks])])))
    tail = (1 - level) / 2
    low, high = np.quantile(told, [tail, 1 - tail])
    return Number(value, float(low), float(high), len(x))


def shown(number: Number) -> str:
    """A number with its interval, for people."""
    if number.low is None or number.high is None:
        return f"{number.value:.3g}"
    return f"{number.value:.3g} [{number.low:.3g}, {number.high:.3g}]"
