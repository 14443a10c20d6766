"""Self-Ask: the model asks itself follow-up questions, and a search answers them.

    Are follow up questions needed here: Yes.
    repeat:  Follow up: …                  # written by the model, looked up by us
             Intermediate answer: …        # read out of what was found
    So the final answer is: …

Source: Self-Ask with search (Press et al. 2023), as known from the literature; no sheet describes
it, so prompt, caps and the reading step are ours. ``decide`` as for tag agents: ``choose`` weighs
"Follow up:" against "So the final answer is:", ``write`` parses what the model writes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scrubjay.agents.session import Session
from scrubjay.agents.tags import Decide
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import prompt, write_answer
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.models.types import Prompt

FOLLOW, FINAL = "Follow up:", "So the final answer is:"
STOP = ("\nIntermediate answer", "\nQuestion", "\n\n")
# At the beginning of a line only: what stands within one may be quoted from a document.
_BEGIN = r"^[^\S\n]*(?:(?:yes|no)[.,]?[^\S\n]+)?"
_FINAL = re.compile(_BEGIN + r"(?:so )?(?:the )?final answer is:?[^\S\n]*([^\n]*)", re.I | re.M)
_FOLLOW = re.compile(_BEGIN + r"follow up:[^\S\n]*([^\n]*)", re.I | re.M)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question the model asked itself, and the answer that was read."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class SelfAsk:
    """Follow-up questions until the final answer."""

    decide: Decide = "choose"
    k: int = 3
    """Passages per search."""
    most: int = 4
    """Follow-up questions."""
    name: str = "self-ask"
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        asked: list[FollowUp] = []
        found: dict[str, Passage] = {}
        for _ in range(self.most):
            follow, final = await self._next(question, session, asked)
            if final is not None:
                return _finish(final, session, found)
            if not follow or any(follow == f.question for f in asked):
                session.note("stopped: no new follow-up question")
                break
            passages = [hit.passage for hit in await session.search(follow, self.k)]
            found |= {p.id: p for p in passages}
            read = await write_answer(Question(question.id, follow), session, passages)
            asked.append(FollowUp(one_line(follow), one_line(read.text)))
        return _finish(await self._final(question, session, asked), session, found)

    async def _next(
        self, question: Question, session: Session, asked: Sequence[FollowUp]
    ) -> tuple[str, str | None]:
        """The next follow-up question, or the final answer (None while there is none)."""
        if self.decide == "choose":
            choice = await session.choose(self._prompt(question, asked, ""), (FOLLOW, FINAL))
            if choice.index == 1:
                return "", await self._final(question, session, asked)
            return await self._line(question, session, asked, FOLLOW), None
        begun = self._prompt(question, asked, "")
        text = (await session.generate(begun, max_tokens=48, stop=STOP)).text
        final, follow = _FINAL.search(text), _FOLLOW.search(text)
        if final and not (follow and follow.start() < final.start()):
            return "", final[1].strip()
        return (follow[1].strip() if follow else ""), None

    async def _final(self, question: Question, session: Session, asked: Sequence[FollowUp]) -> str:
        return await self._line(question, session, asked, FINAL)

    async def _line(
        self, question: Question, session: Session, asked: Sequence[FollowUp], begun: str
    ) -> str:
        text = self._prompt(question, asked, begun)
        return (await session.generate(text, max_tokens=24, stop=("\n",))).text.strip()

    @staticmethod
    def _prompt(question: Question, asked: Sequence[FollowUp], begun: str) -> Prompt:
        return prompt("self_ask", question=question.text, asked=asked, begun=begun)


def _finish(text: str, session: Session, found: dict[str, Passage]) -> Answer:
    return Answer(text.rstrip("."), session.trace, citations=tuple(found))
