"""Source cases are what they say by construction; the measurement counts by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from scrubjay.agents.provenance_classifier import hand_set
from scrubjay.agents.provenance_signals import NAMES
from scrubjay.core import RunMismatch, Source
from scrubjay.evaluation.sources import CASES, SourceCase, in_world, source_cases
from scrubjay.evaluation.sources_known import known_questions, rephrased
from scrubjay.evaluation.sources_measure import in_test, measure_sources
from scrubjay.evaluation.sources_rows import SourceRow, source_rows
from scrubjay.models.types import Choice, Completion, Scored
from scrubjay.worlds import load_world


@pytest.fixture(scope="module")
def worlds() -> Any:
    real = load_world("random:120", seed=5)
    return real, real.twin(1)


@pytest.fixture(scope="module")
def cases(worlds: Any) -> list[SourceCase]:
    real, twin = worlds
    return source_cases(real, twin, real.questions("recall", 150), 12)


def says(case: SourceCase, answers: Any) -> bool:
    """Whether a passage about the subject holds one of the answers."""
    subject = case.question.query[0][0]
    return any(p.id == subject and any(a in p.text for a in answers) for p in case.passages)


def test_every_case_is_built_and_the_passages_say_what_they_should(cases: Any) -> None:
    assert {c.case for c in cases} == set(CASES)
    for case in cases:
        assert len(case.passages) >= 2
        assert says(case, case.question.answers) == (case.case in ("documents", "both"))
        assert says(case, case.told) == (case.case == "conflict")
        assert not set(case.told) & set(case.question.answers)
        if case.case in ("memory", "neither"):
            assert case.gold == ()
            subject = case.question.query[0][0]
            assert subject not in {p.id for p in case.passages}


def test_memory_is_asked_of_in_the_real_world_and_documents_in_the_twin(
    cases: Any, worlds: Any
) -> None:
    real, twin = worlds
    for case in cases:
        home = twin if case.case in ("documents", "neither") else real
        assert case.world == home.name
        by_id = {q.id: q for q in home.questions("recall", 150)}
        assert case.question == by_id[case.question.id]  # told again exactly as the world does


def test_the_source_follows_the_answer(cases: Any) -> None:
    for case in cases:
        right = case.source(case.question.answers[0])
        wrong = case.source("something else")
        if case.case == "neither":
            assert right is wrong is Source.NOWHERE
        elif case.case == "conflict":
            assert (right, wrong) == (Source.MEMORY, None)
            assert case.source(case.told[0]) is Source.DOCUMENTS
        else:
            assert (right, wrong) == (Source(case.case), None)


def test_a_focused_reader_sees_sentences_of_the_same_passages(cases: Any) -> None:
    case = replace(next(c for c in cases if c.case == "documents"), focused=True)
    whole, shown = case.passages, case.shown(case.passages)
    assert sum(len(p.text) for p in shown) < sum(len(p.text) for p in whole)
    assert {p.id for p in shown} <= {p.id for p in whole}
    assert set(case.gold) <= {p.id for p in shown}
    assert replace(case, focused=False).shown(whole) == whole


def test_a_subject_is_on_one_side_in_every_world(worlds: Any) -> None:
    real, twin = worlds
    asked = real.questions("recall", 150)
    sides = [in_test(q) for q in asked]
    assert sides == [in_test(in_world(q, twin)) for q in asked]
    assert 0.3 < sum(sides) / len(sides) < 0.7


class Table:
    """Says ``right`` to the questions it knows, and believes nothing else."""

    name = "table"

    def __init__(self, known: dict[str, str]) -> None:
        self.known, self.calls = known, 0

    async def generate(self, prompt: str, **_: Any) -> Completion:
        self.calls += 1
        last = prompt.rpartition("Question: ")[2].partition("\n")[0]
        return Completion(self.known.get(last, "no idea"), logprobs=(-1.0,))

    async def choose(self, prompt: str, options: Any) -> Choice:
        return Choice(0, options[0], (1.0,))

    async def score(self, prompt: str, texts: Any) -> list[Scored]:
        return [Scored(t, (-1.0,)) for t in texts]

    def count_tokens(self, text: str) -> int:
        return 1

    def settle(self) -> None: ...


def test_known_needs_both_phrasings(worlds: Any) -> None:
    real, _ = worlds
    a, b, c = real.questions("recall", 3)
    table = {q.text: q.answers[0] for q in (a, b)} | {rephrased(real, a): a.answers[0]}
    found = asyncio.run(known_questions(real, [a, b, c], Table(table)))  # type: ignore[arg-type]
    assert (found.known, found.unknown) == ((a,), (c,))


def test_rows_are_kept_and_not_asked_again(cases: Any, tmp_path: Any) -> None:
    model, file = Table({}), tmp_path / "rows.jsonl"
    first = asyncio.run(source_rows(cases[:5], model, file))  # type: ignore[arg-type]
    asked = model.calls
    again = asyncio.run(source_rows(cases[:5], model, file))  # type: ignore[arg-type]
    assert again == first
    assert model.calls == asked
    other = Table({})
    other.name = "other"
    with pytest.raises(RunMismatch, match="other"):
        asyncio.run(source_rows(cases[:5], other, file))  # type: ignore[arg-type]


def row(case: str, truth: str, same: float, backed: float, right: bool = True) -> SourceRow:
    signals = [0.0] * len(NAMES)
    signals[NAMES.index("same")], signals[NAMES.index("backed")] = same, backed
    gold = ("g",) if case in ("documents", "both") else ()
    key = f"{case}{truth}{same}{backed}{right}"
    return SourceRow(
        key, case, "w", "q", "r", "a", truth, right, "likelihood/read", tuple(signals), ("g",),
        gold, "m",
    )  # fmt: skip


def test_the_numbers_by_hand() -> None:
    rows = [
        row("memory", "memory", 1, 0),
        row("memory", "", 0, 0, right=False),
        row("documents", "documents", 0, 1),
        row("documents", "documents", 0, 0),  # named nowhere
        row("both", "both", 1, 1),
        row("conflict", "documents", 0, 1, right=False),
        row("neither", "nowhere", 0, 0, right=False),
        row("neither", "nowhere", 0, 1, right=False),  # named documents
    ]
    rows = [replace(r, key=str(i)) for i, r in enumerate(rows)]
    finding = measure_sources(rows, hand_set())
    n = {k: v.value for k, v in finding.numbers.items()}
    assert n["accuracy"] == pytest.approx(5 / 7)
    assert n["majority baseline"] == pytest.approx(3 / 7)
    assert n["accuracy, cases weighed alike"] == pytest.approx((1 + 0.5 + 1 + 1 + 0.5) / 5)
    assert n["accuracy by case, every answer"] == pytest.approx(5 / 8)
    assert n["unanswerable, declined"] == 0.5
    assert n["answerable and answered right, declined"] == pytest.approx(1 / 4)
    assert n["answerable, declined"] == pytest.approx(2 / 5)
    assert n["citations: share of the gold passages cited"] == 1.0
    told = {r["true source"]: r for r in finding.tables["confusion"]}
    assert told["documents"]["named nowhere"] == 1
    assert [c.holds for c in finding.claims] == [False, False]
