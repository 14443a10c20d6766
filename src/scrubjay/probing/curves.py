"""How deep is a concept? Pure functions of a curve: a probe's accuracy after each layer.

    α_0 is the embedding, α_l the state after layer l, d the number of layers
    jump          first l/d with α_l / α_{l-1} ≥ 1.1
    converging    first l/d from which |α_k / α_{k-1} - 1| < 0.03 for all k ≥ l
    depth_at(f)   first l/d at which α_l - ½ reaches f of what it reaches anywhere

A ratio of noisy numbers jumps by itself: pass ``error`` (a standard error of α) and a jump must
also be two of them high. Source: paper 49, section 3 of our sheet. Departures: the paper prints
*converging* as a maximum, which is nearly always the last layer, so the evident meaning is
implemented; ``depth_at`` is ours and does not depend on neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scrubjay.probing.errors import ProbeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Curve = Sequence[float] | NDArray[np.float64]

JUMP, FLAT = 1.1, 0.03


def jump(curve: Curve, *, error: float = 0.0) -> float | None:
    """Depth of the first jump; ``None`` if there is none.

    >>> jump([0.5, 0.5, 0.6, 0.8, 0.81, 0.81, 0.81]) == 2 / 6
    True
    """
    a = _checked(curve)
    for l in range(1, len(a)):  # noqa: E741
        if a[l] >= JUMP * a[l - 1] and a[l] - a[l - 1] > 2 * error:
            return l / (len(a) - 1)
    return None


def converging(curve: Curve) -> float:
    """Depth from which the curve stays flat; 1 if it moves to the end.

    >>> converging([0.5, 0.5, 0.6, 0.8, 0.81, 0.81, 0.81]) == 4 / 6
    True
    """
    a = _checked(curve)
    last = 0
    for l in range(1, len(a)):  # noqa: E741
        if abs(a[l] - a[l - 1]) >= FLAT * a[l - 1]:
            last = l
    return min(1.0, (last + 1) / (len(a) - 1)) if last else 0.0


def depth_at(curve: Curve, share: float = 0.95) -> float | None:
    """Depth at which so much of the best accuracy above chance is reached; ``None`` for a curve
    that never leaves chance.

    >>> depth_at([0.5, 0.5, 0.6, 0.8, 0.81, 0.81, 0.81]) == 3 / 6
    True
    """
    if not 0 < share <= 1:
        raise ProbeError(f"a share of the peak is in (0, 1], not {share}")
    a = _checked(curve) - 0.5
    if a.max() <= 0:
        return None
    return float(np.argmax(a >= share * a.max() - 1e-12)) / (len(a) - 1)


def _checked(curve: Curve) -> NDArray[np.float64]:
    a = np.asarray(curve, dtype=np.float64)
    if a.ndim != 1 or len(a) < 2 or not np.isfinite(a).all() or a.min() < 0 or a.max() > 1:
        raise ProbeError("a curve has an accuracy in [0, 1] at the embedding and after each layer")
    return a
