"""``scrubjay report``: the page of a finished run, made again from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(run: Annotated[Path, typer.Argument(help="A run folder.")]) -> None:
    """Write report.html of a run folder again.

    Example: scrubjay report runs/demo
    """
    from scrubjay.evaluation.measure import report_run

    typer.echo(f"Report: {report_run(run)}")
