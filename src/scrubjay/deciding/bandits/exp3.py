"""EXP3, EXP3.P and EXP4: adversarial bandits by Hedge on estimated costs.

    q(a)    = (1 - gamma) p(a) + gamma / K              p: Hedge's probabilities
    play a_t ~ q;   fake cost  c~(a) = c_t(a) / q(a)  if a = a_t, else 0         E c~(a) = c_t(a)
    Hedge learns from c~

    EXP4: Hedge over N experts that each recommend an arm; an expert's fake cost is its arm's.
    EXP3: one expert per arm.   2 sqrt(3) sqrt(T K log N) + 1                         (Theorem 6.11)
          with gamma < 1/(2T), U = K/(1-gamma), eps = sqrt(ln N / (3 U T))
    EXP3.P: estimated rewards plus beta/q(a) for every arm, so that the bound holds with probability
          1 - delta:  5.15 sqrt(T K ln(K/delta))

Source: Slivkins, Introduction to Multi-Armed Bandits, chapter 6; the constants of EXP3.P are those
of Bubeck and Cesa-Bianchi (2012), theorem 3.3. Costs are 1 - reward, rewards in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.experts import Weights, between
from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes, pick
from scrubjay.deciding.bandits.types import Feedback, Setting, unit

Policies = Callable[[Any], Ints]
"""From the contexts of a round (runs, …) to what each expert would play: (runs, experts)."""


@dataclass
class Exp3:
    """The adversarial bandit algorithm.

    Args:
        gamma: share of uniform exploration; the book's bound needs none.
        epsilon: by default the one of Theorem 6.11.

    Raises:
        ValueError: ``gamma`` is not in [0, 1), or ``epsilon`` not in (0, 1).
    """

    gamma: float = 0.0
    epsilon: float | None = None
    name: str = "exp3"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        exploration(self.gamma)
        between(self.epsilon)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        epsilon = self.epsilon or exp4_rate(setting.arms, setting, self.gamma)
        self._log = math.log1p(-epsilon)
        self._lanes, self._arms = lanes, setting.arms
        self.weights = Weights(len(lanes), setting.arms)

    def probabilities(self) -> Floats:
        """q, from which the next arm is drawn: array (runs, arms)."""
        return (1 - self.gamma) * self.weights.probabilities() + self.gamma / self._arms

    def select(self, context: Any = None) -> Ints:
        drawn = self._lanes.uniform()
        if self.gamma:
            self._q = self.probabilities()
            arms = pick(self._q, drawn)
            self._played = self._q[self.weights.rows, arms]
        else:
            sums = self.weights.running()
            arms = pick(self.weights.values, drawn, sums)
            self._played = self.weights.values[self.weights.rows, arms] / sums[-1]
        return arms

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        self.weights.add(arms, self._log * (1 - unit(reward, "EXP3")) / self._played)


@dataclass
class Exp3P:
    """EXP3 whose regret is small with high probability, not only on average.

    Raises:
        ValueError: ``delta`` is not a probability between 0 and 1.
    """

    delta: float = 0.05
    name: str = "exp3p"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise ValueError(f"delta must lie strictly between 0 and 1, not at {self.delta:g}")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        arms, rounds = setting.arms, setting.horizon
        self._beta = math.sqrt(math.log(arms / self.delta) / (arms * rounds))
        self._eta = 0.95 * math.sqrt(math.log(max(arms, 2)) / (arms * rounds))
        self._gamma = min(1.0, 1.05 * math.sqrt(arms * math.log(max(arms, 2)) / rounds))
        self._lanes, self._arms = lanes, arms
        self.weights = Weights(len(lanes), arms)

    def probabilities(self) -> Floats:
        return (1 - self._gamma) * self.weights.probabilities() + self._gamma / self._arms

    def select(self, context: Any = None) -> Ints:
        self._q = self.probabilities()
        return pick(self._q, self._lanes.uniform())

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        gains = self._beta / self._q
        rows = self.weights.rows
        gains[rows, arms] += unit(reward, "EXP3.P") / self._q[rows, arms]
        self.weights.add_all(self._eta * gains)


@dataclass
class Exp4:
    """EXP4: competes with the best of ``experts`` policies, each a map from contexts to arms.

    Args:
        policies: what each of them would play in a round's contexts.
        experts: how many they are.
        gamma: share of uniform exploration.
        epsilon: by default the one of Theorem 6.11.

    Raises:
        ValueError: there are no experts, ``gamma`` is not in [0, 1), ``epsilon`` not in (0, 1).
    """

    policies: Policies
    experts: int
    gamma: float = 0.0
    epsilon: float | None = None
    name: str = "exp4"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        if self.experts < 1:
            raise ValueError("EXP4 needs at least one expert")
        exploration(self.gamma)
        between(self.epsilon)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        epsilon = self.epsilon or exp4_rate(self.experts, setting, self.gamma)
        self._log = math.log1p(-epsilon)
        self._lanes, self._arms = lanes, setting.arms
        self.weights = Weights(len(lanes), self.experts)

    def select(self, context: Any = None) -> Ints:
        self._advice = recommended(
            self.policies, context, len(self._lanes), self.experts, self._arms
        )
        p = self.weights.probabilities()
        q = np.empty((len(self._lanes), self._arms))
        for arm in range(self._arms):
            q[:, arm] = (p * (self._advice == arm)).sum(axis=1)
        self._q = (1 - self.gamma) * q + self.gamma / self._arms
        return pick(self._q, self._lanes.uniform())

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        fake = (1 - unit(reward, "EXP4")) / self._q[self.weights.rows, arms]
        self.weights.add_all((self._advice == arms[:, None]) * (self._log * fake)[:, None])


def recommended(policies: Policies, context: Any, runs: int, experts: int, arms: int) -> Ints:
    """What the policies would play.

    Raises:
        ValueError: they don't give an arm per run and expert.
    """
    advice = np.asarray(policies(context))
    if advice.shape != (runs, experts):
        raise ValueError(
            f"the policies must give {experts} arms for each of {runs} runs, not {advice.shape}"
        )
    if advice.dtype.kind not in "iu" or advice.min() < 0 or advice.max() >= arms:
        raise ValueError(f"the policies must give numbers of arms, from 0 to {arms - 1}")
    return advice


def exp4_rate(experts: int, setting: Setting, gamma: float) -> float:
    """The epsilon of Theorem 6.11."""
    most = setting.arms / (1 - gamma)
    rate = math.sqrt(math.log(max(experts, 2)) / (3 * most * setting.horizon))
    return min(0.5, rate)


def exploration(gamma: float) -> None:
    """Raises ``ValueError`` unless gamma lies in [0, 1)."""
    if not 0 <= gamma < 1:
        raise ValueError(f"the share of exploration must lie in [0, 1), not at {gamma:g}")
