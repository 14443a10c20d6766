"""``scrubjay compare``: the agents of a finished run side by side, quality beside cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scrubjay.evaluation.compare import CompareRow


def compare(
    run: Annotated[Path, typer.Argument(help="A run folder of scrubjay gap.")],
    figure: Annotated[
        Path | None, typer.Option(help="Draw F1 against tokens into this .svg or .png file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows for machines.")] = False,
) -> None:
    """Per agent, task and world: F1, recall of the gold documents, searches, tokens, seconds.

    Example: scrubjay compare runs/demo --figure agents.svg
    """
    from rich.console import Group

    from scrubjay.app.show import emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.evaluation.compare import compare_figure, compare_table, draw
    from scrubjay.evaluation.runs import Run

    rows = compare_table(Run.load(run).records())
    if not rows:
        raise InputError("holds no answers to compare yet", file=run)
    if figure is not None:
        draw(compare_figure(rows), figure)
    emit(
        [row.as_dict() for row in rows],
        as_json,
        lambda: Group(
            *(
                table([_cells(r) for r in rows if r.task == task], title=f"\n{task}: {run}")
                for task in dict.fromkeys(r.task for r in rows)
            )
        ),
    )


def _cells(row: CompareRow) -> dict[str, str]:
    """A row as a person reads it."""
    known = row.low is not None and row.high is not None
    half = f" ±{(row.high - row.low) / 2:.2f}" if known else ""  # type: ignore[operator]
    return {
        "agent": row.setting,
        "world": row.world,
        "F1": f"{row.f1:.2f}{half}",
        "recall": "–" if row.recall is None else f"{row.recall:.2f}",
        "searches": f"{row.searches:.1f}",
        "tokens": f"{row.tokens:,.0f}",
        "seconds": f"{row.seconds:.1f}",
        "n": str(row.n),
    }
