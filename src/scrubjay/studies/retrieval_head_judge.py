"""Paper 18: from head scores and answers without heads to claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.evaluation.statistics import Interval, bootstrap_mean
from scrubjay.probing.heads import Head, HeadScores
from scrubjay.probing.retrieval_tables import compared, numbers, pooled, scored

MOST, FALL, ALIKE, INTACT = 0.1, 0.4, 0.5, 0.8
CLAIMS = (
    f"at most {MOST:.0%} of the heads have a retrieval score of 0.1 or more",
    f"without the best 5 % recall is at least {FALL:.0%} below that without as many random heads "
    f"of the same layers (given that the intact model recalls {INTACT:.0%})",
    "answers from memory lose less than needles do",
    f"detection sets with different needles rank the heads alike (Spearman's ρ ≥ {ALIKE})",
)
Answers = Mapping[str, Sequence[float]]
Chosen = Mapping[str, Sequence[Head]]


def judge(
    detected: Sequence[HeadScores],
    together: HeadScores,
    needles: Answers,
    memory: Answers,
    chosen: Chosen,
    *,
    share: int,
) -> Finding:
    """
    Args:
        detected: scores of each detection set; ``together``: of all.
        needles, memory: condition → right or not of each item.
        chosen: condition → the heads that were taken out.
        share: the number of heads that the claims are about.
    """
    found = pooled({name: np.array(v) for name, v in needles.items()})
    kept = pooled({name: np.array(v) for name, v in memory.items()})
    shares = numbers(together, 0.1)
    intact = bootstrap_mean(found["intact"], bounds=(0, 1))
    best = found[f"retrieval {share}"]
    below = bootstrap_mean(found[f"same layers {share}"] - best, bounds=(-1, 1))
    lost = bootstrap_mean(found["intact"] - best, bounds=(-1, 1))
    forgot = bootstrap_mean(1 - kept[f"retrieval {share}"], bounds=(0, 1)) if _any(kept) else None
    alike = [
        float(spearmanr(a.mean.ravel(), b.mean.ravel())[0]) for a, b in combinations(detected, 2)
    ]
    few = shares["retrieval heads"]
    claims = (
        Claim(CLAIMS[0], 0 < few.value <= MOST, f"{few.value:.1%} of {together.mean.size} heads"),
        Claim(
            CLAIMS[1],
            intact.value >= INTACT and below.value >= FALL,
            f"intact {intact.value:.2f}; random minus best {share}: {below.signed}",
        ),
        Claim(
            CLAIMS[2],
            forgot is not None and _below(forgot, lost),
            f"needles lose {lost.signed}, "
            + ("memory wasn't asked" if forgot is None else f"memory {forgot.signed}"),
        ),
        Claim(CLAIMS[3], min(alike) >= ALIKE, "ρ " + ", ".join(f"{r:.2f}" for r in alike)),
    )
    told = {
        **shares,
        "recall, intact": intact.number,
        f"recall lost without {share} retrieval heads": lost.number,
        f"same layers minus retrieval, {share} heads": below.number,
        "rank correlation of detection sets": Number(
            float(np.mean(alike)), min(alike), max(alike), len(alike)
        ),
        **_overlaps(chosen, share),
    }
    if forgot is not None:
        told[f"memory lost without {share} retrieval heads"] = forgot.number
        other = bootstrap_mean(1 - kept[f"same layers {share}"], bounds=(-1, 1))
        told[f"memory lost without {share} others of the same layers"] = other.number
    rows = compared(
        {name: np.array(v) for name, v in needles.items()},
        {name: np.array(v) for name, v in memory.items()},
    )
    tables = {
        "Heads": scored(together, together.top(min(20, together.mean.size))),
        "Without heads": rows,
    }
    return Finding("retrieval-head", told, claims, tables, _figure(rows))


def _below(a: Interval, b: Interval) -> bool:
    """The whole of one interval lies below the other."""
    return a.high is not None and b.low is not None and a.high < b.low


def _any(kept: Mapping[str, Any]) -> bool:
    return bool(kept) and all(len(v) for v in kept.values())


def _overlaps(chosen: Chosen, share: int) -> dict[str, Number]:
    """Jaccard's index of the retrieval heads taken out and those of the rival rankings."""
    best = {*chosen[f"retrieval {share}"]}
    return {
        f"overlap with {other} heads": Number(len(best & rest) / len(best | rest))
        for other in ("attention", "induction")
        if (rest := {*chosen.get(f"{other} {share}", ())})
    }


def _figure(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Recall and memory against the number of heads taken out."""
    values = [
        {"heads": r["heads"], "without": r["without"], "what": what, "share": r[key]}
        for r in rows
        for what, key in (("needles", "needle recall"), ("memory", "memory"))
        if r["heads"] and key in r
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "facet": {"column": {"field": "what", "type": "nominal", "title": None}},
        "spec": {
            "mark": {"type": "line", "point": True},
            "encoding": {
                "x": {"field": "heads", "type": "quantitative", "title": "heads taken out"},
                "y": {"field": "share", "type": "quantitative", "axis": {"format": "%"}},
                "color": {"field": "without", "type": "nominal"},
            },
        },
    }
