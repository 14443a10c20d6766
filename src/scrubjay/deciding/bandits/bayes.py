"""Players who know the prior: the posterior mean without any exploration, and the optimum.

    normal    mean = sum/noise² / (1/spread² + n/noise²)          prior N(0, spread²), known noise
    beta      mean = (a + successes) / (2a + n)                   prior Beta(a, a)
    greedy    argmax_a mean(a), ties at random: exploits only

    optimum   V(s) = max_a  p_a (1 + V(s + success_a)) + (1 - p_a) V(s + failure_a)

over the states s of successes and failures of all arms, V = 0 once as many pulls were made as there
are, p_a = (1 + successes) / (2 + pulls) the posterior means. Greedy on *exact* means is the control
of paper 07, section 3.4: what a learned exploiter has beyond it is not exploitation. The optimum is
that of the textbook's Bayesian bandit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Feedback, Setting, finite, positive, unit

CELLS = 5_000_000
"""Most cells of the dynamic programme: two arms reach horizon 46, three arms 12."""


@dataclass
class GreedyNormal:
    """Always the highest posterior mean under N(0, ``spread``²) means and N(0, ``noise``²) noise.

    Raises:
        ValueError: ``spread`` or ``noise`` is not above 0.
    """

    spread: float = 1.0
    noise: float = 1.0
    name: str = "greedy-normal"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        positive(spread=self.spread, noise=self.noise)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._lanes, self._arms = lanes, setting.arms
        self._sums: Floats = np.zeros((len(lanes), setting.arms))
        self._pulls: Floats = np.zeros((len(lanes), setting.arms))

    def select(self, context: Any = None) -> Ints:
        ratio = (self.noise / self.spread) ** 2
        return _best(self._sums / (self._pulls + ratio), self._lanes)

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        place = (self._lanes.rows, arms)
        self._sums[place] += finite(reward)
        self._pulls[place] += 1


@dataclass
class GreedyBeta:
    """Always the highest posterior mean under the prior Beta(``prior``, ``prior``).

    Raises:
        ValueError: the prior's parameter is not above 0.
    """

    prior: float = 1.0
    name: str = "greedy-beta"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        positive(prior=self.prior)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._lanes = lanes
        self._sums: Floats = np.full((len(lanes), setting.arms), self.prior)
        self._pulls: Floats = np.full((len(lanes), setting.arms), 2 * self.prior)

    def select(self, context: Any = None) -> Ints:
        return _best(self._sums / self._pulls, self._lanes)

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        place = (self._lanes.rows, arms)
        self._sums[place] += unit(reward, "the posterior of a Beta prior")
        self._pulls[place] += 1


@dataclass
class BayesOptimal:
    """The best there is for rewards 0 and 1, uniform priors and a known horizon.

    Raises:
        ValueError: in ``begin``, when there are too many states (see ``CELLS``).
    """

    name: str = "bayes-optimal"
    feedback: ClassVar[Feedback] = "bandit"

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._lanes, self._setting = lanes, setting
        self._values = optimal_values(setting.arms, setting.horizon)
        # Successes and failures of every arm, one pair after the other: (lanes, 2 arms).
        self._counts: Ints = np.zeros((len(lanes), 2 * setting.arms), dtype=np.int64)
        self._left = setting.horizon

    def select(self, context: Any = None) -> Ints:
        self._check_left()
        return _best(_worth(self._values, self._counts), self._lanes)

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        self._check_left()
        if not np.isin(finite(reward), (0, 1)).all():
            raise ValueError("the optimum is known for rewards 0 and 1 only")
        self._counts[self._lanes.rows, 2 * arms + (reward == 0)] += 1
        self._left -= 1

    def _check_left(self) -> None:
        if self._left < 1:
            raise ValueError(f"the optimum of {self._setting.horizon} rounds says nothing of later")


def tractable(arms: int, horizon: int) -> bool:
    """Whether there are few enough states."""
    states: int = (horizon + 1) ** (2 * arms)
    return states <= CELLS


def optimal_values(arms: int, horizon: int) -> Floats:
    """V of every state; ``V[0, …, 0]`` is the best expected total.

    An array with 2 · ``arms`` axes, successes and failures of each arm in turn. States of
    ``horizon`` pulls or more hold 0.

    >>> float(optimal_values(arms=2, horizon=1)[0, 0, 0, 0])
    0.5

    Raises:
        ValueError: too many states.
    """
    axes, side = 2 * arms, horizon + 1
    if not tractable(arms, horizon):
        raise ValueError(
            f"the optimum for {arms} arms and {horizon} rounds has too many states; take fewer"
        )
    values: Floats = np.zeros((side,) * axes)
    pulls = np.indices(values.shape, dtype=np.int16).sum(axis=0)
    for made in range(horizon - 1, -1, -1):
        states = np.argwhere(pulls == made)
        values[tuple(states.T)] = _worth(values, states).max(axis=1)
    return values


def _worth(values: Floats, states: Ints) -> Floats:
    """Expected total of pulling each arm, then playing on optimally: array (states, arms)."""
    found = []
    for arm in range(states.shape[1] // 2):
        won, lost = states.copy(), states.copy()
        won[:, 2 * arm] += 1
        lost[:, 2 * arm + 1] += 1
        successes, failures = states[:, 2 * arm], states[:, 2 * arm + 1]
        p = (1 + successes) / (2 + successes + failures)
        found.append(p * (1 + values[tuple(won.T)]) + (1 - p) * values[tuple(lost.T)])
    return np.stack(found, axis=1)


def _best(worth: Floats, lanes: Lanes) -> Ints:
    """The highest of each row; ties are broken anew every round."""
    ties = worth >= worth.max(axis=1, keepdims=True) - 1e-12
    return np.asarray(np.where(ties, lanes.uniform(worth.shape[1]), -1.0).argmax(axis=1))
