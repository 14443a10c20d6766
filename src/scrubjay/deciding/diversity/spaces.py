"""Novelty, Pareto fronts, and the grid that coverage is counted on.

    novelty(g)  = mean distance to the k nearest others in the reference set
    front 1     = those that nobody beats in all objectives;  front 2 = the same without front 1, …
    crowding(g) = how far its neighbours in its front are, summed over objectives (Deb et al., 2002)
    coverage    = share of the cells of a grid over the true behaviour that were reached

Source: STAX (paper 27), section 2 and 3.2: k = 15; NSGA-II selection; a grid of 50 × 50.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scrubjay.deciding.diversity.types import Floats, Ints, SearchError

NEIGHBOURS = 15


def novelty(points: Floats, reference: Floats, k: int = NEIGHBOURS, *, inside: bool) -> Floats:
    """Mean distance of ``points`` (n, d) to their ``k`` nearest in ``reference`` (m, d).

    ``inside``: the points are themselves part of the reference, so each one's nearest is dropped
    (itself). With fewer than k others all of them count; with none the novelty is infinite.
    """
    drop = int(inside)
    have = len(reference) - drop
    if have < 1:
        return np.full(len(points), np.inf)
    # |a − b|² = |a|² + |b|² − 2ab, a block of rows at a time
    squares = (reference**2).sum(axis=1)
    out = np.empty(len(points))
    most = min(k, have)
    for begin in range(0, len(points), 512):
        rows = points[begin : begin + 512]
        away = (rows**2).sum(axis=1)[:, None] + squares - 2 * rows @ reference.T
        near = np.partition(away, most + drop - 1, axis=1)[:, : most + drop]
        near = np.sort(np.sqrt(np.maximum(near, 0)), axis=1)[:, drop:]
        out[begin : begin + 512] = near.mean(axis=1)
    return out


def fronts(values: Floats) -> Ints:
    """The front of each row of ``values`` (n, objectives), larger being better; 0 is the best."""
    n = len(values)
    a, b = values[:, None], values[None]
    beats = np.asarray((a >= b).all(axis=2) & (a > b).any(axis=2))
    front = np.full(n, -1)
    left, number = np.ones(n, dtype=bool), 0
    while left.any():
        best = left & ~beats[left].any(axis=0)
        front[best], number = number, number + 1
        left &= ~best
    return front


def crowding(values: Floats) -> Floats:
    """Crowding distance of the rows of one front; infinite at its ends."""
    out = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        width = column[order[-1]] - column[order[0]]
        out[order[[0, -1]]] = np.inf
        if width > 0 and np.isfinite(width):
            out[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / width
    return out


def select(values: Floats, n: int) -> Ints:
    """Rows that survive: whole fronts from the best on, of the last one the least crowded."""
    front = fronts(values)
    chosen: list[int] = []
    for number in range(int(front.max()) + 1):
        rows = np.flatnonzero(front == number)
        if len(chosen) + len(rows) > n:
            order = np.argsort(-crowding(values[rows]), kind="stable")
            rows = rows[order[: n - len(chosen)]]
        chosen += rows.tolist()
        if len(chosen) == n:
            break
    return np.array(chosen, dtype=int)


class Grid:
    """Cells over a box of behaviours.

    Args:
        limits: (low, high) of every dimension; behaviours outside count to the cells at the edge.
        cells: per dimension.

    Raises:
        SearchError: an empty box, or no cells.
    """

    def __init__(self, limits: Sequence[tuple[float, float]], cells: int = 50) -> None:
        self.low, self.high = np.asarray(limits, dtype=float).reshape(-1, 2).T
        if cells < 1 or not len(self.low) or not (self.low < self.high).all():
            raise SearchError("a grid needs cells, and limits (low, high) with low below high")
        self.cells, self.size = cells, cells ** len(self.low)
        if self.size > 2**31:
            raise SearchError(
                f"{cells} cells in each of {len(self.low)} dimensions are too many; take fewer"
            )

    def index(self, points: Floats) -> Ints:
        """The cell of each point, a number from 0 to size − 1."""
        unit = (points - self.low) / (self.high - self.low)
        cell = np.clip((unit * self.cells).astype(int), 0, self.cells - 1)
        return np.asarray(np.ravel_multi_index(tuple(cell.T), (self.cells,) * len(self.low)))

    def coverage(self, points: Floats) -> float:
        """Share of the cells that some point lies in."""
        return len(np.unique(self.index(points))) / self.size if len(points) else 0.0
