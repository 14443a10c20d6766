"""Revisers: from a question, a draft and the evidence found for it to the final answer.

    Reviser.revise(question, draft, evidence, session) -> Revision(text, cited)

``WritingReviser`` is the paper's: a model writes. ``ChoosingReviser`` lets a small model weigh the
evidence by ``choose`` and quotes what it picked. ``CopyBest`` asks no model: the evidence that
shares most words with the draft. It is the cheap rule that a revising model has to beat.

Source: Adapt-Retrieve-Revise (paper 56), step "revise"; the two without writing are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from scrubjay.agents.evidence import shared_words
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Passage, Question
from scrubjay.models.prompting.untrusted import one_line


@dataclass(frozen=True, slots=True)
class Revision:
    """What is answered, and the passages it rests on."""

    text: str
    cited: tuple[str, ...] = ()


class Reviser(Protocol):
    """Judges the evidence and corrects the draft. An empty draft means: there is none to see."""

    async def revise(
        self, question: Question, draft: str, evidence: Sequence[Passage], session: Session
    ) -> Revision: ...


@dataclass(frozen=True, slots=True)
class WritingReviser:
    """The model writes a short answer with draft and evidence in front of it."""

    max_tokens: int = 24

    async def revise(
        self, question: Question, draft: str, evidence: Sequence[Passage], session: Session
    ) -> Revision:
        reply = await session.generate(
            prompt("arr_revise", question=question.text, draft=one_line(draft), passages=evidence),
            max_tokens=self.max_tokens,
            stop=("\n",),
            reading=evidence,
        )
        # A reviser that says nothing (a refusal, an early end) leaves the draft as it is.
        return Revision(reply.text.strip() or draft, tuple(p.id for p in evidence))


@dataclass(frozen=True, slots=True)
class ChoosingReviser:
    """The model chooses one title; the answer is that document's text."""

    async def revise(
        self, question: Question, draft: str, evidence: Sequence[Passage], session: Session
    ) -> Revision:
        if not evidence:
            return Revision(draft)
        titles = distinct([one_line(p.title) or p.id for p in evidence])
        shown = [replace(p, title=title) for p, title in zip(evidence, titles)]
        asked = prompt("arr_choose", question=question.text, draft=one_line(draft), passages=shown)
        choice = await session.choose(asked, titles, reading=evidence)
        best = evidence[choice.index]
        return Revision(f"{best.title}: {best.text}".removeprefix(": "), (best.id,))


@dataclass(frozen=True, slots=True)
class CopyBest:
    """The evidence that shares most words with the draft (the question, where there is none)."""

    async def revise(
        self, question: Question, draft: str, evidence: Sequence[Passage], session: Session
    ) -> Revision:
        if not evidence:
            return Revision(draft)
        said = draft or question.text
        best = max(evidence, key=lambda p: shared_words(said, f"{p.title} {p.text}"))
        return Revision(f"{best.title}: {best.text}".removeprefix(": "), (best.id,))


def distinct(titles: Sequence[str]) -> list[str]:
    """Titles that can be told apart: one that came before gets its number.

    >>> distinct(["Keys", "Pets", "Keys"])
    ['Keys', 'Pets', 'Keys (2)']
    """
    found: list[str] = []
    for title in titles:
        number, name = 1, title
        while name in found:
            number += 1
            name = f"{title} ({number})"
        found.append(name)
    return found
