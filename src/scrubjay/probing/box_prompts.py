"""Scenes of boxes as tokens: prompts of one length, and where the four places are.

prompts = box_prompts(tokenizer, Boxes(5).scenes(100))
prompts.ids                     (scenes, tokens)
prompts.at["query"]             (scenes,) the letter in the question
accuracy(model, prompts)        share whose last token predicts the object
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.worlds.boxes import PLACES, Scene

BATCH = 128
"""Prompts in one pass."""


@dataclass(frozen=True, slots=True)
class BoxPrompts:
    """See the top of this file."""

    ids: Tensor
    at: dict[str, Tensor]
    answers: Tensor
    """(scenes,) the object's token; -1 where no box has the letter."""

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, keep: Tensor) -> BoxPrompts:
        """Some of the prompts."""
        at = {name: where[keep] for name, where in self.at.items()}
        return BoxPrompts(self.ids[keep], at, self.answers[keep])


def box_prompts(
    tokenizer: Any, scenes: Sequence[Scene], clauses: Sequence[int] | None = None
) -> BoxPrompts:
    """The scenes as tokens.

    Args:
        clauses: of each scene, whose object and letter the places mean; None: those asked for.

    Raises:
        ProbeError: there are no scenes, the tokenizer has no offsets or splits an object or letter,
            or the prompts have different lengths.
    """
    if not scenes:
        raise ProbeError("there are no scenes")
    if not getattr(tokenizer, "is_fast", False):
        raise ProbeError("finding places in a text needs a tokenizer with offsets (a fast one)")
    rows, answers = [], []
    at: dict[str, list[int]] = {place: [] for place in PLACES}
    for number, scene in enumerate(scenes):
        told = tokenizer(scene.prompt, return_offsets_mapping=True)
        rows.append(told["input_ids"])
        spans = scene.spans(None if clauses is None else clauses[number])
        for place in PLACES:
            at[place].append(_only(told["offset_mapping"], spans[place], scene.prompt))
        answers.append(rows[-1][at["object"][-1]] if scene.asked is not None else -1)
    if len({len(row) for row in rows}) > 1:
        raise ProbeError(
            f"the prompts have {min(map(len, rows))} to {max(map(len, rows))} tokens; means and "
            "patches need prompts of one length, so take words that are one token each"
        )
    where = {place: torch.tensor(found) for place, found in at.items()}
    return BoxPrompts(torch.tensor(rows), where, torch.tensor(answers))


def chunks(x: Tensor, size: int = BATCH) -> list[Tensor]:
    """Rows in parts of at most ``size``."""
    return [x[start : start + size] for start in range(0, len(x), size)]


def predictions(model: Any, ids: Tensor) -> Tensor:
    """(prompts,) the likeliest next token of each."""
    anatomy = Anatomy.of(model)
    with torch.no_grad():
        told = [
            anatomy.model(input_ids=part, use_cache=False).logits[:, -1].argmax(-1)
            for part in chunks(ids)
        ]
    return torch.cat(told)


def accuracy(model: Any, prompts: BoxPrompts) -> float:
    """Share of prompts whose object is predicted."""
    return int((predictions(model, prompts.ids) == prompts.answers).sum()) / len(prompts)


def _only(offsets: Sequence[tuple[int, int]], span: tuple[int, int], text: str) -> int:
    """The one token that stands at these characters."""
    inside = [
        t
        for t, (a, b) in enumerate(offsets)
        if b > a
        and text[max(a, span[0]) : min(b, span[1])].strip()
        and max(a, span[0]) < min(b, span[1])
    ]
    if len(inside) != 1:
        raise ProbeError(
            f"'{text[slice(*span)]}' is {len(inside)} tokens; take objects and letters that are one"
        )
    return inside[0]
