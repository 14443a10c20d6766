"""From a model's tokens to words and sentences, by character offsets alone.

    pieces     " The", " town", " of", " Tor", "vik", "."      (what each token adds to the text)
    words      The(0)  town(1)  of(2)  Torvik(3, 4)            "." belongs to no word
    sentences  [0, 19)

A word is a run of letters and digits with single signs inside ("81,400", "don't", "Ka-Tor"); its
tokens are those that put a character into it, whatever the tokenizer's marks look like.

A *content* word carries meaning. With spaCy and its small English model installed these are nouns,
names, verbs, adjectives and numbers; without, all words that are not in the list below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

_WORD = re.compile(r"\w+(?:[-'’.,/]\w+)*")
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?:\s+|$)|\s*\n\s*")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“‘])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Mt|Ft|No|Nos|vs|etc|e\.g|i\.e|cf|ca|approx|Fig"
    r"|Inc|Ltd|Co|Corp|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)$"
)
CONTENT = frozenset({"NOUN", "PROPN", "VERB", "ADJ", "NUM"})
_STOP = """
a about above across after again against all almost also although always am among an and any
anyone anything are aren't around as at away be became because become been before began behind
being below between both but by can can't cannot could couldn't did didn't do does doesn't doing
don't done down during each either else ever every few for from further get gets got had hadn't
has hasn't have haven't having he her here hers herself him himself his how however i i'm i've if
in indeed into is isn't it it's its itself just less let like made make many may me might mine
more most much must my myself neither never no nobody none nor not nothing now of off often on
once one only onto or other others ought our ours ourselves out over own per perhaps please quite
rather really same shall she should shouldn't since so some someone something still such than that
that's the their theirs them themselves then there therefore these they this those though through
thus to together too toward towards under until unto up upon us very was wasn't we were weren't
what whatever when where whether which while who whoever whom whose why will with within without
won't would wouldn't yes yet you your yours yourself answer
"""
STOP_WORDS = frozenset(_STOP.split())
"""Function words of English, and 'answer', which the prompts make the model say."""


@dataclass(frozen=True, slots=True)
class Word:
    """Characters ``[start, end)`` of the text, tokens ``[first, last)``."""

    start: int
    end: int
    text: str
    first: int
    last: int


def merge_subwords(pieces: Sequence[str]) -> list[Word]:
    """The words of the text that the pieces make together."""
    spans = token_spans(pieces)
    words, token = [], 0
    for match in _WORD.finditer("".join(pieces)):
        start, end = match.span()
        while spans[token][1] <= start:
            token += 1
        last = token
        while last < len(spans) and spans[last][0] < end:
            last += 1
        words.append(Word(start, end, match[0], token, last))
    return words


def token_spans(pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Characters ``[start, end)`` of each piece in the text they make together."""
    spans, at = [], 0
    for piece in pieces:
        spans.append((at, at + len(piece)))
        at += len(piece)
    return spans


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Consecutive spans that cover the text; white space belongs to the sentence before it.

    A sentence ends at a line's end, or at a full stop, question or exclamation mark before white
    space, unless it closes an initial or a usual abbreviation, or a small letter follows.

    >>> text = "Dr. Tarn left. Why? He knew."
    >>> "|".join(text[a:b] for a, b in sentence_spans(text))
    'Dr. Tarn left. |Why? |He knew.'
    """
    spans, begin = [], 0
    for match in _END.finditer(text):
        if not text[begin : match.end()].strip() or (
            "\n" not in match[0]
            and (text[match.end() : match.end() + 1].islower() or _open(text, begin, match))
        ):
            continue
        spans.append((begin, match.end()))
        begin = match.end()
    if begin < len(text):
        spans.append((begin, len(text)))
    return spans


def _open(text: str, begin: int, match: re.Match[str]) -> bool:
    """Whether the mark closes an abbreviation and not the sentence."""
    before = text[max(begin, match.start() - 12) : match.start()]
    return match[0].startswith(".") and bool(_ABBREVIATION.search(before))


def content_words(text: str, words: Sequence[Word]) -> tuple[list[bool], str]:
    """Whether each word carries meaning, and by what that was decided ('spaCy' or 'stop list')."""
    tagger = _tagger()
    if tagger is None:
        return [w.text.lower().replace("’", "'") not in STOP_WORDS for w in words], "stop list"
    tags = [(t.idx, t.idx + len(t.text), t.pos_) for t in tagger(text)]
    return [
        any(pos in CONTENT and a < w.end and w.start < b for a, b, pos in tags) for w in words
    ], "spaCy"


@cache
def _tagger() -> Any | None:
    """spaCy's small English model, if it is installed."""
    try:
        import spacy

        return spacy.load("en_core_web_sm", disable=["ner", "lemmatizer"])
    except (ImportError, OSError):
        return None
