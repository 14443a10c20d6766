"""How commands show things: tables for people, JSON for machines, progress with time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from scrubjay.core.progress import Progress as Report


def emit(value: Any, as_json: bool, show: Callable[[], Any]) -> None:
    """Print ``value`` as JSON, or what ``show`` makes of it."""
    if as_json:
        from scrubjay.core.files import dump_json

        print(dump_json(value, indent=1))
    else:
        Console().print(show())


def table(rows: Sequence[Mapping[str, Any]], title: str | None = None) -> Table:
    """Rows of equal keys as a table; numbers to the right. Cells are text, never markup."""
    from rich.text import Text

    out = Table(title=title, title_justify="left", header_style="bold")
    for key in rows[0] if rows else ():
        numeric = all(isinstance(r[key], (int, float)) for r in rows if r[key] is not None)
        out.add_column(key, justify="right" if numeric else "left")
    for row in rows:
        out.add_row(*(Text(_cell(v)) for v in row.values()))
    return out


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return decimal(value) if isinstance(value, float) else str(value)


def decimal(value: float) -> str:
    """Three decimals; two significant digits of what would be shown as nothing."""
    return f"{value:.2g}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"


@contextmanager
def bars() -> Iterator[Report]:
    """Progress bars on stderr: call the result with (what, done, total) as often as you like."""
    progress = Progress(
        TextColumn("{task.description:<34}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[str, TaskID] = {}

    def update(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total)
        progress.update(tasks[what], completed=done, total=total)

    with progress:
        yield update
