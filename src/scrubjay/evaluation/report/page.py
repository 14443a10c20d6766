"""The report of a run: one HTML file that needs no network, no script and no other file.

Everything a model wrote or a passage says is untrusted: the templates escape all of it, and the
page's Content-Security-Policy allows nothing but its own style sheet (by its hash).
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.nouns import Passage
from scrubjay.evaluation.gap import gap_table, group_table, reduction_table
from scrubjay.evaluation.labels import points
from scrubjay.evaluation.reading import read_gap, task_readings
from scrubjay.evaluation.report.answers import mirrored, spending
from scrubjay.evaluation.report.sections import task_sections
from scrubjay.evaluation.report.worlds import side_by_side
from scrubjay.evaluation.runs import Run

MOST_BYTES = 3_000_000
_SHOWN = (15, 8, 4, 2, 1)
"""Questions shown with their traces (in two worlds, so 30 traces per setting), fewer if the page
would grow too large."""


def write_report(
    run_folder: str | os.PathLike[str],
    *,
    pages: Sequence[tuple[Passage, Passage]] = (),
    titles: Mapping[str, Mapping[str, str]] | None = None,
    title: str = "",
) -> Path:
    """Write ``report.html`` into a run folder and return its path.

    ``pages``: pairs of the same page in the real world and a twin, shown side by side.
    ``titles``: world ('real', 'twin-0') -> page id -> title, to tell walks by name.

    Raises:
        InputError: the folder holds no run.
        DiskError: the folder can't be written.
    """
    run = Run.load(run_folder)
    path = run.folder / "report.html"
    for shown in _SHOWN:
        html = render_report(run, pages=pages, titles=titles, title=title, shown=shown)
        if len(html.encode()) <= MOST_BYTES:
            break
    write_atomic(path, html)
    return path


def render_report(
    run: Run,
    *,
    pages: Sequence[tuple[Passage, Passage]] = (),
    titles: Mapping[str, Mapping[str, str]] | None = None,
    title: str = "",
    shown: int = _SHOWN[0],
) -> str:
    """The page as text, with ``shown`` questions and their traces."""
    records = run.records()
    gaps, reductions = gap_table(records), reduction_table(records)
    style = _environment().get_template("style.css.jinja").render()
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            title=title or f"Memory or reading? {run.settings.get('model', '')}".strip(),
            style=Markup(style),
            style_hash=_csp_hash(style),
            readings=task_readings(gaps, reductions) or [read_gap(gaps)],
            sections=task_sections(gaps, reductions, group_table(records)),
            pages=side_by_side(pages),
            questions=mirrored(records, shown, titles or {}),
            spending=spending(records),
            answers=len(records),
            settings=[(k, _plain(v)) for k, v in sorted(run.settings.items())],
            versions=[" · ".join(f"{k} {v}" for k, v in vs.items()) for vs in _versions(run)],
            begun=run.manifest.get("created", ""),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("scrubjay.evaluation.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = points
    return environment


def _csp_hash(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else dump_json(value)


def _versions(run: Run) -> list[dict[str, str]]:
    versions: list[dict[str, str]] = run.manifest["versions"]
    return versions
