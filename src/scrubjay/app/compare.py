"""``scrubjay compare``: the agents of a finished run side by side, quality beside cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    run: Annotated[Path, typer.Argument(help="A run folder of scrubjay gap.")],
    figure: Annotated[
        Path | None, typer.Option(help="Draw F1 against tokens into this .svg or .png file.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write the table, with the figure, into this .md file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows for machines.")] = False,
) -> None:
    """Per agent, task, world: F1, recall of gold, searches, tokens, seconds, sources named right.

    Sources need a run made with 'scrubjay gap --sources' that has the setting closed-book.

    Example: scrubjay compare runs/demo --figure agents.svg --page agents.md
    """
    from rich.console import Group

    from scrubjay.app.show import emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.core.figures import check_figure, draw
    from scrubjay.evaluation.compare import compare_figure, compare_table
    from scrubjay.evaluation.compare_page import cells, write_page
    from scrubjay.evaluation.runs import Run

    check_figure(figure)
    held = Run.load(run)
    rows = compare_table(held.records())
    if not rows:
        raise InputError("holds no answers to compare yet", file=run)
    if figure is not None:
        draw(compare_figure(rows), figure)
    if page is not None:
        write_page(rows, held.settings, page, figure)
    emit(
        [row.as_dict() for row in rows],
        as_json,
        lambda: Group(
            *(
                table([cells(r) for r in rows if r.task == task], title=f"\n{task}: {run}")
                for task in dict.fromkeys(r.task for r in rows)
            )
        ),
    )
