"""The last token of a counterfactual carried into the original: what patching did to an answer.

    h_l = stream entering block l at the last token of the counterfactual
    run the original with h_l there; softmax over the n groups' target tokens

and which effect that is: the group now likeliest is that of the position, the word (lexical), the
pointer (reflexive), the old one (none), or another (mixed). Source: paper 04, section 3.3 of our
sheet. See ``mixing`` for the instrument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from scrubjay.core.progress import Progress, silent
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs, padded
from scrubjay.probing.open import OpenModel
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site
from scrubjay.probing.tail import Base
from scrubjay.probing.taps import Pass
from scrubjay.probing.word_tokens import word_tokens
from scrubjay.worlds.binding import CounterfactualPair

if TYPE_CHECKING:
    from numpy.typing import NDArray

EFFECTS = ("position", "lexical", "reflexive", "none", "mixed")
ROWS = 24
"""Pairs of a batch."""
COPIED = 0.1
"""A layer with more copied answers than this share holds the answer, not a pointer to it."""


@dataclass(frozen=True, slots=True)
class Interchanged:
    """What patching did."""

    layers: tuple[int, ...]
    before: Tensor
    """(pairs, n) distribution over groups of the originals, unpatched."""
    after: Tensor
    """(layers, pairs, n)."""
    mass: Tensor
    """(layers, pairs) probability of all candidates together."""
    copied: Tensor
    """(layers, pairs) whether the likeliest of all tokens is the counterfactual's answer."""


def interchange_pairs(
    model: OpenModel,
    some: Sequence[CounterfactualPair],
    layers: Sequence[int],
    *,
    progress: Progress = silent,
) -> Interchanged:
    """Carry the counterfactual's last token, entering each layer in turn, into the original.

    Raises:
        ProbeError: there are no pairs, they differ in groups, a word is more than one token, or
            there is no such layer.
    """
    anatomy = Anatomy.of(model.model)
    sites = anatomy.check(*(Site("resid_pre", layer, position=-1) for layer in layers))
    if not some or len({len(p.candidates) for p in some}) != 1:
        raise ProbeError("patching needs pairs, all of one number of groups")
    one = word_tokens(model.tokenizer, {w for p in some for w in (*p.candidates, p.answer)})
    parts = []
    for start in range(0, len(some), ROWS):
        batch = some[start : start + ROWS]
        tokens = torch.tensor([[one[w] for w in p.candidates] for p in batch])
        answers = torch.tensor([one[p.answer] for p in batch])
        parts.append(_batch(model, anatomy, batch, sites, tokens, answers))
        progress(f"pairs, {len(sites)} layers", start + len(batch), len(some))
    before = torch.cat([p[0] for p in parts])
    after, mass, copied = (torch.cat([p[i] for p in parts], 1) for i in (1, 2, 3))
    return Interchanged(tuple(layers), before, after, mass, copied)


def _batch(
    model: OpenModel,
    anatomy: Anatomy,
    batch: Sequence[CounterfactualPair],
    sites: Sequence[Site],
    tokens: Tensor,
    answers: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    def inputs(texts: Sequence[str]) -> dict[str, Tensor]:
        return as_inputs(anatomy, padded([model.tokenizer(t)["input_ids"] for t in texts]))

    source = inputs([p.counterfactual for p in batch])
    with torch.no_grad(), record(anatomy, *sites) as seen:
        anatomy.body(**source, use_cache=False)
    base = Base(anatomy, inputs([p.original for p in batch]))
    rows = torch.arange(len(batch))
    read = torch.full_like(rows, base.length - 1)

    def among(logits: Tensor) -> Tensor:
        return logits.cpu().float().gather(1, tokens).softmax(-1)

    after, mass, copied = [], [], []
    for site in sites:

        def put(x: Tensor, _: Pass, value: Tensor = seen[site]) -> Tensor:
            return value.to(x)[:, None].expand_as(x)

        layer = site.layer or 0
        taps = [("resid_pre", layer, put)]
        logits = base.rerun(rows, layer=layer, start=base.length - 1, read=read, taps=taps).cpu()
        after.append(among(logits))
        mass.append(logits.float().softmax(-1).gather(1, tokens).sum(-1))
        copied.append(logits.argmax(-1) == answers)
    return among(base.logits(read)), torch.stack(after), torch.stack(mass), torch.stack(copied)


def effects(
    some: Sequence[CounterfactualPair], after: Tensor
) -> tuple[dict[str, float], NDArray[np.int64]]:
    """Share of each effect, and the effect of each pair as a place in ``EFFECTS``.

    Args:
        after: (pairs, n) distributions of the patched runs.

    Raises:
        ProbeError: there isn't a distribution for each pair.
    """
    if len(some) != len(after) or not len(some):
        raise ProbeError(f"there are {len(some)} pairs and {len(after)} distributions")
    which = []
    for pair, group in zip(some, after.argmax(-1).tolist(), strict=True):
        said = (pair.position, pair.lexical, pair.reflexive, pair.query)
        which.append(said.index(group) if group in said else len(said))
    told = np.array(which)
    return {name: float((told == i).mean()) for i, name in enumerate(EFFECTS)}, told


def chosen_layer(control: Sequence[CounterfactualPair], found: Interchanged) -> int:
    """The place in ``found.layers`` where patches move the answer most without copying it.

    If every layer copies, the one that copies least.
    """
    copied = found.copied.double().mean(1)
    moved = torch.tensor([1 - effects(control, after)[0]["none"] for after in found.after])
    if bool((copied > COPIED).all()):
        return int(copied.argmin())
    moved[copied > COPIED] = -1
    return int((moved == moved.max()).nonzero()[-1])
