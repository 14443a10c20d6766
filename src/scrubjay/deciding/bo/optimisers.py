"""Optimisers that need no training of their own, and the one loop that plays all of them.

    scores(state) -> (B, N)      the highest among the untried is tried next; ties by chance

Source: paper 32, section 3.5 of our sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.bo.env import BOEnv, Scaling, State
from scrubjay.deciding.bo.gp import GP, expected_improvement
from scrubjay.deciding.bo.tasks import Floats, Ints, Task

if TYPE_CHECKING:
    from scrubjay.deciding.bo.nap import NeuralAcquisitionProcess


class Optimiser(Protocol):
    """Anything that says which candidate looks most worth a trial."""

    @property
    def name(self) -> str: ...

    def scores(self, state: State, rng: np.random.Generator) -> Floats:
        """(B, N), finite; what was tried already is left out by the caller."""
        ...


@dataclass(frozen=True, slots=True)
class RandomSearch:
    """Candidates in random order."""

    name: str = "random"

    def scores(self, state: State, rng: np.random.Generator) -> Floats:
        return np.zeros(state.candidates.shape[:2])


@dataclass(frozen=True, slots=True)
class GPEI:
    """A Gaussian process fitted anew before every trial, and expected improvement."""

    prior: bool = True
    name: str = "gp-ei"

    def scores(self, state: State, rng: np.random.Generator) -> Floats:
        out = np.zeros(state.candidates.shape[:2])
        if state.seen.shape[1] == 0:
            return out
        for i, (x, y) in enumerate(zip(state.history, state.seen)):
            found = GP.fit(x, y, state.kinds, prior=self.prior)
            mean, deviation = found.predict(state.candidates[i])
            out[i] = expected_improvement(mean, deviation, y.max())
        return out


@dataclass(frozen=True, slots=True)
class NPEI:
    """Expected improvement of a neural process's bars: a learned surrogate without a learned
    acquisition."""

    model: NeuralAcquisitionProcess
    name: str = "np-ei"

    def scores(self, state: State, rng: np.random.Generator) -> Floats:
        import torch

        inputs = self.model.inputs(state)
        with torch.no_grad():
            logits = self.model.predict(*inputs[:4])[0]
            best = inputs.feats[:, None, 0]
            return np.asarray(self.model.bar.ei(logits, best).double().numpy())


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What an optimiser did on B tasks."""

    tried: Ints
    """(B, T)"""
    regret: Floats
    """(B, T): 1 − best so far, in [0, 1] of each task."""


def optimise(
    optimiser: Optimiser,
    tasks: Sequence[Task],
    trials: int,
    *,
    initial: int = 0,
    seed: int = 0,
    scaling: Scaling | None = None,
) -> Played:
    """Play all tasks; the ``initial`` random trials of a task are the same for every optimiser."""
    env = BOEnv(tasks, trials, scaling)
    env.start(numpy_stream(seed, "initial"), initial)
    rng = numpy_stream(seed, "ties")
    while not env.done:
        state = env.state
        scores = optimiser.scores(state, rng)
        scores[env.constant] = 0.0
        env.step(best_untried(scores, state.free, rng))
    return Played(env.tried, env.regret)


def best_untried(scores: Floats, free: np.ndarray, rng: np.random.Generator) -> Ints:
    """Index of the highest score among the free ones of every row; ties are broken by chance."""
    allowed = np.where(free, scores, -np.inf)
    ties = (allowed == allowed.max(axis=1, keepdims=True)) & free
    return np.asarray(np.where(ties, rng.random(scores.shape), -1.0).argmax(axis=1))
