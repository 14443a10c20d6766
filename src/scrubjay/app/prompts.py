"""``scrubjay prompts``: every prompt the library sends, with its version."""

from __future__ import annotations

from typing import Annotated

import typer


def prompts(
    name: Annotated[str, typer.Argument(help="Show one in full, e.g. agents/answer.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List the prompts, or show one.

    Example: scrubjay prompts agents/answer
    """
    from scrubjay.app.show import emit, table
    from scrubjay.core.errors import UnknownName
    from scrubjay.models.prompting.prompts import list_prompts

    found = {p.name: p for p in list_prompts()}
    if name:
        if name not in found:
            raise UnknownName("prompt", name, found)
        typer.echo(found[name].text)
        return
    rows = [{"prompt": p.name, "version": p.version} for p in found.values()]
    emit(rows, as_json, lambda: table(rows))
