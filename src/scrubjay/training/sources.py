"""Train the weights that say where an answer came from (``agents.provenance_classifier``).

    min_W  Σ_i u_i · -log softmax(W z_i + b)[source_i]  +  |W|² / (2 strength)

``z`` are standardised signals and ``u`` weighs every source alike, however many rows it has. A row
without a true source teaches nothing about sources, but still whether it is right. One pair of
regressions per way to measure and per 'read'/'bare'. Convex: the start doesn't matter, nothing is
drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from scrubjay.agents.provenance_classifier import Head, Softmax, SourceModel
from scrubjay.core.errors import ScrubjayError
from scrubjay.evaluation.sources_rows import SourceRow

STRENGTH = 0.3
"""Inverse of the L2 penalty: of 0.03 to 10 the best, cross-validated over practice questions."""
LEAST = 8
"""Rows of a class below which it can't be learned."""


def train_sources(rows: Sequence[SourceRow], *, trained_on: str = "") -> SourceModel:
    """Weights from answered cases.

    Raises:
        ScrubjayError: a source has too few rows to learn it from.
    """
    heads = {}
    for name in sorted({row.head for row in rows if row.head}):
        mine = [row for row in rows if row.head == name]
        told = [row for row in mine if row.truth]
        heads[name] = Head(
            _fit(told, [row.truth for row in told], f"{name}: source", balanced=True),
            _fit(mine, ["right" if row.right else "wrong" for row in mine], f"{name}: right"),
        )
    if not heads:
        raise ScrubjayError("source weights can't be trained: the model answered nothing")
    return SourceModel(heads, trained_on)


def softmax_regression(
    x: np.ndarray, classes: np.ndarray, importance: np.ndarray, strength: float = STRENGTH
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (k, d) and bias (k,) for rows ``x`` (n, d) of ``classes`` (n,) in 0..k-1."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    n, d = x.shape
    k = int(classes.max()) + 1
    target = np.eye(k)[classes]

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        w, b = theta[: k * d].reshape(k, d), theta[k * d :]
        log_p = log_softmax(x @ w.T + b, axis=1)
        value = -(importance * log_p[np.arange(n), classes]).sum() + (w * w).sum() / (2 * strength)
        error = importance[:, None] * (np.exp(log_p) - target)
        return float(value), np.concatenate(
            [(error.T @ x + w / strength).ravel(), error.sum(axis=0)]
        )

    found = minimize(loss, np.zeros(k * d + k), jac=True, method="L-BFGS-B").x
    return found[: k * d].reshape(k, d), found[k * d :]


def _fit(
    rows: Sequence[SourceRow], labels: Sequence[str], what: str, *, balanced: bool = False
) -> Softmax:
    counts = Counter(labels)
    if len(counts) < 2 or min(counts.values()) < LEAST:
        told = ", ".join(f"{n} {c}" for c, n in sorted(counts.items())) or "none"
        raise ScrubjayError(
            f"source weights ({what}) can't be trained on so few answers ({told}): "
            f"ask more questions, or take a model that knows more; each needs {LEAST}"
        )
    classes = tuple(sorted(counts))
    index = np.array([classes.index(c) for c in labels])
    x = np.array([row.signals for row in rows])
    mean, spread = x.mean(axis=0), x.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    each = np.array([len(rows) / (len(classes) * counts[c]) if balanced else 1.0 for c in labels])
    w, b = softmax_regression((x - mean) / scale, index, each)
    return Softmax(
        classes,
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        tuple(tuple(row) for row in w.tolist()),
        tuple(b.tolist()),
    )
