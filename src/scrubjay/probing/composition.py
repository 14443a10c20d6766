"""What a head reads and writes, and whether one head writes what a later one reads: weights alone.

    W_V W_O = Σ_i s_i v_i u_iᵀ            a head's components by SVD: i reads v_i and writes u_i
    M = W_Q W_Kᵀ | W_K W_Qᵀ | W_V W_O     what a later head does with its input, side q | k | v
    C_i = ‖u_i M‖ / ‖M‖                   score of one component against the reader, 0 … 1
    C² = Σ s_i² C_i² / Σ s_i²             score of the two whole heads

A direction drawn at random scores about 1/√d_model; which components stand out is asked in
``channels``. The gains of the norms before a head, after its output and on its queries and keys
belong to the weights, a layer norm takes the mean away. No product of two d_model × d_model
matrices is formed. Source: paper 11, sections 3.1 and 3.2 of our sheet (Elhage et al., 2021, for
whole heads). Departures: rotary models are searched before rotation, biases are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head

Side = Literal["q", "k", "v"]
SIDES: tuple[Side, ...] = get_args(Side)
_RANK = 1e-5
"""Singular values below this share of the largest are none."""


@dataclass(frozen=True, slots=True)
class Components:
    """What one head reads and writes, strongest component first; r is the rank of W_V W_O."""

    head: Head
    read: Tensor
    """(r, d_model) unit vectors v_i, in the stream as the head's norm leaves it."""
    sizes: Tensor
    """(r,) singular values."""
    write: Tensor
    """(r, d_model) unit vectors u_i; the largest entry of each is positive."""
    out: Tensor
    """(d_head, d_model) W_O with the gain of a norm after it."""


def components(model: Any, head: Head) -> Components:
    """The head's components.

    Raises:
        ProbeError: there is no such head, or its weights can't be read or aren't finite.
    """
    anatomy = Anatomy.of(model)
    layer, number = _checked(anatomy, head)
    v = folded(anatomy, layer, "v")[anatomy.kv_head(number)]
    out = folded_out(anatomy, layer)[number]
    return split_up((layer, number), v, out)


def reading(model: Any, head: Head, side: Side) -> Tensor:
    """E (d_model, d_head) with ‖x E‖ = ‖x M‖ / ‖M‖ for every x: what the side listens to.

    Zeros where the head's weights are zeros.

    Raises:
        ProbeError: there is no such head or side, or its weights can't be read.
    """
    anatomy = Anatomy.of(model)
    layer, number = _checked(anatomy, head)
    return readers(anatomy, layer, side)[number]


def composition(model: Any, writer: Head, reader: Head, side: Side) -> float:
    """The score of two whole heads.

    Raises:
        ProbeError: the writer doesn't stand before the reader; or as ``components``.
    """
    if writer[0] >= reader[0]:
        raise ProbeError(
            f"head {writer[0]}.{writer[1]} can't write for {reader[0]}.{reader[1]}: the writer's "
            "layer must be below the reader's"
        )
    found = components(model, writer)
    each = (found.write @ reading(model, reader, side)).norm(dim=-1)
    whole = float(found.sizes.norm())
    return float((found.sizes * each).norm()) / whole if whole else 0.0


def split_up(head: Head, v: Tensor, out: Tensor) -> Components:
    """SVD of ``v @ out`` by way of the small matrix between their orthonormal bases."""
    (q1, r1), (q2, r2) = torch.linalg.qr(v), torch.linalg.qr(out.T)
    a, s, bt = torch.linalg.svd(r1 @ r2.T)
    rank = int((s > _RANK * s.max()).sum()) if float(s.max()) > 0 else 0
    read, write = (q1 @ a).T[:rank], (q2 @ bt.T).T[:rank]
    if rank:
        largest = write.abs().argmax(-1, keepdim=True)
        sign = write.gather(-1, largest).sign()
        read, write = read * sign, write * sign
    return Components(head, read, s[:rank], write, out)


def readers(anatomy: Anatomy, layer: int, side: Side) -> Tensor:
    """E of every head: (heads, d_model, d_head), float64."""
    if side not in SIDES:
        raise ProbeError(f"a head reads on the sides q, k and v, not '{side}'")
    heads = torch.arange(anatomy.n_heads)
    groups = torch.tensor([anatomy.kv_head(h) for h in heads.tolist()])
    inner = folded(anatomy, layer, side)
    inner = inner if side == "q" else inner[groups]
    if side == "v":
        outer = folded_out(anatomy, layer)  # M = W_V W_O
    else:
        other = folded(anatomy, layer, "k" if side == "q" else "q")
        outer = (other if side == "k" else other[groups]).transpose(-1, -2)
    # ‖x A B‖ = ‖x A R‖ for B = (Q R)ᵀ with orthonormal Q: only the small R is needed.
    root = torch.linalg.qr(outer.transpose(-1, -2), mode="r").R.transpose(-1, -2)
    e = inner @ root
    size = e.flatten(1).norm(dim=-1)[:, None, None]
    scaled: Tensor = e / torch.where(size > 0, size, 1)
    return scaled


def folded(anatomy: Anatomy, layer: int, kind: Side) -> Tensor:
    """W_Q, W_K or W_V (heads, d_model, d_head) with the norms around it, float64."""
    w = {"q": anatomy.w_q, "k": anatomy.w_k, "v": anatomy.w_v}[kind](layer).detach().double()
    w = _finite(w, layer, kind)
    block = anatomy.blocks[layer]
    if block.attention_norm is not None:
        w = w * anatomy.gain(block.attention_norm).detach().double()[:, None]
        if anatomy.norm_type == "layer":
            w = w - w.mean(1, keepdim=True)
    norm = getattr(block.attention, f"{kind}_norm", None) if kind != "v" else None
    weight = getattr(norm, "weight", None)
    if weight is not None:  # one gain for all heads, or each head's own
        gain = (weight + 1 if anatomy.family.gain_plus_one else weight).detach().double()
        w = w * gain.view(-1, 1, w.shape[-1])
    return w.cpu()


def folded_out(anatomy: Anatomy, layer: int) -> Tensor:
    """W_O (heads, d_head, d_model) with the gain of a norm behind it, float64."""
    block = anatomy.blocks[layer]
    w = _finite(anatomy.w_o(layer).detach().double(), layer, "o")
    if block.attention_end is not block.attention:
        w = w * anatomy.gain(block.attention_end).detach().double()
    return w.cpu()


def _finite(w: Tensor, layer: int, kind: str) -> Tensor:
    if not bool(w.isfinite().all()):
        raise ProbeError(f"layer {layer}: the weights W_{kind.upper()} hold NaN or infinity")
    return w


def _checked(anatomy: Anatomy, head: Head) -> Head:
    if len(head) != 2 or not all(isinstance(x, int) for x in head):
        raise ProbeError(f"a head is (layer, head), not {head!r}")
    (site,) = anatomy.check(head)
    assert site.layer is not None
    assert site.head is not None
    return site.layer, site.head
