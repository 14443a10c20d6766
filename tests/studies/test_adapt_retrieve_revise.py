"""Study 56 at smoke scale, and the pieces its verdict rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scrubjay.studies import get_study
from scrubjay.studies.adapt_retrieve_revise import CLAIMS, judge
from scrubjay.studies.adapt_retrieve_revise_measure import DRAFT, FULL, ITSELF, KEYS, QUERY, SECOND
from scrubjay.studies.adapt_retrieve_revise_stage import SIZES, Job, as_judgment
from scrubjay.worlds.statutes import cited

SIZE = SIZES["smoke"]


def planted(full: float, draft: float, ranks: dict[str, int]) -> list[dict[str, Any]]:
    """Forty cases; ``full`` and ``draft`` are shares of right articles, ranks of the gold one."""

    def row(share: float) -> list[dict[str, float]]:
        rights = [float(i < 40 * share) for i in range(40)]
        return [{"number": x, "code": x, "unsupported": 0.0, "tokens": 9} for x in rights]

    answers = {
        DRAFT: row(draft),
        QUERY: row(0.3),
        FULL: row(full),
        SECOND: row(full),
        ITSELF: row(draft),
        "draft, look up, copy best": row(0.5),
        "draft, look up, first hit": row(0.5),
        "draft hidden": row(0.5),
    }
    recall = [
        {
            "gap": SIZE.gap,
            "index": mode,
            "key": key,
            "ranks": at(ranks, key),
        }
        for mode in ("vector", "text")
        for key in KEYS
    ]
    return [{"recall": recall, "answers": answers}]


def at(ranks: dict[str, int], key: str) -> list[int]:
    """Half of the cases at the planted rank, a quarter first, a quarter not found."""
    return [ranks.get(key, 5)] * 20 + [0, 5] * 10


def test_all_claims_can_hold_and_each_can_fail() -> None:
    good = {"adapted draft": 0, "query": 5, "general draft": 5}
    assert [c.holds for c in judge(planted(0.9, 0.4, good), SIZE).claims] == [True] * 5
    worse = judge(planted(0.4, 0.5, good), SIZE).claims
    assert [c.holds for c in worse] == [True, True, False, True, True]
    late = {"adapted draft": 2, "query": 2, "general draft": 0}
    assert [c.holds for c in judge(planted(0.9, 0.4, late), SIZE).claims][:2] == [False, False]


def test_edits_are_counted_both_ways() -> None:
    found = judge(planted(0.9, 0.4, {}), SIZE)
    (row,) = [r for r in found.tables["Pipelines"] if r["pipeline"] == FULL]
    assert (row["put right"], row["broken"]) == (20, 0)
    (row,) = [r for r in found.tables["Pipelines"] if r["pipeline"] == QUERY]
    assert (row["put right"], row["broken"]) == (0, 4)


def test_a_drafter_is_asked_as_it_was_taught() -> None:
    world = Job(SIZE, 0).world
    question = world.questions(1, 0.5)[0]
    article = next(a for a in world.articles if a.id == question.gold[0])
    told = world.judgment(article, question.text)
    assert told.startswith(as_judgment(question))
    assert cited(told) == cited(question.answers[0])


def test_smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUBJAY_STUDY_MODEL", "nothing-is-asked")
    study = get_study("adapt-retrieve-revise")
    found = study.measure("smoke", out=tmp_path, seed=0, progress=lambda *a: None)
    assert tuple(c.text for c in found.claims) == CLAIMS
    keys = {r["key"]: r for r in found.tables["Keys"] if r["index"] == "text"}
    assert keys["clause"]["recall@3"] == 1
    again = study.measure("smoke", out=tmp_path, seed=0, progress=lambda *a: None)
    assert again.numbers == found.numbers
