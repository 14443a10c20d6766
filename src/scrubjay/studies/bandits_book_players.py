"""Paper 67, what only the study needs: baselines, and the house's own question (``router``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.bandits import KnapsackArms, PerContext, UcbBwK
from scrubjay.deciding.bandits.types import Bandit, Feedback, Setting


@dataclass
class CellUCB:
    """Contexts by their nearest of ``cells`` drawn ones, a UCB1 for each."""

    cells: int
    seed: int
    name: str = "ucb1 per cell"
    feedback: ClassVar[Feedback] = "bandit"

    def begin(self, setting: Setting, lanes: Any) -> None:
        self._base = PerContext(self.cells)
        self._base.begin(setting, lanes)
        self._centres: np.ndarray | None = None

    def select(self, context: Any = None) -> Any:
        flat = np.asarray(context).reshape(len(context), -1)
        if self._centres is None:
            from scipy.cluster.vq import kmeans2

            sample = numpy_stream(self.seed, "cells").normal(size=(500, *np.shape(context)[1:]))
            sample[..., :-1] /= np.linalg.norm(sample[..., :-1], axis=-1, keepdims=True)
            sample[..., -1] = 1
            self._centres = kmeans2(
                sample.reshape(500, -1), self.cells, minit="points", seed=self.seed
            )[0]
        return self._base.select(np.argmax(flat @ self._centres.T, axis=1))

    def update(self, arms: Any, reward: Any, seen: Any = None) -> None:
        self._base.update(arms, reward)


@dataclass
class Always:
    """One arm as long as the budget lasts."""

    arm: int
    budget: float
    most: float
    name: str
    feedback: ClassVar[Feedback] = "knapsack"

    def begin(self, setting: Setting, lanes: Any) -> None:
        self._left = np.full(len(lanes), self.budget)

    def select(self, context: Any = None) -> Any:
        return np.where(self._left >= self.most, self.arm, -1)

    def update(self, arms: Any, reward: Any, seen: Any = None) -> None:
        self._left = self._left - seen[:, 0]


ANSWERED: dict[str, tuple[float, float]] = {
    "memory": (0.157, 0.120),
    "search": (0.325, 0.835),
}
"""Score and thousands of tokens a question of SmolLM2-135M, real world, recall and multihop
questions, as the project's README and its comparison of agents tell them."""


def router(horizon: int, tokens: float) -> tuple[KnapsackArms, list[Bandit]]:
    """Memory or one search for every question, with ``tokens`` thousand a question on average."""
    scores, costs = (list(column) for column in zip(*ANSWERED.values()))
    budget = tokens * horizon
    arms = KnapsackArms(scores, [1.0] * len(scores), costs, [budget])
    fixed: Sequence[Bandit] = [
        Always(i, budget, cost, f"always {name}")
        for i, (name, (_, cost)) in enumerate(ANSWERED.items())
    ]
    return arms, [UcbBwK([budget]), *fixed]
