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
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.errors import ProbeError

Head = tuple[int, int]


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
    from transformers import GPT2Config, GPT2LMHeadModel

    slots = _Slots(vocabulary, context, heads)
    with torch.random.fork_rng(devices=[]):  # building one leaves the caller's random numbers alone
        model: Any = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=vocabulary,
                n_positions=context,
                n_embd=slots.width,
                n_layer=2,
                n_head=heads,
                tie_word_embeddings=False,
                bos_token_id=0,
                eos_token_id=0,
            )
        )
    random = torch.Generator().manual_seed(seed)
    first, second = (int(x) for x in torch.randint(heads, (2,), generator=random))
    with torch.no_grad():
        _write(model, slots, first, second, sharpness * math.sqrt(slots.size), random)
        if not working:
            out = model.transformer.h[1].attn.c_proj.weight
            out[second * slots.size : (second + 1) * slots.size] = 0
            _scribble(out, second, slots, random)
    model.eval().requires_grad_(False)
    return Planted(model, (0, first), (1, second), vocabulary)


class _Slots:
    """Where each thing stands in the stream, and the sizes that follow."""

    def __init__(self, vocabulary: int, context: int, heads: int) -> None:
        self.vocabulary, self.context, self.heads = vocabulary, context, heads
        spare = 8
        self.size = max(vocabulary, context, -(-(3 * vocabulary + context + spare) // heads))
        self.width = heads * self.size
        ends = [0, vocabulary, vocabulary + context]
        ends += [ends[2] + vocabulary, ends[2] + 2 * vocabulary, self.width]
        self.token, self.position, self.previous, self.answer, self.spare = (
            slice(a, b) for a, b in pairwise(ends)
        )

    def into(self, attention: Any) -> Tensor:
        """Weights of queries, keys and values: (width, 3, heads, size), a view."""
        weight: Tensor = attention.c_attn.weight
        return weight.view(-1, 3, self.heads, self.size)


def _write(
    model: Any, slots: _Slots, first: int, second: int, scale: float, random: torch.Generator
) -> None:
    for parameter in model.parameters():
        parameter.zero_()
    stack, tokens = model.transformer, torch.eye(slots.vocabulary)
    stack.wte.weight[:, slots.token] = tokens
    stack.wpe.weight[:, slots.position] = torch.eye(slots.context)
    model.lm_head.weight[:, slots.answer] = 10 * tokens
    for layer, block in enumerate(stack.h):
        for head in range(slots.heads):
            if (layer, head) not in ((0, first), (1, second)):
                noise = torch.randn(slots.width, 3, slots.size, generator=random)
                slots.into(block.attn)[:, :, head] = 0.3 * noise
                _scribble(block.attn.c_proj.weight, head, slots, random)
        for norm in (block.ln_1, block.ln_2):
            _undo(norm, 2 + layer, slots.width)
    _undo(stack.ln_f, 4, slots.width)
    before = torch.eye(slots.context).roll(-1, 1)  # query of position i: key of position i - 1
    before[0] = 0
    attentions = [block.attn for block in stack.h]
    attend(slots.into(attentions[0]), first, slots.position, scale * before, slots.position)
    _copy(attentions[0], first, slots, slots.previous)
    attend(slots.into(attentions[1]), second, slots.token, scale * tokens, slots.previous)
    _copy(attentions[1], second, slots, slots.answer)


def attend(into: Tensor, head: int, ask: slice, query: Tensor, key: slice) -> None:
    """Scores: what stands in slot ``ask``, mapped by ``query``, against slot ``key``.

    ``into``: weights (width, 3, heads, size) of queries, keys and values, which are written.
    """
    width = key.stop - key.start
    into[ask, 0, head, :width] = query
    into[key, 1, head, :width] = torch.eye(width)


def _copy(attention: Any, head: int, slots: _Slots, to: slice) -> None:
    """The head moves the token slot into slot ``to``."""
    v, start = slots.vocabulary, head * slots.size
    slots.into(attention)[slots.token, 2, head, :v] = torch.eye(v)
    attention.c_proj.weight[start : start + v, to] = torch.eye(v)


def _scribble(out: Tensor, head: int, slots: _Slots, random: torch.Generator) -> None:
    """The head writes small random things into the spare directions."""
    spare = slots.spare.stop - slots.spare.start
    rows = slice(head * slots.size, (head + 1) * slots.size)
    out[rows, slots.spare] = 0.02 * torch.randn(slots.size, spare, generator=random)


def _undo(norm: Any, ones: int, width: int) -> None:
    """Gain and bias that give a vector of ``ones`` ones back as it was."""
    mean = ones / width
    norm.weight.fill_(math.sqrt(mean - mean**2 + norm.eps))
    norm.bias.fill_(mean)
