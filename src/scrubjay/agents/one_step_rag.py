"""One-step RAG: search once with the question, read what was found, answer.

Source: SynthWorlds, setting 'one-step RAG'.
"""

from __future__ import annotations

from dataclasses import dataclass

from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import write_answer
from scrubjay.core.nouns import Answer, Question


@dataclass(frozen=True, slots=True)
class OneStepRAG:
    """Searches for the question itself, once."""

    k: int = 5
    """Passages to read."""
    name: str = "one-step-rag"
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        hits = await session.search(question.text, self.k)
        return await write_answer(question, session, [hit.passage for hit in hits])
