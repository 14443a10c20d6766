"""Agents side by side: what each gets right, what it looks up, and what that costs.

One row per agent, task and kind of world, means over the questions:

    quality   f1, em; recall of the gold documents among all that were found
    cost      searches, model calls, tokens in and out, seconds of waiting
    sources   share of answers whose source was named right (runs made with ``--sources``)

The true source of an answer is known by construction, from what two sources could have given:

    memory      the closed-book answer to the same question, in the same world, is right
    documents   the agent had every gold document in front of it

An agent's right answer comes from the one that holds, or from both; where neither holds, any answer
comes from nowhere. A wrong answer although a source had the fact has no true source and isn't
counted. Nothing of it looks at what the account of sources looked at.

Seconds are as the agent saw them: agents that run at the same time share the machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.nouns import Source
from scrubjay.core.trace import Read
from scrubjay.evaluation.gap import CLOSED_BOOK, Row
from scrubjay.evaluation.pairing import REAL
from scrubjay.evaluation.runs import Record
from scrubjay.evaluation.statistics import bootstrap_mean


@dataclass(frozen=True, slots=True)
class CompareRow(Row):
    """What one agent did on one task in the real world, or in the twins together."""

    setting: str
    task: str
    world: str
    """'real' or 'twin'."""
    f1: float
    low: float | None
    high: float | None
    recall: float | None
    """Of the gold documents, among all found; ``None`` for an agent that searched nothing."""
    searches: float
    calls: float
    tokens: float
    seconds: float
    n: int
    sources: float | None = None
    """Share of sources named right; ``None`` where none was named or the truth is not known."""
    sourced: int = 0
    """Answers behind ``sources``."""


def compare_table(records: Iterable[Record], *, seed: int = 0) -> list[CompareRow]:
    """One row per setting, task and kind of world, of tasks that are scored by F1."""
    records = list(records)
    known = _known_closed_book(records)
    cells: defaultdict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for r in records:
        if "f1" in r.scores:
            cells[r.task, r.setting, REAL if r.world == REAL else "twin"].append(r)
    rows = []
    for (task, setting, world), answers in sorted(cells.items()):
        # In order of item, so that the table doesn't depend on when the answers came.
        answers.sort(key=lambda r: (r.question, r.world))
        f1 = bootstrap_mean(
            np.array([r.scores["f1"] for r in answers]), seed=seed, bounds=(0.0, 1.0)
        )
        found = [r.scores["recall"] for r in answers if "recall" in r.scores]
        spent = [r.spent for r in answers]
        named = [
            r.source == truth for r in answers if r.source and (truth := true_source(r, known))
        ]
        rows.append(
            CompareRow(
                setting,
                task,
                world,
                f1.value,
                f1.low,
                f1.high,
                float(np.mean(found)) if found else None,
                float(np.mean([s.searches for s in spent])),
                float(np.mean([s.calls for s in spent])),
                float(np.mean([s.tokens for s in spent])),
                float(np.mean([s.seconds for s in spent])),
                len(answers),
                float(np.mean(named)) if named else None,
                len(named),
            )
        )
    return rows


def true_source(record: Record, known: Mapping[tuple[str, str], bool]) -> str:
    """Where the answer came from by construction; empty where that isn't known.

    Args:
        known: by (question, world), whether the closed-book answer is right.
    """
    memory = known.get((record.question, record.world))
    if memory is None:
        return ""
    documents = had_gold(record)
    if not memory and not documents:
        return str(Source.NOWHERE)
    if record.scores.get("em") != 1.0:
        return ""
    if memory and documents:
        return str(Source.BOTH)
    return str(Source.MEMORY if memory else Source.DOCUMENTS)


def had_gold(record: Record) -> bool:
    """Whether every gold document was found; an agent that only opens documents is given them."""
    if "recall" in record.scores:
        return record.scores["recall"] == 1.0
    return any(isinstance(s, Read) and s.passages for s in record.trace)


def _known_closed_book(records: Sequence[Record]) -> dict[tuple[str, str], bool]:
    return {
        (r.question, r.world): r.scores["em"] == 1.0
        for r in records
        if r.setting == CLOSED_BOOK and "em" in r.scores
    }


def compare_figure(rows: Sequence[CompareRow]) -> Mapping[str, Any]:
    """Quality against cost, as a Vega-Lite specification: one panel per task, a point per agent
    and kind of world, the two worlds of an agent joined by a line."""
    values = [
        {**row.as_dict(), "tokens": max(1.0, row.tokens)}  # the axis is logarithmic
        for row in rows
    ]
    x = {"field": "tokens", "type": "quantitative", "scale": {"type": "log"}}
    y = {"field": "f1", "type": "quantitative", "title": "F1", "scale": {"domain": [0, 1]}}
    colour = {
        "field": "world",
        "type": "nominal",
        "scale": {"domain": ["real", "twin"], "range": ["#1f6feb", "#d9730d"]},
    }
    base = {"x": {**x, "title": "tokens per question"}, "y": y}
    layers: list[Mapping[str, Any]] = [
        {
            "mark": {"type": "line", "color": "#bbbbbb"},
            "encoding": {**base, "detail": {"field": "setting"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60},
            "encoding": {**base, "color": colour},
        },
        {
            "transform": [{"filter": "datum.world == 'real'"}],
            "mark": {"type": "text", "align": "left", "dx": 6, "dy": -6, "fontSize": 10},
            "encoding": {**base, "text": {"field": "setting"}},
        },
    ]
    return {
        "data": {"values": values},
        "facet": {"field": "task", "type": "nominal", "title": None},
        "columns": 1,
        "spec": {"width": 520, "height": 300, "layer": layers},
    }


def draw(figure: Mapping[str, Any], path: Path) -> None:
    """Write a Vega-Lite figure as a picture, by the ending of ``path``: .svg or .png.

    Raises:
        InputError: another ending.
        DiskError: the file can't be written.
    """
    import vl_convert

    if path.suffix == ".svg":
        write_atomic(path, vl_convert.vegalite_to_svg(dump_json(figure)))
    elif path.suffix == ".png":
        write_atomic(path, vl_convert.vegalite_to_png(dump_json(figure), scale=2))
    else:
        raise InputError(f"a figure ends in .svg or .png, not in '{path.suffix}'")
