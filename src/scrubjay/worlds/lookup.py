"""Ask or guess: facts are hidden for a block; each episode asks for one, and looking it up costs.

    action j < values   guess that the fact asked for is j: reward 1 if it is, else 0
    action ``values``   look up: reward -cost, and the fact is shown with the next observation

An episode is one action, so a look-up is a loss now and pays only when the same question comes
again: the smallest world in which an agent trained on nothing but reward can learn *when to look
things up* (paper 07's knobs on this project's question; our own addition).

Each of the q questions is asked with chance 1/q, and facts are independent, so the optimum splits
by question. With m values not excluded and t episodes to come,

    V(m, t) = (1 - 1/q) V(m, t-1) + 1/q max( -cost + V(1, t-1),
                                             1/m (1 + V(1, t-1)) + (1 - 1/m) V(m-1, t-1) )
    V(1, t) = t / q,      V(m, 0) = 0,      the best total of a block: q V(values, n)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.worlds.blocks import EPISODE_END, Bools, Floats, Ints, Step


@dataclass(frozen=True, slots=True)
class AskOrGuess:
    """Questions with hidden answers.

    Raises:
        InputError: fewer than two values, no questions, or a cost that is not 0 or more.
    """

    values: int = 8
    cost: float = 0.5
    questions: int = 1

    def __post_init__(self) -> None:
        if self.values < 2:
            raise InputError(f"there is nothing to guess among {self.values} values; take two")
        if self.questions < 1:
            raise InputError(f"at least one question is asked, not {self.questions}")
        if not (np.isfinite(self.cost) and self.cost >= 0):
            raise InputError(f"the cost of a look-up must be a number from 0 up, not {self.cost:g}")

    @property
    def actions(self) -> int:
        return self.values + 1

    @property
    def look_up(self) -> int:
        """The action that looks up."""
        return self.values

    @property
    def observations(self) -> int:
        return self.questions * (self.values + 1)

    @property
    def longest(self) -> int:
        return 1

    def observed(self, question: Ints, shown: Ints) -> Ints:
        """The number of an observation: what is asked, and what the last action showed (``values``:
        nothing)."""
        return question * (self.values + 1) + shown

    def open(self, lanes: int, rng: np.random.Generator) -> HiddenFacts:
        return HiddenFacts(self, lanes, rng)

    def optimum(self, block: int) -> tuple[float, Ints]:
        """The best expected total of a block of ``block`` episodes, and where looking up is best.

        Returns:
            The total, and an array (values + 1, block + 1): 1 where with m values not excluded and
            t episodes to come, this one included, a look-up beats a guess.
        """
        share = 1 / self.questions
        known = share * np.arange(block + 1)
        value: Floats = np.zeros((self.values + 1, block + 1))
        value[1] = known
        better: Ints = np.zeros((self.values + 1, block + 1), dtype=np.int64)
        for t in range(1, block + 1):
            for m in range(2, self.values + 1):
                looked = -self.cost + known[t - 1]
                guessed = (1 + known[t - 1]) / m + (1 - 1 / m) * value[m - 1, t - 1]
                better[m, t] = looked > guessed
                value[m, t] = (1 - share) * value[m, t - 1] + share * max(looked, guessed)
        return float(self.questions * value[self.values, block]), better


class HiddenFacts:
    """The facts of every lane; ``facts`` is the truth, array (lanes, questions)."""

    def __init__(self, law: AskOrGuess, lanes: int, rng: np.random.Generator) -> None:
        self.law, self._rng, self._lanes = law, rng, lanes
        self._rows = np.arange(lanes)
        self.facts: Ints = np.zeros((lanes, law.questions), dtype=np.int64)
        self.asked: Ints = np.zeros(lanes, dtype=np.int64)
        self._shown: Ints = np.full(lanes, law.values)

    def renew(self, lanes: Bools) -> None:
        drawn = self._rng.integers(0, self.law.values, self.facts.shape)
        self.facts = np.where(lanes[:, None], drawn, self.facts)
        self._shown = np.where(lanes, self.law.values, self._shown)

    def start(self, lanes: Bools) -> Ints:
        drawn = self._rng.integers(0, self.law.questions, self._lanes)
        self.asked = np.where(lanes, drawn, self.asked)
        return self.law.observed(self.asked, self._shown)

    def step(self, actions: Ints) -> Step:
        fact = self.facts[self._rows, self.asked]
        looked = actions == self.law.look_up
        reward = np.where(looked, -self.law.cost, (actions == fact).astype(np.float64))
        self._shown = np.where(looked, fact, self.law.values)
        ended = np.full(self._lanes, EPISODE_END)
        return Step(self.law.observed(self.asked, self._shown), reward, ended)
