"""Reading comprehension: the documents that hold the answer are given.

Source: SynthWorlds, setting 'reading comprehension': context only, retrieval cannot fail.
"""

from __future__ import annotations

from dataclasses import dataclass

from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import write_answer
from scrubjay.core.nouns import Answer, Question


@dataclass(frozen=True, slots=True)
class ReadingComprehension:
    """Answers with the gold documents in front of it."""

    name: str = "reading"
    tasks = QUESTIONS
    needs = frozenset({"model"})

    async def answer(self, question: Question, session: Session) -> Answer:
        return await write_answer(question, session, session.read(question.gold))
