"""Agents side by side: what each gets right, what it looks up, and what that costs.

One row per agent, task and kind of world, means over the questions:

    quality   f1, em; recall of the gold documents among all that were found
    cost      searches, model calls, tokens in and out, seconds of waiting
    sources   share of answers whose source was named right (runs made with ``--sources``), and of
              those that always naming the most frequent true source would get right

The true source of an answer is known by construction, from what two sources could have given:

    memory      the closed-book answer to the same question, in the same world, is right
    documents   the agent had every gold document in front of it

An agent's right answer comes from the one that holds, or from both; where neither holds, any answer
comes from nowhere. A wrong answer although a source had the fact has no true source and isn't
counted. Nothing of it looks at what the account of sources looked at.

Seconds are as the agent saw them: agents that run at the same time share the machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
    majority: float | None = None
    """Share of the most frequent true source among them."""


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
        named = [(r.source, t) for r in answers if r.source and (t := true_source(r, known))]
        truths = Counter(truth for _, truth in named)
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
                float(np.mean([s == t for s, t in named])) if named else None,
                len(named),
                max(truths.values()) / len(named) if named else None,
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
    """Quality beside cost, as a Vega-Lite specification: a line per agent, the cheapest first; F1
    in both worlds with its interval on the left, tokens per question on the right."""
    return {"vconcat": [_panels([r for r in rows if r.task == task], task)
                        for task in dict.fromkeys(r.task for r in rows)]}  # fmt: skip


def _panels(rows: Sequence[CompareRow], task: str) -> Mapping[str, Any]:
    spent: dict[str, list[float]] = {}
    for row in rows:
        spent.setdefault(row.setting, []).append(row.tokens)
    order = sorted(spent, key=lambda name: (sum(spent[name]) / len(spent[name]), name))
    agent = {"field": "setting", "type": "nominal", "sort": order, "title": None}
    colour = {
        "field": "world",
        "type": "nominal",
        "scale": {"domain": ["real", "twin"], "range": ["#1f6feb", "#d9730d"]},
    }
    worlds = {"y": agent, "yOffset": {"field": "world"}, "color": colour}
    f1 = {"type": "quantitative", "title": "F1", "scale": {"domain": [0, 1]}}
    tokens = {"type": "quantitative", "title": "tokens per question"}
    bare = {**agent, "axis": {"labels": False, "ticks": False}}
    quality = {
        "title": task,
        "width": 330,
        "height": {"step": 9},
        "layer": [
            {
                "mark": {"type": "rule", "opacity": 0.6},
                "encoding": {
                    **worlds, "x": {"field": "low", **f1}, "x2": {"field": "high"}
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
                "encoding": {**worlds, "x": {"field": "f1", **f1}},
            },
        ],
    }  # fmt: skip
    cost = {
        "width": 200,
        "height": {"step": 9},
        "mark": "bar",
        "encoding": {
            "y": bare, "yOffset": {"field": "world"}, "color": colour,
            "x": {"field": "tokens", **tokens},
        },
    }  # fmt: skip
    return {"data": {"values": [row.as_dict() for row in rows]}, "hconcat": [quality, cost]}
