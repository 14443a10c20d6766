"""``scrubjay chat``: a conversation over your own documents.

A follow-up is rewritten to stand alone before it is searched and answered, so that the agent sees
one plain question, as in ``ask``. Each line of a pipe is a turn; where the input ends, so does the
chat.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scrubjay.app.ask import AGENT_HELP, MODEL_HELP, READ_HELP

if TYPE_CHECKING:
    from scrubjay.app.asking import Desk, Reply
    from scrubjay.models.types import Message

TURNS = 3
"""Questions and answers that a follow-up may refer to."""
_ROLE = re.compile(r"^(?:user|assistant|last question)\s*:\s*", re.IGNORECASE)
HELP = ":why  what the last answer rests on    :quit  end    anything else is a question"


def chat(
    index: Annotated[Path, typer.Option(help="An index from 'scrubjay index build'.")],
    agent: Annotated[str, typer.Option(help=AGENT_HELP)] = "",
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "smollm2-135m",
    passages: Annotated[int | None, typer.Option(min=1, help=READ_HELP)] = None,
) -> None:
    """Ask one question after another; follow-ups may point back. :why, :quit.

    With questions from a file or pipe the exit status is 2 if one could not be answered.

    Example: scrubjay chat --index my.index
    """
    import asyncio

    from scrubjay.app.asking import open_desk

    desk = open_desk(index, agent, model, passages)
    failed = asyncio.run(_talk(desk))
    if failed and not sys.stdin.isatty():  # somebody at a terminal has read it
        raise typer.Exit(2)


async def _talk(desk: Desk) -> int:
    """The conversation; returns how many lines could not be answered."""
    from scrubjay.core.errors import ScrubjayError
    from scrubjay.retrieval.files import printable

    history: list[Message] = []
    last: Reply | None = None
    failed = 0
    try:
        await desk.model.check()
        if sys.stdin.isatty():
            print(HELP)
        while (line := _next()) is not None:
            if line == ":quit":
                break
            if line.startswith(":"):
                known = line == ":why"
                print(
                    "\n".join(last.why()) if known and last else "no answer yet" if known else HELP
                )
            elif line:
                try:
                    last = await _turn(desk, line, history)
                except ScrubjayError as error:
                    failed += 1
                    print(f"scrubjay: {printable(str(error))}", file=sys.stderr)
    finally:
        await desk.model.close()
    return failed


async def _turn(desk: Desk, line: str, history: list[Message]) -> Reply:
    """Answer one line; it joins the history only if that works."""
    from scrubjay.models.prompting.untrusted import one_line
    from scrubjay.models.types import Message
    from scrubjay.retrieval import ContextualRewrite
    from scrubjay.retrieval.files import printable

    rewriter = ContextualRewrite(desk.model, history[-2 * TURNS :])
    # Small models copy the role from the transcript they were shown.
    question = _ROLE.sub("", await rewriter.rewrite(line)) or line
    if question != line:
        print(f"({printable(question)})")
    reply = await desk.answer(question)
    print("\n".join(reply.lines(False)), flush=True)
    said = "not found" if reply.declined else reply.explained.answer.text
    history += [Message("user", one_line(question)), Message("assistant", one_line(said))]
    return reply


def _next() -> str | None:
    """The next line; None at the end of the input. Bytes that are no text become question marks."""
    if sys.stdin.isatty():
        try:
            return input("> ").strip()
        except EOFError:
            return None
    raw = sys.stdin.buffer.readline()
    return raw.decode("utf-8", "replace").strip() if raw else None
