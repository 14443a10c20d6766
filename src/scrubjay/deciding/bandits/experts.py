"""Full feedback: after every round the costs of all arms (experts) are seen.

    weighted majority    w(a) *= 1 - eps where a was wrong; follow the heavier side
    Hedge                p ∝ w, draw an arm from p, w(a) *= (1 - eps)^cost(a)

    eps = sqrt(ln K / (u T))        cost - min_a cost(a) < 2 sqrt(u T ln K)           (Theorem 5.14)

where the best arm costs at most u T. Costs are 1 - reward. Source: Slivkins, Introduction to
Multi-Armed Bandits, chapter 5. A deterministic algorithm (weighted majority) can be made to lose
every round; a randomised one can't (Theorem 5.11).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes, pick, running
from scrubjay.deciding.bandits.types import Feedback, Setting, unit


class Weights:
    """Multiplicative weights of every run, kept as logarithms: they never under- or overflow.

    Only what changed is exponentiated again; a row is rescaled once its sum has become tiny.
    """

    def __init__(self, runs: int, arms: int) -> None:
        self.rows: Ints = np.arange(runs)
        self.logs: Floats = np.zeros((runs, arms))
        self._offset: Floats = np.zeros(runs)
        self.values: Floats = np.ones((runs, arms))

    def add(self, arms: Ints, amount: Floats) -> None:
        """Add to the logarithm of one weight a run."""
        new = self.logs[self.rows, arms] + amount
        self.logs[self.rows, arms] = new
        with np.errstate(over="ignore"):
            self.values[self.rows, arms] = np.exp(new - self._offset)

    def add_all(self, amounts: Floats) -> None:
        """Add to the logarithms of all weights."""
        self.logs += amounts
        self._rescale(self.rows)

    def probabilities(self) -> Floats:
        """The weights of each row over their sum."""
        return self.values / self.sums()[:, None]

    def sums(self) -> Floats:
        """The sum of every row."""
        return np.asarray(self.running()[-1])

    def running(self) -> Floats:
        """Running sums of the rows, (arms, runs), for ``pick``."""
        found = running(self.values)
        total = found[-1]
        if total.min() < 1e-9 or total.max() > 1e200:
            self._rescale(np.flatnonzero((total < 1e-9) | (total > 1e200)))
            found = running(self.values)
        return found

    def _rescale(self, rows: Ints) -> None:
        self._offset[rows] = self.logs[rows].max(axis=1)
        self.values[rows] = np.exp(self.logs[rows] - self._offset[rows, None])


@dataclass
class Hedge:
    """Randomised weighted majority for costs in [0, 1].

    Args:
        epsilon: by default sqrt(ln K / (u T)), at most 1/2.
        best: u, the cost per round of the best arm, if an upper bound is known.

    Raises:
        ValueError: ``epsilon`` is not in (0, 1), or ``best`` not in (0, 1].
    """

    epsilon: float | None = None
    best: float = 1.0
    name: str = "hedge"
    feedback: ClassVar[Feedback] = "full"

    def __post_init__(self) -> None:
        between(self.epsilon)
        if not 0 < self.best <= 1:
            raise ValueError(f"the best arm's cost a round lies in (0, 1], not at {self.best:g}")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        epsilon = self.epsilon or hedge_rate(setting.arms, self.best * setting.horizon)
        self._log = math.log1p(-epsilon)
        self._lanes = lanes
        self.weights = Weights(len(lanes), setting.arms)

    def select(self, context: Any = None) -> Ints:
        return pick(self.weights.values, self._lanes.uniform())

    def probabilities(self) -> Floats:
        return self.weights.probabilities()

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        rewards = unit(all_seen(seen, self.name), "Hedge")
        self.weights.add_all((1 - rewards) * self._log)


@dataclass
class WeightedMajority:
    """Experts that vote yes or no on a question of the round: follow the heavier side.

    ``select`` takes the votes (runs, experts) of 0 and 1 as its context and gives the answer, 0 or
    1; ``update`` takes the truth as ``seen``. ``epsilon`` 1 is majority vote among the experts that
    were never wrong: at most log2 K mistakes if one is perfect (Theorem 5.6).

    Raises:
        ValueError: ``epsilon`` is not in (0, 1].
    """

    epsilon: float = 0.5
    name: str = "weighted-majority"
    feedback: ClassVar[Feedback] = "full"

    def __post_init__(self) -> None:
        if not 0 < self.epsilon <= 1:
            raise ValueError(f"epsilon must lie in (0, 1], not at {self.epsilon:g}")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self.weights = Weights(len(lanes), setting.arms)
        # Zero weight as a logarithm that can still be added to.
        self._log = math.log1p(-self.epsilon) if self.epsilon < 1 else -1e6

    def select(self, context: Any = None) -> Ints:
        self._votes = np.asarray(context)
        if self._votes.shape != self.weights.values.shape or not np.isin(self._votes, (0, 1)).all():
            raise ValueError("weighted majority needs a vote of 0 or 1 from every expert")
        self.weights.sums()
        yes = (self.weights.values * self._votes).sum(axis=1)
        return np.asarray((yes * 2 > self.weights.values.sum(axis=1)).astype(np.int64))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        truth = all_seen(seen, self.name)
        wrong = self._votes != np.reshape(truth, (-1, 1))
        self.weights.add_all(wrong * self._log)


def hedge_rate(arms: int, cost: float) -> float:
    """The epsilon of Theorem 5.14 for a best arm that costs at most ``cost`` in all."""
    return min(0.5, math.sqrt(math.log(arms) / max(cost, 1e-9))) if arms > 1 else 0.5


def between(epsilon: float | None) -> None:
    """Raises ``ValueError`` unless epsilon is None or lies in (0, 1)."""
    if epsilon is not None and not 0 < epsilon < 1:
        raise ValueError(f"epsilon must lie strictly between 0 and 1, not at {epsilon:g}")


def all_seen(seen: Any, who: str) -> Floats:
    """What was seen of all arms.

    Raises:
        ValueError: nothing was.
    """
    if seen is None:
        raise ValueError(
            f"'{who}' learns from what every arm would have brought; give it as 'seen'"
        )
    return np.asarray(seen, dtype=np.float64)
