"""How often is the named source the true one? On cases nobody trained on, beside the baseline.

    practice  real world, half of the subjects;        twins 101, 102; random universes
    test      real world, the other half;              twins 0, 1, 2

A question's first page is on one side only, in every world; single facts and multi-hop questions
are counted apart. Accuracy is over answers whose true source their case
tells (``SourceCase.source``); ``by case`` counts every answer, with the source its case intends.
The baseline names the source that is most frequent in the test itself. *Declined* means that
'nowhere' is named, which is what ``scrubjay ask`` answers nothing for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.agents.provenance_classifier import SourceModel
from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.nouns import Question, Source
from scrubjay.core.randomness import derive
from scrubjay.evaluation.sources import CASES
from scrubjay.evaluation.sources_rows import SourceRow
from scrubjay.evaluation.statistics import Interval, bootstrap_mean, calibration_error
from scrubjay.worlds.items import Item

PRACTICE_TWINS, TEST_TWINS = (101, 102), (0, 1, 2)
TASKS = {"recall": "", "multihop": "multi-hop: "}
"""Kinds of questions, and what their numbers are called by."""
ENOUGH = 0.8
"""Share of right labels that the claim asks for."""


def in_test(question: Question | Item) -> bool:
    """Whether the question's first page belongs to the test: half of them do, in every world."""
    return derive(0, "sources", question.gold[0]) % 2 == 1


def predicted(row: SourceRow, weights: SourceModel) -> tuple[str, float, float]:
    """Named source, how sure the weights are of it, and how sure that the answer is right."""
    if not row.head:
        return str(Source.NOWHERE), 1.0, 0.0
    head = weights.heads[row.head]
    sources = head.source(row.signals)
    best = max(sources, key=sources.__getitem__)
    return best, sources[best], head.right(row.signals)["right"]


def measure_sources(
    rows: Sequence[SourceRow],
    weights: SourceModel,
    *,
    name: str = "sources",
    settings: Mapping[str, Any] | None = None,
    seconds: float = 0.0,
    seed: int = 0,
) -> Finding:
    """The numbers that the account of sources is judged by.

    Raises:
        ValueError: no row has a true source.
    """
    said = {row.key: predicted(row, weights) for row in rows}
    numbers: dict[str, Number] = {}
    claims: list[Claim] = []
    tables: dict[str, list[dict[str, Any]]] = {}
    for task, what in TASKS.items():
        mine = [row for row in rows if row.task == task]
        told = [row for row in mine if row.truth]
        if told:
            found = _numbers(mine, told, said, seed)
            numbers |= {f"{what}{name}": number for name, number in found.items()}
            claims += _claims(what, found)
            tables[f"{what}confusion"] = _confusion(told, said)
            tables[f"{what}cases"] = _cases(mine, said)
    if not claims:
        raise ValueError("no answer has a true source")
    return Finding(name, numbers, tuple(claims), tables, None, dict(settings or {}), seconds)


def _numbers(
    rows: Sequence[SourceRow],
    told: Sequence[SourceRow],
    said: Mapping[str, tuple[str, float, float]],
    seed: int,
) -> dict[str, Number]:
    hit = [said[r.key][0] == r.truth for r in told]
    truths = Counter(r.truth for r in told)
    over_cases = {
        c: _mean([said[r.key][0] == r.truth for r in told if r.case == c], seed)
        for c in CASES
        if any(r.case == c for r in told)
    }
    return {
        "accuracy": _number(_mean(hit, seed)),
        "accuracy, cases weighed alike": Number(
            float(np.mean([a.value for a in over_cases.values()])), n=len(told)
        ),
        "majority baseline": Number(truths.most_common(1)[0][1] / len(told), n=len(told)),
        "accuracy by case, every answer": _number(
            _mean([said[r.key][0] in _intended(r) for r in rows], seed)
        ),
        "calibration error of the source": Number(
            calibration_error([said[r.key][1] for r in told], hit), n=len(told)
        ),
        "calibration error of the confidence": Number(
            calibration_error([said[r.key][2] for r in rows], [r.right for r in rows]), n=len(rows)
        ),
        **{f"accuracy: {c}": _number(a) for c, a in over_cases.items()},
        **_declined(rows, said, seed),
        **_citations(told, said, seed),
    }


def _claims(what: str, numbers: Mapping[str, Number]) -> list[Claim]:
    accuracy, majority = numbers["accuracy"], numbers["majority baseline"].value
    low = accuracy.low if accuracy.low is not None else 0.0
    high = accuracy.high if accuracy.high is not None else 1.0
    return [
        Claim(
            f"{what}at least {ENOUGH:.0%} of the sources are named right",
            accuracy.value >= ENOUGH,
            f"{accuracy.value:.3f} ({low:.3f} to {high:.3f}), n = {accuracy.n}",
        ),
        Claim(
            f"{what}the named source beats the most frequent one",
            low > majority,
            f"lower end {low:.3f}, baseline {majority:.3f}",
        ),
    ]


def _declined(
    rows: Sequence[SourceRow], said: Mapping[str, tuple[str, float, float]], seed: int
) -> dict[str, Number]:
    def nowhere(wanted: Iterable[SourceRow]) -> list[bool]:
        return [said[r.key][0] == Source.NOWHERE for r in wanted]

    answerable = [r for r in rows if r.case in ("memory", "documents", "both")]
    kept = [r for r in rows if said[r.key][0] != Source.NOWHERE]
    named = {
        "unanswerable, declined": nowhere(r for r in rows if r.case == "neither"),
        "answerable, declined": nowhere(answerable),
        "answerable and answered right, declined": nowhere(r for r in answerable if r.right),
        "answerable but answered wrong, declined": nowhere(r for r in answerable if not r.right),
        "answered right, of all": [r.right for r in rows],
        "answered right, of those not declined": [r.right for r in kept],
    }
    return {what: _number(_mean(v, seed)) for what, v in named.items() if v}


def _citations(
    told: Sequence[SourceRow], said: Mapping[str, tuple[str, float, float]], seed: int
) -> dict[str, Number]:
    """Of answers that come from documents and are said to: is the passage that says it cited?"""
    mine = [
        r
        for r in told
        if r.gold and r.truth in ("documents", "both") and said[r.key][0] in ("documents", "both")
    ]
    if not mine:
        return {}
    return {
        "citations: share of the gold passages cited": _number(
            _mean([len(set(r.gold) & set(r.cited)) / len(r.gold) for r in mine], seed)
        ),
        "citations: share that is gold": _number(
            _mean([len(set(r.gold) & set(r.cited)) / max(1, len(r.cited)) for r in mine], seed)
        ),
    }


def _intended(row: SourceRow) -> tuple[str, ...]:
    """What the case is built for, whatever was answered; a conflict allows both its sides."""
    if row.case == "conflict":
        return (row.truth,) if row.truth else ("memory", "documents")
    return ("nowhere",) if row.case == "neither" else (row.case,)


def _confusion(
    told: Sequence[SourceRow], said: Mapping[str, tuple[str, float, float]]
) -> list[dict[str, Any]]:
    counts = Counter((r.truth, said[r.key][0]) for r in told)
    return [
        {"true source": str(t)} | {f"named {s}": counts[str(t), str(s)] for s in Source}
        for t in Source
    ]


def _cases(
    rows: Sequence[SourceRow], said: Mapping[str, tuple[str, float, float]]
) -> list[dict[str, Any]]:
    out = []
    for case in CASES:
        mine = [r for r in rows if r.case == case]
        told = [r for r in mine if r.truth]
        named = Counter(said[r.key][0] for r in told)
        out.append(
            {
                "case": case,
                "answers": len(mine),
                "with a true source": len(told),
                "named right": sum(said[r.key][0] == r.truth for r in told),
            }
            | {f"named {s}": named[str(s)] for s in Source}
        )
    return out


def _mean(values: Sequence[float], seed: int) -> Interval:
    return bootstrap_mean([float(v) for v in values], seed=seed, bounds=(0.0, 1.0))


def _number(interval: Interval) -> Number:
    return Number(interval.value, interval.low, interval.high, interval.n)
