"""Budgeted search: who is asked, what it costs, and that the plan from practice is kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from tests.agents.scripted import Scripted, Shelf

from scrubjay.agents import BudgetedSearch, PaidSource, Session
from scrubjay.agents.budgeted_search import practise
from scrubjay.core import Noted, Passage, Question
from scrubjay.deciding.information import SearchPlan, plan_search
from scrubjay.retrieval import Index, build_index


def shelf(name: str, *texts: str) -> PaidSource:
    passages = [Passage(f"{name}{i}", text) for i, text in enumerate(texts)]
    return PaidSource(name, Shelf(passages), {"near": 1.0, "far": 3.0}[name])


SOURCES = (shelf("near", "Brin is in Chad."), shelf("far", "Brin is in Chad.", "Ost is in Peru."))
BOTH = SearchPlan((((0, 1), 1.0),), 1.0, 4.0)


def ask(agent: BudgetedSearch, id: str = "q", seed: int = 0):
    session = Session(Scripted([" Chad"]), seed=seed)
    return asyncio.run(agent.answer(Question(id, "Where is Brin?"), session))


def notes(answer) -> list[str]:
    return [step.text for step in answer.trace if isinstance(step, Noted)]


def test_the_sources_of_the_plan_are_asked_and_counted() -> None:
    answer = ask(BudgetedSearch(SOURCES, BOTH))
    assert answer.text == "Chad"
    assert answer.trace.cost.searches == 2
    assert {*answer.citations} == {"near0", "far0", "far1"}
    assert notes(answer)[-1] == "asked far for 3; spent 4"


def test_the_limit_of_a_question_is_hard() -> None:
    answer = ask(BudgetedSearch(SOURCES, BOTH, limit=3.5))
    assert answer.trace.cost.searches == 1
    assert notes(answer)[-1] == "not asked: far, it would exceed the limit"
    assert ask(BudgetedSearch(SOURCES, BOTH, limit=0.5)).citations == ()


def test_sets_are_drawn_by_the_question_with_the_chances_of_the_plan() -> None:
    plan = SearchPlan((((0,), 0.25), ((1,), 0.25)), 0.5, 1.0)
    agent = BudgetedSearch(SOURCES, plan)
    asked = Counter(len(ask(agent, f"q{i}").citations) for i in range(400))
    assert asked[1] == pytest.approx(100, abs=30)  # near has one passage
    assert asked[2] == pytest.approx(100, abs=30)
    assert asked[0] == pytest.approx(200, abs=35)
    assert ask(agent, "q7").citations == ask(agent, "q7").citations


def test_a_plan_from_practice_over_a_real_index(tmp_path: Path) -> None:
    """The near index holds half of the towns; asking both is worth it only for a large budget."""
    lands = {f"Tovel{i}": f"Karland{i}" for i in range(8)}
    texts = [Passage(t, f"{t} lies in {land}.", t) for t, land in lands.items()]
    build_index(texts[:4], tmp_path / "near")
    build_index(texts, tmp_path / "far")
    sources = [
        PaidSource(name, Index.open(tmp_path / name, mode="text"), cost)
        for name, cost in (("near", 1.0), ("far", 3.0))
    ]
    questions = [Question(t, f"Where does {t} lie?", (land,)) for t, land in lands.items()]
    table = asyncio.run(practise(sources, questions, k=1))
    assert [sum(column) for column in zip(*table)] == [4, 8]
    plan = plan_search(table, [s.cost for s in sources], budget=3)
    assert plan.sets == (((1,), 1.0),)
    thrift = plan_search(table, [s.cost for s in sources], budget=1)
    assert thrift.sets == (((0,), 1.0),)
    agent = BudgetedSearch(tuple(sources), plan, k=1)
    session = Session(Scripted([" Karland6"]))
    answer = asyncio.run(agent.answer(questions[6], session))
    assert answer.citations == ("Tovel6",)


def test_mistakes_are_one_clear_sentence() -> None:
    with pytest.raises(ValueError, match="fewer"):
        BudgetedSearch(SOURCES[:1], BOTH)
    with pytest.raises(ValueError, match="limit"):
        BudgetedSearch(SOURCES, BOTH, limit=-1)
    with pytest.raises(ValueError, match="cost 0 or more"):
        PaidSource("x", Shelf([]), -1)
