"""Which head writes what a later head reads? Composition scores and channels, from weights alone.

    W_V W_O = Σ_i s_i v_i u_iᵀ            a head's components by SVD: i reads v_i and writes u_i
    M = W_Q W_Kᵀ | W_K W_Qᵀ | W_V W_O     what a later head does with its input, side q | k | v
    C_i = ‖u_i M‖ / ‖M‖                   score of one component against the reader, 0 … 1
    C² = Σ s_i² C_i² / Σ s_i²             score of the two whole heads

A direction drawn at random scores about 1/√d_model. A *channel* is a component that stands out
among all components of earlier heads, for one side of one reader: how
unlikely its C is for a random direction, as a normal z, is compared with those of the others (a
robust z, whose centre and spread are never below a random direction's 0 and 1); the threshold is
Bonferroni's for all pairs together.

    for c in channels(model)[:10]:
        print(c)                          # 3.1.0 → 5.4 k: 0.61 (z 14.2)

The gains of the norms before a head, after its output and on its queries and keys belong to the
weights, a layer norm takes the mean away. No product of two d_model × d_model matrices is formed.
Source: paper 11, sections 3.1, 3.2 and 3.6 of our sheet (Elhage et al., 2021, for whole heads).
Departures: the statistics of z are ours; rotary models are searched before rotation, biases are
left out (confirm what is found with ``component_edit``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError

Head = tuple[int, int]
"""(layer, head)."""
Side = Literal["q", "k", "v"]
SIDES: tuple[Side, ...] = get_args(Side)
FEW = 16
"""So few writers are each left out of what they are compared with."""
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


@dataclass(frozen=True, slots=True)
class Channel:
    """A component of a writer that stands out for one side of a reader."""

    writer: Head
    component: int
    reader: Head
    side: Side
    score: float
    z: float

    def __str__(self) -> str:
        a, b = (".".join(map(str, x)) for x in ((*self.writer, self.component), self.reader))
        return f"{a} → {b} {self.side}: {self.score:.3f} (z {self.z:.1f})"


def components(model: Any, head: Head) -> Components:
    """The head's components.

    Raises:
        ProbeError: there is no such head, or its weights can't be read or aren't finite.
    """
    anatomy = Anatomy.of(model)
    layer, number = _checked(anatomy, head)
    v = _folded(anatomy, layer, "v")[anatomy.kv_head(number)]
    out = _out(anatomy, layer)[number]
    return _components((layer, number), v, out)


def reading(model: Any, head: Head, side: Side) -> Tensor:
    """E (d_model, d_head) with ‖x E‖ = ‖x M‖ / ‖M‖ for every x: what the side listens to.

    Zeros where the head's weights are zeros.

    Raises:
        ProbeError: there is no such head or side, or its weights can't be read.
    """
    anatomy = Anatomy.of(model)
    layer, number = _checked(anatomy, head)
    return _readers(anatomy, layer, side)[number]


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


@dataclass(frozen=True, slots=True)
class Scores:
    """How all components of all earlier heads score against one side of one reader."""

    reader: Head
    side: Side
    writers: tuple[tuple[int, int, int], ...]
    """(layer, head, component) of each."""
    score: Tensor
    """(writers,)."""
    z: Tensor


def channel_scores(
    model: Any,
    side: Side,
    *,
    only: Sequence[Head] | None = None,
    rotate: bool = False,
    seed: int = 0,
) -> Iterator[Scores]:
    """One reader after the other, each against everything below it.

    Args:
        only: these readers; None: all.
        rotate: a control: every head's writing directions are turned at random together, so that
            whatever is written goes nowhere in particular.
        seed: of the control.

    Raises:
        ProbeError: no such side, or weights can't be read or aren't finite.
    """
    anatomy = Anatomy.of(model)
    random = torch.Generator().manual_seed(seed)
    names: list[tuple[int, int, int]] = []
    written: list[Tensor] = []
    for layer in range(anatomy.n_layers):
        wanted = list(range(anatomy.n_heads))
        if only is not None:
            wanted = [h for h in wanted if (layer, h) in only]
        if layer and names and wanted:
            below = torch.cat(written)
            owner = torch.tensor([a * anatomy.n_heads + b for a, b, _ in names])
            readers = _readers(anatomy, layer, side)
            for head in wanted:
                e = readers[head]
                score = (below @ e.float()).norm(dim=-1)
                z = standing(surprise(score, e), owner)
                yield Scores((layer, head), side, tuple(names), score, z)
        if layer == anatomy.n_layers - 1:
            return
        v, out = _folded(anatomy, layer, "v"), _out(anatomy, layer)
        for head in range(anatomy.n_heads):
            one = _components((layer, head), v[anatomy.kv_head(head)], out[head]).write
            names += [(layer, head, i) for i in range(len(one))]
            written.append((_turned(one, random) if rotate else one).float())


def surprise(score: Tensor, e: Tensor) -> Tensor:
    """How far each score lies above those of random directions, as a normal z.

    For a random unit vector u of d dimensions C² = ‖u E‖² = Σ λ_j x_j² lies between 0 and λ_max,
    has mean 1/d and variance 2 (Σ λ² − 1/d) / (d (d + 2)); the beta distribution with these is
    exact for rank 1. Its tail is turned into z by the signed root of the deviance.
    """
    d, zeros = len(e), torch.zeros_like(score, dtype=torch.float64)
    power = torch.linalg.svdvals(e.double()).square()
    most = float(power.max())
    if not most > 0:
        return zeros
    mean = 1 / (d * most)
    variance = 2 * (float(power.square().sum()) - 1 / d) / (d * (d + 2) * most**2)
    if variance <= 1e-12 or mean >= 1:
        return zeros  # it listens to every direction alike
    size = mean * (1 - mean) / variance - 1
    a, b = max(mean * size - 1 / 3, 0.05), max((1 - mean) * size - 1 / 3, 0.05)
    x = (score.double().square() / most).clamp(1e-9, 1 - 1e-9)
    expected = a / (a + b)
    deviance = a * (expected / x).log() + b * ((1 - expected) / (1 - x)).log()
    return (x - expected).sign() * (2 * deviance.clamp(min=0)).sqrt()


def standing(z: Tensor, owner: Tensor) -> Tensor:
    """By how much each z stands out among all: robust, never against less than random directions.

    Args:
        owner: whose each is. Few owners are each compared with what the others have, since one may
            have more than half of all.
    """
    out = torch.zeros_like(z)
    groups = sorted(set(owner.tolist()))
    for mine in [owner == g for g in groups] if len(groups) <= FEW else [owner == owner]:
        rest = z if len(groups) > FEW else z[~mine]
        centre, spread = 0.0, 1.0
        if len(rest):
            centre = max(0.0, float(rest.median()))
            spread = max(1.0, 1.4826 * float((rest - rest.median()).abs().median()))
        out[mine] = (z[mine] - centre) / spread
    return out


def channels(
    model: Any,
    sides: Sequence[Side] = SIDES,
    *,
    alpha: float = 0.001,
    rotate: bool = False,
    seed: int = 0,
) -> list[Channel]:
    """All components that stand out, the clearest first.

    Args:
        alpha: chance of finding any in a model of random weights, about.
        rotate: see ``channel_scores``.

    Raises:
        ProbeError: no such side, alpha isn't in (0, 1), or as ``channel_scores``.
    """
    if not 0 < alpha < 1:
        raise ProbeError(f"alpha is a probability in (0, 1), not {alpha}")
    anatomy = Anatomy.of(model)
    least = threshold(anatomy, len(sides), alpha)
    found: list[Channel] = []
    for side in sides:
        for scores in channel_scores(anatomy, side, rotate=rotate, seed=seed):
            for i in (scores.z > least).nonzero()[:, 0].tolist():
                layer, head, component = scores.writers[i]
                score, z = float(scores.score[i]), float(scores.z[i])
                found.append(Channel((layer, head), component, scores.reader, side, score, z))
    return sorted(found, key=lambda c: -c.z)


def threshold(model: Any, sides: int, alpha: float) -> float:
    """The z above which a component is a channel: one-sided, corrected for all that are tried."""
    anatomy = Anatomy.of(model)
    pairs = anatomy.n_heads**2 * anatomy.n_layers * (anatomy.n_layers - 1) // 2
    tried = max(1, pairs * min(anatomy.d_head, anatomy.d_model) * sides)
    return -NormalDist().inv_cdf(alpha / tried)


def _components(head: Head, v: Tensor, out: Tensor) -> Components:
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


def _readers(anatomy: Anatomy, layer: int, side: Side) -> Tensor:
    """E of every head: (heads, d_model, d_head), float64."""
    if side not in SIDES:
        raise ProbeError(f"a head reads on the sides q, k and v, not '{side}'")
    heads = torch.arange(anatomy.n_heads)
    groups = torch.tensor([anatomy.kv_head(h) for h in heads.tolist()])
    inner = _folded(anatomy, layer, side)
    inner = inner if side == "q" else inner[groups]
    if side == "v":
        outer = _out(anatomy, layer)  # M = W_V W_O
    else:
        other = _folded(anatomy, layer, "k" if side == "q" else "q")
        outer = (other if side == "k" else other[groups]).transpose(-1, -2)
    # ‖x A B‖ = ‖x A R‖ for B = (Q R)ᵀ with orthonormal Q: only the small R is needed.
    root = torch.linalg.qr(outer.transpose(-1, -2), mode="r").R.transpose(-1, -2)
    e = inner @ root
    size = e.flatten(1).norm(dim=-1)[:, None, None]
    scaled: Tensor = e / torch.where(size > 0, size, 1)
    return scaled


def _folded(anatomy: Anatomy, layer: int, kind: Side) -> Tensor:
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


def _out(anatomy: Anatomy, layer: int) -> Tensor:
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


def _turned(u: Tensor, random: torch.Generator) -> Tensor:
    """As many orthonormal directions, drawn at random."""
    drawn = torch.randn(u.shape[1], len(u), generator=random, dtype=u.dtype)
    return torch.linalg.qr(drawn).Q.T if len(u) else u


def _checked(anatomy: Anatomy, head: Head) -> Head:
    if len(head) != 2 or not all(isinstance(x, int) for x in head):
        raise ProbeError(f"a head is (layer, head), not {head!r}")
    (site,) = anatomy.check(head)
    assert site.layer is not None
    assert site.head is not None
    return site.layer, site.head
