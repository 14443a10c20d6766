"""What does a group of heads carry? Masks learned for a desideratum (DCM).

    patched z = m · z_base + (1 - m) · z_source        at the group's place, m in [0, 1] a head
    minimise    - mean logit(expected) + λ Σ (1 - m)    over m

A pair of scenes says what the model answers if what was moved carries a variable (``Boxes.pairs``).
m = 0 means that the head was moved. The mask of the best accuracy on the validation part, rounded,
is kept (of equals: the one that moves fewer heads); its accuracy on the test part is the finding.
Source: paper 63, section 3.4 of our sheet. Departures: of equals the paper keeps more heads; moving
all of them is tried as well, since hard attention lets no gradient pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.box_prompts import BoxPrompts, box_prompts, chunks, predictions
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head
from scrubjay.probing.open import OpenModel
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site
from scrubjay.probing.taps import Pass, Tap, tapped
from scrubjay.probing.word_tokens import word_tokens
from scrubjay.worlds.boxes import Pair


@dataclass(frozen=True, slots=True)
class MaskResult:
    """A fitted mask; ``heads`` are those that are moved."""

    mask: tuple[float, ...]
    heads: tuple[Head, ...]
    validation: float
    test: float


@dataclass(frozen=True, slots=True)
class Moves:
    """Pairs as tokens."""

    base: BoxPrompts
    source: BoxPrompts
    expected: Tensor

    @classmethod
    def of(cls, tokenizer: Any, pairs: Sequence[Pair]) -> Moves:
        """Raises:
        ProbeError: a word is not one token, or the prompts have different lengths.
        """
        one = word_tokens(tokenizer, {p.expected for p in pairs})
        return cls(
            box_prompts(tokenizer, [p.base for p in pairs]),
            box_prompts(tokenizer, [p.source for p in pairs]),
            torch.tensor([one[p.expected] for p in pairs]),
        )

    def rows(self, keep: Tensor) -> Moves:
        """Some of the pairs."""
        return Moves(self.base.rows(keep), self.source.rows(keep), self.expected[keep])


def source_heads(model: Any, moves: Moves, place: str, heads: Sequence[Head]) -> Tensor:
    """z of the heads in the sources, at each pair's own place: (heads, pairs, size)."""
    anatomy = Anatomy.of(model)
    sites = [Site("z", layer, head) for layer, head in heads]
    with torch.no_grad(), record(anatomy, *sites, positions=moves.source.at[place]) as seen:
        anatomy.body(input_ids=moves.source.ids, use_cache=False)
    return torch.stack([seen[site] for site in sites])


def moved_logits(
    model: Any, moves: Moves, place: str, heads: Sequence[Head], theirs: Tensor, mask: Tensor
) -> Tensor:
    """Last logits of the bases with each head mixed with its source by its mask: (pairs, words)."""
    anatomy = Anatomy.of(model)
    rows, where = torch.arange(len(moves.expected)), moves.base.at[place]

    def tap(layer: int) -> Tap:
        mine = [i for i, head in enumerate(heads) if head[0] == layer]

        def write(x: Tensor, now: Pass) -> Tensor:
            x = x.clone()
            for i in mine:
                own, m = x[rows, where, heads[i][1]], mask[i].to(x)
                x[rows, where, heads[i][1]] = m * own + (1 - m) * theirs[i].to(x)
            return x

        return write

    with tapped(anatomy, [("z", layer, tap(layer)) for layer in sorted({h[0] for h in heads})]):
        logits: Tensor = anatomy.model(input_ids=moves.base.ids, use_cache=False).logits[:, -1]
    return logits


def moved_accuracy(model: Any, moves: Moves, place: str, heads: Sequence[Head]) -> float:
    """How often moving these heads gives what is expected: plain activation patching."""
    right = 0
    for part in chunks(torch.arange(len(moves.expected))):
        some = moves.rows(part)
        with torch.no_grad():
            if heads:
                theirs = source_heads(model, some, place, heads)
                logits = moved_logits(model, some, place, heads, theirs, torch.zeros(len(heads)))
                right += int((logits.argmax(-1) == some.expected).sum())
            else:
                right += int((predictions(model, some.base.ids) == some.expected).sum())
    return right / len(moves.expected)


def fit_mask(
    model: OpenModel,
    pairs: Sequence[Pair],
    place: str,
    heads: Sequence[Head],
    *,
    penalty: float = 0.01,
    rate: float = 0.1,
    epochs: int = 2,
    batch: int = 32,
) -> MaskResult:
    """Learn which of the heads are to be moved.

    Args:
        pairs: half of them train, a quarter chooses the mask, a quarter tests it.
        place: where the heads stand; see ``worlds.boxes``.
        penalty: λ, what it costs to move a head.

    Raises:
        ProbeError: there is no head, there are too few pairs, or a head or place doesn't exist.
    """
    if not heads:
        raise ProbeError("a mask needs a head at least")
    if len(pairs) < 8:
        raise ProbeError(f"a mask needs 8 pairs at least, not {len(pairs)}")
    anatomy = Anatomy.of(model.model)
    anatomy.check(*heads)
    moves = Moves.of(model.tokenizer, pairs)
    if place not in moves.base.at:
        raise ProbeError(f"there is no place '{place}'; known: {', '.join(moves.base.at)}")
    order = torch.arange(len(pairs))
    half, most = len(pairs) // 2, 3 * len(pairs) // 4
    train, valid, test = (
        moves.rows(order[a:b]) for a, b in ((0, half), (half, most), (most, None))
    )
    theirs = source_heads(anatomy, train, place, heads)
    mask = torch.ones(len(heads), requires_grad=True)
    optimizer = torch.optim.Adam([mask], lr=rate)

    def score(part: Moves) -> float:
        return moved_accuracy(anatomy, part, place, _chosen(heads, mask))

    best = (score(valid), 0, mask.detach().clone())
    with torch.no_grad():  # attention so hard that no gradient passes still shows what it carries
        mask.zero_()
        whole = (score(valid), -len(heads))
        best = (*whole, mask.detach().clone()) if whole > best[:2] else best
        mask.fill_(1)
    for _ in range(epochs if len(heads) > 1 else 0):  # of one head there are no other masks
        for part in chunks(torch.arange(half), batch):
            some = train.rows(part)
            logits = moved_logits(anatomy, some, place, heads, theirs[:, part], mask)
            loss = -logits.gather(1, some.expected[:, None]).mean() + penalty * (1 - mask).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                mask.clamp_(0, 1)
        now = (score(valid), -len(_chosen(heads, mask)))
        if now > best[:2]:
            best = (*now, mask.detach().clone())
    with torch.no_grad():
        mask.copy_(best[2])
    return MaskResult(tuple(best[2].tolist()), tuple(_chosen(heads, mask)), best[0], score(test))


def _chosen(heads: Sequence[Head], mask: Tensor) -> list[Head]:
    """The heads that the rounded mask moves."""
    return [head for head, m in zip(heads, mask.tolist()) if m < 0.5]
