"""Focused RAG: search once, keep the sentences that bear on the question, read only those.

    hits      = search(question, k)
    sentences = those of all hits, scored by  Σ_w idf(w) over the question's words w they hold
    answer    ~ p(· | question, best ``keep`` sentences, in reading order, with their titles)

Five whole passages of real documentation drown a small model: it names the subject, or copies the
loudest word. This makes its reading short. Over 60 questions about three documentation trees it
beat reading one whole passage where words alone searched, and made no difference where vectors
searched as well (docs/own-files.md has the numbers, for SmolLM2-135M). idf is taken over the
sentences that were found: a word in all of them says nothing.

Source: ours, from no paper; cutting a reader's text down by word overlap is old and cheap: it
asks no model and costs no further call.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import write_answer
from scrubjay.core.nouns import Answer, Passage, Question

_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'`*_(])|\n\s*\n|\n(?=\s*(?:[-*+•]|\d+[.)])\s)")
_WORD = re.compile(r"\w+")
LONGEST = 400
"""Characters of a sentence that are kept: a table or a line of code has no end."""


@dataclass(frozen=True, slots=True)
class FocusedRAG:
    """Reads a few sentences of what one search finds."""

    k: int = 5
    """Passages to search for."""
    keep: int = 3
    """Sentences to read."""
    name: str = "focused-rag"
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        hits = await session.search(question.text, self.k)
        passages = focus(question.text, [hit.passage for hit in hits], self.keep)
        return await write_answer(question, session, passages)


def focus(question: str, passages: Sequence[Passage], keep: int) -> list[Passage]:
    """The passages cut to the ``keep`` best sentences of all, those without one left out.

    A word of the title counts for each sentence below it, but half: a title says what a sentence is
    about, not what it says. Ties go to the better passage, then to the earlier sentence.
    """
    found = [(i, s) for i, p in enumerate(passages) for s in sentences(p.text)]
    if not found:
        return list(passages)
    held = [_stems(s) for _, s in found]
    counts = Counter(word for words in held for word in words)
    asked = _stems(question)
    idf = {w: math.log(1 + len(found) / (1 + counts[w])) for w in asked}
    titles = [_stems(p.title) for p in passages]

    def score(n: int) -> float:
        title = titles[found[n][0]]
        return sum(idf[w] * (1.0 if w in held[n] else 0.5 * (w in title)) for w in sorted(asked))

    best = sorted(range(len(found)), key=lambda n: (-round(score(n), 9), n))[:keep]
    kept: dict[int, list[str]] = defaultdict(list)
    for n in sorted(best):
        kept[found[n][0]].append(found[n][1])
    # The best passage stands last, next to the question.
    order = sorted(kept, key=lambda i: min(best.index(n) for n in best if found[n][0] == i))
    return [replace(passages[i], text=" ".join(kept[i]), links=()) for i in reversed(order)]


def sentences(text: str) -> Iterator[str]:
    """Sentences, list items and paragraphs, each on one line.

    >>> list(sentences("Jays hide nuts. They\\nforget.\\n- one\\n- two"))
    ['Jays hide nuts.', 'They forget.', '- one', '- two']
    """
    for part in _END.split(text):
        if _WORD.search(part):
            yield " ".join(part.split())[:LONGEST]


def _stems(text: str) -> set[str]:
    """Words without the endings that questions and answers differ in."""
    words = _WORD.findall(text.casefold())
    return {re.sub(r"(?:ations?|ing|ies|ed|es|s|e)$", "", w) if len(w) > 4 else w for w in words}
