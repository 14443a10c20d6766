"""Whom to ask, for how much: spending a search budget among sources that cost.

Retrievers, tools and models are agents to hire whose effort is 0 or 1. What a *set* of them is
worth is not the sum of its parts (two indexes of one shelf find the same), so it is measured
jointly:

    U(S) = mean over practice questions of  max_(i in S) found[question, i]
    plan = the mixture of sets with   max sum_S p(S) U(S)   s.t.  sum_S p(S) cost(S) <= budget

which mixes at most two sets. ``SearchAllocator`` learns while it spends: sets are the arms of a
bandit with one knapsack (UcbBwK), and its budget is hard.

Source: ours, after the principal and agents of Cacciamani, Castiglioni and Gatti (2023), whose law
P(s, th | b) is here the table of what was found in practice, and after chapter 10 of Slivkins,
Introduction to Multi-Armed Bandits. Sources don't act in their own interest: nobody has to be paid.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scrubjay.deciding.bandits.knapsack_players import UcbBwK
from scrubjay.deciding.bandits.knapsacks import NOTHING, mixture
from scrubjay.deciding.bandits.types import SingleBandit

MOST = 10
"""Sources at most: all sets of them are weighed."""
Chosen = tuple[int, ...]
"""Numbers of the sources to ask."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """Sets of sources, each with the chance of asking it; the rest asks nobody."""

    sets: tuple[tuple[Chosen, float], ...]
    value: float
    """Expected quality of what is found, in practice."""
    cost: float
    """Expected cost a question."""

    def pick(self, uniform: float) -> Chosen:
        """The set for a number drawn uniformly from [0, 1)."""
        for chosen, chance in self.sets:
            if uniform < chance:
                return chosen
            uniform -= chance
        return ()


def plan_search(
    found: Any, costs: Sequence[float], budget: float, price: float = 0.0
) -> SearchPlan:
    """The mixture of sets of sources that finds most for ``budget`` a question.

    Args:
        found: (questions, sources) in [0, 1]: how good what a source found was, in practice.
        costs: of asking each source once.
        budget: average cost a question.
        price: what a unit of cost has to bring in quality; 0 spends the budget wherever it helps.

    Raises:
        ValueError: no practice, more than ten sources, a cost or budget that is negative, or
            quality outside [0, 1].
    """
    table, spend = np.asarray(found, dtype=np.float64), checked_costs(costs)
    if table.ndim != 2 or not len(table) or table.shape[1] != len(spend):
        raise ValueError("practice needs a row per question and a column per source")
    if not ((table >= 0) & (table <= 1)).all():
        raise ValueError("the quality of what was found must lie in [0, 1]")
    if not (math.isfinite(budget) and budget >= 0):
        raise ValueError(f"a budget must be a finite number of 0 or more, not {budget:g}")
    if not (math.isfinite(price) and price >= 0):
        raise ValueError(f"a price must be a finite number of 0 or more, not {price:g}")
    sets = all_sets(len(spend))
    worth = np.array([table[:, list(s)].max(axis=1).mean() for s in sets])
    cost = np.array([spend[list(s)].sum() for s in sets])
    # Of sets that are worth the same the cheaper one: a hair of the cost is taken off.
    net = worth - price * cost - 1e-9 * cost
    shares = mixture(net, cost[:, None], np.array([budget]))[0]
    shares = np.where((net > 0) & (shares > 1e-9), shares, 0)
    kept = tuple((sets[i], float(shares[i])) for i in np.flatnonzero(shares))
    return SearchPlan(kept, float(shares @ worth), float(shares @ cost))


def all_sets(sources: int) -> list[Chosen]:
    """All sets of sources but the empty one, smaller ones first."""
    numbers = range(sources)
    return [s for size in numbers for s in itertools.combinations(numbers, size + 1)]


class SearchAllocator:
    """Learns which sources to ask, one question after another, with a budget for all of them.

        allocator = SearchAllocator(costs=[1, 3], budget=100, questions=500)
        chosen = allocator.choose()          # numbers of sources, perhaps none
        allocator.learn(quality)             # in [0, 1]: how good the answer was

    Args:
        costs: of asking each source once.
        budget: for all questions together; it is never exceeded.
        questions: how many there will be.
        seed: fixes its random choices.

    Raises:
        ValueError: no sources or more than ten, a negative cost or budget, or no questions.
    """

    def __init__(
        self, costs: Sequence[float], budget: float, questions: int, seed: int = 0
    ) -> None:
        spend = checked_costs(costs)
        self.sets = all_sets(len(spend))
        self._cost = np.array([spend[list(s)].sum() for s in self.sets])
        # One unit of the bandit's resource is what the largest set costs.
        self._unit = float(self._cost.max()) or 1.0
        if not (math.isfinite(budget) and budget >= 0):
            raise ValueError(f"a budget must be a finite number of 0 or more, not {budget:g}")
        # Where nothing costs anything, no budget runs out.
        units = budget / self._unit if self._cost.max() else questions + 1.0
        self._bandit = SingleBandit(
            UcbBwK([units], consumption=self._cost / self._unit),
            len(self.sets),
            questions,
            seed,
        )
        self.left = float(budget)
        self._arm: int | None = None

    def choose(self) -> Chosen:
        """The sources to ask now; nobody, when the budget no longer reaches for all of them.

        Raises:
            ValueError: the last choice was not learned from yet.
        """
        if self._arm is not None:
            raise ValueError("learn from the last choice before making another")
        self._arm = int(self._bandit.select())
        return () if self._arm == NOTHING else self.sets[self._arm]

    def learn(self, quality: float) -> None:
        """How good the answer was that the chosen sources led to.

        Raises:
            ValueError: nothing was chosen, or a quality outside [0, 1].
        """
        if self._arm is None:
            raise ValueError("choose before learning")
        if not 0 <= quality <= 1:
            raise ValueError(f"the quality of an answer must lie in [0, 1], not at {quality:g}")
        cost = 0.0 if self._arm == NOTHING else float(self._cost[self._arm])
        arm, self._arm = self._arm, None
        self.left -= cost
        self._bandit.update(arm, 0.0 if arm == NOTHING else quality, [cost / self._unit])


def checked_costs(costs: Sequence[float]) -> Any:
    """The costs as an array.

    Raises:
        ValueError: there are none or too many, or one is negative or not finite.
    """
    spend = np.asarray(costs, dtype=np.float64)
    if spend.ndim != 1 or not 1 <= len(spend) <= MOST:
        raise ValueError(f"a search is allocated among 1 to {MOST} sources, not {spend.size}")
    bad = spend[~(np.isfinite(spend) & (spend >= 0))]
    if bad.size:
        raise ValueError(f"a cost must be a finite number of 0 or more, not {bad[0]:g}")
    return spend
