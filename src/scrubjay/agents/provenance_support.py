"""Support: how the passages stand to question and answer, by their words alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scrubjay.agents.evidence import share
from scrubjay.agents.focused_rag import focus
from scrubjay.agents.provenance_chain import Chain, chain
from scrubjay.agents.provenance_words import holds, names, stems, titled, whole
from scrubjay.core.nouns import Passage

MOST = 6
"""Passages weighed; of more, those of the chain come first, then those that hold the answer or
speak most of the question."""
KEEP = 6
"""Sentences kept of each: those that bear on question and answer."""


@dataclass(frozen=True, slots=True)
class Support:
    """How the passages stand to question and answer, by their words alone."""

    holding: tuple[str, ...] = ()
    """Ids of the passages that hold the answer."""
    covered: float = 0.0
    named: float = 0.0
    relation: float = 0.0
    """Share of the question's other words (not names) in the sentence that holds the answer."""
    about: float = 0.0
    best: float = 0.0
    """Share of the question's words in the sentence that holds most of them."""
    sentence: str = ""
    """The sentence that holds the answer and most of the question."""
    place: str = ""
    """Id of its passage."""
    in_question: bool = False
    chain: Chain = field(default_factory=Chain)


def weighed(question: str, answer: str, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that can matter, each cut to the sentences that bear on question and answer."""
    asked = stems(question)
    linked = chain(question, answer, passages).places

    def matters(p: Passage) -> tuple[bool, bool, int]:
        return p.id in linked, holds(whole(p), answer), len(asked & stems(whole(p)))

    best = sorted(range(len(passages)), key=lambda i: matters(passages[i]), reverse=True)[:MOST]
    cut = [focus(f"{question} {answer}", [passages[i]], KEEP) for i in sorted(best)]
    return [p for part in cut for p in part]


def support(question: str, answer: str, passages: Sequence[Passage]) -> Support:
    """What the words of the passages say. A question without names counts all its words as names;
    word forms are alike if their first five letters are."""
    asked = stems(question)
    called = names(question) or asked
    others = (asked - called) or asked
    lines = [(p, line) for p in passages for line in titled(p)]
    holding = [(p, line) for p, line in lines if holds(line, answer)]

    def fit(line: tuple[Passage, str]) -> tuple[float, float]:
        there = stems(line[1])
        return share(asked, there), share(called, there)

    place, sentence = max(holding, key=fit, default=(None, ""))
    there = stems(sentence)
    return Support(
        tuple(dict.fromkeys(p.id for p, _ in holding)),
        share(asked, there),
        share(called, there),
        share(others, there),
        max((share(called, stems(whole(p))) for p in passages), default=0.0),
        max((share(asked, stems(line)) for _, line in lines), default=0.0),
        sentence,
        place.id if place else "",
        holds(question, answer),
        chain(question, answer, passages),
    )
