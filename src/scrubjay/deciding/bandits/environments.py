"""Where bandits are tried out: arms with means, tables of an adversary, an adversary with a copy.

    IIDArms              a mean per arm; regret from the means (pseudo-regret)
    AdversarialTable     rewards written down beforehand; regret against the best arm in hindsight
    AgainstCopy          plays 0 on whatever a copy of an algorithm would choose, 1 elsewhere

Sources: Slivkins, Introduction to Multi-Armed Bandits: chapters 1 and 2 for the first, 5 and 6 for
the others. ``hard_pair`` is the instance of chapter 2's lower bound.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Bandit, Feedback, Setting

Rewards = Literal["bernoulli", "gaussian"]


@dataclass
class IIDArms:
    """Arms with fixed means: Bernoulli rewards, or normal ones of deviation ``spread``.

    Raises:
        ValueError: no arms, a mean that is not finite, or no probability where it must be one.
    """

    means: Sequence[float]
    rewards: Rewards = "bernoulli"
    spread: float = 1.0
    show: Feedback = field(default="bandit", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit", "full"})

    def __post_init__(self) -> None:
        self._means: Floats = np.asarray(self.means, dtype=np.float64)
        if self._means.ndim != 1 or not self._means.size:
            raise ValueError("a bandit needs at least one arm: give a list of means")
        bad = self._means[~np.isfinite(self._means)]
        if bad.size:
            raise ValueError(f"an arm's mean must be a finite number, not {bad[0]}")
        if self.rewards not in ("bernoulli", "gaussian"):
            raise ValueError(f"rewards are 'bernoulli' or 'gaussian', not '{self.rewards}'")
        bad = self._means[(self._means < 0) | (self._means > 1)]
        if self.rewards == "bernoulli" and bad.size:
            raise ValueError(f"an arm's probability must lie in [0, 1], not at {bad[0]:g}")
        if not (np.isfinite(self.spread) and self.spread >= 0):
            raise ValueError(f"the spread of rewards must be 0 or more, not {self.spread:g}")
        self.arms = len(self._means)
        self.gaps: Floats = self._means.max() - self._means

    def begin(self, horizon: int, lanes: Lanes) -> None:
        self._lanes = lanes
        self._lost: Floats = np.zeros(len(lanes))

    def context(self) -> None:
        return None

    def play(self, arms: Ints) -> tuple[Floats, Floats | None]:
        self._lost += self.gaps[arms]
        if self.show == "full":
            rewards = self._drawn(self._means, self.arms)
            return rewards[self._lanes.rows, arms], rewards
        return self._drawn(self._means[arms]), None

    def _drawn(self, means: Floats, *shape: int) -> Floats:
        if self.rewards == "bernoulli":
            return (self._lanes.uniform(*shape) < means).astype(np.float64)
        return means + self.spread * self._lanes.normal(*shape)

    def regret(self) -> Floats:
        return self._lost


def hard_pair(horizon: int, arms: int = 2) -> IIDArms:
    """One arm of 1/2 + gap among arms of 1/2, gap = sqrt(K/T)/2: nobody can tell them apart in
    time, so every algorithm loses in the order of sqrt(K T)."""
    gap = min(0.5, 0.5 * (arms / horizon) ** 0.5)
    return IIDArms([0.5 + gap] + [0.5] * (arms - 1))


@dataclass
class AdversarialTable:
    """Rewards in [0, 1] written down beforehand: array (rounds, arms).

    Raises:
        ValueError: the table is empty, not finite or outside [0, 1].
    """

    table: Any
    show: Feedback = field(default="bandit", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit", "full"})

    def __post_init__(self) -> None:
        self._table: Floats = np.asarray(self.table, dtype=np.float64)
        if self._table.ndim != 2 or not self._table.size:
            raise ValueError("a table of rewards has a row per round and a column per arm")
        if not ((self._table >= 0) & (self._table <= 1)).all():
            raise ValueError("the rewards of a table must lie in [0, 1]")
        self.arms = self._table.shape[1]

    def begin(self, horizon: int, lanes: Lanes) -> None:
        if horizon > len(self._table):
            raise ValueError(f"the table has {len(self._table)} rounds, fewer than {horizon}")
        self._round, self._got = 0, np.zeros(len(lanes))
        self._best: Floats = np.zeros(self.arms)

    def context(self) -> None:
        return None

    def play(self, arms: Ints) -> tuple[Floats, Floats | None]:
        row = self._table[self._round]
        reward = row[arms]
        self._round += 1
        self._got += reward
        self._best += row
        return reward, np.broadcast_to(row, (len(arms), self.arms)) if self.show == "full" else None

    def regret(self) -> Floats:
        return np.asarray(self._best.max() - self._got)


def swap_table(horizon: int, high: float = 0.8, low: float = 0.2) -> Floats:
    """Two arms: the first is better for half of the rounds, the second by more for the rest."""
    table = np.empty((horizon, 2))
    half = horizon // 2
    table[:half] = high, low
    table[half:] = 0.0, 1.0
    return table


@dataclass
class AgainstCopy:
    """An adversary that holds a copy of ``victim`` with its seed, and so foresees what it plays if
    its only randomness is the breaking of ties: 0 on that arm, 1 on all others.

    The rewards don't depend on who really plays: others face the same fixed table.

    Raises:
        ValueError: fewer than two arms.
    """

    victim: Bandit
    arms: int
    show: Feedback = field(default="bandit", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit", "full"})

    def __post_init__(self) -> None:
        if self.arms < 2:
            raise ValueError("an adversary needs at least two arms to play with")

    def begin(self, horizon: int, lanes: Lanes) -> None:
        self._rows = lanes.rows
        self._copy = copy.deepcopy(self.victim)
        self._copy.begin(
            Setting(self.arms, horizon), Lanes(lanes.seed, lanes.numbers, "bandit", self._copy.name)
        )
        self._totals: Floats = np.zeros((len(lanes), self.arms))
        self._got: Floats = np.zeros(len(lanes))

    def context(self) -> None:
        return None

    def play(self, arms: Ints) -> tuple[Floats, Floats | None]:
        foreseen = self._copy.select()
        rewards = np.ones((len(arms), self.arms))
        rewards[self._rows, foreseen] = 0.0
        self._copy.update(foreseen, np.zeros(len(arms)))
        self._totals += rewards
        reward = rewards[self._rows, arms]
        self._got += reward
        return reward, rewards if self.show == "full" else None

    def regret(self) -> Floats:
        return np.asarray(self._totals.max(axis=1) - self._got)
