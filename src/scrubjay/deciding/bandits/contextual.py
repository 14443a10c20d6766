"""Contexts: what is best depends on what is shown beforehand.

    per context     one UCB1 per context                      O(sqrt(K T X log T))          (8.1)
    discretised     contexts of [0, 1]^d in equal cells, then per context:
                    cells of side (K log T / (L^2 T))^(1/(d+2))
                    O(T^(2/3) (L K log T)^(1/3)) for d = 1                                  (8.4)
    zooming         cells of context x arm that split once they were played often enough to tell
                    their parts apart: sqrt(alpha log T / n) <= L · side

Sources: Slivkins, Introduction to Multi-Armed Bandits, sections 8.1 and 8.2; contextual zooming is
from Slivkins (2014), here with dyadic cells instead of balls, so that finding the cells of a
context is arithmetic. Regret is against the best arm of every context.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Feedback, Setting, finite, positive


@dataclass
class ContextArms:
    """Finitely many contexts, drawn uniformly; Bernoulli rewards of mean ``table[context, arm]``.

    Raises:
        ValueError: an empty table, or a mean outside [0, 1].
    """

    table: Any
    show: Feedback = field(default="bandit", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit"})

    def __post_init__(self) -> None:
        self._table: Floats = np.asarray(self.table, dtype=np.float64)
        if self._table.ndim != 2 or not self._table.size:
            raise ValueError("a table of means has a row per context and a column per arm")
        if not ((self._table >= 0) & (self._table <= 1)).all():
            raise ValueError("every mean must lie in [0, 1]")
        self.contexts, self.arms = self._table.shape

    def begin(self, horizon: int, lanes: Lanes) -> None:
        self._lanes = lanes
        self._lost: Floats = np.zeros(len(lanes))

    def context(self) -> Ints:
        self._now: Ints = (self._lanes.uniform() * self.contexts).astype(np.int64)
        return np.asarray(self._now)

    def play(self, arms: Ints) -> tuple[Floats, None]:
        means = self._table[self._now, arms]
        self._lost += self._table[self._now].max(axis=1) - means
        return (self._lanes.uniform() < means).astype(np.float64), None

    def regret(self) -> Floats:
        return self._lost


@dataclass
class SurfaceArms:
    """Contexts and arms in [0, 1], Bernoulli rewards of mean ``f(contexts, arms)`` (arrays).

    ``arms`` of them, at the middles of equal cells; ``dimensions`` is 0 then. With ``arms`` = 1 and
    ``dimensions`` = 1 (the default) any point may be played.

    Raises:
        ValueError: ``f`` leaves [0, 1], or there are no arms.
    """

    f: Callable[[Floats, Floats], Floats]
    arms: int = 1
    dimensions: int = 1
    show: Feedback = field(default="bandit", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit"})

    def __post_init__(self) -> None:
        if self.arms < 1:
            raise ValueError(f"a bandit needs at least one arm, not {self.arms}")
        self._grid: Floats = (np.arange(512) + 0.5) / 512
        if self.dimensions not in (0, 1) or (self.dimensions and self.arms != 1):
            raise ValueError(
                "arms are numbered (dimensions 0), or the points of [0, 1] (dimensions 1)"
            )
        means = np.asarray(self.f(self._grid[:, None], self._grid[None]), dtype=np.float64)
        if means.shape != (512, 512):
            raise ValueError("the function must take arrays of contexts and arms")
        if not ((means >= 0) & (means <= 1)).all():
            raise ValueError("every mean must lie in [0, 1]")

    def begin(self, horizon: int, lanes: Lanes) -> None:
        self._lanes = lanes
        self._lost: Floats = np.zeros(len(lanes))

    def context(self) -> Floats:
        self._now = self._lanes.uniform(1)
        return self._now

    def play(self, arms: Any) -> tuple[Floats, None]:
        points = arms[:, 0] if self.dimensions else (arms + 0.5) / self.arms
        means = self.f(self._now[:, 0], points)
        best = self.f(self._now, self._grid[None]).max(axis=1)
        self._lost += np.maximum(best - means, 0)
        return (self._lanes.uniform() < means).astype(np.float64), None

    def regret(self) -> Floats:
        return self._lost


@dataclass
class PerContext:
    """A UCB1 of its own for each of ``contexts`` numbered contexts.

    Raises:
        ValueError: there are no contexts; on ``select``, a context that is not one of them.
    """

    contexts: int
    alpha: float = 2.0
    name: str = "per-context"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        positive(alpha=self.alpha)
        if self.contexts < 1:
            raise ValueError("a contextual bandit needs at least one context")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        shape = (len(lanes), self.contexts, setting.arms)
        self._rows = lanes.rows
        self._scale = self.alpha * math.log(max(setting.horizon, 2))
        self._pulls: Floats = np.zeros(shape)
        self._sums: Floats = np.zeros(shape)
        self._order = lanes.uniform(setting.arms) * 1e-9
        # Not inf: arms never tried are tried in the run's own order.
        self._index = np.broadcast_to(1e6 + 1e6 * self._order[:, None], shape).copy()

    def select(self, context: Any = None) -> Ints:
        now = np.asarray(context)
        if now.size != len(self._rows) or now.dtype.kind not in "iu":
            raise ValueError("every run needs one context, a whole number")
        if now.min() < 0 or now.max() >= self.contexts:
            raise ValueError(f"contexts are numbers from 0 to {self.contexts - 1}")
        self._now = now.reshape(-1)
        return np.asarray(np.argmax(self._index[self._rows, self._now], axis=1))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        place = (self._rows, self._now, arms)
        self._pulls[place] += 1
        self._sums[place] += finite(reward)
        pulls = self._pulls[place]
        self._index[place] = (
            self._sums[place] / pulls + np.sqrt(self._scale / pulls) + self._order[self._rows, arms]
        )


@dataclass
class DiscretisedContexts:
    """Contexts of [0, 1]^d in equal cells, a UCB1 per cell.

    Args:
        dimensions: d.
        constant: L, how fast means change with the context.
        cells: per dimension; by default by the rule above.

    Raises:
        ValueError: a setting is not above 0; on ``select``, a context outside [0, 1]^d.
    """

    dimensions: int = 1
    constant: float = 1.0
    cells: int | None = None
    name: str = "discretised-contexts"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        positive(dimensions=self.dimensions, constant=self.constant, cells=self.cells or 1)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        log = math.log(max(setting.horizon, 2))
        inverse = self.constant**2 * setting.horizon / (setting.arms * log)
        self._side = self.cells or max(1, math.ceil(inverse ** (1 / (self.dimensions + 2))))
        self._base = PerContext(self._side**self.dimensions)
        self._base.begin(setting, lanes)

    def select(self, context: Any = None) -> Ints:
        places = np.asarray(context, dtype=np.float64).reshape(-1, self.dimensions)
        if not ((places >= 0) & (places <= 1)).all():
            raise ValueError(f"contexts must be points of [0, 1]^{self.dimensions}")
        cells = np.minimum((places * self._side).astype(np.int64), self._side - 1)
        return self._base.select(cells @ (self._side ** np.arange(self.dimensions)))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        self._base.update(arms, reward)


@dataclass
class ContextualZooming:
    """Adaptive cells of context x arm, both in [0, 1].

    Level l has cells of side 2^-l. A cell whose radius has fallen to L·side is split into four; of
    the unsplit cells that hold the context, the one with the largest mean + radius + L·side is
    played, at the middle of its arms.

    Args:
        constant: L, how fast means change with context or arm.
        levels: the finest level; by default where a cell could still be told apart in T rounds.

    Raises:
        ValueError: a setting is not above 0; on ``select``, a context outside [0, 1].
    """

    constant: float = 1.0
    alpha: float = 2.0
    levels: int | None = None
    name: str = "contextual-zooming"
    feedback: ClassVar[Feedback] = "bandit"
    points: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive(constant=self.constant, alpha=self.alpha, levels=self.levels or 1)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._log = self.alpha * math.log(max(setting.horizon, 2))
        # A cell of side s is split after log T / (L s)^2 rounds; they all lie in one column of
        # cells.
        finest = setting.horizon * self.constant**2 / self._log
        self._levels = self.levels or min(7, max(1, math.ceil(math.log2(max(finest, 2)) / 3) + 1))
        depth = np.repeat(np.arange(self._levels + 1), 2 ** np.arange(self._levels + 1))
        self._depth, self._side = depth, 0.5**depth
        start = 2**depth - 1
        self._column = np.arange(len(depth)) - start
        self._offset = (4**depth - 1) // 3
        cells = (4 ** (self._levels + 1) - 1) // 3
        self._rows = lanes.rows
        self._pulls: Floats = np.zeros((len(lanes), cells))
        self._sums: Floats = np.zeros((len(lanes), cells))
        self._leaf = np.zeros((len(lanes), cells), dtype=bool)
        self._leaf[:, 0] = True

    def select(self, context: Any = None) -> Floats:
        x = np.asarray(context, dtype=np.float64).reshape(-1, 1)
        if not ((x >= 0) & (x <= 1)).all():
            raise ValueError("contexts must be points of [0, 1]")
        line = np.minimum((x * 2**self._depth).astype(np.int64), 2**self._depth - 1)
        cells = self._offset + line * 2**self._depth + self._column
        rows = self._rows[:, None]
        pulls = self._pulls[rows, cells]
        mean = self._sums[rows, cells] / np.maximum(pulls, 1)
        radius = np.sqrt(self._log / np.maximum(pulls, 0.25))
        index = np.where(
            self._leaf[rows, cells], mean + radius + self.constant * self._side, -np.inf
        )
        found = np.argmax(index, axis=1)
        self._chosen = cells[self._rows, found]
        self._at, self._line = found, line[self._rows, found]
        return np.asarray(((self._column[found] + 0.5) * self._side[found])[:, None])

    def update(self, arms: Floats, reward: Floats, seen: Any = None) -> None:
        place = (self._rows, self._chosen)
        self._pulls[place] += 1
        self._sums[place] += finite(reward)
        side, depth = self._side[self._at], self._depth[self._at]
        radius = np.sqrt(self._log / self._pulls[place])
        split = np.flatnonzero((radius <= self.constant * side) & (depth < self._levels))
        if not split.size:
            return
        self._leaf[split, self._chosen[split]] = False
        finer = depth[split] + 1
        offset = (4**finer - 1) // 3
        for down in (0, 1):
            for right in (0, 1):
                line = 2 * self._line[split] + down
                column = 2 * self._column[self._at[split]] + right
                self._leaf[split, offset + line * 2**finer + column] = True
