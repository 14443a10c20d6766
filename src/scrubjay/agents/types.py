"""What an agent is: a policy from a question to an answer, written as straight-line async code."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

from scrubjay.agents.session import Session
from scrubjay.core.nouns import Answer, Question

Need = Literal["model", "retriever"]


class Agent(Protocol):
    """Anything that answers. Instances keep no state between questions."""

    name: str
    tasks: ClassVar[frozenset[str]]
    """Tasks it makes sense for: 'recall', 'multihop', 'navigation'."""
    needs: ClassVar[frozenset[Need]]
    """What its session must hold, so that a runner builds no index nobody searches."""

    async def answer(self, question: Question, session: Session) -> Answer:
        """Answer the question; everything done on the way is in ``answer.trace``."""
        ...


QUESTIONS = frozenset({"recall", "multihop"})
NAVIGATION = frozenset({"navigation"})
