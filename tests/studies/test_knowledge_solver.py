"""Study 53: its questions, its plumbing at smoke scale, and a verdict that can go either way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scrubjay.core.finding import Verdict
from scrubjay.studies import get_study
from scrubjay.studies.knowledge_solver import judge
from scrubjay.studies.knowledge_solver_measure import METHODS
from scrubjay.studies.knowledge_solver_stage import made, questions

WORLD = made("random:80", 3)
ASKED = questions(WORLD, 6, 3)


def test_questions_are_what_they_claim() -> None:
    graph = WORLD.knowledge
    assert [a.hops for a in ASKED] == [1] * 6 + [2] * 6 + [3] * 6
    for a in ASKED:
        assert WORLD.universe.query(a.question.query) == {a.right}
        assert a.chain[-1] == a.right
        assert len(set(a.candidates)) == 4
        assert {WORLD.universe.entities[c].type for c in a.candidates} == {a.question.answer_type}
        assert graph.link(a.question.text) == (a.chain[0],)
        reach = graph.distances(a.chain[0])
        assert not a.even or len({reach[c] for c in a.candidates}) == 1
    assert {c.candidates.index(c.right) for c in ASKED} == {0, 1, 2, 3}
    assert questions(WORLD, 6, 3) == ASKED


def test_a_twin_is_asked_the_same() -> None:
    twin = WORLD.twin(1)
    for ours, theirs in zip(ASKED, questions(twin, 6, 3)):
        assert (ours.candidates, ours.chain) == (theirs.candidates, theirs.chain)
        assert ours.question.answers != theirs.question.answers


def test_smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    found = get_study("knowledge-solver").run("smoke", tmp_path / "results")
    assert found.numbers["accuracy, oracle"].value == 1.0
    assert found.verdict is Verdict.NOT_REPRODUCED  # no model was asked
    again = get_study("knowledge-solver").run("smoke", tmp_path / "results")
    assert again.numbers == found.numbers


def rows(values: list[int]) -> list[dict[str, Any]]:
    return [
        {"right": v, "reached": 1, "own way": v, "hops": 1 + i % 3, "even": 1}
        | {"calls": 1, "tokens": 9}
        for i, v in enumerate(values)
    ]  # fmt: skip


def test_the_verdict_follows_the_rows() -> None:
    good, bad = [1] * 36 + [0] * 4, [1] * 10 + [0] * 30
    world = {m: rows(good if m in ("ksl", "oracle") else bad) for m in METHODS}
    names = {
        "atlas": {"ksl": rows(good), "closed book": rows(good)},
        "atlas twin": {"ksl": rows(good), "closed book": rows(bad)},
    }
    assert judge([world], names, {}).verdict is Verdict.REPRODUCED
    equal = {**names, "atlas": names["atlas twin"]}
    assert [c.holds for c in judge([world], equal, {}).claims] == [True, True, False, True]
    world["greedy"] = rows(good)
    assert [c.holds for c in judge([world], names, {}).claims] == [True, False, True, True]
    world = {m: rows(bad) for m in METHODS}
    assert judge([world], equal, {}).verdict is Verdict.NOT_REPRODUCED
