"""The comparison of agents as a page of documentation: command, tables, figure, how to read it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.core.files import write_atomic
from scrubjay.evaluation.compare import CompareRow

READ = """F1 with half its 95 % interval (bootstrap over questions); recall of the gold documents
among all that were found; searches, tokens (in and out) and seconds a question. Seconds are as the
agent saw them: agents that run at the same time share the machine. *Sources* is the share of
answers whose source was named right, of those whose true source is known by construction: an
agent's right answer comes from memory if the closed-book answer is right too, from documents if
every gold document was in front of it, from both, or (neither) from nowhere. The number of such
answers stands behind it, and *most frequent* is what always naming their commonest source would
get: small models rarely find a whole chain, so that is mostly *nowhere*."""


def cells(row: CompareRow) -> dict[str, str]:
    """A row as a person reads it."""
    half = "" if row.low is None or row.high is None else f" ±{(row.high - row.low) / 2:.2f}"
    return {
        "agent": row.setting,
        "world": row.world,
        "F1": f"{row.f1:.2f}{half}",
        "recall": "–" if row.recall is None else f"{row.recall:.2f}",
        "searches": f"{row.searches:.1f}",
        "tokens": f"{row.tokens:,.0f}",
        "seconds": f"{row.seconds:.1f}",
        "sources": "–" if row.sources is None else f"{row.sources:.2f} ({row.sourced})",
        "most frequent": "–" if row.majority is None else f"{row.majority:.2f}",
        "n": str(row.n),
    }


def write_page(
    rows: Sequence[CompareRow],
    settings: Mapping[str, Any],
    path: Path,
    figure: Path | None = None,
) -> None:
    """Write the page as Markdown; the figure is linked from where the page lies.

    Raises:
        InputError: the page is to end in something else than .md.
        DiskError: it can't be written.
    """
    if path.suffix != ".md":
        raise InputError(f"a page ends in .md, not in '{path.suffix}'")
    write_atomic(path, page(rows, settings, path, figure))


def page(
    rows: Sequence[CompareRow],
    settings: Mapping[str, Any],
    path: Path,
    figure: Path | None = None,
) -> str:
    """The Markdown text."""
    parts = ["# Agents side by side", "", f"```sh\n{command(settings)}\n```", "", READ]
    if figure is not None:
        link = os.path.relpath(figure, path.parent).replace(os.sep, "/")
        parts += ["", f"![F1 and tokens per question, the cheapest agent first]({link})"]
    for task in dict.fromkeys(row.task for row in rows):
        parts += ["", f"## {task}", "", *_table([cells(r) for r in rows if r.task == task])]
    return "\n".join(parts) + "\n"


def command(settings: Mapping[str, Any]) -> str:
    """What makes the run again."""
    options = [f"--world {settings['world']}", f"--model {settings['model']}"]
    options += [f"--{name} {','.join(settings[name])}" for name in ("settings", "tasks")]
    options += [f"--{name} {settings[name]}" for name in ("questions", "twins", "seed")]
    if settings.get("encoder"):
        options.append(f"--encoder {settings['encoder']}")
    if settings.get("sources"):
        options.append("--sources")
    return "scrubjay gap " + " \\\n    ".join(options)


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    names = list(rows[0])
    return [
        f"| {' | '.join(names)} |",
        f"|{'|'.join('---' if i < 2 else '---:' for i in range(len(names)))}|",
        *(f"| {' | '.join(v.replace('|', '¦') for v in row.values())} |" for row in rows),
    ]
