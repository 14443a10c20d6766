"""From what a model wrote to a number: extract the answer, normalise it, compare it with the truth.

Source: SynthWorlds (arXiv 2510.24427), scoring rules of section 3.10 of our sheet. Two departures:

- Exact match is equality of normalised strings. The original tests containment, which counts an
  empty prediction as right; here an empty prediction scores 0.
- Letters lose their diacritics ("Brasília" = "Brasilia"): small models drop them, and a dropped
  accent is not a wrong capital. Only the marks of Latin, Greek and Cyrillic letters
  (U+0300-U+036F) are dropped; vowel signs of other scripts stay. The rule holds in every world.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

MARKERS = tuple(
    re.compile(p) for p in (r"\banswer is:", r"\banswer:", r"\banswer\.", r"\banswer\b")
)
"""What announces an answer, strongest first; 'unanswered' and 'answers' announce nothing."""

_LATEX = re.compile(r"\\[A-Za-z]+\s*(?=\{)")
_EMPTY_WORDS = re.compile(r"\b(?:a|an|the|is)\b")


def extract(output: str) -> str:
    """The answer in a model's output, in lower case.

    It is what follows the first place of the strongest marker that occurs, else all of it.

    >>> extract("The answer is not obvious. Answer: Paris"), extract("Lyon")
    ('paris', 'lyon')
    """
    text = output.lower()
    for marker in MARKERS:
        if found := marker.search(text):
            return text[found.end() :].strip()
    return text.strip()


def normalise(text: str) -> str:
    r"""Lower case, no LaTeX commands, no punctuation, no diacritics, no a/an/the/is, single blanks.

    A step that would leave nothing is left out, so that "The The" and "!!!" can still be answers.

    >>> normalise("\\boxed{The  São-Tomé}"), normalise("A")
    ('saotome', 'a')
    """
    text = _fold(_LATEX.sub(" ", text).lower())
    for step in (_without_punctuation, lambda t: _EMPTY_WORDS.sub(" ", t)):
        shorter = step(text)
        text = shorter if shorter.strip() else text
    return " ".join(text.split())


def f1(prediction: str, golds: Sequence[str]) -> float:
    """Token multiset F1 of the normalised texts, the best over the right answers.

    F1 = 2 * common / (tokens of prediction + tokens of gold).
    """
    return max((_f1(normalise(prediction), normalise(gold)) for gold in golds), default=0.0)


def exact_match(prediction: str, golds: Sequence[str]) -> float:
    """1 if the normalised prediction equals a normalised right answer and isn't empty, else 0."""
    said = normalise(prediction)
    return float(bool(said) and any(said == normalise(gold) for gold in golds))


def _f1(prediction: str, gold: str) -> float:
    said, right = Counter(prediction.split()), Counter(gold.split())
    common = (said & right).total()
    return 2 * common / (said.total() + right.total()) if common else 0.0


def _fold(text: str) -> str:
    bare = (c for c in unicodedata.normalize("NFKD", text) if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", "".join(bare))


def _without_punctuation(text: str) -> str:
    # All ASCII punctuation (which holds some symbols, like $ and +) and all Unicode punctuation.
    return "".join(
        c
        for c in text
        if not (unicodedata.category(c)[0] == "P" or (c.isascii() and _is_symbol(c)))
    )


def _is_symbol(c: str) -> bool:
    return unicodedata.category(c)[0] == "S"
