"""Optimism: play the arm whose upper confidence bound is highest.

    UCB1         mean + sqrt(alpha log T / n)                              alpha = 2
    anytime      mean + sqrt(alpha log t / n)                              T not known
    UCB-tuned    mean + sqrt(log t / n · min(1/4, variance + sqrt(2 log t / n)))
    KL-UCB       the largest q with n kl(mean, q) <= log t                 rewards in [0, 1]

    UCB1: E R(T) = O(sqrt(K T log T)) and O(log T) sum over gaps 1/gap     (Theorem 1.15)

Sources: Slivkins, Introduction to Multi-Armed Bandits, section 1.3.3, with its radius; UCB-tuned is
from Auer, Cesa-Bianchi and Fischer (2002), without a proven bound; KL-UCB is from Garivier and
Cappé (2011), whose regret reaches the lower bound of Lai and Robbins. With the horizon known, an
index changes only when its arm is played, so a round costs one argmax.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Feedback, Means, Setting, positive, unit


@dataclass
class UCB1:
    """Upper confidence bounds from Hoeffding's inequality.

    Args:
        alpha: the 2 of the radius; the book's bound holds from 2 on, smaller explores less.
        anytime: log t instead of log T, for a horizon that nobody knows.

    Raises:
        ValueError: ``alpha`` is not above 0.
    """

    alpha: float = 2.0
    anytime: bool = False
    name: str = "ucb1"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        positive(alpha=self.alpha)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._scale = self.alpha * math.log(max(setting.horizon, 2))
        self._means = Means(setting.arms, lanes)
        self._index: Floats = np.full((len(lanes), setting.arms), np.inf)
        self._round = 0

    def select(self, context: Any = None) -> Ints:
        if self.anytime and self._round >= self._index.shape[1]:
            means = self._means
            radius = np.sqrt(self.alpha * math.log(self._round + 1) / means.pulls)
            return np.asarray(np.argmax(means.values + radius + means.order, axis=1))
        return np.asarray(np.argmax(self._index, axis=1))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        means = self._means
        pulls, values = means.add(arms, reward)
        self._index[means.rows, arms] = (
            values + np.sqrt(self._scale / pulls) + means.order[means.rows, arms]
        )
        self._round += 1


@dataclass
class UCBTuned:
    """UCB with the variance of each arm in its radius: tighter where rewards vary little."""

    name: str = "ucb-tuned"
    feedback: ClassVar[Feedback] = "bandit"

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._means = Means(setting.arms, lanes)
        self._squares: Floats = np.zeros((len(lanes), setting.arms))
        self._round = 0

    def select(self, context: Any = None) -> Ints:
        means = self._means
        if self._round < means.pulls.shape[1]:
            return np.full(len(means.rows), self._round)
        ratio = math.log(self._round + 1) / means.pulls
        variance = np.maximum(self._squares / means.pulls - means.values**2, 0)
        radius = np.sqrt(ratio * np.minimum(0.25, variance + np.sqrt(2 * ratio)))
        return np.asarray(np.argmax(means.values + radius + means.order, axis=1))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        self._means.add(arms, unit(reward, "UCB-tuned"))
        self._squares[self._means.rows, arms] += reward**2
        self._round += 1


@dataclass
class KLUCB:
    """UCB by the Kullback-Leibler distance of Bernoulli means; ``steps`` of bisection a round."""

    steps: int = 16
    name: str = "kl-ucb"
    feedback: ClassVar[Feedback] = "bandit"

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._means = Means(setting.arms, lanes)
        self._round = 0

    def select(self, context: Any = None) -> Ints:
        means = self._means
        if self._round < means.pulls.shape[1]:
            return np.full(len(means.rows), self._round)
        level = math.log(self._round + 1) / means.pulls
        low, high = means.values.copy(), np.ones_like(means.values)
        for _ in range(self.steps):
            middle = (low + high) / 2
            inside = bernoulli_kl(means.values, middle) <= level
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        return np.asarray(np.argmax(low + means.order, axis=1))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        self._means.add(arms, unit(reward, "KL-UCB"))
        self._round += 1


def bernoulli_kl(p: Floats, q: Floats) -> Floats:
    """kl(p, q) = p log(p/q) + (1-p) log((1-p)/(1-q)), elementwise."""
    from scipy.special import rel_entr

    return np.asarray(rel_entr(p, q) + rel_entr(1 - p, 1 - q))
