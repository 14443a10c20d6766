"""How a transformer is written by hand: the parts that all planted models are made of.

    stream      a slot for each thing, one-hot, and spare directions at the end
    attend      a head compares what stands in one slot with what stands in another
    move        the head takes a slot from where it attends and writes it into another slot
    idle heads  attend and write at random, into the spare directions only
    undo        a layer norm that gives a vector of so many ones back as it was

The body is a GPT-2 whose MLPs write nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.heads import Head

SPARE = 8
"""Spare directions, at least."""


class Slots:
    """Where each thing stands in the stream, and the sizes that follow."""

    def __init__(self, sizes: Mapping[str, int], heads: int, least: int) -> None:
        """``least``: the size of a head that its widest slot needs."""
        self.heads = heads
        self.size = max(least, -(-(sum(sizes.values()) + SPARE) // heads))
        self.width = heads * self.size
        ends = [0, *accumulate(sizes.values()), self.width]
        parts = [slice(a, b) for a, b in pairwise(ends)]
        self._at = dict(zip((*sizes, "spare"), parts))

    def __getitem__(self, name: str) -> slice:
        return self._at[name]

    def into(self, attention: Any) -> Tensor:
        """Weights of queries, keys and values: (width, 3, heads, size), a view."""
        weight: Tensor = attention.c_attn.weight
        return weight.view(-1, 3, self.heads, self.size)

    def rows(self, head: int) -> slice:
        """The head's part of what goes into the output projection."""
        return slice(head * self.size, (head + 1) * self.size)


def empty(slots: Slots, *, vocabulary: int, context: int, layers: int) -> Any:
    """A model of ``transformers`` whose weights are all zero."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng(devices=[]):  # building one leaves the caller's random numbers alone
        model: Any = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=vocabulary,
                n_positions=context,
                n_embd=slots.width,
                n_layer=layers,
                n_head=slots.heads,
                n_inner=64,
                tie_word_embeddings=False,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=0,
                eos_token_id=0,
            )
        )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model


def attend(slots: Slots, attention: Any, head: int, ask: str, query: Tensor, key: str) -> None:
    """Scores: what stands in slot ``ask``, mapped by ``query``, against slot ``key``."""
    into, at = slots.into(attention), slots[key]
    width = at.stop - at.start
    into[slots[ask], 0, head, :width] = query
    into[at, 1, head, :width] = torch.eye(width)


def turn_down(
    slots: Slots, attention: Any, head: int, key: str, places: slice, scale: float
) -> None:
    """Keys at these positions lose, whatever stands in their slot ``key``.

    So that a word in the question doesn't find itself. It takes the head's next dimension.
    """
    start, width = slots["position"].start, slots[key].stop - slots[key].start
    keys = slice(start + places.start, start + places.stop)
    slots.into(attention)[slots["position"], 0, head, width] = 1
    slots.into(attention)[keys, 1, head, width] = -2 * scale


def move(slots: Slots, attention: Any, head: int, source: str, to: str) -> None:
    """What stands in slot ``source`` where the head attends goes into slot ``to``."""
    width, start = slots[source].stop - slots[source].start, head * slots.size
    slots.into(attention)[slots[source], 2, head, :width] = torch.eye(width)
    attention.c_proj.weight[start : start + width, slots[to]] = torch.eye(width)


def idle(slots: Slots, model: Any, busy: Collection[Head], random: torch.Generator) -> None:
    """All heads but the busy ones get random weights."""
    for layer, block in enumerate(model.transformer.h):
        for head in range(slots.heads):
            if (layer, head) not in busy:
                noise = torch.randn(slots.width, 3, slots.size, generator=random)
                slots.into(block.attn)[:, :, head] = 0.3 * noise
                scribble(slots, block.attn, head, random)


def scribble(slots: Slots, attention: Any, head: int, random: torch.Generator) -> None:
    """The head writes small random things into the spare directions."""
    at = slots["spare"]
    more = torch.randn(slots.size, at.stop - at.start, generator=random)
    attention.c_proj.weight[slots.rows(head), at] = 0.02 * more


def undo(norm: Any, ones: int, width: int) -> None:
    """Gain and bias that give a vector of ``ones`` ones back as it was."""
    mean = ones / width
    norm.weight.fill_(math.sqrt(mean - mean**2 + norm.eps))
    norm.bias.fill_(mean)


def word_tokenizer(words: tuple[str, ...]) -> Any:
    """Every word and sign of ``words`` is a token; all else is unknown. Tells offsets."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(("<unknown>", *words)))}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    made: Any = PreTrainedTokenizerFast
    return made(tokenizer_object=inner, unk_token="<unknown>")
