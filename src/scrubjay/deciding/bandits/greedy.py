"""Explore-first, epsilon-greedy, and the two extremes they lie between.

    explore-first    pull every arm N times, then the best mean for ever
    epsilon-greedy   in round t a random arm with probability eps_t, else the best mean

    N     = (T/K)^(2/3) (log T)^(1/3)        E R(T) = O(T^(2/3) (K log T)^(1/3))      (Theorem 1.5)
    eps_t = min(1, t^(-1/3) (K log t)^(1/3))  the same at every t                     (Theorem 1.6)

Source: Slivkins, Introduction to Multi-Armed Bandits, chapter 1. Their exploration does not adapt
to what was seen, which is why T^(2/3) is the best they can do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Feedback, Means, Setting, finite


@dataclass
class ExploreFirst:
    """Pulls every arm ``each`` times (by default the N above), then only the best.

    Raises:
        ValueError: ``each`` is below 1.
    """

    each: int | None = None
    name: str = "explore-first"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        if self.each is not None and self.each < 1:
            raise ValueError(f"explore-first pulls every arm at least once, not {self.each} times")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        arms, horizon = setting.arms, setting.horizon
        wanted = math.ceil((horizon / arms) ** (2 / 3) * math.log(max(horizon, 2)) ** (1 / 3))
        # A horizon below K N is explored as far as it reaches.
        self._explore = (self.each or max(1, wanted)) * arms
        self._arms, self._round = arms, 0
        self._means = Means(arms, lanes)
        self._chosen: Ints | None = None

    def select(self, context: Any = None) -> Ints:
        if self._round < self._explore:
            return np.full(len(self._means.rows), self._round % self._arms)
        if self._chosen is None:
            self._chosen = self._means.best()
        return self._chosen

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        if self._chosen is None:
            self._means.add(arms, reward)
        else:
            finite(reward)
        self._round += 1


@dataclass
class EpsilonGreedy:
    """A random arm with probability ``epsilon`` (by default the schedule above), else the best
    mean.

    Raises:
        ValueError: ``epsilon`` is not a probability.
    """

    epsilon: float | None = None
    name: str = "epsilon-greedy"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        if self.epsilon is not None and not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon must be a probability, not {self.epsilon:g}")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._arms, self._lanes, self._round = setting.arms, lanes, 0
        self._means = Means(setting.arms, lanes)

    def select(self, context: Any = None) -> Ints:
        drawn = self._lanes.uniform(2)
        random = (drawn[:, 1] * self._arms).astype(np.int64)
        return np.where(drawn[:, 0] < self._share(self._round + 1), random, self._means.best())

    def _share(self, t: int) -> float:
        if self.epsilon is not None:
            return self.epsilon
        return 1.0 if t < 3 else min(1.0, (self._arms * math.log(t) / t) ** (1 / 3))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        self._means.add(arms, reward)
        self._round += 1


@dataclass
class Greedy:
    """Every arm once, then always the best mean: stays with a wrong arm in a share of the runs."""

    name: str = "greedy"
    feedback: ClassVar[Feedback] = "bandit"

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._arms, self._round = setting.arms, 0
        self._means = Means(setting.arms, lanes)

    def select(self, context: Any = None) -> Ints:
        if self._round < self._arms:
            return np.full(len(self._means.rows), self._round)
        return self._means.best()

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        self._means.add(arms, reward)
        self._round += 1


@dataclass
class Uniform:
    """A random arm every round: what learning is worth."""

    name: str = "uniform"
    feedback: ClassVar[Feedback] = "bandit"

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._arms, self._lanes = setting.arms, lanes

    def select(self, context: Any = None) -> Ints:
        return (self._lanes.uniform() * self._arms).astype(np.int64)

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        finite(reward)
