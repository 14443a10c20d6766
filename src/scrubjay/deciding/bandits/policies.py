"""Policy classes: compete with the best of many given policies.

    EXP4 with the policies as experts            O(sqrt(K T log|Pi|)), time linear in |Pi|     (8.6)
    explore, then ask a classification oracle    N = T^(2/3) (K log(|Pi| T))^(1/3) uniform rounds,
        r~(a) = K r 1[a = a_t];  then the policy with the best average of r~ for ever
                                                 O(T^(2/3)) (K log(|Pi| T))^(1/3)              (8.8)
    offline evaluation                           mean of  r 1[pi(x) = a] / P[a | x]

Source: Slivkins, Introduction to Multi-Armed Bandits, section 8.4. The oracle here is a look
through the class, whose members' averages are kept as the rounds go by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.core.finding import Number
from scrubjay.deciding.bandits.exp3 import Policies, recommended
from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Feedback, Setting, finite


@dataclass
class OracleExploreThenExploit:
    """Explores uniformly, then follows the policy that would have done best.

    Raises:
        ValueError: there are no policies.
    """

    policies: Policies
    experts: int
    name: str = "oracle-explore-exploit"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        if self.experts < 1:
            raise ValueError("a policy class needs at least one policy")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        arms, horizon = setting.arms, setting.horizon
        log = math.log(max(self.experts * horizon, 2))
        self._explore = math.ceil(horizon ** (2 / 3) * (arms * log) ** (1 / 3))
        self._lanes, self._arms, self._round = lanes, arms, 0
        self.worth: Floats = np.zeros((len(lanes), self.experts))

    def select(self, context: Any = None) -> Ints:
        runs = len(self._lanes)
        self._advice = recommended(self.policies, context, runs, self.experts, self._arms)
        if self._round < self._explore:
            return (self._lanes.uniform() * self._arms).astype(np.int64)
        return np.asarray(self._advice[self._lanes.rows, np.argmax(self.worth, axis=1)])

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        finite(reward)
        if self._round < self._explore:
            self.worth += self._arms * reward[:, None] * (self._advice == arms[:, None])
        self._round += 1


def linear_policies(weights: Floats) -> Policies:
    """Policies that take the arm with the highest x_a · w: one for each row w of ``weights``."""
    table = np.asarray(weights, dtype=np.float64)

    def advise(context: Any) -> Ints:
        return np.asarray(np.argmax(np.asarray(context) @ table.T, axis=1))

    return advise


def offline_ips(
    contexts: Sequence[Any],
    arms: Sequence[int],
    rewards: Sequence[float],
    chances: Sequence[float],
    policy: Callable[[Any], int],
) -> Number:
    """What a policy would have earned a round, from the log of another one: inverse propensities.

    Args:
        contexts: what was shown.
        arms: what was played.
        rewards: what it brought.
        chances: with which probability it had been played.
        policy: from a context to an arm.

    Raises:
        ValueError: an empty log, lists of different length, or a chance outside (0, 1].
    """
    if not len(contexts) or not len(contexts) == len(arms) == len(rewards) == len(chances):
        raise ValueError("a log needs rounds, each with context, arm, reward and chance")
    chance = np.asarray(chances, dtype=np.float64)
    if not ((chance > 0) & (chance <= 1)).all():
        raise ValueError("the chance of what was played lies in (0, 1]")
    agrees = np.array([policy(x) == arm for x, arm in zip(contexts, arms)])
    weighed = agrees * finite(np.asarray(rewards, dtype=np.float64)) / chance
    mean = float(weighed.mean())
    if len(weighed) == 1:
        return Number(mean, None, None, 1)
    half = 1.96 * float(weighed.std(ddof=1)) / math.sqrt(len(weighed))
    return Number(mean, mean - half, mean + half, len(weighed))
