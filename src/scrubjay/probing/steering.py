"""Push the residual stream (or any other component) along chosen directions while a model runs.

add           x ← x + α v
project_out   x ← x − α U Uᵀ x        U: an orthonormal basis of the given directions
affine        x ← x + α (W x + b − x) W a matrix, or a vector that scales each coordinate

with steer(model, {12: direction}, how="add", scale=4.0):
    model.generate(ids)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.positions import Positions, PositionsLike, check_reached
from scrubjay.probing.recording import finite
from scrubjay.probing.sites import Site
from scrubjay.probing.taps import Pass, tapped, written

How = Literal["add", "project_out", "affine"]


@contextmanager
def steer(
    model: Any,
    directions: Mapping[Any, Any],
    *,
    how: How = "add",
    scale: float = 1.0,
    positions: PositionsLike = None,
) -> Iterator[None]:
    """Inside, the stream is changed at each place.

    Args:
        model: see ``Anatomy.of``.
        directions: place → for ``add`` a vector (or whatever broadcasts to the component); for
            ``project_out`` a vector or a matrix of row vectors; for ``affine`` a pair (W, b). A
            place is a layer (its ``resid_post``) or any site.
        scale: α.
        positions: for the places without a position of their own; None: all, also those that are
            generated.

    Raises:
        ProbeError: there is no such place, a direction isn't finite or has another width, or a
            position lies beyond every prompt.
    """
    anatomy = Anatomy.of(model)
    if how not in get_args(How):
        raise ProbeError(f"can't steer by '{how}'; known: {', '.join(get_args(How))}")
    if not directions:
        raise ProbeError("no directions given")
    places: list[tuple[Site, Positions]] = []
    taps = []
    for place, given in directions.items():
        (site,) = anatomy.check(Site("resid_post", place) if isinstance(place, int) else place)
        if site.component == "attn":
            raise ProbeError("attention weights can't be steered; patch them, or steer q or k")
        where = Positions.of(site, positions)
        move = _move(site, given, how, scale, _width(anatomy, site))
        places.append((site, where))
        taps.append((site.component, site.layer, _moving(site, where, move)))
    with tapped(anatomy, taps) as now:
        yield
    check_reached(iter(places), now)


def _moving(site: Site, where: Positions, move: Callable[[Tensor], Tensor]) -> Any:
    def steered(x: Tensor, now: Pass) -> Tensor:
        columns, held = where.here(now, x.device)
        rows, slots = held.nonzero(as_tuple=True)
        index: tuple[Any, ...] = (rows, columns[rows, slots])
        if site.head is not None:  # a neuron keeps its axis, of width 1
            neuron = slice(site.head, site.head + 1)
            index = (*index, neuron if site.component == "neurons" else site.head)
        x = written(x)
        x[index] = move(x[index]).to(x.dtype)
        return x

    return steered


def _move(site: Site, given: Any, how: How, scale: float, width: int) -> Callable[[Tensor], Tensor]:
    """The change of vectors (…, width)."""
    if how == "affine":
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise ProbeError(f"{site}: an affine map is a pair (matrix or scales, shift)")
        weight, shift = (_checked(site, x, width) for x in given)
        if weight.dim() > 2 or (weight.dim() == 2 and weight.shape[0] != width):
            raise ProbeError(
                f"{site}: an affine map has {width} scales or a {width} × {width} matrix"
            )

        def affine(x: Tensor) -> Tensor:
            w, b = weight.to(x), shift.to(x)
            return x + scale * ((x @ w.T if w.dim() == 2 else x * w) + b - x)

        return affine
    direction = _checked(site, given, width)
    if how == "add":
        return lambda x: x + scale * direction.to(x)
    basis = _basis(site, direction)

    def project(x: Tensor) -> Tensor:
        u = basis.to(x)
        return x - scale * (x @ u) @ u.T

    return project


def _basis(site: Site, rows: Tensor) -> Tensor:
    """Orthonormal columns that span the given row vectors."""
    matrix = (rows[None] if rows.dim() == 1 else rows).float()
    if matrix.dim() != 2:
        raise ProbeError(f"{site}: directions are a vector or a matrix of row vectors")
    u: Tensor
    u, s, _ = torch.linalg.svd(matrix.T, full_matrices=False)
    rank = int((s > s.max() * 1e-5).sum()) if float(s.max()) > 0 else 0
    if rank < len(matrix):
        raise ProbeError(f"{site}: the {len(matrix)} directions span only {rank} dimensions")
    return u


def _checked(site: Site, given: Any, width: int) -> Tensor:
    x: Tensor = torch.as_tensor(given)
    finite(x, f"the direction for {site}")
    if x.dim() == 0 or x.shape[-1] != width:
        raise ProbeError(f"{site} is {width} wide, the direction {tuple(x.shape)}")
    if not x.is_floating_point():
        x = x.float()
    return x


def _width(anatomy: Anatomy, site: Site) -> int:
    if site.component == "logits":
        return anatomy.w_u.shape[1]
    if site.component == "neurons":
        return 1 if site.head is not None else anatomy.neurons(site.layer or 0)
    return anatomy.d_head if site.component in ("z", "q", "k", "v") else anatomy.d_model
