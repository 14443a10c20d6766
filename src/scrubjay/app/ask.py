"""``scrubjay ask``: one question over your own documents, with where the answer came from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODEL_HELP = "smollm2-135m, a Hugging Face id or folder, or endpoint:URL#name."
READ_HELP = "Passages to search for; by default the agent's own number, but see the agent."
AGENT_HELP = (
    "How to answer: focused-rag (default of the embedded model: it reads three sentences), "
    "one-step-rag (default of others), ircot, dragin, self-ask, …"
)


def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    index: Annotated[Path, typer.Option(help="An index from 'scrubjay index build'.")],
    agent: Annotated[str, typer.Option(help=AGENT_HELP)] = "",
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "smollm2-135m",
    passages: Annotated[int | None, typer.Option(min=1, help=READ_HELP)] = None,
    why: Annotated[bool, typer.Option("--why", help="The evidence for where it is from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Answer a question from your documents and say where the answer came from.

    Example: scrubjay ask "how are killed runs resumed?" --index my.index --why
    """
    import asyncio

    from scrubjay.app.asking import Reply, open_desk
    from scrubjay.app.index import dumped
    from scrubjay.core.errors import InputError

    if not question.strip():
        raise InputError("the question is empty; say what you want to know")
    desk = open_desk(index, agent, model, passages)

    async def answered() -> Reply:
        try:
            await desk.model.check()
            return await desk.answer(question)
        finally:
            await desk.model.close()

    reply = asyncio.run(answered())
    print(dumped(reply.to_dict(why)) if as_json else "\n".join(reply.lines(why)))
