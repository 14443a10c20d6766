"""Successive elimination: drop an arm once it is surely worse than another.

    repeat: pull every active arm once
            drop a where UCB(a) < LCB(a') for some active a'          UCB, LCB = mean ± r(a)
    r(a) = sqrt(2 log T / n(a))

    E R(T) = O(sqrt(K T log T)) and O(log T) sum over gaps 1/gap           (Theorem 1.11)

Source: Slivkins, Introduction to Multi-Armed Bandits, section 1.3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Feedback, Means, Setting, positive


@dataclass
class SuccessiveElimination:
    """All arms in turn, fewer and fewer of them; ``alpha`` is the 2 of the radius.

    Raises:
        ValueError: ``alpha`` is not above 0.
    """

    alpha: float = 2.0
    name: str = "successive-elimination"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        positive(alpha=self.alpha)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._log = math.log(max(setting.horizon, 2))
        self._means = Means(setting.arms, lanes)
        self.active = np.ones((len(lanes), setting.arms), dtype=bool)
        # Pulls of an arm that is out; below it, the active arm with the fewest pulls is next.
        self._turn: Floats = np.zeros((len(lanes), setting.arms))

    def select(self, context: Any = None) -> Ints:
        return np.asarray(np.argmin(self._turn, axis=1))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        rows = self._means.rows
        pulls, _ = self._means.add(arms, reward)
        self._turn[rows, arms] = pulls
        # A phase ends when all active arms have equally many pulls.
        lowest = self._turn.min(axis=1)
        ended = np.flatnonzero((lowest == pulls) & (self.active.sum(axis=1) > 1))
        if ended.size:
            self._drop(ended, np.sqrt(self.alpha * self._log / pulls[ended]))

    def _drop(self, ended: Ints, radius: Floats) -> None:
        means = np.where(self.active[ended], self._means.values[ended], -np.inf)
        worse = means + radius[:, None] < (means.max(axis=1) - radius)[:, None]
        self.active[ended] &= ~worse
        self._turn[ended] = np.where(self.active[ended], self._turn[ended], np.inf)
