"""Evolution strategies: climb a score that can only be measured, not differentiated.

Around a mean η, pairs of candidates η ± σ ε_j are scored, and the mean follows

    g = 1/(2 P σ) Σ_j (u_j⁺ − u_j⁻) ε_j                   (antithetic, P pairs; paper 17, section 3)

by Adam (ascent). u is a shaping of the scores F (P, 2):

    pair_rank       1 for the better of a pair, 0 for the other, ½ each for equal ones: nothing is
                    compared across pairs, so every pair may have a task of its own scale
    centered_rank   rank among all, spread over [−½, ½]
    zscore          (F − mean) / deviation

A pair with a score that is not finite is dropped. When nothing is left to compare (all equal), no
step is taken: Adam's momentum would carry the mean on with no evidence. Noise is a function of
(seed, step), so a search that goes on from its state ends with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.core.randomness import numpy_stream

Floats = np.ndarray
ShapingName = Literal["pair_rank", "centered_rank", "zscore"]


def pair_rank(scores: Floats) -> Floats:
    """(P, 2) → 1 for the winner of a pair, 0 for the loser, ½ for both when they tie."""
    return np.asarray((np.sign(scores - scores[:, ::-1]) + 1) / 2)


def centered_rank(scores: Floats) -> Floats:
    """Ranks among all scores, equal ones sharing theirs, spread over [−½, ½]."""
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=None).reshape(scores.shape)
    return np.asarray((ranks - 1) / max(scores.size - 1, 1) - 0.5)


def zscore(scores: Floats) -> Floats:
    """Scores with mean 0 and deviation 1; zeros when they are all equal."""
    spread = scores.std()
    return (scores - scores.mean()) / spread if spread > 0 else np.zeros_like(scores)


SHAPINGS: dict[str, Callable[[Floats], Floats]] = {
    "pair_rank": pair_rank,
    "centered_rank": centered_rank,
    "zscore": zscore,
}


@dataclass(slots=True)
class Adam:
    """Adam (Kingma & Ba) on a numpy vector; ``step`` returns what to add for ascent."""

    m: Floats
    v: Floats
    taken: int = 0

    @classmethod
    def zeros(cls, dim: int) -> Adam:
        return cls(np.zeros(dim), np.zeros(dim))

    def step(self, gradient: Floats, rate: float) -> Floats:
        self.taken += 1
        self.m = 0.9 * self.m + 0.1 * gradient
        self.v = 0.999 * self.v + 0.001 * gradient**2
        m, v = self.m / (1 - 0.9**self.taken), self.v / (1 - 0.999**self.taken)
        return np.asarray(rate * m / (np.sqrt(v) + 1e-8))


@dataclass(slots=True)
class OpenES:
    """One search; call ``ask`` for candidates and ``tell`` their scores, in turn.

    Args:
        mean: η at the start, (dim,). A network that is odd in its weights twice over, as a
            bias-free tanh net, gives η and −η the same score: never start those at 0.
        population: candidates a step, an even number.
        sigma: deviation of the noise.
        rate: Adam's step size.
        decay: its factor after every step.
        least: its floor.
    """

    mean: Floats
    population: int
    sigma: float = 0.1
    rate: float = 0.01
    decay: float = 0.999
    least: float = 1e-5
    shaping: ShapingName = "pair_rank"
    seed: int = 0
    asked: int = 0
    """Steps begun so far, with or without a move."""
    adam: Adam = field(init=False)

    def __post_init__(self) -> None:
        if self.population < 2 or self.population % 2:
            raise InputError(
                f"candidates come in pairs: the population must be even, not {self.population}"
            )
        for name, value in (("sigma", self.sigma), ("rate", self.rate), ("decay", self.decay)):
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"{name} must be a number above 0, not {value}")
        if self.shaping not in SHAPINGS:
            raise InputError(f"there is no shaping '{self.shaping}'; known: {', '.join(SHAPINGS)}")
        self.mean = np.asarray(self.mean, dtype=np.float64)
        if self.mean.ndim != 1 or not np.isfinite(self.mean).all():
            raise InputError("the mean of a search is a vector of finite numbers")
        self.adam = Adam.zeros(len(self.mean))

    @property
    def pairs(self) -> int:
        return self.population // 2

    def _noise(self) -> Floats:
        rng = numpy_stream(self.seed, "noise", self.asked)
        return rng.standard_normal((self.pairs, len(self.mean)), np.float32)

    def ask(self) -> Floats:
        """Candidates (2 P, dim); rows 2 j and 2 j + 1 are a pair, η + σ ε_j and η − σ ε_j."""
        noise = self.sigma * self._noise()
        both = np.stack([self.mean + noise, self.mean - noise], axis=1)
        return both.reshape(self.population, -1).astype(np.float32)

    def tell(self, scores: Floats) -> bool:
        """Scores (2 P,) or (P, 2) of the candidates last asked for; whether the mean moved.

        Raises:
            InputError: another number of scores.
        """
        table = np.asarray(scores, dtype=np.float64)
        if table.size != self.population:
            raise InputError(f"{self.population} candidates need as many scores, not {table.size}")
        table, noise = table.reshape(self.pairs, 2), self._noise()
        rate = max(self.rate * self.decay**self.asked, self.least)
        self.asked += 1
        fine = np.isfinite(table).all(axis=1)
        if not fine.any():
            return False
        shaped = SHAPINGS[self.shaping](table[fine])
        apart = shaped[:, 0] - shaped[:, 1]
        if not apart.any():
            return False
        gradient = apart @ noise[fine] / (2 * fine.sum() * self.sigma)
        self.mean = self.mean + self.adam.step(gradient, rate)
        return True
