"""Linear probes: can a label be read off a representation by one direction?

    logreg      minimise (1/n) Σ log(1 + exp(-z_i (wᵀx_i + b))) + (1/(2 C n)) ‖w‖²
    mass-mean   w = mean(x | z=1) - mean(x | z=0), threshold half-way

Features are standardised on the training part, and C can be chosen on a part of it. A probe with
more features than texts separates anything it was fitted on: look at held-out texts only, and at
the same probe on random labels. Source: paper 49, sections 3 and 5 of our sheet. Departures: scaled
features and a chosen C (the paper's code has neither).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scrubjay.probing.errors import ProbeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

GRID = (0.001, 0.01, 0.1, 1.0)


@dataclass
class LinearProbe:
    """Fit, then ``score`` or ``predict``."""

    kind: Literal["logreg", "mass-mean"] = "logreg"
    c: float = 1.0
    """Inverse strength of the L2 penalty, as in scikit-learn."""
    standardise: bool = True
    _mean: Array = field(init=False, repr=False)
    _scale: Array = field(init=False, repr=False)
    _weights: Array = field(init=False, repr=False)
    _bias: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises:
        ProbeError: there is no such kind, or C is not positive.
        """
        if self.kind not in ("logreg", "mass-mean") or not self.c > 0:
            raise ProbeError(
                f"a probe is 'logreg' or 'mass-mean' with a positive C, not '{self.kind}' with "
                f"{self.c}"
            )

    def fit(self, x: Array, z: Sequence[bool] | NDArray[np.bool_]) -> LinearProbe:
        """Learn from representations (texts, width) and labels; returns itself.

        Raises:
            ProbeError: shapes differ, a number isn't finite, or there is one class only.
        """
        x, labels = np.asarray(x, dtype=np.float64), np.asarray(z, dtype=bool)
        if x.ndim != 2 or len(x) != len(labels):
            raise ProbeError(f"a probe takes (texts, width) and a label a text, not {x.shape}")
        if not np.isfinite(x).all():
            raise ProbeError("a representation holds numbers that are not finite")
        if labels.all() or not labels.any():
            raise ProbeError(f"all {len(labels)} texts have the same label: nothing to tell apart")
        self._mean = x.mean(0) if self.standardise else np.zeros(x.shape[1])
        scale = x.std(0) if self.standardise else np.ones(x.shape[1])
        self._scale = np.where(scale > 1e-9 * max(1.0, float(np.abs(x).max())), scale, 1.0)
        scaled = (x - self._mean) / self._scale
        if self.kind == "mass-mean":
            ones, zeros = scaled[labels].mean(0), scaled[~labels].mean(0)
            self._weights = ones - zeros
            self._bias = -float(self._weights @ (ones + zeros) / 2)
        else:
            self._weights, self._bias = _logistic(scaled, labels, self.c)
        return self

    def decide(self, x: Array) -> Array:
        """(texts,): above 0 is the positive class.

        Raises:
            ProbeError: the probe wasn't fitted, or on another width.
        """
        if not hasattr(self, "_weights"):
            raise ProbeError("the probe has to be fitted first")
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(self._weights):
            raise ProbeError(f"the probe reads a width of {len(self._weights)}, not {x.shape}")
        return np.asarray((x - self._mean) / self._scale @ self._weights + self._bias)

    def predict(self, x: Array) -> NDArray[np.bool_]:
        """(texts,) labels."""
        return np.asarray(self.decide(x) > 0)

    def score(self, x: Array, z: Sequence[bool] | NDArray[np.bool_]) -> dict[str, float]:
        """``accuracy``, ``f1`` and ``auc`` on these texts."""
        told, labels = self.decide(x), np.asarray(z, dtype=bool)
        hits = (told > 0) == labels
        true = float(((told > 0) & labels).sum())
        f1 = 2 * true / max(1.0, float((told > 0).sum() + labels.sum()))
        return {"accuracy": float(hits.mean()), "f1": f1, "auc": _auc(told, labels)}

    @property
    def direction(self) -> Array:
        """Unit vector in the space of the representations."""
        raw = self._weights / self._scale
        return np.asarray(raw / max(float(np.linalg.norm(raw)), 1e-300))


def choose_c(
    x: Array, z: NDArray[np.bool_], grid: Sequence[float] = GRID, *, seed: int = 0
) -> float:
    """The C that does best on a quarter of the texts, held out; the stronger penalty in a tie."""
    from scrubjay.core.randomness import numpy_stream

    order = numpy_stream(seed, "validation").permutation(len(x))
    held, rest = order[: len(x) // 4], order[len(x) // 4 :]
    if z[rest].all() or not z[rest].any() or not len(held):
        return min(grid)
    fits = {c: LinearProbe(c=c).fit(x[rest], z[rest]).score(x[held], z[held]) for c in sorted(grid)}
    return max(fits, key=lambda c: (fits[c]["accuracy"], -c))


def _logistic(x: Array, labels: NDArray[np.bool_], c: float) -> tuple[Array, float]:
    """Weights and bias by L-BFGS, in the space that the texts span."""
    from scipy.optimize import minimize
    from scipy.special import expit

    basis = None
    if x.shape[1] > x.shape[0]:  # w lies in the span of the rows: rotate to it, exactly
        basis, inner = np.linalg.qr(x.T)
        x = inner.T
    sign = np.where(labels, 1.0, -1.0)
    n, width = x.shape

    def loss(wb: Array) -> tuple[float, Array]:
        margin = sign * (x @ wb[:width] + wb[width])
        pull = -sign * expit(-margin) / n
        value = float(np.logaddexp(0, -margin).mean() + wb[:width] @ wb[:width] / (2 * c * n))
        slope = np.append(x.T @ pull + wb[:width] / (c * n), pull.sum())
        return value, slope

    best: Any = minimize(loss, np.zeros(width + 1), jac=True, method="L-BFGS-B", tol=1e-7)
    weights, bias = best.x[:width], float(best.x[width])
    return (weights if basis is None else basis @ weights), bias


def _auc(scores: Array, positive: NDArray[np.bool_]) -> float:
    """Chance that a positive scores above a negative, ties counting half; 0.5 without both."""
    from scipy.stats import rankdata

    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return 0.5
    return float((rankdata(scores)[positive].sum() - n * (n + 1) / 2) / (n * m))
