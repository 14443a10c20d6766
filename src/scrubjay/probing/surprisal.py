"""Surprisal of chosen words: how little a model expected each of them, in nats.

    s(word) = - Σ log p(token | all before it)      over the tokens that put a character into it

The sum, not the mean: a word that is split into pieces is as surprising as all its pieces together.
Texts of different lengths are computed together with filler on the right, which a causal model's
real tokens don't see. Needs a tokenizer with character offsets and nothing of the model but its
logits, so that a recurrent one will do. Source: paper 52, section 3.2 of our sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scrubjay.core.progress import Progress, silent
from scrubjay.probing.errors import ProbeError

BATCH = 1024
"""Tokens computed at once, filler included."""


@dataclass(frozen=True, slots=True)
class WordSurprisal:
    """One word of a text."""

    word: str
    nats: float
    tokens: int
    """Pieces it is split into."""
    first: int
    """Place of its first token in the text."""


def word_surprisal(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    spans: Sequence[Sequence[tuple[int, int]]],
    *,
    batch: int = BATCH,
    progress: Progress = silent,
) -> list[list[WordSurprisal]]:
    """Surprisal of the words at the characters ``spans`` of each text.

    Args:
        model: called with ``input_ids``, returns ``logits`` (rows, tokens, vocabulary).
        tokenizer: a fast one of transformers.
        batch: tokens computed at once.
        progress: called with (what, done, total).

    Raises:
        ProbeError: the tokenizer has no offsets, a word can't be found, is the first token or lies
            in one token with its neighbour, a text is longer than the context, or the logits are
            not numbers.
    """
    import torch

    if not getattr(tokenizer, "is_fast", False):
        raise ProbeError("surprisal of words needs a tokenizer with offsets (a fast one)")
    if len(texts) != len(spans):
        raise ProbeError(f"there are {len(texts)} texts and words for {len(spans)}")
    read = [read_words(tokenizer, text, places) for text, places in zip(texts, spans)]
    most = _context(model)
    for own, _ in read:
        if most is not None and len(own) > most:
            raise ProbeError(f"a text has {len(own)} tokens, the model's context is {most}")
    order = sorted(range(len(read)), key=lambda i: len(read[i][0]))
    found: dict[int, list[WordSurprisal]] = {}
    while order:
        longest = len(read[order[-1]][0])
        part = [order.pop() for _ in range(min(len(order), max(1, batch // longest)))]
        ids = torch.zeros(len(part), longest, dtype=torch.long)
        for row, i in enumerate(part):
            ids[row, : len(read[i][0])] = torch.tensor(read[i][0])
        with torch.inference_mode():
            logits = model(input_ids=ids, **_plain(model)).logits[:, :-1].float()
            logits = logits - logits.logsumexp(-1, keepdim=True)
            nats = -logits.gather(-1, ids[:, 1:, None])[..., 0].double()
        for row, i in enumerate(part):
            text, (own, words) = texts[i], read[i]
            line = nats[row, : len(own) - 1]
            if not bool(line.isfinite().all()):
                raise ProbeError("the model's log-probabilities are not finite numbers")
            found[i] = [
                WordSurprisal(text[a:b], float(line[f - 1 : e - 1].sum()), e - f, f)
                for (a, b), (f, e) in zip(spans[i], words)
            ]
        progress("texts", len(found), len(texts))
    return [found[i] for i in range(len(texts))]


def read_words(
    tokenizer: Any, text: str, spans: Sequence[tuple[int, int]]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Token ids of a text, and the tokens [first, end) of each word in it.

    Raises:
        ProbeError: a word can't be found, is the first token or shares a token with the one before.
    """
    told = tokenizer(text, return_offsets_mapping=True)
    ids, offsets = told["input_ids"], told["offset_mapping"]
    words: list[tuple[int, int]] = []
    for start, end in spans:
        inside = [
            t
            for t, (a, b) in enumerate(offsets)
            if b > a and max(a, start) < min(b, end) and text[max(a, start) : min(b, end)].strip()
        ]
        if not 0 <= start < end <= len(text) or not inside:
            raise ProbeError(f"there is no word at characters {start} to {end} of a text")
        if inside[0] == 0:
            raise ProbeError(f"'{text[start:end]}' is the first token: nothing predicts it")
        if words and inside[0] < words[-1][1]:
            raise ProbeError(f"'{text[start:end]}' shares a token with the word before it")
        words.append((inside[0], inside[-1] + 1))
    return ids, words


def _plain(model: Any) -> dict[str, Any]:
    """transformers' own models keep a cache unless told otherwise."""
    return {"use_cache": False} if hasattr(model, "generation_config") else {}


def _context(model: Any) -> int | None:
    config = getattr(model, "config", None)
    if config is not None and hasattr(config, "get_text_config"):
        config = config.get_text_config()
    most = getattr(config, "max_position_embeddings", None)
    return int(most) if most else None
