"""Channels: components of earlier heads that stand out for one side of one reader.

A *channel* is a component that stands out among all components of earlier heads: how unlikely its
score C (``composition``) is for a random direction, as a normal z, is compared with those of the
others (a robust z, whose centre and spread are never below a random direction's 0 and 1); the
threshold is Bonferroni's for all pairs together.

    for c in channels(model)[:10]:
        print(c)                          # 3.1.0 → 5.4 k: 0.61 (z 14.2)

Confirm what is found with ``component_edit``: weights alone know nothing of rotation and biases.
Source: paper 11, sections 3.2 and 3.6 of our sheet. Departure: the statistics of z are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.composition import SIDES, Side, folded, folded_out, readers, split_up
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head

FEW = 16
"""So few writers are each left out of what they are compared with."""


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
    directions: list[Tensor] = []
    for layer in range(anatomy.n_layers):
        wanted = list(range(anatomy.n_heads))
        if only is not None:
            wanted = [h for h in wanted if (layer, h) in only]
        if layer and names and wanted:
            below = torch.cat(directions)
            owner = torch.tensor([a * anatomy.n_heads + b for a, b, _ in names])
            sides = readers(anatomy, layer, side)
            for head in wanted:
                e = sides[head]
                score = (below @ e.float()).norm(dim=-1)
                z = standing(surprise(score, e), owner)
                yield Scores((layer, head), side, tuple(names), score, z)
        if layer == anatomy.n_layers - 1:
            return
        v, out = folded(anatomy, layer, "v"), folded_out(anatomy, layer)
        for head in range(anatomy.n_heads):
            one = split_up((layer, head), v[anatomy.kv_head(head)], out[head]).write
            names += [(layer, head, i) for i in range(len(one))]
            directions.append((_turned(one, random) if rotate else one).float())


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


def _turned(u: Tensor, random: torch.Generator) -> Tensor:
    """As many orthonormal directions, drawn at random."""
    drawn = torch.randn(u.shape[1], len(u), generator=random, dtype=u.dtype)
    return torch.linalg.qr(drawn).Q.T if len(u) else u
