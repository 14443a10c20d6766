"""Linear contextual bandits: every arm has features, its mean is linear in them.

    E[r | x, a] = x_a · theta,     A = lambda I + sum x x^T,  b = sum r x,  theta^ = A^-1 b
    LinUCB     argmax_a  x_a · theta^ + width sqrt(x_a^T A^-1 x_a)
    LinTS      theta~ ~ N(theta^, width^2 A^-1),  argmax_a x_a · theta~

Regret about d sqrt(T), up to logs. Source: Slivkins, Introduction to Multi-Armed Bandits, section
8.3; A^-1 is kept up to date by the formula of Sherman and Morrison. The theoretical width grows
with sqrt(d log T) and is far too careful in practice: by default 1, an honest setting and no
theorem.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Feedback, Setting, finite, positive


@dataclass
class LinearArms:
    """Random features, Bernoulli rewards of mean (1 + u · w) / 2 with unit vectors u, w.

    As a linear model: features (u, 1), theta = (w, 1) / 2. Each run has a w of its own. The context
    is the features of all arms: array (runs, arms, dimensions).

    Raises:
        ValueError: no arms, or fewer than two dimensions.
    """

    arms: int
    features: int = 8
    show: Feedback = field(default="bandit", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit"})

    def __post_init__(self) -> None:
        if self.arms < 1:
            raise ValueError(f"a bandit needs at least one arm, not {self.arms}")
        if self.features < 2:
            raise ValueError("linear arms need two features or more, one of them the constant")

    def begin(self, horizon: int, lanes: Lanes) -> None:
        self._lanes, self._width = lanes, self.features - 1
        self._lost: Floats = np.zeros(len(lanes))
        hidden = _units(lanes.named("hidden").normal(self._width))
        self.theta: Floats = np.hstack([hidden, np.ones((len(lanes), 1))]) / 2

    def context(self) -> Floats:
        drawn = _units(self._lanes.normal(self.arms, self._width))
        self._now = np.concatenate([drawn, np.ones((*drawn.shape[:2], 1))], axis=2)
        return self._now

    def play(self, arms: Ints) -> tuple[Floats, None]:
        means = np.einsum("rkd,rd->rk", self._now, self.theta)
        chosen = means[self._lanes.rows, arms]
        self._lost += means.max(axis=1) - chosen
        return (self._lanes.uniform() < chosen).astype(np.float64), None

    def regret(self) -> Floats:
        return self._lost


def _units(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


class Ridge:
    """Ridge regression of every run, row by row: A^-1, b and theta^."""

    def __init__(self, runs: int, dimensions: int, ridge: float) -> None:
        self.inverse: Floats = np.broadcast_to(
            np.eye(dimensions) / ridge, (runs, dimensions, dimensions)
        ).copy()
        self._b: Floats = np.zeros((runs, dimensions))
        self.theta: Floats = np.zeros((runs, dimensions))

    def add(self, x: Floats, reward: Floats) -> None:
        """Learn from features (runs, dimensions) and rewards (runs,)."""
        ax = np.einsum("rij,rj->ri", self.inverse, x)
        scale = 1 + (x * ax).sum(axis=1)
        self.inverse -= ax[:, :, None] * ax[:, None, :] / scale[:, None, None]
        self._b += reward[:, None] * x
        self.theta = np.einsum("rij,rj->ri", self.inverse, self._b)


@dataclass
class _Linear:
    """What LinUCB and LinTS share."""

    width: float = 1.0
    ridge: float = 1.0
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        positive(width=self.width, ridge=self.ridge)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._lanes, self._arms = lanes, setting.arms
        self.model: Ridge | None = None

    def _seen(self, context: Any) -> tuple[Floats, Ridge]:
        x = np.asarray(context, dtype=np.float64)
        if x.ndim != 3 or x.shape[:2] != (len(self._lanes), self._arms) or not x.shape[2]:
            raise ValueError(
                "a linear bandit's context holds the features of every arm: an array (runs, arms, "
                "dimensions)"
            )
        if not np.isfinite(x).all():
            raise ValueError("features must be finite numbers")
        self._x = x
        if self.model is None:
            self.model = Ridge(len(x), x.shape[2], self.ridge)
        return x, self.model

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        assert self.model is not None
        self.model.add(self._x[self._lanes.rows, arms], finite(reward))


@dataclass
class LinUCB(_Linear):
    """Optimism in the confidence ellipsoid of theta.

    Raises:
        ValueError: ``width`` or ``ridge`` is not above 0; on ``select``, a context that
            doesn't hold finite features of every arm.
    """

    name: str = "linucb"

    def select(self, context: Any = None) -> Ints:
        x, model = self._seen(context)
        spread = np.einsum("rkd,rkd->rk", np.matmul(x, model.inverse), x)
        mean = np.einsum("rkd,rd->rk", x, model.theta)
        return np.asarray(np.argmax(mean + self.width * np.sqrt(np.maximum(spread, 0)), axis=1))


@dataclass
class LinTS(_Linear):
    """Thompson sampling with a normal posterior over theta; ``width`` 0.5 by default.

    Raises:
        ValueError: as for ``LinUCB``.
    """

    width: float = 0.5
    name: str = "lints"

    def select(self, context: Any = None) -> Ints:
        x, model = self._seen(context)
        # A draw from N(0, A^-1): solve with the factor of A^-1 kept symmetric against rounding.
        inverse = (model.inverse + model.inverse.transpose(0, 2, 1)) / 2
        factor = np.linalg.cholesky(inverse + 1e-12 * np.eye(inverse.shape[1]))
        noise = np.einsum("rij,rj->ri", factor, self._lanes.normal(x.shape[2]))
        return np.asarray(
            np.argmax(np.einsum("rkd,rd->rk", x, model.theta + self.width * noise), axis=1)
        )
