"""Algorithms for bandits with knapsacks.

    UcbBwK          the best mixture for optimistic rewards and consumptions; draw from it
    elimination     pick an arm b uniformly, draw from a potentially optimal mixture with most b
    primal-dual     resources have prices v that grow with their use by a factor (1+eps)^c;
                    play the arm with the largest  UCB reward / (LCB consumption · v)
    LagrangeBwK     zero-sum game  L(a, i) = r(a) + 1 - (T/B) c_i(a): EXP3.P over arms against Hedge
                    over resources;  OPT - reward <= O(T/B) sqrt(T K ln(d T/delta))       (10.14)
    UCB1UntilBroke  what ignoring the budget costs

Source: Slivkins, Introduction to Multi-Armed Bandits, chapter 10 (primal-dual: Badanidiyuru,
Kleinberg and Slivkins 2013). Ours: budgets are planned a little short, (1 - eps) B with eps =
sqrt(log(d T)/B); the elimination keeps the mixtures that could still be best by their bounds, a
superset of the book's; linear programmes of several resources are solved again once the pulls of an
arm have grown by ``refresh``. All of them keep their own account and play nothing (-1) once a pull
could exceed a budget, whoever runs them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.exp3 import Exp3P
from scrubjay.deciding.bandits.experts import Weights, all_seen
from scrubjay.deciding.bandits.knapsacks import NOTHING, checked_budgets, mixture, mixtures
from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes, pick
from scrubjay.deciding.bandits.types import Feedback, Setting, unit


class Ledger:
    """What each run has left and learned: pulls, mean rewards (runs, arms), mean consumption (runs,
    arms, resources)."""

    def __init__(self, arms: int, budgets: Floats, horizon: int, lanes: Lanes) -> None:
        self.rows = lanes.rows
        self.budgets, self.left = budgets, np.tile(budgets, (len(lanes), 1))
        self.pulls: Floats = np.zeros((len(lanes), arms))
        self.rewards: Floats = np.zeros((len(lanes), arms))
        self.spent: Floats = np.zeros((len(lanes), arms, len(budgets)))
        self._log = math.log(max(horizon, 2))

    @property
    def broke(self) -> Any:
        """Runs in which a pull (at most 1 of each resource) could exceed a budget."""
        return (self.left < 1).any(axis=1)

    def checked(self, arms: Ints) -> Ints:
        """The arms, or nothing where a run is broke."""
        return np.where(self.broke, NOTHING, arms)

    def add(self, arms: Ints, reward: Floats, seen: Any, who: str) -> Ints:
        """Count a round; returns the runs that played."""
        spent = np.reshape(all_seen(seen, who), (len(self.rows), -1))
        unit(reward, who)
        if spent.shape[1] != len(self.budgets) or not ((spent >= 0) & (spent <= 1)).all():
            raise ValueError(
                f"'{who}' needs the consumption of {len(self.budgets)} resources, each in [0, 1]"
            )
        rows = self.rows[arms != NOTHING]
        arms = arms[rows]
        self.left[rows] -= spent[rows]
        self.pulls[rows, arms] += 1
        pulls = self.pulls[rows, arms]
        self.rewards[rows, arms] += (reward[rows] - self.rewards[rows, arms]) / pulls
        self.spent[rows, arms] += (spent[rows] - self.spent[rows, arms]) / pulls[:, None]
        return np.asarray(rows)

    def bounds(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Upper and lower bounds of rewards, lower and upper bounds of consumption."""
        radius = np.sqrt(2 * self._log / np.maximum(self.pulls, 1))
        radius[self.pulls == 0] = 1.0
        deep = radius[:, :, None]
        return (
            np.minimum(self.rewards + radius, 1),
            np.maximum(self.rewards - radius, 0),
            np.maximum(self.spent - deep, 0),
            np.minimum(self.spent + deep, 1),
        )


@dataclass
class _Player:
    """A budget, and the account that goes with it."""

    budgets: Sequence[float]
    feedback: ClassVar[Feedback] = "knapsack"
    name: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._budgets = checked_budgets(self.budgets)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._lanes, self._setting, self._round = lanes, setting, 0
        self.ledger = Ledger(setting.arms, self._budgets, setting.horizon, lanes)
        least = max(float(self._budgets.min()), 1.0)
        short = math.sqrt(math.log(max(len(self._budgets) * setting.horizon, 2)) / least)
        self._rates = self._budgets * (1 - min(0.5, short)) / setting.horizon

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        self.ledger.add(arms, reward, seen, self.name)
        self._round += 1


@dataclass
class UcbBwK(_Player):
    """Optimism under uncertainty for mixtures.

    Raises:
        ValueError: no budget, a negative one, or ``refresh`` not above 0.
    """

    refresh: float = 0.05
    consumption: Any = None
    """What each arm consumes, (arms, resources), where it is known and need not be learned."""
    name: str = field(default="ucb-bwk", init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.refresh > 0:
            raise ValueError(f"refresh must be above 0, not {self.refresh:g}")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        super().begin(setting, lanes)
        self._plan: Floats = np.zeros((len(lanes), setting.arms))
        self._due: Floats = np.zeros((len(lanes), setting.arms))

    def select(self, context: Any = None) -> Ints:
        ledger = self.ledger
        arms = self._setting.arms
        if self._round < arms:
            return ledger.checked(np.full(len(ledger.rows), self._round))
        upper, _, lower, _ = ledger.bounds()
        if self.consumption is not None:
            lower = np.broadcast_to(np.reshape(self.consumption, lower.shape[1:]), lower.shape)
        if len(self._budgets) == 1:
            self._plan = mixtures(upper, lower[:, :, 0], float(self._rates[0]))
        else:
            for row in np.flatnonzero((ledger.pulls >= self._due).any(axis=1) & ~ledger.broke):
                self._plan[row] = mixture(upper[row], lower[row], self._rates)[0]
                self._due[row] = np.maximum(
                    ledger.pulls[row] * (1 + self.refresh), ledger.pulls[row] + 1
                )
        # What a plan leaves of the round plays nothing.
        rest = np.maximum(1 - self._plan.sum(axis=1, keepdims=True), 0)
        drawn = pick(np.concatenate([self._plan, rest], axis=1), self._lanes.uniform())
        return ledger.checked(np.where(drawn == arms, NOTHING, drawn))


@dataclass
class EliminationBwK(_Player):
    """Balanced exploration over the mixtures that could be best. A linear programme per arm and
    refresh, so for few runs.

    Raises:
        ValueError: no budget, a negative one, or ``refresh`` not above 0.
    """

    refresh: float = 0.25
    name: str = field(default="elimination-bwk", init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.refresh > 0:
            raise ValueError(f"refresh must be above 0, not {self.refresh:g}")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        super().begin(setting, lanes)
        runs, arms = len(lanes), setting.arms
        self._plans: Floats = np.zeros((runs, arms, arms))
        self._made: Any = np.zeros((runs, arms), dtype=bool)
        self._due: Floats = np.zeros((runs, arms))

    def select(self, context: Any = None) -> Ints:
        ledger, arms = self.ledger, self._setting.arms
        if self._round < arms:
            return ledger.checked(np.full(len(ledger.rows), self._round))
        drawn = self._lanes.uniform(2)
        wanted = (drawn[:, 0] * arms).astype(np.int64)
        for row in np.flatnonzero((ledger.pulls >= self._due).any(axis=1)).tolist():
            self._made[row] = False
            self._due[row] = np.maximum(
                ledger.pulls[row] * (1 + self.refresh), ledger.pulls[row] + 1
            )
        for row in np.flatnonzero(~self._made[ledger.rows, wanted] & ~ledger.broke).tolist():
            self._plans[row, wanted[row]] = self._most_of(int(wanted[row]), row)
            self._made[row, wanted[row]] = True
        plan = self._plans[ledger.rows, wanted]
        rest = np.maximum(1 - plan.sum(axis=1, keepdims=True), 0)
        found = pick(np.concatenate([plan, rest], axis=1), drawn[:, 1])
        return ledger.checked(np.where(found == arms, NOTHING, found))

    def _most_of(self, arm: int, row: int) -> Floats:
        """The mixture with most of ``arm`` whose optimistic worth reaches the best pessimistic
        one."""
        from scipy.optimize import linprog

        upper, lower, cheap, dear = (bound[row] for bound in self.ledger.bounds())
        sure = mixture(lower, dear, self._rates)[1]
        arms = len(upper)
        found = linprog(
            -np.eye(arms)[arm],
            A_ub=np.vstack([cheap.T, np.ones(arms), -upper]),
            b_ub=np.concatenate([self._rates, [1.0, -sure + 1e-9]]),
            bounds=(0, None),
            method="highs",
        )
        if found.status:  # rounding at the edge of what is feasible: the optimistic best is in it
            return mixture(upper, cheap, self._rates)[0]
        return np.asarray(np.maximum(found.x, 0))


@dataclass
class PrimalDualBwK(_Player):
    """Prices for resources, the arm with the largest bang for the buck. Time is a resource, too."""

    name: str = field(default="primal-dual-bwk", init=False)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        super().begin(setting, lanes)
        least = max(min(float(self._budgets.min()), setting.horizon), 1.0)
        # All budgets are scaled to the smallest, time included.
        self._scale = least / np.append(np.maximum(self._budgets, 1e-9), setting.horizon)
        rate = math.sqrt(math.log(len(self._budgets) + 1) / least)
        self._log = math.log1p(min(1.0, rate))
        self.weights = Weights(len(lanes), len(self._budgets) + 1)

    def select(self, context: Any = None) -> Ints:
        ledger = self.ledger
        if self._round < self._setting.arms:
            return ledger.checked(np.full(len(ledger.rows), self._round))
        upper, _, lower, _ = ledger.bounds()
        runs, arms = upper.shape
        self._cost = np.concatenate([lower, np.ones((runs, arms, 1))], axis=2) * self._scale
        price = np.einsum("rki,ri->rk", self._cost, self.weights.probabilities())
        return ledger.checked(np.argmax(upper / np.maximum(price, 1e-12), axis=1))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        if self._round >= self._setting.arms:
            cost = self._cost[self.ledger.rows, np.maximum(arms, 0)]
            self.weights.add_all(cost * self._log)
        super().update(arms, reward, seen)


@dataclass
class LagrangeBwK(_Player):
    """A game between who earns and who watches the budgets."""

    delta: float = 0.05
    name: str = field(default="lagrange-bwk", init=False)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        super().begin(setting, lanes)
        horizon = setting.horizon
        self._least = max(min(float(self._budgets.min()), horizon), 1e-9)
        self._scale = self._least / np.append(np.maximum(self._budgets, 1e-9), horizon)
        self._earner = Exp3P(self.delta)
        self._earner.begin(setting, lanes.named("earner"))
        resources = len(self._budgets) + 1
        rate = math.sqrt(math.log(resources) / horizon)
        self._log = math.log1p(-min(0.5, rate))
        self.weights = Weights(len(lanes), resources)

    def select(self, context: Any = None) -> Ints:
        self._wanted = self._earner.select()
        self._resource = pick(self.weights.values, self._lanes.uniform())
        return self.ledger.checked(self._wanted)

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        spent = np.reshape(all_seen(seen, self.name), (len(arms), -1))
        consumed = np.concatenate([spent, np.ones((len(arms), 1))], axis=1) * self._scale
        # L lies between 1 - T/B (+ 0) and 2; both players see it scaled to [0, 1].
        ratio = self._setting.horizon / self._least
        payoff = (reward[:, None] + 1 - ratio * consumed + ratio - 1) / (ratio + 1)
        payoff = np.clip(payoff, 0, 1)
        self._earner.update(self._wanted, payoff[self.ledger.rows, self._resource])
        self.weights.add_all(payoff * self._log)
        super().update(arms, reward, seen)


@dataclass
class UCB1UntilBroke(_Player):
    """UCB1 on rewards alone, until a budget is used up."""

    name: str = field(default="ucb1-until-broke", init=False)

    def select(self, context: Any = None) -> Ints:
        ledger = self.ledger
        if self._round < self._setting.arms:
            return ledger.checked(np.full(len(ledger.rows), self._round))
        log = math.log(max(self._setting.horizon, 2))
        index = ledger.rewards + np.sqrt(2 * log / np.maximum(ledger.pulls, 1e-9))
        return ledger.checked(np.argmax(index, axis=1))
