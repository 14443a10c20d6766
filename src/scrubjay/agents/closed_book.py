"""Closed book: the question and nothing else; what comes out is memory.

Source: SynthWorlds (arXiv 2510.24427), section 3.8 of our sheet, setting 'closed-book'.
"""

from __future__ import annotations

from dataclasses import dataclass

from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import write_answer
from scrubjay.core.nouns import Answer, Question


@dataclass(frozen=True, slots=True)
class ClosedBook:
    """Answers from the model's weights alone."""

    name: str = "closed-book"
    tasks = QUESTIONS
    needs = frozenset({"model"})

    async def answer(self, question: Question, session: Session) -> Answer:
        return await write_answer(question, session, ())
