"""A transformer written by hand that tells what lies in a box, by the four steps of paper 63.

The stream has a slot for each thing, one-hot:
    token | position | here | asked | pointer | answer | spare.

    layer 0   structure reader      at a box's letter, attends to the object of the clause and notes
                                    the object's position in "here"
    layer 1   position detector     at the letter in the question, attends to the same letter in the
                                    scene and takes over its "here" as "asked"
    layer 2   position transmitter  at the last token, attends to that letter and takes over its
                                    "asked" as "pointer"
    layer 3   value fetcher         at the last token, attends to the position in "pointer" and
                                    moves the token found there into "answer"

So position travels through the first three, and the object's value through the last alone. All
other heads attend and write at random, into the spare directions. With ``noise`` normal numbers are
added to all weights: the model then makes mistakes, and can be trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head
from scrubjay.probing.open import OpenModel
from scrubjay.probing.planting import (
    Slots,
    attend,
    empty,
    idle,
    move,
    turn_down,
    undo,
    word_tokenizer,
)
from scrubjay.worlds.boxes import Boxes


@dataclass(frozen=True, slots=True)
class PlantedBoxes:
    """The model, its tokenizer (a word, a token), and the head of each step."""

    open: OpenModel
    groups: dict[str, list[Head]]
    """A value fetcher, B position transmitter, C position detector, D structure reader."""


def boxes_model(
    task: Boxes,
    *,
    heads: int = 4,
    extra: tuple[str, ...] = (),
    sharpness: float = 20.0,
    noise: float = 0.0,
    seed: int = 0,
) -> PlantedBoxes:
    """See the top of this file; the seed chooses the heads and the noise.

    Args:
        task: its words are the vocabulary, its number of boxes fixes the positions.
        extra: more words.
        sharpness: difference of attention scores between the right key and any other.

    Raises:
        ProbeError: there is no head.
    """
    if heads < 1:
        raise ProbeError("a planted model needs a head at least")
    tokenizer = word_tokenizer((*task.words, *extra))
    words, context = len(tokenizer), 7 * task.boxes + 4
    places = dict.fromkeys(("position", "here", "asked", "pointer"), context)
    slots = Slots({"token": words, **places, "answer": words}, heads, max(words + 1, context))
    model = empty(slots, vocabulary=words, context=context, layers=4)
    random = torch.Generator().manual_seed(seed)
    own = [int(x) for x in torch.randint(heads, (4,), generator=random)]
    with torch.no_grad():
        _write(model, slots, own, sharpness * math.sqrt(slots.size), random)
        for parameter in model.parameters():
            parameter += noise * torch.randn(parameter.shape, generator=random)
    model.eval().requires_grad_(False)
    groups = {name: [(layer, own[layer])] for name, layer in zip("ABCD", (3, 2, 1, 0))}
    return PlantedBoxes(OpenModel(model, tokenizer), groups)


def _write(model: Any, slots: Slots, own: list[int], scale: float, random: torch.Generator) -> None:
    stack, context = model.transformer, model.config.n_positions
    tokens, places = torch.eye(model.config.vocab_size), torch.eye(context)
    stack.wte.weight[:, slots["token"]] = tokens
    stack.wpe.weight[:, slots["position"]] = places
    model.lm_head.weight[:, slots["answer"]] = 10 * tokens
    idle(slots, model, set(enumerate(own)), random)
    for layer, block in enumerate(stack.h):
        for norm in (block.ln_1, block.ln_2):
            undo(norm, 2 + layer, slots.width)
    undo(stack.ln_f, 6, slots.width)
    reader, detector, transmitter, fetcher = (block.attn for block in stack.h)
    four, two = (scale * torch.diag(torch.ones(context - b), -b) for b in (4, 2))
    attend(slots, reader, own[0], "position", four, "position")
    move(slots, reader, own[0], "position", "here")
    attend(slots, detector, own[1], "token", scale * tokens, "token")
    turn_down(slots, detector, own[1], "token", slice(context - 4, context), scale)
    move(slots, detector, own[1], "here", "asked")
    attend(slots, transmitter, own[2], "position", two, "position")
    move(slots, transmitter, own[2], "asked", "pointer")
    attend(slots, fetcher, own[3], "pointer", scale * places, "position")
    move(slots, fetcher, own[3], "token", "answer")
