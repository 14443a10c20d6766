"""A transformer written by hand, whose working heads are known: ground truth for instruments.

An induction circuit in a GPT-2 of two layers (Elhage et al., 2021). The stream has a slot for each
thing, one-hot:   token | position | previous token | answer | spare.

    layer 0, one head    position p attends to p - 1 and writes that token into "previous"
    layer 1, one head    a token attends to where "previous" is itself, and writes the token found
                         there into "answer":   … A B … A → B
    unembedding          reads "answer"

All other heads attend and write at random, into the spare directions only; MLPs write nothing. The
layer norms are set to undo themselves on vectors of so many ones. Prompts begin with token 0, which
occurs nowhere else. With ``working=False`` the second head writes into the spare directions as
well: same attention, same sizes, and nothing is answered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head
from scrubjay.probing.planting import Slots, attend, empty, idle, move, scribble, undo


@dataclass(frozen=True, slots=True)
class Planted:
    """The model (of ``transformers``) and where its circuit is."""

    model: Any
    previous: Head
    """(layer, head) that attends to the token before."""
    induction: Head
    """(layer, head) that copies what followed the last time; its keys listen to ``previous``."""
    vocabulary: int

    def prompts(self, count: int, length: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Random prompts whose last token stood once before, and what followed it there.

        Raises:
            ProbeError: the length doesn't fit the vocabulary or the model's context.
        """
        if not 4 <= length <= min(self.vocabulary, self.model.config.n_positions):
            raise ProbeError(f"prompts have 4 to {self.vocabulary} tokens, not {length}")
        random = torch.Generator().manual_seed(seed)
        ids = torch.zeros(count, length, dtype=torch.long)
        answers = torch.zeros(count, dtype=torch.long)
        for row in range(count):
            ids[row, 1:] = 1 + torch.randperm(self.vocabulary - 1, generator=random)[: length - 1]
            place = int(torch.randint(1, length - 2, (1,), generator=random))
            ids[row, -1], answers[row] = ids[row, place], ids[row, place + 1]
        return ids, answers


def induction_model(
    vocabulary: int = 20,
    context: int = 24,
    *,
    heads: int = 3,
    seed: int = 0,
    sharpness: float = 20.0,
    working: bool = True,
) -> Planted:
    """See the top of this file; the seed chooses the two heads.

    Args:
        sharpness: difference of attention scores between the right key and any other.

    Raises:
        ProbeError: a size is too small.
    """
    if vocabulary < 4 or context < 4 or heads < 1:
        raise ProbeError("a planted model needs 4 tokens, 4 positions and a head at least")
    sizes = {"token": vocabulary, "position": context, "previous": vocabulary, "answer": vocabulary}
    slots = Slots(sizes, heads, least=max(vocabulary, context))
    model = empty(slots, vocabulary=vocabulary, context=context, layers=2)
    random = torch.Generator().manual_seed(seed)
    first, second = (int(x) for x in torch.randint(heads, (2,), generator=random))
    with torch.no_grad():
        _write(model, slots, first, second, sharpness * math.sqrt(slots.size), random)
        if not working:
            out = model.transformer.h[1].attn
            out.c_proj.weight[slots.rows(second)] = 0
            scribble(slots, out, second, random)
    model.eval().requires_grad_(False)
    return Planted(model, (0, first), (1, second), vocabulary)


def _write(
    model: Any, slots: Slots, first: int, second: int, scale: float, random: torch.Generator
) -> None:
    stack, config = model.transformer, model.config
    tokens = torch.eye(config.vocab_size)
    stack.wte.weight[:, slots["token"]] = tokens
    stack.wpe.weight[:, slots["position"]] = torch.eye(config.n_positions)
    model.lm_head.weight[:, slots["answer"]] = 10 * tokens
    idle(slots, model, {(0, first), (1, second)}, random)
    for layer, block in enumerate(stack.h):
        for norm in (block.ln_1, block.ln_2):
            undo(norm, 2 + layer, slots.width)
    undo(stack.ln_f, 4, slots.width)
    # query of position i: key of position i - 1
    before = torch.eye(config.n_positions).roll(-1, 1)
    before[0] = 0
    previous, induction = (block.attn for block in stack.h)
    attend(slots, previous, first, "position", scale * before, "position")
    move(slots, previous, first, "token", "previous")
    attend(slots, induction, second, "token", scale * tokens, "previous")
    move(slots, induction, second, "token", "answer")
