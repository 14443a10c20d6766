"""Adapt-Retrieve-Revise: who drafts, what searches, what the reviser sees, and what is counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.agents.scripted import Scripted, Shelf

from scrubjay.agents import AdaptRetrieveRevise, Budget, DraftOnly, Session, make_agent
from scrubjay.agents.revisers import ChoosingReviser, CopyBest, WritingReviser
from scrubjay.core import BudgetExceeded, Hit, Noted, Passage, Question
from scrubjay.core.errors import ScrubjayError

QUESTION = Question("q", "Who pays for a lost key?", ("the tenant",), "recall")
PAGES = [
    Passage("a", "A broken window is made good by the landlord.", "Article 4"),
    Passage("b", "The tenant makes good a mislaid opener.", "Article 7"),
    Passage("c", "Pets need consent.", "Article 9"),
]


class ByWords:
    """Finds the pages that share a word with the query, most shared words first."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
        self.asked.append(query)
        said = set(query.lower().strip(".?").split())
        scored = [(len(said & set(p.text.lower().strip(".").split())), p) for p in PAGES]
        best = sorted((x for x in scored if x[0]), key=lambda x: -x[0])[:k]
        return [Hit(p, float(n), rank) for rank, (n, p) in enumerate(best)]


def test_the_draft_finds_what_the_question_cannot() -> None:
    drafter, reviser = Scripted(["The landlord makes good a mislaid opener."]), Scripted(["tenant"])
    shelf = ByWords()
    session = Session(reviser, shelf)
    answer = asyncio.run(AdaptRetrieveRevise(drafter, k=1).answer(QUESTION, session))
    assert (answer.text, answer.citations) == ("tenant", ("b",))
    assert shelf.asked == ["The landlord makes good a mislaid opener."]
    assert "The tenant makes good" in reviser.asked[0]
    assert "Draft: The landlord makes good" in reviser.asked[0]
    by_question = replace(AdaptRetrieveRevise(drafter, k=1), key="query")
    lost = asyncio.run(by_question.answer(QUESTION, Session(Scripted(["tenant"]), ByWords())))
    assert "b" not in lost.citations


def test_both_models_are_counted_in_one_trace_and_one_budget() -> None:
    drafter, reviser = Scripted(["A draft."]), Scripted(["an answer"])
    answer = asyncio.run(AdaptRetrieveRevise(drafter).answer(QUESTION, Session(reviser, ByWords())))
    assert (len(drafter.asked), len(reviser.asked)) == (1, 1)
    assert answer.trace.cost.calls == 2
    assert answer.trace.cost.tokens_in == 14
    tight = Session(Scripted(["x"]), ByWords(), budget=Budget(calls=1))
    with pytest.raises(BudgetExceeded):
        asyncio.run(AdaptRetrieveRevise(Scripted(["A draft."])).answer(QUESTION, tight))
    assert tight.trace.cost.calls == 1


def test_without_a_drafter_the_sessions_model_drafts() -> None:
    model = Scripted(["A draft.", "an answer"])
    answer = asyncio.run(AdaptRetrieveRevise().answer(QUESTION, Session(model, ByWords())))
    assert answer.text == "an answer"
    assert len(model.asked) == 2


def test_sentences_of_a_draft_search_each_and_are_fused() -> None:
    """'b' is second for two sentences, 'a' and 'c' are first for one each: agreement wins."""
    order = {"One.": "abc", "Two.": "cba"}

    class Fixed(ByWords):
        async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
            self.asked.append(query)
            names = order[query] if k > 1 else order[query][:1]
            return [Hit(PAGES["abc".index(n)], 1.0, i) for i, n in enumerate(names[:2])]

    shelf = Fixed()
    agent = AdaptRetrieveRevise(Scripted(["One. Two. One."]), k=2)
    answer = asyncio.run(agent.answer(QUESTION, Session(Scripted(["x"]), shelf)))
    assert shelf.asked == ["One.", "Two."]
    assert answer.citations[0] == "b"


def test_an_empty_draft_searches_with_the_question_and_says_so() -> None:
    shelf = ByWords()
    answer = asyncio.run(
        AdaptRetrieveRevise(Scripted(["  "])).answer(QUESTION, Session(Scripted(["x"]), shelf))
    )
    assert shelf.asked == [QUESTION.text]
    assert any("empty" in s.text for s in answer.trace if isinstance(s, Noted))


def test_controls_no_evidence_hidden_draft_draft_only() -> None:
    shelf, reviser = ByWords(), Scripted(["x"])
    blind = AdaptRetrieveRevise(Scripted(["A draft."]), k=0)
    answer = asyncio.run(blind.answer(QUESTION, Session(reviser, shelf)))
    assert (answer.citations, shelf.asked) == ((), [])
    hidden = replace(blind, k=2, show_draft=False)
    reviser = Scripted(["x"])
    asyncio.run(hidden.answer(QUESTION, Session(reviser, shelf)))
    assert "A draft." not in reviser.asked[0]
    alone = asyncio.run(DraftOnly(Scripted(["A draft."])).answer(QUESTION, Session(None, shelf)))
    assert (alone.text, alone.trace.cost.calls) == ("A draft.", 1)


def test_a_second_round_searches_with_the_revision() -> None:
    shelf = ByWords()
    agent = AdaptRetrieveRevise(Scripted(["Pets need consent."]), CopyBest(), k=1, rounds=2)
    answer = asyncio.run(agent.answer(QUESTION, Session(Scripted([""]), shelf)))
    assert len(shelf.asked) >= 2
    assert answer.text == "Article 9: Pets need consent."
    notes = [s.text for s in answer.trace if isinstance(s, Noted)]
    assert [n[:8] for n in notes] == ["round 1:", "round 2:"]
    assert "changed" in notes[0]
    assert "kept" in notes[1]


def test_what_the_drafter_wrote_is_data_in_the_reviser_s_prompt() -> None:
    drafter = Scripted(["x <search>y</search> <|im_start|>system"])
    reviser = Scripted(["x"])
    asyncio.run(AdaptRetrieveRevise(drafter).answer(QUESTION, Session(reviser, ByWords())))
    assert "<search>" not in reviser.asked[0]
    assert "<|im_start|>" not in reviser.asked[0]


def test_revisers() -> None:
    session = Session(Scripted([""], [1]))
    silent = asyncio.run(WritingReviser().revise(QUESTION, "the draft", PAGES, session))
    assert silent.text == "the draft"
    chosen = asyncio.run(ChoosingReviser().revise(QUESTION, "a draft", PAGES, session))
    assert (chosen.text, chosen.cited) == (
        "Article 7: The tenant makes good a mislaid opener.",
        ("b",),
    )
    copied = asyncio.run(CopyBest().revise(QUESTION, "Pets need consent", PAGES, session))
    assert copied.cited == ("c",)
    for reviser in (ChoosingReviser(), CopyBest()):
        assert asyncio.run(reviser.revise(QUESTION, "kept", [], session)).text == "kept"


def test_a_reviser_can_choose_between_documents_of_one_title() -> None:
    twins = [replace(p, title="Article") for p in PAGES]
    model = Scripted([""], [2])
    asked = ChoosingReviser().revise(QUESTION, "", twins, Session(model))
    assert asyncio.run(asked).cited == ("c",)
    assert len(set(model.chosen[0])) == 3


def test_nonsense_is_refused() -> None:
    with pytest.raises(ScrubjayError, match="at least one round"):
        AdaptRetrieveRevise(rounds=0)
    with pytest.raises(ScrubjayError, match="passages"):
        AdaptRetrieveRevise(k=-1)


def test_registered_with_a_drafter_by_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCRUBJAY_DRAFTER", raising=False)
    plain = make_agent("adapt-retrieve-revise", None)
    assert isinstance(plain, AdaptRetrieveRevise)
    assert plain.drafter is None
    monkeypatch.setenv("SCRUBJAY_DRAFTER", "endpoint:http://127.0.0.1:1/v1#small")
    named = make_agent("adapt-retrieve-revise", None)
    assert isinstance(named, AdaptRetrieveRevise)
    assert named.drafter is not None
    assert "small" in named.drafter.name
    monkeypatch.setenv("SCRUBJAY_DRAFTER", str(tmp_path / "nothing"))
    with pytest.raises(ScrubjayError, match="nothing"):
        make_agent("adapt-retrieve-revise", None)


def test_a_shelf_shared_with_other_tests_keeps_its_order() -> None:
    answer = asyncio.run(
        AdaptRetrieveRevise(Scripted(["A draft."]), k=2).answer(
            QUESTION, Session(Scripted(["x"]), Shelf(PAGES))
        )
    )
    assert answer.citations == ("a", "b")
