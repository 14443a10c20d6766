"""Study 09 at smoke scale, and the pieces its verdict rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scrubjay.core.randomness import stream
from scrubjay.studies import get_study
from scrubjay.studies.multilingual_rag import CLAIMS, closed_share, judge, threshold
from scrubjay.studies.multilingual_rag_stage import MODES, QUERIES, SIZES, Job, mistyped

SIZE = SIZES["smoke"]


def planted(direct: float, translated: float, words: float, right: float) -> list[dict[str, Any]]:
    """Forty questions in two languages; shares of gold pages found, and of right German answers."""

    def ranks(share: float) -> list[int]:
        return [0 if i < 40 * share else 5 for i in range(40)]

    share = dict.fromkeys(QUERIES, 0.2) | {"direct": direct, "translated": translated}
    rows = [
        {"index": m, "language": "de", "query": how, "typos": 0.0, "ranks": ranks(share[how])}
        for m in MODES
        for how in QUERIES
    ]
    rows += [
        {"index": m, "language": "en", "query": q, "typos": t, "ranks": ranks(found)}
        for m in MODES
        for q, t, found in (
            ("direct", 0.0, 0.9),
            ("typos", 0.0, 0.9),
            ("typos", 0.6, words if m == "text" else 0.8),
        )
    ]
    answers = [
        {
            "pipeline": "translated",
            "language": language,
            "position": i,
            "right": float(i < 40 * (right if language == "de" else 0.6)),
            "right in any language": 1.0,
            "backed": float(i % 4 != 3),
            "evidence": 0.4 if i % 4 == 3 else 0.8,
            "guard": 1.0,
        }
        for language in ("de", "en")
        for i in range(40)
    ]
    return [{"ranks": rows, "answers": answers, "detected": [1.0, 1.0]}]


def test_all_claims_can_hold_and_each_can_fail() -> None:
    good = judge(planted(0.3, 0.85, 0.3, 0.55), ["twin 0"], SIZE)
    assert [c.holds for c in good.claims] == [True] * 4
    assert good.numbers["share of the gap closed"].value == pytest.approx(0.55 / 0.6)
    bad = judge(planted(0.3, 0.4, 0.85, 0.3), ["twin 0"], SIZE)
    assert [c.holds for c in bad.claims] == [False, False, True, False]
    leaky = planted(0.3, 0.85, 0.3, 0.55)
    for row in leaky[0]["answers"]:
        row["evidence"] = 0.8
    assert not judge(leaky, ["twin 0"], SIZE).claims[2].holds


def test_without_a_gap_nothing_is_closed() -> None:
    closed, gap = closed_share(planted(0.9, 0.9, 0.5, 0.5))
    assert (closed.value, gap.value) == (0, 0)


def test_a_threshold_is_the_lowest_that_keeps_the_promise() -> None:
    rows = [{"evidence": e, "backed": b, "guard": 1.0} for e, b in ((0.1, 0), (0.5, 1), (0.9, 1))]
    assert threshold(rows, guard=False) == 0.5
    assert threshold([{"evidence": 1.0, "backed": 0, "guard": 1.0}], guard=False) == 2.0
    rows.append({"evidence": 0.9, "backed": 0, "guard": 0.0})
    assert threshold(rows, guard=True) == 0.5
    assert threshold(rows, guard=False) == 2.0


def test_typing_errors_swap_neighbours_and_nothing_else() -> None:
    told = mistyped("capital of Brandador?", 1.0, stream(0, "t"))
    assert told != "capital of Brandador?"
    assert sorted(told) == sorted("capital of Brandador?")
    assert told.split()[1] == "of"
    assert mistyped(told, 0.0, stream(0, "t")) == told


def test_pages_of_unanswerable_questions_are_gone_and_only_those() -> None:
    job = Job(SIZE, 0)
    there = {p.id for p in job.pages}
    assert not there & job.gone
    assert {q.gold[0] for q in job.answerable("de")} <= there
    assert len(job.answerable("de")) >= SIZE.asked // 2


def test_smoke(tmp_path: Path) -> None:
    study = get_study("multilingual-rag")
    found = study.measure("smoke", out=tmp_path, seed=0, progress=lambda *a: None)
    assert tuple(c.text for c in found.claims) == CLAIMS
    assert found.numbers["language told right"].value == 1
    rows = {r["query"]: r for r in found.tables["Queries"] if r["index"] == "text"}
    assert all(rows["oracle"][x] == rows["oracle"]["en"] for x in ("de", "fr"))
    again = study.measure("smoke", out=tmp_path, seed=0, progress=lambda *a: None)
    assert again.numbers == found.numbers
