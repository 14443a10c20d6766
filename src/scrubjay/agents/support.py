"""Is an answer borne out by what was read? Names and numbers have to stand there.

    stated(answer)             its numbers and capitalised words; where it has none, all its words
    supported(answer, read)    every one of them occurs in one of the passages
    evidence(query, read)      largest share of the query's words that one sentence holds,
                               its title counted in

A cheap guard without a model: it catches what was made up, not what was read wrong. Digits of all
scripts and thousands separators are equal, and so are letters with and without accents.

Source: our sheet of multilingual RAG (paper 9), "support check" and gate; its entailment score is
left out: there is no entailment model of a few megabytes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from scrubjay.agents.focused_rag import sentences
from scrubjay.core.nouns import Passage

_TOKEN = re.compile(r"\d+(?:[.,'’ \u00a0\u202f]\d{3})*(?:[.,]\d+)?|[^\W\d_]+")


def tokens(text: str) -> list[str]:
    """Words and numbers in a form that can be compared.

    >>> tokens("São Tomé: 1 234 567 or ١٢")
    ['sao', 'tome', '1234567', 'or', '12']
    """
    return [_plain(m[0]) for m in _TOKEN.finditer(unicodedata.normalize("NFKC", text))]


def stated(text: str) -> set[str]:
    """What a short answer commits itself to."""
    found = [m[0] for m in _TOKEN.finditer(unicodedata.normalize("NFKC", text))]
    strong = {_plain(w) for w in found if w[0].isupper() or w[0].isdigit()}
    return strong or {_plain(w) for w in found}


def supported(text: str, passages: Iterable[Passage]) -> bool:
    """Whether everything stated stands in one of the passages; an empty answer is not supported."""
    said = stated(text)
    return bool(said) and any(said <= set(tokens(f"{p.title} {p.text}")) for p in passages)


def evidence(query: str, passages: Sequence[Passage]) -> float:
    """Between 0 and 1; an empty query has no evidence."""
    asked = set(tokens(query))
    read = [f"{p.title} {sentence}" for p in passages for sentence in sentences(p.text)]
    held = [len(asked & set(tokens(text))) for text in read]
    return max(held, default=0) / len(asked) if asked else 0.0


def _plain(token: str) -> str:
    if token[0].isdigit():
        whole = re.sub(r"[.,'’ \u00a0\u202f](?=\d{3}(?!\d))", "", token)
        return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in whole)
    letters = unicodedata.normalize("NFKD", token.casefold())
    return "".join(c for c in letters if not unicodedata.combining(c))
