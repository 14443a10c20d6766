"""The doubling trick: an algorithm that needs the horizon, without one.

    phases of 1, 2, 4, … rounds; in each the algorithm starts anew and takes it for all there is

A regret of T^a turns into at most 2^a / (2^a - 1) times that (for sqrt(T): 3.42 times). Source:
Slivkins, Introduction to Multi-Armed Bandits, section 1.5.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from scrubjay.deciding.bandits.lanes import Floats, Lanes
from scrubjay.deciding.bandits.types import Bandit, Feedback, Setting


@dataclass
class Doubling:
    """Any bandit, restarted in phases that double.

    Args:
        base: the bandit.
        first: rounds of the first phase.

    Raises:
        ValueError: ``first`` is below 1.
    """

    base: Bandit
    first: int = 1

    def __post_init__(self) -> None:
        if self.first < 1:
            raise ValueError(f"the first phase has at least one round, not {self.first}")
        self.name: str = f"doubling-{self.base.name}"
        self.feedback: Feedback = self.base.feedback
        self.points: bool = getattr(self.base, "points", False)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._arms, self._lanes, self._phase = setting.arms, lanes, 0
        self._restart()

    def _restart(self) -> None:
        self._left = self.first * 2**self._phase
        self._now = copy.deepcopy(self.base)
        self._now.begin(Setting(self._arms, self._left), self._lanes.named("phase", self._phase))

    def select(self, context: Any = None) -> Any:
        if not self._left:
            self._phase += 1
            self._restart()
        return self._now.select(context)

    def update(self, arms: Any, reward: Floats, seen: Any = None) -> None:
        self._now.update(arms, reward, seen)
        self._left -= 1
