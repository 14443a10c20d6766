"""The account of a search: no evaluation goes uncounted, and all methods are measured alike.

    found = tally.evaluate(genomes, "explore")      # fewer rows where the budget ends

What was *visited* (cells of the true behaviour, best reward of every area) is counted over all
evaluations, whatever a method keeps: methods keep very different archives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scrubjay.core.progress import Count, silent
from scrubjay.deciding.diversity.spaces import Grid
from scrubjay.deciding.diversity.types import (
    BrokenEnvironment,
    Evaluations,
    Floats,
    Outcome,
    Problem,
    SearchError,
    checked_reward,
)

CELLS = 1_000_000
"""Of the grid, at most."""


class Tally:
    """Evaluates for a search and keeps count.

    Args:
        problem: what is searched.
        budget: evaluations in all.
        every: after how many evaluations the curve gets a point.
        cells: of the grid, per dimension of the behaviour.
        progress: called with (evaluations, budget).

    Raises:
        SearchError: a budget or a distance of points below 1.
    """

    def __init__(
        self,
        problem: Problem,
        budget: int,
        every: int = 500,
        cells: int = 50,
        progress: Count = silent,
    ) -> None:
        if budget < 1 or every < 1:
            raise SearchError(f"a search needs a budget of at least one evaluation, not {budget}")
        low, high = problem.bounds
        if problem.genome < 1 or not (np.isfinite([low, high]).all() and low < high):
            raise SearchError("a problem needs genomes of at least one entry and finite bounds")
        self.problem, self.budget, self.every, self.progress = problem, budget, every, progress
        # In many dimensions fewer cells each: a grid that cannot be filled says nothing.
        dimensions = max(1, len(problem.limits))
        self.grid = Grid(problem.limits, max(2, min(cells, int(CELLS ** (1 / dimensions)))))
        self.used, self.rewarded = 0, 0
        self.spent: dict[str, int] = {}
        self.curve: list[dict[str, Any]] = []
        self.best = np.zeros(max(1, problem.areas))
        self._visited = np.zeros(self.grid.size, dtype=bool)

    @property
    def left(self) -> int:
        return self.budget - self.used

    def evaluate(self, genomes: Floats, purpose: str) -> Evaluations:
        """Run as many of the genomes as the budget allows, in order.

        Raises:
            SearchError: genomes the problem can't take.
            BrokenEnvironment: rewards that are no numbers, or another number of results.
        """
        genomes = genomes[: self.left]
        found = self.problem.evaluate(genomes)
        if len(found) != len(genomes) or len(found.observations) != len(genomes):
            raise BrokenEnvironment(
                f"the problem gave {len(found)} results for {len(genomes)} genomes"
            )
        checked_reward(found.reward, len(genomes))
        if (found.reward < 0).any():
            raise BrokenEnvironment("a reward is below 0; shift rewards so that 0 means none")
        if found.behaviour.shape != (len(genomes), len(self.grid.low)):
            raise BrokenEnvironment("a behaviour needs as many dimensions as there are limits")
        if not (np.isfinite(found.behaviour).all() and np.isfinite(found.observations).all()):
            raise BrokenEnvironment("a behaviour or observation holds a number that isn't finite")
        if len(found) and not -1 <= found.area.min() <= found.area.max() < len(self.best):
            raise BrokenEnvironment(f"areas are numbered from 0 to {len(self.best) - 1}, -1: none")
        self.used += len(genomes)
        self.spent[purpose] = self.spent.get(purpose, 0) + len(genomes)
        self._visited[self.grid.index(found.behaviour)] = True
        good = found.reward > 0
        self.rewarded += int(good.sum())
        np.maximum.at(self.best, np.maximum(found.area[good], 0), found.reward[good])
        if self.used // self.every > (self.used - len(genomes)) // self.every or not self.left:
            self.curve.append(
                {
                    "evaluations": self.used,
                    "coverage": float(self._visited.mean()),
                    "areas": int((self.best > 0).sum()),
                    "best": [float(b) for b in self.best],
                }
            )
        self.progress(self.used, self.budget)
        return found

    def outcome(self, kept: Sequence[Evaluations], errors: Sequence[float] = ()) -> Outcome:
        """The result of a search that kept these."""
        return Outcome(
            Evaluations.join([k for k in kept if len(k)] or [kept[0]]),
            self.curve,
            dict(self.spent),
            list(errors),
            self.rewarded,
        )
