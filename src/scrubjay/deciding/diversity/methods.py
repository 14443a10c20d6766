"""The methods by name: STAX, its family, and what they are held against.

    stax        learned space, novelty and surprise, emitters
    stax-nt     the same with an encoder that never trains
    taxons      learned space, no emitters
    serene      the true space, emitters
    novelty     the true space (novelty search)
    nsga2       the true space, novelty and reward
    map-elites  the true space as a grid, the best of every cell
    random      genomes drawn evenly

Source: STAX (paper 27), 3.5 (baselines). MAP-Elites after Mouret & Clune (2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from scrubjay.core.errors import UnknownName
from scrubjay.core.progress import Count, silent
from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.diversity.descriptors import HandMade, LearnedDescriptor
from scrubjay.deciding.diversity.spaces import Grid
from scrubjay.deciding.diversity.stax import Stax
from scrubjay.deciding.diversity.tally import Tally
from scrubjay.deciding.diversity.types import Evaluations, Outcome, Problem, SearchError


class Method(Protocol):
    """A search with its settings."""

    def run(self, problem: Problem, budget: int, seed: int = 0, progress: Count = ...) -> Outcome:
        """Search with ``budget`` evaluations."""
        ...


@dataclass
class RandomSearch:
    """Genomes drawn evenly from the bounds; keeps what had a reward.

    Raises:
        SearchError: a batch below 1.
    """

    batch: int = 100

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise SearchError("random search needs a batch of at least one")

    def run(
        self, problem: Problem, budget: int, seed: int = 0, progress: Count = silent
    ) -> Outcome:
        tally, rng = Tally(problem, budget, progress=progress), numpy_stream(seed, "random search")
        kept: list[Evaluations] = []
        while tally.left:
            genomes = rng.uniform(*problem.bounds, (min(self.batch, tally.left), problem.genome))
            found = tally.evaluate(genomes, "explore")
            kept.append(found.take(found.reward > 0))
        return tally.outcome(kept)


@dataclass
class MapElites:
    """Keeps the best of every cell of the true behaviour space; children of elites drawn evenly.

    Raises:
        SearchError: sizes below 1 or a spread that is not above 0.
    """

    cells: int = 50
    batch: int = 100
    sigma: float = 0.5

    def __post_init__(self) -> None:
        if min(self.cells, self.batch) < 1 or not self.sigma > 0:
            raise SearchError("MAP-Elites needs cells, a batch, and a spread above 0")

    def run(
        self, problem: Problem, budget: int, seed: int = 0, progress: Count = silent
    ) -> Outcome:
        tally, rng = Tally(problem, budget, progress=progress), numpy_stream(seed, "map-elites")
        grid = Grid(problem.limits, self.cells)
        drawn = rng.uniform(*problem.bounds, (self.batch, problem.genome))
        elites = best_of_cells(tally.evaluate(drawn, "explore"), grid)
        while tally.left:
            parents = elites.genomes[rng.integers(0, len(elites), min(self.batch, tally.left))]
            children = parents + self.sigma * rng.standard_normal(parents.shape)
            found = tally.evaluate(np.clip(children, *problem.bounds), "explore")
            elites = best_of_cells(Evaluations.join([elites, found]), grid)
        return tally.outcome([elites])


def best_of_cells(found: Evaluations, grid: Grid) -> Evaluations:
    """The best by reward of every cell that was reached (the first of equals), by cell."""
    cells = grid.index(found.behaviour)
    order = np.lexsort((np.arange(len(found)), -found.reward, cells))
    _, first = np.unique(cells[order], return_index=True)
    return found.take(order[first])


METHODS: dict[str, Callable[..., Method]] = {
    "stax": lambda **how: Stax(LearnedDescriptor(), **how),
    "stax-nt": lambda **how: Stax(LearnedDescriptor(trains=False), survival="novelty", **how),
    "taxons": lambda **how: Stax(LearnedDescriptor(), survival="coin", exploit=False, **how),
    "serene": lambda **how: Stax(HandMade(), survival="novelty", **how),
    "novelty": lambda **how: Stax(HandMade(), survival="novelty", exploit=False, **how),
    "nsga2": lambda **how: Stax(HandMade(), survival="reward", exploit=False, **how),
    "map-elites": lambda sigma=0.5, **_: MapElites(sigma=sigma),
    "random": lambda **_: RandomSearch(),
}


def make_method(name: str, **how: Any) -> Method:
    """A method by its name; settings are those of ``Stax`` and are passed over where they mean
    nothing.

    Raises:
        UnknownName: nothing is called so.
        SearchError: settings that can't be.
    """
    if name not in METHODS:
        raise UnknownName("quality-diversity method", name, METHODS)
    return METHODS[name](**how)
