"""Words as the account of sources compares them: stems, names, parts, sameness.

Word forms are alike if their first five letters are; *names* are words with a capital or a digit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from scrubjay.agents.evidence import words as uncommon
from scrubjay.agents.focused_rag import sentences
from scrubjay.core.nouns import Passage

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def stems(text: str) -> set[str]:
    """The first five letters of every word that isn't common."""
    return {w[:5] for w in uncommon(text)}


def counted(text: str) -> Counter[str]:
    """How often each stem comes up."""
    rare = uncommon(text.casefold())
    return Counter(w[:5] for w in words(text) if w in rare)


def names(text: str) -> set[str]:
    """Stems of words with a capital letter or a digit, but for the first of the text."""
    found = _WORD.findall(text)[1:]
    return {w.casefold()[:5] for w in found if w[0].isupper() or w[0].isdigit()}


def holds(text: str, part: str) -> bool:
    """Whether the words of ``part`` follow one another in ``text``; no words are held nowhere."""
    wanted = " ".join(words(part))
    return bool(wanted) and f" {wanted} " in f" {' '.join(words(text))} "


def same_words(a: str, b: str) -> bool:
    """Whether two answers say the same: equal words, but for articles."""
    x, y = ([w for w in words(t) if w not in ("a", "an", "the")] for t in (a, b))
    return bool(x) and x == y


def overlap(a: str, b: str) -> float:
    """F1 of the words of two answers."""
    x, y = Counter(words(a)), Counter(words(b))
    common = (x & y).total()
    return 2 * common / (x.total() + y.total()) if common else 0.0


def titled(passage: Passage) -> list[str]:
    """Its sentences; the title stands in front of one that doesn't say it."""
    title = passage.title
    parts: Sequence[str] = list(sentences(passage.text)) or [passage.text]
    return [p if not title or holds(p, title) else f"{title}: {p}" for p in parts]


def whole(passage: Passage) -> str:
    return f"{passage.title}: {passage.text}"
