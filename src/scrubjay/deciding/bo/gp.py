"""A Gaussian process in a page of numpy, its lengths, signal and noise fitted to the data.

    k(x, x') = s² exp(−½ Σ_j D_j(x, x') / l_j²),   D_j squared difference; 0 or 1 for levels
    K = k + n² I;    log p(y) = −½ yᵀK⁻¹y − ½ log|K| − ½ t log 2π                       ML-II
    ∂/∂θ = ½ tr((ααᵀ − K⁻¹) ∂K/∂θ),  α = K⁻¹y,  θ = log(l_1 … l_d, s², n²)
    EI(x) = (μ − b) Φ(z) + σ φ(z),   z = (μ − b)/σ

With five points the likelihood alone often prefers lengths of 0 or ∞. A broad log-normal prior on
lengths (median ½, factor e) and on noise keeps the fit sane: ``prior=True`` is a maximum a
posteriori. Source: Rasmussen and Williams (2006), chapters 2 and 5; paper 32, section 7 ("a
fixed-kernel GP is a straw man").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import ndtr

from scrubjay.deciding.bo.tasks import Floats, squared_differences

LOW, HIGH = np.log(0.03), np.log(30.0)
_SIGNAL = (np.log(0.05), np.log(20.0))
_NOISE = (np.log(1e-6), np.log(1.0))
_LENGTH_PRIOR, _NOISE_PRIOR = (np.log(0.5), 1.0), (np.log(1e-3), 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class GP:
    """A kernel and the data it was fitted to; y is standardised inside."""

    theta: Floats
    """log(l_1 … l_d, s², n²), in units of standardised y."""
    kinds: tuple[int, ...]
    x: Floats
    y: Floats
    offset: float
    scale: float

    @classmethod
    def fit(cls, x: Floats, y: Floats, kinds: tuple[int, ...], *, prior: bool = True) -> GP:
        """Maximise the likelihood (with the prior) from two starts."""
        given = cls.given(default_theta(len(kinds)), x, y, kinds)
        squares = squared_differences(x, x, kinds)

        def loss(theta: Floats) -> tuple[float, Floats]:
            value, slope = log_marginal(theta, squares, given.y)
            if prior:
                extra, more = _log_prior(theta)
                value, slope = value + extra, slope + more
            return -value, -slope

        d = len(kinds)
        bounds = [(LOW, HIGH)] * d + [_SIGNAL, _NOISE]
        found = []
        for length in (0.3, 1.5):
            start = given.theta.copy()
            start[:d] = np.log(length)
            found.append(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds))
        best = min(found, key=lambda f: f.fun)
        return cls(best.x, kinds, x, given.y, given.offset, given.scale)

    @classmethod
    def given(cls, theta: Floats, x: Floats, y: Floats, kinds: tuple[int, ...]) -> GP:
        """With a kernel that is known."""
        deviation = float(y.std())
        offset, scale = float(y.mean()), deviation if deviation > 0 else 1.0
        return cls(theta, kinds, x, (y - offset) / scale, offset, scale)

    def predict(self, at: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the function (without noise) at rows ``at`` (m, d)."""
        mean, deviation = posterior(self.theta, self.x, self.y, at, self.kinds)
        return mean * self.scale + self.offset, deviation * self.scale


def default_theta(dimensions: int) -> Floats:
    """Lengths ½, signal 1, noise 10⁻²."""
    return np.log([0.5] * dimensions + [1.0, 1e-2])


def log_marginal(theta: Floats, squares: Floats, y: Floats) -> tuple[float, Floats]:
    """log p(y) and its gradient; ``squares`` (d, t, t) from ``squared_differences``."""
    signal, noise = np.exp(theta[-2:])
    inverse = np.exp(-2 * theta[:-2])
    kernel = signal * np.exp(-0.5 * np.tensordot(inverse, squares, 1))
    total = kernel + noise * np.eye(len(y))
    root = cho_factor(total, lower=True, check_finite=False)
    alpha = cho_solve(root, y, check_finite=False)
    half = np.log(np.diag(root[0])).sum()
    value = -0.5 * y @ alpha - half - 0.5 * len(y) * np.log(2 * np.pi)
    rest = np.outer(alpha, alpha) - cho_solve(root, np.eye(len(y)), check_finite=False)
    shared = rest * kernel
    lengths = np.tensordot(squares, shared, 2) * inverse
    slope = 0.5 * np.concatenate([lengths, [shared.sum(), np.trace(rest) * noise]])
    return float(value), slope


def posterior(
    theta: Floats, x: Floats, y: Floats, at: Floats, kinds: tuple[int, ...]
) -> tuple[Floats, Floats]:
    """Mean and deviation (…, m) at ``at`` (…, m, d), given x (…, t, d) and y (…, t)."""
    signal, noise = np.exp(theta[-2:])
    inverse = np.exp(-2 * theta[:-2])

    def kernel(a: Floats, b: Floats) -> Floats:
        squares = squared_differences(a, b, kinds)
        return np.asarray(signal * np.exp(-0.5 * np.tensordot(inverse, squares, 1)))

    between = kernel(x, at)
    total = kernel(x, x) + noise * np.eye(x.shape[-2])
    solved = np.linalg.solve(total, np.concatenate([y[..., None], between], axis=-1))
    mean = np.einsum("...tm,...t->...m", between, solved[..., 0])
    lost = (between * solved[..., 1:]).sum(axis=-2)
    return mean, np.sqrt(np.maximum(signal - lost, 1e-12))


def expected_improvement(mean: Floats, deviation: Floats, best: Floats | float) -> Floats:
    """E[(y − best)⁺] of normal y."""
    z = (mean - best) / deviation
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.asarray(deviation * np.maximum(z * ndtr(z) + density, 0.0))


def _log_prior(theta: Floats) -> tuple[float, Floats]:
    """Normal in log l_j and log n², up to a constant, and its gradient."""
    middle = np.concatenate([np.full(len(theta) - 2, _LENGTH_PRIOR[0]), [0.0, _NOISE_PRIOR[0]]])
    width = np.concatenate([np.full(len(theta) - 2, _LENGTH_PRIOR[1]), [np.inf, _NOISE_PRIOR[1]]])
    z = (theta - middle) / width
    return float(-0.5 * (z**2).sum()), -z / width
