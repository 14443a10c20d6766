"""A continuum of arms whose means can't change faster than the distance: grid and zooming.

    |mu(x) - mu(y)| <= L |x - y|_inf             arms are points of [0, 1]^d

    grid      cells of side (T L^2 / log T)^(-1/(d+2)), any bandit over their middles
              T^((d+1)/(d+2)) up to logs                                     (Theorems 4.1, 4.11)
    zooming   r(x) = sqrt(2 log T / (n(x) + 1));  every arm in a ball B(x, r(x)/L) of an active x,
              else activate one that isn't;  play the active x with the largest mean + 2 r(x)
              the same with the zooming dimension, which counts near-optimal arms only (4.18)

Source: Slivkins, Introduction to Multi-Armed Bandits, chapter 4. Ours: zooming activates points of
a net whose spacing is a quarter of the smallest radius the horizon allows, so that the covering is
exact up to that net; which uncovered point becomes active is random.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Bandit, Feedback, Setting, finite, positive
from scrubjay.deciding.bandits.ucb import UCB1

_NET = 40_000
"""Points of zooming's net at most."""


@dataclass
class LipschitzArms:
    """Points of [0, 1]^d with Bernoulli rewards of mean ``f`` (points (n, d) -> means (n,)).

    ``best`` is the largest mean; by default the largest on a grid of about 100,000 points.

    Raises:
        ValueError: ``f`` leaves [0, 1], or there is no dimension.
    """

    f: Callable[[Floats], Floats]
    dimensions: int = 1
    best: float | None = None
    show: Feedback = field(default="bandit", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit"})

    def __post_init__(self) -> None:
        if self.dimensions < 1:
            raise ValueError(f"a space needs at least one dimension, not {self.dimensions}")
        self.arms = 1
        side = max(2, round(100_000 ** (1 / self.dimensions)))
        points = grid(side, self.dimensions)
        means = np.asarray(self.f(points), dtype=np.float64)
        if means.shape != (len(points),):
            raise ValueError("the function must give a mean for each of an array of points")
        if not ((means >= 0) & (means <= 1)).all():
            raise ValueError("the mean of every arm must lie in [0, 1]")
        self._best = float(means.max()) if self.best is None else self.best

    def begin(self, horizon: int, lanes: Lanes) -> None:
        self._lanes = lanes
        self._lost: Floats = np.zeros(len(lanes))

    def context(self) -> None:
        return None

    def play(self, arms: Floats) -> tuple[Floats, None]:
        means = np.asarray(self.f(arms))
        self._lost += self._best - means
        return (self._lanes.uniform() < means).astype(np.float64), None

    def regret(self) -> Floats:
        return self._lost


@dataclass
class UniformGrid:
    """Any bandit over the middles of equal cells.

    Args:
        base: the bandit, UCB1 by default.
        dimensions: of the space.
        constant: L.
        cells: per dimension; by default by the rule above.
        name: by default that of the base with 'grid-' before it.

    Raises:
        ValueError: a setting is not above 0.
    """

    base: Bandit = field(default_factory=UCB1)
    dimensions: int = 1
    constant: float = 1.0
    cells: int | None = None
    name: str = ""
    feedback: ClassVar[Feedback] = "bandit"
    points: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive(dimensions=self.dimensions, constant=self.constant, cells=self.cells or 1)
        self.name = self.name or f"grid-{self.base.name}"

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        horizon = setting.horizon
        wide = (horizon * self.constant**2 / math.log(max(horizon, 2))) ** (
            1 / (self.dimensions + 2)
        )
        self._points = grid(self.cells or max(1, math.ceil(wide)), self.dimensions)
        self._base = copy.deepcopy(self.base)
        self._base.begin(Setting(len(self._points), horizon), lanes)

    def select(self, context: Any = None) -> Floats:
        self._arms: Ints = self._base.select()
        return np.asarray(self._points[self._arms])

    def update(self, arms: Floats, reward: Floats, seen: Any = None) -> None:
        self._base.update(self._arms, reward)


@dataclass
class Zooming:
    """Adaptive discretisation: more arms where rewards are high.

    Args:
        dimensions: of the space; the net grows with T^(d/2), so few of them.
        constant: L.
        alpha: the 2 of the radius.

    Raises:
        ValueError: a setting is not above 0, or (in ``begin``) the net would be too large.
    """

    dimensions: int = 1
    constant: float = 1.0
    alpha: float = 2.0
    name: str = "zooming"
    feedback: ClassVar[Feedback] = "bandit"
    points: ClassVar[bool] = True

    def __post_init__(self) -> None:
        positive(dimensions=self.dimensions, constant=self.constant, alpha=self.alpha)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._log = self.alpha * math.log(max(setting.horizon, 2))
        smallest = math.sqrt(self._log / (setting.horizon + 1)) / self.constant
        side = max(1, math.ceil(4 / smallest))
        if side**self.dimensions > _NET:
            raise ValueError(
                f"zooming would need {side}^{self.dimensions} points; take a smaller "
                "horizon, fewer dimensions or a smaller constant"
            )
        self._net = grid(side, self.dimensions)
        shape = (len(lanes), len(self._net))
        self._rows = lanes.rows
        self._order: Floats = lanes.uniform(shape[1])
        self._covers: Ints = np.zeros(shape, dtype=np.int64)
        self._pulls: Floats = np.zeros(shape)
        self._sums: Floats = np.zeros(shape)
        self._index: Floats = np.full(shape, -np.inf)
        self._active: Ints = np.zeros(len(lanes), dtype=np.int64)
        self._bare = np.ones(len(lanes), dtype=bool)

    @property
    def active(self) -> Ints:
        """How many arms are active in each run."""
        return self._active

    def select(self, context: Any = None) -> Floats:
        rows = np.flatnonzero(self._bare)
        if rows.size:
            free = np.where(self._covers[rows] == 0, self._order[rows], -1.0)
            self._activate(rows, np.argmax(free, axis=1))
        self._arms: Ints = np.argmax(self._index, axis=1)
        return np.asarray(self._net[self._arms])

    def _activate(self, rows: Ints, arms: Ints) -> None:
        radius = math.sqrt(self._log)
        self._index[rows, arms] = 2 * radius
        self._active[rows] += 1
        self._covers[rows] += self._distance(arms) <= radius / self.constant
        self._bare[rows] = (self._covers[rows] == 0).any(axis=1)

    def update(self, arms: Floats, reward: Floats, seen: Any = None) -> None:
        finite(reward)
        rows, chosen = self._rows, self._arms
        before = np.sqrt(self._log / (self._pulls[rows, chosen] + 1)) / self.constant
        self._pulls[rows, chosen] += 1
        self._sums[rows, chosen] += reward
        pulls = self._pulls[rows, chosen]
        radius = np.sqrt(self._log / (pulls + 1))
        self._index[rows, chosen] = self._sums[rows, chosen] / pulls + 2 * radius
        # The ball has shrunk: the ring between its old and its new edge is covered once less.
        distance = self._distance(chosen)
        after = (radius / self.constant)[:, None]
        ring = (distance > after) & (distance <= before[:, None])
        changed = np.flatnonzero(ring.any(axis=1))
        if changed.size:
            self._covers[changed] -= ring[changed]
            self._bare[changed] = (self._covers[changed] == 0).any(axis=1)

    def _distance(self, arms: Ints) -> Floats:
        """From one point of the net a run to all of them: array (runs, net)."""
        centres = self._net[arms]
        return np.asarray(np.max(np.abs(self._net[None] - centres[:, None]), axis=2))


def grid(side: int, dimensions: int) -> Floats:
    """The middles of side^d equal cells of [0, 1]^d: array (side^d, d)."""
    middles = (np.arange(side) + 0.5) / side
    return np.array(list(itertools.product(middles, repeat=dimensions))).reshape(-1, dimensions)
