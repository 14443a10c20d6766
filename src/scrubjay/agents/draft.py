"""A draft: what the model wrote on trial, with what it showed of itself while it wrote.

Triggers decide by it whether to look something up, query formers take from it what to look for.
Tokens are the model's own, aligned to characters, words and sentences by their pieces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scrubjay.models.types import Completion
from scrubjay.models.words import Word, content_words, merge_subwords, sentence_spans


@dataclass(frozen=True)
class Draft:
    """New tokens behind a context. Arrays are float32, rows and columns in text order."""

    question: str
    so_far: tuple[str, ...] = ()
    """Pieces of the answer kept so far."""
    pieces: tuple[str, ...] = ()
    """Text of each new token."""
    logprobs: tuple[float, ...] = ()
    entropies: tuple[float, ...] = ()
    context: tuple[str, ...] = ()
    """Pieces of the prompt from the question to its end, the label before the answer blanked out;
    empty where attention isn't known."""
    attention: np.ndarray | None = None
    """(new tokens, context + new tokens): see ``models.inside``."""
    heads: np.ndarray | None = None
    """(heads, new tokens, new tokens)."""

    @cached_property
    def text(self) -> str:
        return "".join(self.pieces)

    @cached_property
    def words(self) -> list[Word]:
        return merge_subwords(self.pieces)

    @cached_property
    def sentences(self) -> list[tuple[int, int]]:
        return sentence_spans(self.text)

    @cached_property
    def content(self) -> list[bool]:
        """Whether each word carries meaning."""
        return content_words(self.text, self.words)[0]

    def sentence_of(self, word: Word) -> tuple[int, int]:
        """The sentence in which the word begins."""
        return next(s for s in self.sentences if s[0] <= word.start < s[1])

    def tokens_within(self, span: tuple[int, int]) -> list[int]:
        """Tokens that add a character to the span."""
        at, found = 0, []
        for i, piece in enumerate(self.pieces):
            if at < span[1] and at + len(piece) > span[0] and piece:
                found.append(i)
            at += len(piece)
        return found


def read_draft(done: Completion, prompt: str, question: str, so_far: Sequence[str] = ()) -> Draft:
    """The draft in a completion, cut like its text at the stop string; the context begins where
    the question last stands in the prompt."""
    pieces = cut(split(done), len(done.text))
    n = len(pieces)
    attention, heads = done.extra.get("attention"), done.extra.get("heads")
    given: dict[str, Any] = {}
    if attention is not None or heads is not None:
        whole: tuple[str, ...] = done.extra["prompt_pieces"]
        begin = prompt.rindex(question)
        written = len("".join(so_far).strip())
        context = _tail(whole, len(prompt) - begin)
        context = _blanked(context, len(question), len(prompt) - begin - written)
        first = len(whole) - len(context)
        given["context"] = context
        if attention is not None:
            given["attention"] = np.asarray(attention, dtype=np.float32)[:n, first : len(whole) + n]
        if heads is not None:
            given["heads"] = np.asarray(heads, dtype=np.float32)[:, :n, len(whole) : len(whole) + n]
    return Draft(question, tuple(so_far), pieces, done.logprobs[:n], done.entropies[:n], **given)


def split(done: Completion) -> tuple[str, ...]:
    """The completion's tokens as text; its words where a model doesn't say."""
    pieces: tuple[str, ...] = tuple(done.extra.get("pieces") or ())
    return pieces if pieces else tuple(re.findall(r"\s*\S+", done.text))


def cut(pieces: Sequence[str], length: int) -> tuple[str, ...]:
    """The pieces of the first ``length`` characters."""
    kept: list[str] = []
    for piece in pieces:
        if length <= 0:
            break
        kept.append(piece[:length])
        length -= len(piece)
    return tuple(kept)


def _blanked(pieces: Sequence[str], start: int, end: int) -> tuple[str, ...]:
    """The pieces with blanks for the characters ``[start, end)``."""
    at, out = 0, []
    for piece in pieces:
        inside = range(max(start - at, 0), min(end - at, len(piece)))
        out.append("".join(" " if i in inside else c for i, c in enumerate(piece)))
        at += len(piece)
    return tuple(out)


def _tail(pieces: Sequence[str], length: int) -> tuple[str, ...]:
    """The last pieces that hold ``length`` characters; a piece on the edge is cut."""
    kept: list[str] = []
    for piece in reversed(pieces):
        if length <= 0:
            break
        kept.append(piece[-length:] if piece else piece)
        length -= len(piece)
    return tuple(reversed(kept))
