"""Combinatorial arms: routes through a graph, whose cost is the sum of their edges' costs.

    semi-bandit Hedge  with chance gamma a random edge and a route through it, else Hedge on routes
                       fake cost of a seen edge = cost / P[edge is seen]   O(d^(3/2) T^(3/4))  (7.4)
    FTPL               play the cheapest route for  v_0 + v_1 + … + v_(t-1),  v_0 uniform in
                       [-1/eps, 1/eps]^d, eps = sqrt(d)/(U sqrt(T)):  2 U sqrt(d T)           (7.10)
    semi-bandit FTPL   the same on fake costs, seen in the share gamma of random rounds
                       O(d^(5/4) T^(3/4))                                                      (7.7)

d edges ("atoms"), v_t in [0, U/d]^d. Source: Slivkins, Introduction to Multi-Armed Bandits, chapter
7. Here edge costs lie in [0, 1], so U = d; FTPL asks an oracle for the cheapest route and never
looks at a list of routes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.experts import Weights, all_seen
from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes, pick
from scrubjay.deciding.bandits.types import Feedback, Setting, finite

Oracle = Callable[[Floats], Ints]
"""From edge costs (runs, edges) to the number of the cheapest route of each run."""


class Routes:
    """All routes from ``source`` to ``target`` in a graph without cycles; route i is row i of
    ``matrix`` (routes, edges).

    Raises:
        ValueError: there is a cycle, no route, or more than 100,000 of them.
    """

    MOST = 100_000

    def __init__(
        self, edges: Sequence[tuple[Hashable, Hashable]], source: Hashable, target: Hashable
    ) -> None:
        self.edges = tuple(edges)
        leaving: dict[Hashable, list[int]] = {}
        for number, (tail, _) in enumerate(self.edges):
            leaving.setdefault(tail, []).append(number)
        found: list[list[int]] = []
        stack: list[tuple[Hashable, list[int]]] = [(source, [])]
        while stack:
            node, way = stack.pop()
            if node == target:
                found.append(way)
                if len(found) > self.MOST:
                    raise ValueError(f"the graph has more than {self.MOST:,} routes")
                continue
            if len(way) > len(self.edges):
                raise ValueError("the graph has a cycle; routes need a graph without one")
            stack.extend((self.edges[e][1], [*way, e]) for e in leaving.get(node, ()))
        if not found:
            raise ValueError(f"the graph has no route from {source} to {target}")
        self.matrix: Floats = np.zeros((len(found), len(self.edges)))
        for row, way in enumerate(sorted(found)):
            self.matrix[row, way] = 1.0

    @classmethod
    def grid(cls, side: int) -> Routes:
        """A square grid of ``side`` x ``side`` nodes, to be crossed by going right or down."""
        cells = [(i, j) for i in range(side) for j in range(side)]
        edges = [((i, j), (i, j + 1)) for i, j in cells if j + 1 < side]
        edges += [((i, j), (i + 1, j)) for i, j in cells if i + 1 < side]
        return cls(edges, (0, 0), (side - 1, side - 1))

    def cheapest(self, costs: Floats) -> Ints:
        """The oracle: the cheapest route of every run."""
        return np.asarray(np.argmin(costs @ self.matrix.T, axis=1))

    def __len__(self) -> int:
        return len(self.matrix)


@dataclass
class RoutingArms:
    """Edges with Bernoulli costs of given means; an arm is a route; reward 1 - cost / longest
    route.

    Raises:
        ValueError: not a probability for every edge.
    """

    routes: Routes
    means: Sequence[float]
    show: Feedback = field(default="bandit", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit", "full", "semi", "atoms"})

    def __post_init__(self) -> None:
        self._means: Floats = np.asarray(self.means, dtype=np.float64)
        if self._means.shape != (len(self.routes.edges),):
            raise ValueError(f"{len(self.routes.edges)} edges need as many mean costs")
        if not ((self._means >= 0) & (self._means <= 1)).all():
            raise ValueError("the mean cost of an edge must lie in [0, 1]")
        self.arms = len(self.routes)
        self._longest = self.routes.matrix.sum(axis=1).max()
        expected = self.routes.matrix @ self._means / self._longest
        self.gaps: Floats = expected - expected.min()

    def begin(self, horizon: int, lanes: Lanes) -> None:
        self._lanes = lanes
        self._lost: Floats = np.zeros(len(lanes))

    def context(self) -> None:
        return None

    def play(self, arms: Ints) -> tuple[Floats, Floats | None]:
        costs = (self._lanes.uniform(len(self._means)) < self._means).astype(np.float64)
        self._lost += self.gaps[arms]
        way = self.routes.matrix[arms]
        reward = 1 - (costs * way).sum(axis=1) / self._longest
        if self.show == "full":
            return reward, 1 - costs @ self.routes.matrix.T / self._longest
        if self.show == "atoms":
            return reward, costs
        return reward, np.where(way > 0, costs, np.nan) if self.show == "semi" else None

    def regret(self) -> Floats:
        return self._lost


@dataclass
class SemiBanditHedge:
    """Hedge over all routes, from the costs of the edges of the chosen one.

    Raises:
        ValueError: ``gamma`` is not in (0, 1].
    """

    routes: Routes
    gamma: float | None = None
    """Share of random rounds; by default min(1/2, sqrt(d) (log K)^(1/4) T^(-1/4))."""
    name: str = "semi-hedge"
    feedback: ClassVar[Feedback] = "semi"

    def __post_init__(self) -> None:
        _share(self.gamma)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        matrix = self._matrix = self.routes.matrix
        atoms, horizon = matrix.shape[1], setting.horizon
        self._gamma = self.gamma or min(
            0.5, math.sqrt(atoms) * (max(math.log(len(matrix)), 1) / horizon) ** 0.25
        )
        self._through = exploration_law(matrix)
        # Fake costs of a route average at most its length, their squares d/gamma times that.
        rate = math.sqrt(math.log(max(len(matrix), 2)) * self._gamma / (3 * atoms**2 * horizon))
        self._log = math.log1p(-min(0.5, rate))
        self._lanes = lanes
        self.weights = Weights(len(lanes), len(matrix))

    def select(self, context: Any = None) -> Ints:
        law = self.weights.probabilities()
        self._law = (1 - self._gamma) * law + self._gamma * self._through
        return pick(self._law, self._lanes.uniform())

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        finite(reward)
        costs = all_seen(seen, self.name)
        fake = np.nan_to_num(costs) / np.maximum(self._law @ self._matrix, 1e-12)
        self.weights.add_all((fake @ self._matrix.T) * self._log)


@dataclass
class FTPL:
    """Follow the perturbed leader: one call of the oracle a round, costs of all edges seen.

    Raises:
        ValueError: there are no atoms.
    """

    atoms: int
    oracle: Oracle
    name: str = "ftpl"
    feedback: ClassVar[Feedback] = "atoms"

    def __post_init__(self) -> None:
        if self.atoms < 1:
            raise ValueError("follow the perturbed leader needs at least one atom")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        # U = d: eps = sqrt(d) / (d sqrt(T)).
        width = math.sqrt(self.atoms * setting.horizon)
        self._costs = (2 * lanes.uniform(self.atoms) - 1) * width

    def select(self, context: Any = None) -> Ints:
        return self.oracle(self._costs)

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        finite(reward)
        self._costs = self._costs + all_seen(seen, self.name)


@dataclass
class SemiBanditFTPL:
    """Follow the perturbed leader on the costs that random rounds show.

    Raises:
        ValueError: ``gamma`` is not in (0, 1].
    """

    routes: Routes
    gamma: float | None = None
    """Share of random rounds; by default min(1/2, d^(1/4) T^(-1/4))."""
    name: str = "semi-ftpl"
    feedback: ClassVar[Feedback] = "semi"

    def __post_init__(self) -> None:
        _share(self.gamma)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        atoms = self.routes.matrix.shape[1]
        self._gamma = self.gamma or min(0.5, (atoms / setting.horizon) ** 0.25)
        self._through = exploration_law(self.routes.matrix)
        self._seen_chance = self._through @ self.routes.matrix
        # Ours: fake costs of an edge vary like sqrt(d/gamma); the book's proof takes their largest
        # value, d/gamma, which would need a width as large as all the costs of these horizons.
        width = math.sqrt(atoms * setting.horizon / self._gamma)
        self._costs = (2 * lanes.uniform(atoms) - 1) * width
        self._lanes = lanes

    def select(self, context: Any = None) -> Ints:
        drawn = self._lanes.uniform(2)
        self._random = drawn[:, 0] < self._gamma
        law = np.broadcast_to(self._through, (len(drawn), len(self._through)))
        return np.where(self._random, pick(law, drawn[:, 1]), self.routes.cheapest(self._costs))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        finite(reward)
        fake = np.nan_to_num(all_seen(seen, self.name)) / (self._gamma * self._seen_chance)
        self._costs = self._costs + fake * self._random[:, None]


def exploration_law(matrix: Floats) -> Floats:
    """Chance of each route when an edge is drawn, then a route through it, both uniformly."""
    through = matrix.sum(axis=0)
    used = through > 0
    law = (matrix[:, used] / through[used]).sum(axis=1)
    return np.asarray(law / law.sum())


def _share(gamma: float | None) -> None:
    if gamma is not None and not 0 < gamma <= 1:
        raise ValueError(f"the share of random rounds must lie in (0, 1], not at {gamma:g}")
