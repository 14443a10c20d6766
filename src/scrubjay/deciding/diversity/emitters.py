"""Emitters: small local searches that start at a solution with reward and climb.

    ask()  -> genomes to evaluate        tell(evaluations)        improvement = max(0, late − early)

    elitist   6 members; every step 2 children of each, g' = g + N(0, σ²); the 6 best stay
    CMA-ES    members from N(m, s² C), the mean moved to the better half, C and s adapted
              (Hansen & Ostermeier, 2001)

σ is chosen so that members lie a third of the way from the ancestor to its nearest neighbour in the
population: a crowd searches finely, a loner widely. An emitter is stagnant when its last rewards
are no better than those a window before.

Source: STAX (paper 27), 3.4. Ours: the window may be shortened for small budgets.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from scrubjay.deciding.diversity.types import Evaluations, Floats, SearchError

MEMBERS, CHILDREN = 6, 2
EARLY = 3
"""Steps whose means are compared for the improvement."""
BLOCK = 20
"""Steps compared at either end of the window."""


class Emitter(Protocol):
    """A local search."""

    ancestor: Evaluations
    """The solution it started from, one row."""
    history: list[float]
    """Mean reward of its members, step by step."""

    def ask(self) -> Floats:
        """Genomes to evaluate next."""
        ...

    def tell(self, found: Evaluations) -> None:
        """What came of them."""
        ...


class _Local:
    """What both kinds share."""

    def __init__(
        self,
        ancestor: Evaluations,
        sigma: float,
        bounds: tuple[float, float],
        rng: np.random.Generator,
    ) -> None:
        if not (math.isfinite(sigma) and sigma > 0):
            raise SearchError(f"an emitter's step must be above 0, not {sigma!r}")
        self.ancestor, self.sigma, self.bounds, self.rng = ancestor, sigma, bounds, rng
        self.history: list[float] = []
        self.best = float(ancestor.reward[0])
        """The best reward it has sent to the archive."""

    def _around(self, centres: Floats, sigma: float) -> Floats:
        return np.clip(centres + sigma * self.rng.standard_normal(centres.shape), *self.bounds)


class ElitistEmitter(_Local):
    """The paper's: keeps the best members by reward."""

    _members: Evaluations | None = None

    def ask(self) -> Floats:
        if self._members is None:
            return self._around(np.repeat(self.ancestor.genomes, MEMBERS, axis=0), self.sigma)
        return self._around(np.repeat(self._members.genomes, CHILDREN, axis=0), self.sigma)

    def tell(self, found: Evaluations) -> None:
        pool = found if self._members is None else Evaluations.join([self._members, found])
        best = np.argsort(-pool.reward, kind="stable")[:MEMBERS]
        self._members = pool.take(best)
        self.history.append(float(self._members.reward.mean()))


class CMAEmitter(_Local):
    """CMA-ES with its usual constants, started at the ancestor."""

    def __init__(
        self,
        ancestor: Evaluations,
        sigma: float,
        bounds: tuple[float, float],
        rng: np.random.Generator,
    ) -> None:
        super().__init__(ancestor, sigma, bounds, rng)
        p = ancestor.genomes.shape[1]
        self._size = max(MEMBERS * CHILDREN, 4 + int(3 * math.log(p)))
        half = self._size // 2
        raw = math.log(half + 0.5) - np.log(np.arange(1, half + 1))
        self._weights = raw / raw.sum()
        mass = float(1 / (self._weights**2).sum())
        self._c_s = (mass + 2) / (p + mass + 5)
        self._damp = 1 + 2 * max(0.0, math.sqrt((mass - 1) / (p + 1)) - 1) + self._c_s
        self._c_c = (4 + mass / p) / (p + 4 + 2 * mass / p)
        self._c_1 = 2 / ((p + 1.3) ** 2 + mass)
        self._c_mu = min(1 - self._c_1, 2 * (mass - 2 + 1 / mass) / ((p + 2) ** 2 + mass))
        self._mass, self._expected = mass, math.sqrt(p) * (1 - 1 / (4 * p) + 1 / (21 * p * p))
        self._mean, self._s = ancestor.genomes[0].copy(), sigma
        self._cov, self._root, self._inverse = np.eye(p), np.eye(p), np.eye(p)
        self._path_s, self._path_c = np.zeros(p), np.zeros(p)

    def ask(self) -> Floats:
        z = self.rng.standard_normal((self._size, len(self._mean)))
        return np.asarray(np.clip(self._mean + self._s * z @ self._root.T, *self.bounds))

    def tell(self, found: Evaluations) -> None:
        self.history.append(float(np.sort(found.reward)[-MEMBERS:].mean()))
        if np.ptp(found.reward) == 0:  # nothing to learn from: no direction is better
            return
        order = np.argsort(-found.reward, kind="stable")[: len(self._weights)]
        steps = (found.genomes[order] - self._mean) / self._s
        move = self._weights @ steps
        self._mean = self._mean + self._s * move
        c, m = self._c_s, self._mass
        self._path_s = (1 - c) * self._path_s + math.sqrt(c * (2 - c) * m) * self._inverse @ move
        length = float(np.linalg.norm(self._path_s))
        going = length / math.sqrt(1 - (1 - c) ** (2 * len(self.history)))
        steady = going < (1.4 + 2 / (len(move) + 1)) * self._expected
        c = self._c_c
        self._path_c = (1 - c) * self._path_c + steady * math.sqrt(c * (2 - c) * m) * move
        rank_mu = (steps.T * self._weights) @ steps
        old = 1 - self._c_1 - self._c_mu + (not steady) * self._c_1 * c * (2 - c)
        self._cov = (
            old * self._cov
            + self._c_1 * np.outer(self._path_c, self._path_c)
            + self._c_mu * rank_mu
        )
        self._s *= math.exp(min(1.0, self._c_s / self._damp * (length / self._expected - 1)))
        values, vectors = np.linalg.eigh((self._cov + self._cov.T) / 2)
        values = np.sqrt(np.maximum(values, 1e-20))
        self._root = (vectors * values) @ vectors.T
        self._inverse = (vectors / values) @ vectors.T


def improvement(emitter: Emitter) -> float:
    """How much the mean of the last three steps is above that of the first three; at least 0."""
    h = emitter.history
    if len(h) < 2:
        return 0.0
    return max(0.0, float(np.mean(h[-EARLY:]) - np.mean(h[:EARLY])))


def stagnant(emitter: Emitter, window: int) -> bool:
    """Whether the last steps are no better (in the median) than those a window before."""
    h = emitter.history[-window:]
    block = max(1, min(BLOCK, window // 2))
    return len(h) >= window and bool(np.median(h[:block]) >= np.median(h[-block:]))
