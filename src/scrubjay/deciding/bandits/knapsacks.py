"""Bandits with knapsacks: every pull consumes resources, and budgets are hard.

    OPT = T · max over mixtures D of arms of  r(D)  subject to  c_i(D) <= B_i / T

The best fixed *arm* is the wrong thing to compare with: the optimum mixes arms. ``OPT`` is an upper
bound on what any policy can expect. Resources beside time have their own budgets B_i; consumption
of a round lies in [0, 1] per resource; playing nothing (arm -1) consumes nothing but time.

Hardness: a round in which an arm could consume more than is left is not played, and that ends the
run: no budget is exceeded by any amount. Source: Slivkins, Introduction to Multi-Armed Bandits,
chapter 10; algorithms in ``knapsack_players``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Feedback

NOTHING = -1
"""The null arm: no reward, no consumption."""


@dataclass
class KnapsackArms:
    """Arms that succeed with some chance; reward and consumption may depend on success.

        X ~ Bernoulli(chance[a]),  reward value[a] X,  consumption spend[a] + spend_if[a] X

    Dynamic pricing: value = price, spend = 0, spend_if = 1 unit of the one resource.

    Args:
        chance: (arms,) in [0, 1].
        value: (arms,) in [0, 1].
        spend: (arms, resources) or (arms,), consumed by every pull.
        spend_if: the same, consumed by success; by default nothing.
        budgets: one per resource.

    Raises:
        ValueError: no arms, shapes that don't fit, a negative budget, or a number outside [0, 1].
    """

    chance: Sequence[float]
    value: Sequence[float]
    spend: Any
    budgets: Sequence[float]
    spend_if: Any = None
    show: Feedback = field(default="knapsack", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit", "knapsack"})

    def __post_init__(self) -> None:
        self._chance = np.asarray(self.chance, dtype=np.float64)
        self._value = np.asarray(self.value, dtype=np.float64)
        self.arms = len(self._chance)
        if not self.arms or self._value.shape != (self.arms,):
            raise ValueError("a knapsack bandit needs arms, each with a chance and a value")
        self.limits = checked_budgets(self.budgets)
        self._spend = self._table(self.spend)
        self._spend_if = self._table(0.0 if self.spend_if is None else self.spend_if)
        most = self._spend + self._spend_if
        for name, values in (("chance", self._chance), ("value", self._value), ("pull", most)):
            if not ((values >= 0) & (values <= 1)).all():
                what = "consumption of a pull" if name == "pull" else f"{name} of an arm"
                raise ValueError(f"the {what} must lie in [0, 1]")
        self._most = most
        self.rewards: Floats = self._chance * self._value
        self.consumption: Floats = self._spend + self._chance[:, None] * self._spend_if

    def _table(self, values: Any) -> Floats:
        table = np.asarray(values, dtype=np.float64)
        if table.ndim < 2:
            table = np.broadcast_to(table.reshape(-1, 1), (self.arms, 1))
        if table.shape != (self.arms, len(self.limits)):
            raise ValueError(
                f"consumption must be given for {self.arms} arms and {len(self.limits)} resources"
            )
        return table

    def optimum(self, horizon: int) -> float:
        """OPT: what the best mixture would earn in ``horizon`` rounds if budgets held on
        average."""
        return horizon * mixture(self.rewards, self.consumption, self.limits / horizon)[1]

    def begin(self, horizon: int, lanes: Lanes) -> None:
        self._lanes, self._round, self._horizon = lanes, 0, horizon
        self.left: Floats = np.tile(self.limits, (len(lanes), 1))
        self.alive = np.ones(len(lanes), dtype=bool)
        self.earned: Floats = np.zeros(len(lanes))
        self._rate = self.optimum(horizon) / horizon

    def context(self) -> None:
        return None

    def play(self, arms: Ints) -> tuple[Floats, Floats | None]:
        chosen = np.maximum(arms, 0)
        success = self._lanes.uniform() < self._chance[chosen]
        playing = self.alive & (arms != NOTHING)
        # What it could consume must be there, else this run is over.
        self.alive &= ~(playing & (self._most[chosen] > self.left + 1e-12).any(axis=1))
        playing &= self.alive
        spent = self._spend[chosen] + success[:, None] * self._spend_if[chosen]
        spent = np.where(playing[:, None], spent, 0.0)
        self.left = np.maximum(self.left - spent, 0.0)
        reward = np.where(playing & success, self._value[chosen], 0.0)
        self.earned += reward
        self._round += 1
        return reward, spent if self.show == "knapsack" else None

    def regret(self) -> Floats:
        """The optimum's earnings at its even pace, minus what was earned."""
        return self._rate * self._round - self.earned


def mixture(rewards: Floats, consumption: Floats, rates: Floats) -> tuple[Floats, float]:
    """The best mixture of arms that consumes at most ``rates`` a round, and what it earns.

    Args:
        rewards: (arms,).
        consumption: (arms, resources).
        rates: (resources,), budget per round.

    Returns:
        The share of each arm (what is missing to 1 plays nothing) and the reward a round.
    """
    from scipy.optimize import linprog

    found = linprog(
        -rewards,
        A_ub=np.vstack([consumption.T, np.ones(len(rewards))]),
        b_ub=np.append(rates, 1.0),
        bounds=(0, None),
        method="highs",
    )
    return np.maximum(found.x, 0), float(-found.fun)


def mixtures(rewards: Floats, consumption: Floats, rate: float) -> Floats:
    """The same for one resource in many runs at once: shares (runs, arms).

    A best mixture of one resource has at most two parts (a vertex of two constraints), one of which
    may be playing nothing: all pairs are compared.
    """
    runs, arms = rewards.shape
    r = np.concatenate([rewards, np.zeros((runs, 1))], axis=1)
    c = np.concatenate([consumption, np.zeros((runs, 1))], axis=1)
    cheap, dear = c[:, :, None], c[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Share of the dearer arm that spends exactly the rate; 1 if it is affordable.
        share = np.where(dear <= rate, 1.0, (rate - cheap) / (dear - cheap))
        worth = share * r[:, None, :] + (1 - share) * r[:, :, None]
    worth = np.where(cheap <= rate, worth, -np.inf)
    best = np.argmax(worth.reshape(runs, -1), axis=1)
    first, second = np.divmod(best, arms + 1)
    rows = np.arange(runs)
    out = np.zeros((runs, arms + 1))
    part = share[rows, first, second]
    out[rows, second] += part
    out[rows, first] += 1 - part
    return out[:, :arms]


def checked_budgets(budgets: Sequence[float]) -> Floats:
    """The budgets as an array.

    Raises:
        ValueError: there are none, or one is negative or not finite.
    """
    limits = np.atleast_1d(np.asarray(budgets, dtype=np.float64))
    if limits.ndim != 1 or not limits.size:
        raise ValueError("bandits with knapsacks need at least one budget")
    bad = limits[~(np.isfinite(limits) & (limits >= 0))]
    if bad.size:
        raise ValueError(f"a budget must be a finite number of 0 or more, not {bad[0]:g}")
    return limits
