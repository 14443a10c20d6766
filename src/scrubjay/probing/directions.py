"""Directions in the stream by difference of means, and what adding or removing them does.

    θ = mean(h | positive) - mean(h | negative)          at one layer and position
    added(c)     h ← h + c θ̂          at that layer
    removed()    h ← h - (hᵀθ̂) θ̂      at every layer, so that it isn't written again

A direction remembers where it was read, and can be used in another model of the same shape: the
question of paper 23 is whether one that was read in a base model still works after its tuning.
Source: paper 23, sections 3.2 and 3.3 of our sheet. Departure: c is counted in ‖θ‖, the distance
of the two means, at one site of one layer (the paper adds at three sites of a layer, up to 3 c).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.linear import LinearProbe
from scrubjay.probing.positions import PositionsLike
from scrubjay.probing.sites import Site
from scrubjay.probing.steering import steer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Labels = Sequence[bool] | NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Direction:
    """See the top of this file."""

    vector: Tensor
    """θ, (width,)."""
    layer: int
    """Read at ``resid_post`` of this layer."""

    def __post_init__(self) -> None:
        """Raises:
        ProbeError: it is no vector, or has no length.
        """
        x = self.vector
        if x.dim() != 1 or not bool(x.isfinite().all()) or float(x.norm()) == 0:
            raise ProbeError("a direction is a finite vector with a length")

    @property
    def unit(self) -> Tensor:
        unit: Tensor = self.vector / self.vector.norm()
        return unit

    def cosine(self, other: Direction) -> float:
        """Raises:
        ProbeError: the widths differ.
        """
        if self.vector.shape != other.vector.shape:
            raise ProbeError(
                f"directions of widths {len(self.vector)} and {len(other.vector)} can't be compared"
            )
        return float(self.unit @ other.unit)

    @contextmanager
    def added(
        self, model: Any, c: float = 1.0, *, positions: PositionsLike = None, width: int = 0
    ) -> Iterator[None]:
        """Inside, c θ is added at its layer, and at so many layers before it as ``width`` says."""
        places = {Site("resid_post", n): self.vector for n in range(self.layer - width, self.layer + 1) if n >= 0}  # fmt: skip  # noqa: E501
        with steer(model, {**places}, how="add", scale=c, positions=positions):
            yield

    @contextmanager
    def removed(self, model: Any) -> Iterator[None]:
        """Inside, the stream of no layer has a part along it."""
        anatomy = Anatomy.of(model)
        places = dict.fromkeys(anatomy.sites("resid_post"), self.unit)
        places[Site("resid_pre", 0)] = self.unit
        with steer(model, {**places}, how="project_out"):
            yield

    def accuracy(self, states: Array, labels: Labels, *, learn: Any = None) -> float:
        """Of a threshold on hᵀθ, by an unpenalised logistic regression on that one number.

        Args:
            states: (texts, width), ``labels`` what they are.
            learn: (texts,) bool: fitted on these, scored on the others; None: all for both.
        """
        x = np.asarray(states, dtype=np.float64) @ self.unit.double().numpy()
        x, z = x[:, None], np.asarray(labels, dtype=bool)
        part = np.ones(len(z), dtype=bool) if learn is None else np.asarray(learn, dtype=bool)
        rest = part if learn is None else ~part
        return LinearProbe(c=1e6).fit(x[part], z[part]).score(x[rest], z[rest])["accuracy"]


def mass_mean(
    states: Array, labels: Labels, layer: int, *, groups: Sequence[Any] | None = None
) -> Direction:
    """Difference of means of the states (texts, width) of one layer.

    Args:
        groups: sets of texts, each of which is centred on its own mean first.

    Raises:
        ProbeError: there aren't both classes, or they have the same mean.
    """
    x, z = np.asarray(states, dtype=np.float64).copy(), np.asarray(labels, dtype=bool)
    if z.all() or not z.any() or len(x) != len(z):
        raise ProbeError("a direction needs texts of both classes, and a label for each")
    for group in set(groups or ()):
        rows = np.array([g == group for g in groups or ()])
        x[rows] -= x[rows].mean(0)
    return Direction(torch.from_numpy(x[z].mean(0) - x[~z].mean(0)).float(), layer)


def nie(before: Array, after: Array, goal: float) -> tuple[float, int]:
    """Normalised indirect effect: Σ (after - before) / Σ (goal - before) over items, goal 1 or -1.

    Sums are divided, because single items near the goal have denominators near 0. Returns it with
    the number of items dropped, whose own denominator is below 0.05.

    Raises:
        ProbeError: no item is left.
    """
    room = goal - np.asarray(before, dtype=np.float64)
    keep = np.abs(room) >= 0.05
    if not keep.any():
        raise ProbeError("every item has already reached the goal: nothing to normalise by")
    value = float((np.asarray(after) - np.asarray(before))[keep].sum() / room[keep].sum())
    return value, int((~keep).sum())


def random_direction(like: Direction, seed: int = 0) -> Direction:
    """Another direction of the same length: the control."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(like.vector.shape, generator=generator)
    return Direction(x / x.norm() * like.vector.norm(), like.layer)
