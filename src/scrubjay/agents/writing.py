"""What question-answering agents share: the prompt for an answer, and asking for it.

The same prompt text serves every setting and every world; only the passages differ. Its worked
examples are about things that occur in no world of this library.
"""

from __future__ import annotations

from collections.abc import Sequence

from scrubjay.agents.session import Session
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.models.prompting.prompts import render_prompt
from scrubjay.models.types import Prompt


def prompt(name: str, **values: object) -> Prompt:
    """A prompt file of this room, filled in.

    A file of one turn is a text to be continued: small models follow worked examples better in
    plain text than in a chat, and an endpoint that only chats gets it as a message.
    """
    turns = render_prompt("scrubjay.agents", name, **values)
    return turns[0].content if len(turns) == 1 else turns


async def write_answer(question: Question, session: Session, passages: Sequence[Passage]) -> Answer:
    """Ask for a short answer, with ``passages`` to read."""
    asked = prompt("answer", question=question.text, passages=passages, thoughts=())
    return await short_answer(asked, session, passages)


async def short_answer(asked: Prompt, session: Session, passages: Sequence[Passage]) -> Answer:
    """The short answer that continues a prompt which shows ``passages``."""
    reply = await session.generate(asked, max_tokens=24, stop=("\n",), reading=passages)
    return Answer(
        reply.text.strip(), session.trace, citations=tuple(dict.fromkeys(p.id for p in passages))
    )
