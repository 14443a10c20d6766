"""A transformer written by hand that looks bound things up by position, by word or by a pointer.

Its answer to "Nina put the book in the kitchen, Tom … . Nina put the book in the" has the logits

    w_pos 1[group = i_P] + w_lex 1[group = i_L] + w_ref 1[group = i_R]

times one factor, for the last norm meets heads that found nothing as well: the mixture that
``mixture`` fits is known. The query word is the one before the target in
its clause. The stream has a slot for each thing, one-hot: token | position | bound, and for each
mechanism asked | pointer | answer.

    layer 0   at a target, attends to the query word of its clause, notes that word in "bound"
    layer 1   at the query word of the question, into "asked":
                  position   attends to where "bound" is itself, takes the position
                  lexical    takes itself
                  reflexive  attends to where "bound" is itself, takes the token: the answer
    layer 2   the last token attends to that word, takes "asked" as "pointer"
    layer 3   attends to where the pointer is: the position, "bound" or the token itself; moves the
              token found there into "answer"
    layer 4   does nothing: here the answer has arrived

A target that stands first in its clause has no query word to note, so none is planted. Source of
the three: paper 04, section 3.2 of our sheet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from scrubjay.probing.errors import ProbeError
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
from scrubjay.worlds.binding import BindingSchema

LAYERS = 5
FETCHER = 3
"""What enters this block holds the pointers and no answer."""
LOOKS = {"position": "position", "lexical": "bound", "reflexive": "token"}
"""Mechanism → the slot in which its pointer is found again."""
TAKES = {"position": "position", "lexical": "token", "reflexive": "token"}
"""Mechanism → the slot that is the pointer."""


def binding_model(
    schema: BindingSchema,
    n: int,
    target: int,
    weights: Mapping[str, float],
    *,
    heads: int = 4,
    sharpness: float = 20.0,
    seed: int = 0,
) -> OpenModel:
    """See the top of this file.

    Args:
        target: the column asked for, from 0.
        weights: of "position", "lexical" and "reflexive"; those left out have no head.
        sharpness: difference of attention scores between the right key and any other.
        seed: chooses the heads, and what the idle ones do.

    Raises:
        ProbeError: a mechanism is unknown, there are too few heads, or no column stands before
            the target.
    """
    if not weights or not weights.keys() <= LOOKS.keys():
        raise ProbeError(f"mechanisms are {', '.join(LOOKS)}, not {', '.join(weights) or 'none'}")
    if heads < len(weights):
        raise ProbeError(f"{len(weights)} mechanisms need as many heads, not {heads}")
    where = _Where.of(schema, n, target)
    tokenizer = word_tokenizer(where.words)
    words, context = len(tokenizer), where.last + 1
    sizes = {"token": words, "position": context, "bound": words}
    for name in weights:
        size = context if name == "position" else words
        sizes |= {f"{name} asked": size, f"{name} pointer": size, f"{name} answer": words}
    slots = Slots(sizes, heads, least=max(words, context) + 1)
    model = empty(slots, vocabulary=words, context=context, layers=LAYERS)
    random = torch.Generator().manual_seed(seed)
    own = dict(zip(weights, torch.randperm(heads, generator=random).tolist()))
    with torch.no_grad():
        _write(model, slots, own, where, sharpness * math.sqrt(slots.size), random)
        for name, weight in weights.items():
            model.lm_head.weight[:, slots[f"{name} answer"]] = weight * torch.eye(words)
    model.eval().requires_grad_(False)
    return OpenModel(model, tokenizer)


@dataclass(frozen=True, slots=True)
class _Where:
    """Where things stand in the texts of a schema, all of which are equally long."""

    words: tuple[str, ...]
    within: int
    """Tokens from the query word to the target of its clause."""
    query: int
    """Position of the query word in the question."""
    question: int
    last: int

    @classmethod
    def of(cls, schema: BindingSchema, n: int, target: int) -> _Where:
        if not 0 < target < len(schema.columns):
            raise ProbeError(
                f"a reader of '{schema.name}' is planted for a column from 1 to "
                f"{len(schema.columns) - 1}, not {target}: what it asks by stands before it"
            )
        if not 1 <= n <= min(map(len, schema.words)):
            raise ProbeError(f"'{schema.name}' has no words for {n} groups")
        matrix = tuple(zip(*(column[:n] for column in schema.words)))
        text = schema.tell(matrix, 0, target)
        signs = word_tokenizer(()).backend_tokenizer.pre_tokenizer
        said = [word for word, _ in signs.pre_tokenize_str(text)]
        asked = said.index(".") + 1
        by, wanted = matrix[0][target - 1], matrix[0][target]
        words = (*said, *(w for column in schema.words for w in column))
        within = said.index(wanted) - said.index(by)
        return cls(words, within, said.index(by, asked), asked, len(said) - 1)


def _write(
    model: Any,
    slots: Slots,
    own: Mapping[str, int],
    where: _Where,
    scale: float,
    random: torch.Generator,
) -> None:
    stack, context = model.transformer, model.config.n_positions
    tokens, places = torch.eye(model.config.vocab_size), torch.eye(context)
    stack.wte.weight[:, slots["token"]] = tokens
    stack.wpe.weight[:, slots["position"]] = places
    noting = next(iter(own.values()))
    busy = {(0, noting), *((layer, head) for layer in (1, 2, 3) for head in own.values())}
    idle(slots, model, busy, random)
    k = len(own)
    for block, ones in zip(stack.h, (2, 3, 3 + k, 3 + 2 * k, 3 + 3 * k)):
        for norm in (block.ln_1, block.ln_2):
            undo(norm, ones, slots.width)
    undo(stack.ln_f, 3 + 3 * k, slots.width)

    def back(by: int) -> torch.Tensor:
        return scale * torch.diag(torch.ones(context - by), -by)

    question = slice(where.question, context)
    noter, asker, carrier, fetcher, _ = (block.attn for block in stack.h)
    attend(slots, noter, noting, "position", back(where.within), "position")
    move(slots, noter, noting, "token", "bound")
    for name, head in own.items():
        if name == "lexical":
            attend(slots, asker, head, "position", back(0), "position")
        else:
            attend(slots, asker, head, "token", scale * tokens, "bound")
            turn_down(slots, asker, head, "bound", question, scale)
        move(slots, asker, head, TAKES[name], f"{name} asked")
        attend(slots, carrier, head, "position", back(where.last - where.query), "position")
        move(slots, carrier, head, f"{name} asked", f"{name} pointer")
        same = places if name == "position" else tokens
        attend(slots, fetcher, head, f"{name} pointer", scale * same, LOOKS[name])
        turn_down(slots, fetcher, head, LOOKS[name], question, scale)
        move(slots, fetcher, head, "token", f"{name} answer")
