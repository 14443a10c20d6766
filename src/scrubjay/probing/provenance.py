"""Where each word of an answer came from, inside: copied by a retrieval head, or not.

    copied = provenance(model, heads, prompt, text)     # one row a token of the answer
    context_share(model, heads, trace)                  # share of copied tokens, 0 … 1

A token counts as copied if at least one of the heads attends most, from the position that predicts
it, to the same token in the prompt. One pass over prompt and answer, attention rows of these heads
only. A low share of an answer that claims to cite what was read is a sign to look again. Source:
paper 18, section 5 of our sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from scrubjay.core.trace import Generated, Trace
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head
from scrubjay.probing.inputs import as_inputs
from scrubjay.probing.open import OpenModel
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer."""

    text: str
    origin: int | None
    """The token of the prompt that it was copied from; None: no head copied it."""
    heads: tuple[Head, ...]
    """The heads that copied it."""


def provenance(model: OpenModel, heads: Sequence[Head], prompt: str, text: str) -> list[Token]:
    """Each token of ``text``, the model's answer to ``prompt``.

    Raises:
        ProbeError: there are no heads or no prompt, the answer holds no token, or both are longer
            than the context.
    """
    if not heads:
        raise ProbeError("telling where a token came from needs a head at least")
    anatomy = Anatomy.of(model.model)
    sites = [Site("attn", layer, head) for layer, head in heads]
    asked = list(model.tokenizer(prompt)["input_ids"])
    told = list(model.tokenizer(text, add_special_tokens=False)["input_ids"])
    if not asked or not told:
        raise ProbeError("telling where tokens came from needs a prompt and an answer")
    inputs = as_inputs(anatomy, [*asked, *told])
    rows = list(range(len(asked) - 1, len(asked) + len(told) - 1))
    with torch.inference_mode(), record(anatomy, *sites, positions=rows) as seen:
        anatomy.body(**inputs, use_cache=False)
    best = torch.stack([seen[site][0].argmax(-1) for site in sites], 1).tolist()
    found = []
    for token, places in zip(told, best, strict=True):
        hits = [
            (place, head)
            for place, head in zip(places, heads, strict=True)
            if place < len(asked) and asked[place] == token
        ]
        origin = hits[0][0] if hits else None
        found.append(Token(model.tokenizer.decode([token]), origin, tuple(h for _, h in hits)))
    return found


def context_share(model: OpenModel, heads: Sequence[Head], trace: Trace) -> float:
    """Share of tokens of the last text that an agent wrote which a head copied from its prompt.

    Raises:
        ProbeError: the agent wrote nothing, or as ``provenance``.
    """
    written = [s for s in trace.steps if isinstance(s, Generated) and s.text.strip()]
    if not written:
        raise ProbeError("the trace holds no text that a model wrote")
    tokens = provenance(model, heads, written[-1].prompt, written[-1].text)
    return sum(t.origin is not None for t in tokens) / len(tokens)
