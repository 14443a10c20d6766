"""The panel: all instruments of a model, or of two, on one page.

One HTML file with its figures inside: no scripts, nothing from the network; every text is escaped,
and the page's own policy forbids the rest.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from scrubjay.app.panel_runs import Result, number_rows
from scrubjay.app.show import decimal
from scrubjay.core.figures import to_svg
from scrubjay.core.files import write_atomic
from scrubjay.core.finding import Finding
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.probing.instruments import INSTRUMENTS, get_instrument

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:90rem;padding:0 1rem;
color:#1c2430;background:#fff}main{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fill,minmax(min(100%,34rem),1fr))}
section{border:1px solid #d5dbe3;border-radius:8px;padding:.5rem 1rem;overflow:auto;
max-height:46rem}img{max-width:100%;background:#fff;border-radius:4px}
table{border-collapse:collapse;width:100%;font-size:13px}td,th{text-align:left;
padding:.15rem .5rem;border-bottom:1px solid #e4e8ee;overflow-wrap:anywhere}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.q{color:#5b6675}nav{margin-bottom:1rem}a{color:#1f5fae}h2{margin:.2rem 0}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#dfe5ee}
section{border-color:#2b3340}td,th{border-color:#2b3340}.q{color:#9aa6b6}a{color:#8fbcf2}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_panel(
    results: Sequence[Result], out: Path, *, title: str, rows: Sequence[Mapping[str, Any]] = ()
) -> Path:
    """Write ``panel.html`` and return its path; ``rows`` is a table before the instruments.

    Raises:
        DiskError: the folder can't be written.
        MissingExtra: the package that draws figures isn't installed.
    """
    path = out / "panel.html"
    write_atomic(path, panel_page(results, title=title, rows=rows))
    return path


def panel_page(
    results: Sequence[Result], *, title: str, rows: Sequence[Mapping[str, Any]] = ()
) -> str:
    """The page as text."""
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head>"
    )
    several = len({r.model for r in results}) > 1
    parts = "".join(_section(i, r, several) for i, r in enumerate(results))
    side_by_side = f"<h2>Side by side</h2>{_table(rows)}" if rows else ""
    top = f"<h1>{_text(title)}</h1>{_contents(results, several)}"
    return f"{head}<body>{top}{side_by_side}<main>{parts}</main></body></html>\n"


def _contents(results: Sequence[Result], several: bool) -> str:
    """How many instruments measured anything, in what time, and where each stands on the page."""
    found = [r.finding for r in results if r.finding is not None]
    minutes = sum(f.seconds for f in found) / 60
    links = " · ".join(
        f'<a href="#i{i}">{_text(_name(r, several))}</a>{"" if r.finding else " (not measured)"}'
        for i, r in enumerate(results)
    )
    told = f"{len(found)} of {len(results)} measurements could be made, in {minutes:.0f} minutes."
    return f'<p class="q">{told}</p><nav>{links}</nav>'


def _name(result: Result, several: bool) -> str:
    return f"{result.instrument}: {result.model}" if several else result.instrument


def _about(name: str) -> str:
    """What the instrument measures; nothing for one that isn't installed here."""
    known = name in INSTRUMENTS
    return f'<p class="q">{_text(getattr(get_instrument(name), "about", ""))}</p>' if known else ""


def _section(number: int, result: Result, several: bool) -> str:
    name = _name(result, several)
    if result.finding is None:
        told = f"<p>Could not measure this model: {_text(result.obstacle or '')}</p>"
    else:
        told = _finding(result.finding, name)
    about = _about(result.instrument)
    return f'<section id="i{number}"><h2>{_text(name)}</h2>{about}{told}</section>'


def _finding(finding: Finding, name: str) -> str:
    figure = ""
    if finding.figure:
        drawn = base64.b64encode(to_svg(finding.figure).encode()).decode()
        figure = f'<img alt="{_text(name)}" src="data:image/svg+xml;base64,{drawn}">'
    settings = ", ".join(f"{k} = {v}" for k, v in finding.settings.items())
    notes = "".join(f"<li>{_text(note)}</li>" for note in finding.notes)
    notes = f"<ul>{notes}</ul>" if notes else ""
    return (
        f'{figure}{_table(number_rows(finding))}{notes}<p class="q">{_text(settings)}; '
        f"{finding.seconds:.0f} seconds</p>"
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{_text(str(key))}</th>" for key in rows[0])
    body = "".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f'<td class="n">{decimal(value)}</td>'
    if value is None:
        return '<td class="n">–</td>'
    kind = ' class="n"' if isinstance(value, int) else ""
    return f"<td{kind}>{_text(str(value))}</td>"


def _text(value: str) -> str:
    return escape(one_line(value))
