"""Where an answer came from, by the best means there is.

Where ``agents.provenance`` has its weights (likelihoods with and without the passages), it judges.
Else the account is lexical, and says so: an answer whose words stand together in one passage that
was found comes from the documents; one that was given without looking comes from memory; one that
was looked for and stands in no passage comes from nowhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, cast

from scrubjay.agents.session import Session
from scrubjay.core.nouns import Answer, Passage, Question, Source
from scrubjay.core.trace import Searched


@dataclass(frozen=True, slots=True)
class LexicalEvidence:
    """What the lexical account rests on."""

    looked: bool
    """Whether anything was searched for."""
    passages: tuple[str, ...]
    """Ids of the passages that hold the answer's words."""

    def to_dict(self) -> dict[str, Any]:
        return {"method": "lexical", "looked": self.looked, "passages": list(self.passages)}

    def sentences(self) -> list[str]:
        if not self.looked:
            return ["Nothing was looked up; the answer is what the model remembers."]
        if not self.passages:
            return ["No passage that was found holds the answer's words."]
        return [f"The answer's words stand together in {n}." for n in self.passages]


@dataclass(frozen=True, slots=True)
class Explained:
    """An answer with ``source`` and ``citations``, and what that rests on."""

    answer: Answer
    evidence: LexicalEvidence


async def account(question: Question, answer: Answer, session: Session) -> Explained:
    """The answer with its source, confidence and citations filled in.

    Raises:
        ModelError: the model can't be asked any more.
    """
    if _provenance_is_there():
        from importlib import import_module

        provenance = import_module("scrubjay.agents.provenance")
        return cast(Explained, await provenance.explain(question, answer, session))
    holding = tuple(i for i, p in session.passages.items() if _holds(p, answer.text))
    looked = any(isinstance(step, Searched) for step in answer.trace)
    evidence = LexicalEvidence(looked, holding)
    source = Source.DOCUMENTS if holding else Source.NOWHERE
    if not looked:
        source = Source.MEMORY if answer.text.strip() else Source.NOWHERE
    return Explained(replace(answer, source=source, citations=holding), evidence)


def _provenance_is_there() -> bool:
    """Whether its weights are: without them it can't judge."""
    return (files("scrubjay.agents") / "provenance.json").is_file()


def _holds(passage: Passage, answer: str) -> bool:
    """Whether the answer's words follow one another in the passage."""
    wanted = re.findall(r"\w+", answer.casefold())
    text = re.findall(r"\w+", f"{passage.title} {passage.text}".casefold())
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(text)} "
