"""Multi-hop source cases: what is missing can't be read, what is there can, by the graph itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from scrubjay.core import Source
from scrubjay.evaluation.sources import CASES, SourceCase, source_cases
from scrubjay.evaluation.sources_chains import MOST, chain_cases, edges, tells
from scrubjay.evaluation.sources_known import rivals
from scrubjay.worlds import load_world
from scrubjay.worlds.tasks import render, sample


@pytest.fixture(scope="module")
def worlds() -> dict[str, Any]:
    real = load_world("random:120", seed=5)
    twin = real.twin(1)
    return {real.name: real, twin.name: twin, "real": real, "twin": twin}


@pytest.fixture(scope="module")
def items(worlds: Any) -> list[Any]:
    return sample("multihop", worlds["real"].universe, worlds["real"].marked, 60, 0)


@pytest.fixture(scope="module")
def cases(worlds: Any, items: Any) -> list[SourceCase]:
    return chain_cases(worlds["real"], worlds["twin"], items, 12)


def test_an_edge_is_bound_and_is_a_fact(worlds: Any, items: Any) -> None:
    real = worlds["real"]
    for item in items:
        question = render(item, real.names)
        found = edges(real, question)
        assert tuple(e.subject for e in found) == question.gold or set(question.gold) == {
            e.subject for e in found
        }
        for e in found:
            assert e.object in real.universe.objects(e.subject, e.relation)
        assert any(
            v in question.answers
            for e in found
            for end in (e.subject, e.object)
            for v in [real.names.value(end)]
        )


def test_every_case_is_built_of_whole_pages_in_the_right_world(cases: Any, worlds: Any) -> None:
    assert set(Counter(c.case for c in cases)) == set(CASES)
    for case in cases:
        home = worlds["twin" if case.case in ("documents", "neither") else "real"]
        assert case.world == home.name
        assert 2 <= len(case.passages) <= MOST
        assert len({p.id for p in case.passages}) == len(case.passages)
        for page in case.passages:
            if case.case != "conflict" or page.id not in case.gold:
                assert page.text == home.pages[page.id].text


def test_whole_chains_are_told_and_broken_ones_are_not(cases: Any, worlds: Any) -> None:
    for case in cases:
        world, there = worlds[case.world], {p.id for p in case.passages}
        chain = edges(world, case.question)
        told = [any(tells(world, p, e) for p in case.passages) for e in chain]
        if case.case in ("documents", "both"):
            assert all(told)
            assert set(case.gold) == {e.subject for e in chain} <= there
        elif case.case in ("memory", "neither"):
            assert not all(told)
            assert case.gold == ()


def test_some_broken_chains_keep_a_part(cases: Any, worlds: Any) -> None:
    kept = [any(p.id in c.question.gold for p in c.passages) for c in cases if c.case == "neither"]
    assert any(kept)


def test_a_conflict_says_another_object_and_nowhere_the_right_one(cases: Any, worlds: Any) -> None:
    for case in (c for c in cases if c.case == "conflict"):
        world = worlds[case.world]
        gold = [p for p in case.passages if p.id in case.gold]
        assert any(t in p.text for p in gold for t in case.told)
        assert not any(a in p.text for p in gold for a in case.question.answers)
        last = [e for e in edges(world, case.question) if world.names.value(e.object) in
                case.question.answers]  # fmt: skip
        assert not any(tells(world, p, e) for p in case.passages for e in last)
        assert case.source(case.told[0]) is Source.DOCUMENTS
        assert case.source(case.question.answers[0]) is Source.MEMORY


def test_unknown_items_are_asked_of_in_the_real_world(worlds: Any, items: Any) -> None:
    real = worlds["real"]
    made = chain_cases(real, real, (), 4, unknown=items, cases=("documents", "neither"))
    assert {c.world for c in made} == {real.name}
    assert len(made) == 8


def test_the_same_seed_makes_the_same_cases(worlds: Any, items: Any, cases: Any) -> None:
    assert chain_cases(worlds["real"], worlds["twin"], items, 12) == cases
    other = chain_cases(worlds["real"], worlds["twin"], items, 12, seed=1)
    assert other != cases


def test_rivals_hold_no_answer_and_fit_the_relation(worlds: Any, items: Any) -> None:
    real = worlds["real"]
    for item in items:
        question = render(item, real.names)
        right = real.universe.query(question.query)
        assert not right & set(rivals(real, question, 0, "x"))


def test_an_ambiguous_pattern_is_refused(worlds: Any, items: Any) -> None:
    real = worlds["real"]
    question = render(items[0], real.names)
    with pytest.raises(ValueError, match="values"):
        edges(real, replace(question, query=(("?a", question.query[0][1], "?answer"),)))


def test_a_case_that_does_not_exist_is_refused(worlds: Any, items: Any) -> None:
    with pytest.raises(ValueError, match="no such case: guess; there are memory"):
        chain_cases(worlds["real"], worlds["twin"], items, 1, cases=("guess",))
    with pytest.raises(ValueError, match="no such case"):
        source_cases(worlds["real"], worlds["twin"], (), 1, cases=("guess",))
