"""What a bandit and an environment are; both hold many runs at once.

    bandit.begin(Setting(arms=10, horizon=1000), Lanes(seed, runs=200))
    for _ in range(1000):
        arms = bandit.select()             # one arm a run: array (200,)
        bandit.update(arms, reward)        # one reward a run

A single run is the same with one lane; ``SingleBandit`` takes and gives plain numbers:

>>> from scrubjay.deciding.bandits import SingleBandit, UCB1
>>> bandit = SingleBandit(UCB1(), arms=2, horizon=100)
>>> for _ in range(100):
...     arm = bandit.select()
...     bandit.update(arm, (0.2, 0.9)[arm])
>>> bandit.select()
1
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes

Feedback = Literal["bandit", "full", "semi", "atoms", "knapsack"]
"""What is seen after a round, beside the reward:

    bandit    nothing
    full      what every arm would have brought: (runs, arms)
    semi      the costs of the chosen arm's atoms: (runs, atoms), NaN where not seen
    atoms     the costs of all atoms: (runs, atoms)
    knapsack  what was consumed: (runs, resources)
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """What an algorithm knows before the first round.

    Raises:
        ValueError: there are no arms or no rounds.
    """

    arms: int
    horizon: int

    def __post_init__(self) -> None:
        if self.arms < 1:
            raise ValueError(f"a bandit needs at least one arm, not {self.arms}")
        if self.horizon < 1:
            raise ValueError(f"a bandit needs at least one round, not {self.horizon}")


class Bandit(Protocol):
    """An algorithm: settings in its constructor, state from ``begin`` on."""

    name: str
    feedback: ClassVar[Feedback]

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        """Forget everything and get ready for the first round of every run."""
        ...

    def select(self, context: Any = None) -> Any:
        """An arm per run: indices (runs,), or points (runs, dimensions) of a continuous space."""
        ...

    def update(self, arms: Any, reward: Floats, seen: Any = None) -> None:
        """Learn from a round: a reward per run, and what else was ``seen`` (see ``Feedback``).

        Raises:
            ValueError: a reward is not a finite number, or outside what the algorithm can take.
        """
        ...


class Environment(Protocol):
    """What answers a bandit, in as many runs as it has lanes. It keeps the account of regret."""

    arms: int
    """How many there are; a continuum counts as one (``dimensions`` says how wide it is)."""
    gives: ClassVar[frozenset[Feedback]]
    show: Feedback
    """What it shows after a round; set by ``race`` to what the algorithm learns from."""

    def begin(self, horizon: int, lanes: Lanes) -> None:
        """Get ready for the first round of every run."""
        ...

    def context(self) -> Any:
        """What is shown before this round's choice; None where there is nothing."""
        ...

    def play(self, arms: Any) -> tuple[Floats, Any]:
        """The reward of each run's arm, and what else is seen; then the next round begins."""
        ...

    def regret(self) -> Floats:
        """What each run has lost so far against the best fixed choice, from true means where there
        are means (pseudo-regret)."""
        ...


class SingleBandit:
    """One run of any bandit, in plain numbers.

    Args:
        bandit: the algorithm.
        arms: how many arms there are.
        horizon: how many rounds will be played.
        seed: fixes its random choices.

    Raises:
        ValueError: no arms or no rounds.
    """

    def __init__(self, bandit: Bandit, arms: int, horizon: int, seed: int = 0) -> None:
        self.bandit, self.arms = bandit, arms
        bandit.begin(Setting(arms, horizon), Lanes(seed, 1, "bandit"))
        self._chosen: Any = None

    def select(self, context: Any = None) -> Any:
        """The arm to play now: a number (-1: nothing, where a budget is used up), or a point."""
        self._chosen = self.bandit.select(None if context is None else np.asarray(context)[None])
        arm = self._chosen[0]
        return arm.item() if np.ndim(arm) == 0 else arm

    def update(self, arm: Any, reward: float, seen: Any = None) -> None:
        """Learn what the arm brought that was selected last.

        Raises:
            ValueError: it is not the arm that was selected, or the reward is not a finite number.
        """
        if self._chosen is None:
            raise ValueError("select an arm before learning from it")
        if not np.array_equal(np.asarray(arm), self._chosen[0]):
            raise ValueError(f"arm {arm} was not selected; the last selected was {self._chosen[0]}")
        self.bandit.update(
            self._chosen,
            np.asarray([reward], dtype=np.float64),
            None if seen is None else np.asarray(seen)[None],
        )
        self._chosen = None


def finite(reward: Floats) -> Floats:
    """The rewards, if they are numbers.

    Raises:
        ValueError: one is NaN or infinite.
    """
    # One sum finds any NaN or infinity, and costs far less than a mask.
    if not math.isfinite(float(reward.sum())) and not np.isfinite(reward).all():
        bad = reward[~np.isfinite(reward)].flat[0]
        raise ValueError(f"a reward must be a finite number, not {bad}")
    return reward


def unit(reward: Floats, who: str) -> Floats:
    """The rewards, if they lie in [0, 1].

    Raises:
        ValueError: one doesn't; clipping it in silence would void the bound.
    """
    finite(reward)
    if reward.size and (reward.min() < 0 or reward.max() > 1):
        bad = reward[(reward < 0) | (reward > 1)].flat[0]
        raise ValueError(f"{who} needs rewards in [0, 1], not {bad:g}; scale them first")
    return reward


class Means:
    """Pulls and mean reward of every arm of every run: arrays (runs, arms)."""

    def __init__(self, arms: int, lanes: Lanes) -> None:
        self.rows = lanes.rows
        self.pulls: Floats = np.zeros((len(lanes), arms))
        self.values: Floats = np.zeros((len(lanes), arms))
        # Ties are broken by an order drawn once a run: the first of equals would win for ever.
        self.order: Floats = lanes.uniform(arms) * 1e-9

    def add(self, arms: Ints, reward: Floats) -> tuple[Floats, Floats]:
        """Count a reward; returns pulls and means of the arms that were played."""
        finite(reward)
        pulls = self.pulls[self.rows, arms] + 1
        values = self.values[self.rows, arms]
        values = values + (reward - values) / pulls
        self.pulls[self.rows, arms] = pulls
        self.values[self.rows, arms] = values
        return pulls, values

    def best(self) -> Ints:
        """The arm of highest mean in every run."""
        return np.asarray(np.argmax(self.values + self.order, axis=1))


def positive(**values: float) -> None:
    """Settings that must be finite and above zero.

    Raises:
        ValueError: one isn't, by name.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a number above 0, not {value:g}")
