"""Proper scoring rules: pay a forecaster so that telling the truth is best.

    quadratic   S(q, k) = (1 + 2 q_k - sum_j q_j^2) / 2
    spherical   S(q, k) = q_k / |q|
    log         S(q, k) = 1 + log(max(q_k, floor)) / -log(floor)          clipped, so bounded

q is the reported probability of each outcome, k what happened; all three lie in [0, 1] and, for a
belief p, E_p S(q) is largest at q = p (the log rule among forecasts that are nowhere below its
floor). Multiply by a cap to pay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["quadratic", "spherical", "log"]
Floats = NDArray[np.float64]


def scores(
    report: Sequence[float] | Floats, rule: Rule = "quadratic", floor: float = 1e-3
) -> Floats:
    """What a report earns for each outcome: array like ``report`` (…, outcomes).

    Raises:
        ValueError: not a probability distribution, no such rule, or a floor outside (0, 1).
    """
    q = np.asarray(report, dtype=np.float64)
    if q.ndim < 1 or not q.size or not np.isfinite(q).all() or q.min() < 0:
        raise ValueError("a forecast needs a probability for every outcome")
    if not np.allclose(q.sum(axis=-1), 1, atol=1e-9):
        raise ValueError(f"the probabilities of a forecast must sum to 1, not {q.sum(axis=-1)}")
    if rule == "quadratic":
        return np.asarray((1 + 2 * q - (q**2).sum(axis=-1, keepdims=True)) / 2)
    if rule == "spherical":
        return np.asarray(q / np.linalg.norm(q, axis=-1, keepdims=True))
    if rule == "log":
        if not 0 < floor < 1:
            raise ValueError(f"the floor of the log rule must lie in (0, 1), not at {floor:g}")
        return np.asarray(1 - np.log(np.maximum(q, floor)) / math.log(floor))
    raise ValueError(f"there is no scoring rule '{rule}'; known: quadratic, spherical, log")


def expected_score(
    belief: Sequence[float] | Floats,
    report: Sequence[float] | Floats,
    rule: Rule = "quadratic",
    floor: float = 1e-3,
) -> float:
    """What a forecaster who believes ``belief`` expects from reporting ``report``.

    Raises:
        ValueError: as for ``scores``; for the belief, too.
    """
    scores(belief)
    return float(np.dot(np.asarray(belief, dtype=np.float64), scores(report, rule, floor)))
