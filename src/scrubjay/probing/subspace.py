"""Edit what one component of a head writes, or where the stream stands in a small subspace.

component_edit   z W_O ← z W_O − (1 − α) Σ_i (z W_O · u_i) u_i        a head's output, α: scale
subspace_edit    x ← x − U Uᵀ x + U p                                 the stream that a reader gets

    with component_edit(model, (8, 6), [0]):           # α = 0: component 0 is gone
        model(ids)
    U = basis(components(model, (8, 6)).write[:3])
    with subspace_edit(model, U, point, layer=10):     # at the last token
        model(ids)
    logits, coordinates = at_points(model, inputs, U, points, layer=10)   # all points of a grid

Since W_V W_O = Σ s_i v_i u_iᵀ with orthonormal u_i, the first is the weight edit s_i ← α s_i, made
in the one head's own output, so that heads which share their values are left alone. (What a bias of
the values adds along u_i goes too.) Weights are never touched. Source: paper 11, section 3.4 of our
sheet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.composition import Components, components
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head
from scrubjay.probing.inputs import InputsLike, as_inputs
from scrubjay.probing.positions import PositionsLike
from scrubjay.probing.recording import finite
from scrubjay.probing.sites import Site
from scrubjay.probing.steering import steer
from scrubjay.probing.tail import Base
from scrubjay.probing.taps import Pass

ROWS = 64
"""Runs of a batch, in ``at_points``."""


@contextmanager
def component_edit(
    model: Any,
    head: Head | Components,
    which: Sequence[int],
    *,
    scale: float = 0.0,
    keep: bool = False,
    positions: PositionsLike = None,
) -> Iterator[None]:
    """Inside, some components of a head are scaled.

    Args:
        head: (layer, head), or what ``components`` found for it.
        which: numbers of components.
        scale: α.
        keep: scale all the others instead.
        positions: where; None: everywhere.

    Raises:
        ProbeError: there is no such head or component, or as ``steer``.
    """
    anatomy = Anatomy.of(model)
    found = head if isinstance(head, Components) else components(anatomy, head)
    chosen = set(which)
    if not chosen or not chosen <= set(range(len(found.sizes))):
        raise ProbeError(
            f"head {found.head[0]}.{found.head[1]} has components 0 to {len(found.sizes) - 1}, "
            f"not {sorted(chosen)}"
        )
    if keep:
        chosen = set(range(len(found.sizes))) - chosen
    if not chosen:
        yield
        return
    u = found.write[sorted(chosen)]
    within = u @ torch.linalg.pinv(found.out)  # (n, d_head): what z writes u_i with
    weight = torch.eye(len(found.out), dtype=u.dtype) - (1 - scale) * within.T @ (u @ found.out.T)
    site = Site("z", *found.head)
    shift = torch.zeros(len(weight), dtype=u.dtype)
    with steer(anatomy, {site: (weight, shift)}, how="affine", positions=positions):
        yield


def basis(directions: Tensor) -> Tensor:
    """Orthonormal columns (d_model, n) that span the rows of ``directions``, in their order.

    Raises:
        ProbeError: they aren't finite, or depend on each other.
    """
    finite(directions, "the directions")
    rows = directions.double()
    if rows.dim() != 2 or not 0 < len(rows) <= rows.shape[1]:
        raise ProbeError(f"directions are rows (n, width), not {tuple(directions.shape)}")
    rows = rows / rows.norm(dim=-1, keepdim=True).clamp(min=1e-30)
    q, r = torch.linalg.qr(rows.T)
    diagonal = r.diagonal()
    if float(diagonal.abs().min()) < 1e-4:
        raise ProbeError(f"the {len(rows)} directions depend on each other")
    turned: Tensor = q * diagonal.sign()
    return turned


@contextmanager
def subspace_edit(
    model: Any, u: Tensor, point: Tensor | Sequence[float], *, layer: int, position: int = -1
) -> Iterator[None]:
    """Inside, the stream entering block ``layer`` stands at ``point`` of the subspace.

    Args:
        u: orthonormal columns (d_model, n), see ``basis``.
        point: n coordinates.

    Raises:
        ProbeError: the columns aren't orthonormal, the sizes don't fit, or as ``steer``.
    """
    anatomy = Anatomy.of(model)
    u, p = _fitting(anatomy, u, torch.as_tensor(point))
    weight = torch.eye(len(u), dtype=u.dtype) - u @ u.T
    site = Site("resid_pre", layer, position=position)
    with steer(anatomy, {site: (weight, u @ p)}, how="affine"):
        yield


def at_points(
    model: Any,
    prompts: InputsLike,
    u: Tensor,
    points: Tensor,
    *,
    layer: int,
    tokens: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Logits at the last token of every prompt, with the stream there at each point in turn.

    Args:
        u: see ``subspace_edit``.
        points: (points, n) the same for all prompts, or (prompts, points, n) each prompt's own.
        tokens: (prompts, n) whose logits are wanted; None: the whole vocabulary's.

    Returns:
        Logits (prompts, points, tokens), and where each prompt stands by itself: (prompts, n).

    Raises:
        ProbeError: the sizes don't fit, there is no such layer, or as ``as_inputs``.
    """
    anatomy = Anatomy.of(model)
    u, points = _fitting(anatomy, u, points)
    (site,) = anatomy.check(Site("resid_pre", layer))
    base = Base(anatomy, as_inputs(anatomy, prompts))
    if points.dim() == 2:
        points = points.expand(len(base), -1, -1)
    if points.dim() != 3 or len(points) != len(base):
        raise ProbeError(f"points are ({len(base)} prompts, points, n), not {tuple(points.shape)}")
    state = base.stream[layer][:, -1].double().cpu()
    here = state @ u
    shifts = (points - here[:, None]) @ u.T
    count = points.shape[1]
    order = torch.arange(len(base) * count)
    last = base.length - 1
    found: list[Tensor] = []
    for rows in torch.split(order, ROWS):
        owner, move = rows // count, shifts.flatten(0, 1)[rows]

        def moved(x: Tensor, _: Pass, move: Tensor = move) -> Tensor:
            return x + move.to(x)[:, None]

        read = torch.full((len(rows),), last)
        logits = base.rerun(
            owner, layer=layer, start=last, read=read, taps=[(site.component, layer, moved)]
        ).cpu()
        found.append(logits if tokens is None else logits.gather(1, tokens[owner]))
    return torch.cat(found).unflatten(0, (len(base), count)), here  # type: ignore[no-untyped-call]


def _fitting(anatomy: Anatomy, u: Tensor, point: Tensor) -> tuple[Tensor, Tensor]:
    finite(u, "the subspace")
    finite(point, "the point")
    if u.dim() != 2 or len(u) != anatomy.d_model or point.shape[-1:] != u.shape[1:]:
        raise ProbeError(
            f"a subspace of this model is ({anatomy.d_model}, n) and a point has n coordinates, "
            f"not {tuple(u.shape)} and {tuple(point.shape)}"
        )
    u = u.double().cpu()
    if not torch.allclose(u.T @ u, torch.eye(u.shape[1], dtype=u.dtype), atol=1e-4):
        raise ProbeError("the columns of a subspace must be orthonormal; make them with basis()")
    return u, point.double().cpu()
