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
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head
from scrubjay.probing.open import OpenModel
from scrubjay.probing.planted import attend
from scrubjay.worlds.boxes import Boxes

SPARE = 8


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
    slots = _Slots(len(tokenizer), 7 * task.boxes + 4, heads)
    model = _empty(slots)
    random = torch.Generator().manual_seed(seed)
    own = [int(x) for x in torch.randint(heads, (4,), generator=random)]
    with torch.no_grad():
        _write(model, slots, own, sharpness * math.sqrt(slots.size), random)
        for parameter in model.parameters():
            parameter += noise * torch.randn(parameter.shape, generator=random)
    model.eval().requires_grad_(False)
    groups = {name: [(layer, own[layer])] for name, layer in zip("ABCD", (3, 2, 1, 0))}
    return PlantedBoxes(OpenModel(model, tokenizer), groups)


def word_tokenizer(words: tuple[str, ...]) -> Any:
    """Every word and sign of ``words`` is a token; all else is unknown. Tells offsets."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(("<unknown>", *words)))}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    made: Any = PreTrainedTokenizerFast
    return made(tokenizer_object=inner, unk_token="<unknown>")


class _Slots:
    """Where each thing stands in the stream, and the sizes that follow."""

    def __init__(self, vocabulary: int, context: int, heads: int) -> None:
        self.vocabulary, self.context, self.heads = vocabulary, context, heads
        sizes = [vocabulary, *[context] * 4, vocabulary]
        self.size = max(vocabulary + 1, context, -(-(sum(sizes) + SPARE) // heads))
        self.width = heads * self.size
        ends = [0, *accumulate(sizes), self.width]
        parts = [slice(a, b) for a, b in pairwise(ends)]
        self.token, self.position, self.here, self.asked, self.pointer = parts[:5]
        self.answer, self.spare = parts[5:]

    def into(self, attention: Any) -> Tensor:
        """Weights of queries, keys and values: (width, 3, heads, size), a view."""
        weight: Tensor = attention.c_attn.weight
        return weight.view(-1, 3, self.heads, self.size)


def _empty(slots: _Slots) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng(devices=[]):
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=slots.vocabulary,
                n_positions=slots.context,
                n_embd=slots.width,
                n_layer=4,
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


def _write(
    model: Any, slots: _Slots, own: list[int], scale: float, random: torch.Generator
) -> None:
    for parameter in model.parameters():
        parameter.zero_()
    stack, tokens, places = model.transformer, torch.eye(slots.vocabulary), torch.eye(slots.context)
    stack.wte.weight[:, slots.token] = tokens
    stack.wpe.weight[:, slots.position] = places
    model.lm_head.weight[:, slots.answer] = 10 * tokens
    for layer, block in enumerate(stack.h):
        for head in range(slots.heads):
            if head != own[layer]:
                noise = torch.randn(slots.width, 3, slots.size, generator=random)
                slots.into(block.attn)[:, :, head] = 0.3 * noise
                rows = slice(head * slots.size, (head + 1) * slots.size)
                spare = slots.spare.stop - slots.spare.start
                more = torch.randn(slots.size, spare, generator=random)
                block.attn.c_proj.weight[rows, slots.spare] = 0.02 * more
        for norm in (block.ln_1, block.ln_2):
            _undo(norm, 2 + layer, slots.width)
    _undo(stack.ln_f, 6, slots.width)
    reader, detector, transmitter, fetcher = (block.attn for block in stack.h)
    four, two = (scale * torch.diag(torch.ones(slots.context - b), -b) for b in (4, 2))
    attend(slots.into(reader), own[0], slots.position, four, slots.position)
    _move(reader, own[0], slots, slots.position, slots.here)
    attend(slots.into(detector), own[1], slots.token, scale * tokens, slots.token)
    _not_the_question(detector, own[1], slots, scale)
    _move(detector, own[1], slots, slots.here, slots.asked)
    attend(slots.into(transmitter), own[2], slots.position, two, slots.position)
    _move(transmitter, own[2], slots, slots.asked, slots.pointer)
    attend(slots.into(fetcher), own[3], slots.pointer, scale * places, slots.position)
    _move(fetcher, own[3], slots, slots.token, slots.answer)


def _not_the_question(attention: Any, head: int, slots: _Slots, scale: float) -> None:
    """Keys of the last four positions are turned down, so that a letter doesn't find itself."""
    v, end = slots.vocabulary, slots.position.stop
    slots.into(attention)[slots.position, 0, head, v] = 1
    slots.into(attention)[end - 4 : end, 1, head, v] = -2 * scale


def _move(attention: Any, head: int, slots: _Slots, source: slice, to: slice) -> None:
    """What stands in one slot where the head attends goes into another."""
    width, start = source.stop - source.start, head * slots.size
    slots.into(attention)[source, 2, head, :width] = torch.eye(width)
    attention.c_proj.weight[start : start + width, to] = torch.eye(width)


def _undo(norm: Any, ones: int, width: int) -> None:
    """Gain and bias that give a vector of ``ones`` ones back as it was."""
    mean = ones / width
    norm.weight.fill_(math.sqrt(mean - mean**2 + norm.eps))
    norm.bias.fill_(mean)
