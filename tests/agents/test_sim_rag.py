"""SIM-RAG: the loop, its states, its critics and what they may see."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agents.scripted import Scripted, Shelf

from scrubjay.agents import (
    EncoderCritic,
    LogProbCritic,
    MultiRoundRAG,
    OracleCritic,
    PromptedReasoner,
    SearchState,
    SelfCritic,
    Session,
    StopRule,
    make_agent,
)
from scrubjay.agents.critics import Platt, correct_prior, logit, sigmoid
from scrubjay.agents.encoder_critic import Weights, evidence_rows
from scrubjay.agents.evidence import NAMES
from scrubjay.agents.reasoner import Attempt
from scrubjay.agents.search_state import MOST_LETTERS, Round
from scrubjay.core import Hit, InputError, Noted, Passage, Question
from scrubjay.evaluation import exact_match
from scrubjay.models.types import Completion

QUESTION = Question("q", "In which country is Brin?", ("Chad",), "recall")
PAGES = [
    Passage("a", "Arlo is a city in Benin.", "Arlo"),
    Passage("b", "The country of Brin is Chad.", "Brin"),
    Passage("c", "Cort is a city in Peru.", "Cort"),
]
ORACLE = StopRule(OracleCritic(exact_match), max_rounds=3)
TOLD = PromptedReasoner(tell=True)


def hits(*passages: Passage) -> list[Hit]:
    return [Hit(p, 1.0) for p in passages]


def test_searches_only_after_a_refusal_and_feeds_it_back() -> None:
    model, shelf = Scripted(["Peru", "Chad"]), Shelf(PAGES)
    answer = asyncio.run(MultiRoundRAG(TOLD, ORACLE).answer(QUESTION, Session(model, shelf)))
    assert (answer.text, answer.confidence) == ("Chad", 1.0)
    assert answer.trace.cost.searches == 1
    assert shelf.asked == [QUESTION.text]
    assert answer.citations == ("a", "b")
    assert "Not the answer" not in model.asked[0]
    assert "Not the answer: Peru" in model.asked[1]
    assert "The country of Brin is Chad." in model.asked[1]


def test_right_at_once_searches_nothing() -> None:
    shelf = Shelf(PAGES)
    answer = asyncio.run(
        MultiRoundRAG(rule=ORACLE).answer(QUESTION, Session(Scripted(["Chad"]), shelf))
    )
    assert (answer.text, shelf.asked, answer.citations) == ("Chad", [], ())


def test_ends_after_the_last_round_with_an_empty_index_and_new_documents_only() -> None:
    for shelf, found in ((Shelf([]), 0), (Shelf(PAGES), 3)):
        model = Scripted(["Peru"])
        answer = asyncio.run(MultiRoundRAG(rule=ORACLE).answer(QUESTION, Session(model, shelf)))
        assert answer.text == "Peru"
        assert answer.trace.cost.searches == 3
        assert len(answer.citations) == len(set(answer.citations)) == found
        notes = [s.text for s in answer.trace if isinstance(s, Noted)]
        assert [n[:8] for n in notes] == [f"round {t}:" for t in range(4)]


def test_without_feedback_refused_answers_are_not_shown() -> None:
    model = Scripted(["Peru"])
    agent = MultiRoundRAG(TOLD, ORACLE, feedback=False)
    asyncio.run(agent.answer(QUESTION, Session(model, Shelf(PAGES))))
    assert not any("Not the answer" in text for text in model.asked)


@dataclass
class Drawing(Scripted):
    """Says its lines in order, whatever the temperature, and remembers how it was drawn."""

    drawn: list[tuple[float, int]] = field(default_factory=list)

    async def generate(self, prompt: Any, **options: Any) -> Completion:
        self.drawn.append((options["temperature"], options["seed"]))
        return await super().generate(prompt, **options)


def test_a_refused_answer_is_drawn_again_and_the_model_is_not_told() -> None:
    state = SearchState(QUESTION).then("x", hits(*PAGES), 3)
    model = Drawing(["Peru", " peru", "Chad"])
    answer = asyncio.run(PromptedReasoner().answer(state, Session(model, seed=5), ("Peru",)))
    assert answer.answer == "Chad"
    assert model.drawn == [(0.0, 5), (1.0, 6), (1.0, 7)]
    assert not any("Not the answer" in text for text in model.asked)
    stubborn = Drawing(["Peru"])  # nothing else comes: what the model says first stands
    answer = asyncio.run(PromptedReasoner().answer(state, Session(stubborn), ("Peru",)))
    assert (answer.answer, len(stubborn.drawn)) == ("Peru", 4)


def test_what_a_model_wrote_is_harmless_in_the_next_prompt() -> None:
    model = Scripted(["Peru <search>x</search>"])
    asyncio.run(MultiRoundRAG(TOLD, ORACLE).answer(QUESTION, Session(model, Shelf(PAGES))))
    assert not any("<search>" in text for text in model.asked)


def test_a_state_passes_over_documents_it_knows_and_ends_on_nothing_new() -> None:
    state = SearchState(QUESTION).then("one", hits(*PAGES[:2]), 1)
    assert [p.id for p in state.passages] == ["a"]
    state = state.then("two\nQuestion: z", hits(*PAGES), 2)
    assert [p.id for p in state.passages] == ["a", "b", "c"]
    state = state.then("three", hits(*PAGES), 2)
    assert state.text.endswith("No new document.")
    assert "\nQuestion:" not in state.text


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=6))
def test_a_long_context_drops_the_oldest(lengths: list[int]) -> None:
    state = SearchState(QUESTION)
    for i, n in enumerate(lengths):
        state = state.then("more", hits(Passage(f"p{i}", "x" * n, "")), 1)
    shown = state.shown
    assert [p.id for p in shown] == [f"p{i}" for i in range(len(lengths))][-len(shown) :]
    assert sum(len(p.text) for p in shown) <= MOST_LETTERS


def test_a_small_model_reads_the_sentences_that_bear_on_the_question() -> None:
    state = SearchState(QUESTION).then("x", hits(*PAGES), 3)
    narrow, wide = Scripted(["Chad"]), Scripted(["Chad"])
    asyncio.run(PromptedReasoner(keep=1).answer(state, Session(narrow)))
    asyncio.run(PromptedReasoner(keep=0, rationale=9).answer(state, Session(wide)))
    assert "Brin is Chad" in narrow.asked[0]
    assert "Peru" not in narrow.asked[0]
    assert "Cort is a city in Peru." in wide.asked[0]
    assert wide.asked[1].endswith("Answer: Chad\nRationale:")


def test_log_probability_and_self_critique() -> None:
    state, session = SearchState(QUESTION), Session(Scripted(["x"], [1, 0]))
    said = Attempt("Chad", logprob=-1.0)
    assert asyncio.run(LogProbCritic().score(state, said, session)) == pytest.approx(0.3679, 1e-3)
    assert asyncio.run(LogProbCritic(Platt(2, 2)).score(state, said, session)) == 0.5
    assert asyncio.run(LogProbCritic().score(state, Attempt(""), session)) == 0
    assert [asyncio.run(SelfCritic().score(state, said, session)) for _ in range(2)] == [0, 1]


@given(st.floats(0.01, 0.99), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_prior_correction_is_bayes(p: float, trained: float, used: float) -> None:
    odds = p / (1 - p) * (used / (1 - used)) / (trained / (1 - trained))
    assert correct_prior(p, trained, used) == pytest.approx(odds / (1 + odds), rel=1e-6)
    assert sigmoid(logit(p)) == pytest.approx(p)


def test_prior_correction_refuses_certainty() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        correct_prior(0.5, 0.0, 0.3)


def flat(**weights: float) -> EncoderCritic:
    n = len(NAMES)
    w = tuple(weights.get(name, 0.0) for name in NAMES)
    return EncoderCritic(Weights((0.0,) * n, (1.0,) * n, w, 0.0))


def test_evidence_sees_how_the_answer_stands_to_what_was_found() -> None:
    def of(answer: str, *found: Passage) -> dict[str, float]:
        state = SearchState(QUESTION)
        state = state.then("q", hits(*found), 3) if found else state
        (row,) = evidence_rows([(state, Attempt(answer, logprob=-0.5, tokens=2))], None)
        return dict(zip(NAMES, row, strict=True))

    right, other, none = of("Chad", *PAGES), of("Peru", *PAGES), of("Chad")
    assert right["answer_in_context"] == other["answer_in_context"] == 1
    assert none["answer_in_context"] == 0
    assert none["no_context"] == 1
    assert right["support_covered"] > other["support_covered"]
    assert right["support_gap"] == 0 < other["support_gap"]
    assert of("Brin", *PAGES)["echo"] == 1
    name = Passage("k", "The painter of Brin is Kalen Brusk.", "Brin")
    assert of("Kalen", name)["cut_name"] == 1
    assert of("Kalen Brusk", name)["cut_name"] == 0
    assert of("", *PAGES)["no_answer"] == 1


@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=20))
def test_evidence_is_finite_whatever_was_said(text: str, answer: str, title: str) -> None:
    state = SearchState(QUESTION).then(answer, hits(Passage("p", text, title)), 1)
    (row,) = evidence_rows([(state, Attempt(answer))], None)
    assert len(row) == len(NAMES)
    assert all(abs(v) < 100 for v in row)


def test_a_critic_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    critic = replace(
        flat(logprob=1.5, round=-0.2), platt=Platt(0.7, 0.1), prior=0.3, trained_on="x"
    )
    critic.save(tmp_path / "c.json")
    assert EncoderCritic.load(tmp_path / "c.json") == critic
    used = critic.at_prior(0.6)
    used.save(tmp_path / "c.json")
    assert EncoderCritic.load(tmp_path / "c.json") == used
    assert used.of([0.0] * len(NAMES)) > critic.of([0.0] * len(NAMES))


@pytest.mark.parametrize("damage", ["{", "[]", "format", "names", "weights", "platt", "short"])
def test_a_damaged_critic_is_refused_in_one_sentence(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "c.json"
    flat().save(file)
    value = json.loads(file.read_text())
    if damage in value:
        value[damage] = None
    elif damage == "short":
        value["weights"]["mean"].pop()
    file.write_text(damage if damage in "{[]" else json.dumps(value))
    with pytest.raises(InputError, match=r"c\.json"):
        EncoderCritic.load(file)


def test_an_encoder_that_was_not_trained_with_is_refused(tmp_path: Path) -> None:
    class Other:
        name, size = "other", 3

    flat().save(tmp_path / "c.json")
    with pytest.raises(InputError, match="not other"):
        EncoderCritic.load(tmp_path / "c.json", encoder=Other())  # type: ignore[arg-type]


def test_the_built_in_critic_believes_what_the_documents_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SCRUBJAY_CRITIC", raising=False)
    agent = make_agent("sim-rag", None)
    assert isinstance(agent, MultiRoundRAG)
    critic = agent.rule.critic
    assert isinstance(critic, EncoderCritic)
    assert "smollm2-135m" in critic.trained_on
    found = (
        Passage("a", "Brin is a city in Chad. It has two rivers.", "Brin"),
        Passage("b", "Cort is a town in Peru. It is old.", "Cort"),
    )
    state = SearchState(
        Question("q", "In which country is the city of Brin?"), (Round("q", found),)
    )
    says = {w: critic.probability(state, Attempt(w, logprob=-0.3, tokens=2))
            for w in ("Chad", "Peru", "Brin", "Norway", "")}  # fmt: skip
    assert says["Chad"] > 0.5 > max(says[w] for w in ("Peru", "Brin", "Norway"))
    assert says[""] == 0.0


def test_another_critic_by_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat(logprob=1.0).save(tmp_path / "mine.json")
    monkeypatch.setenv("SCRUBJAY_CRITIC", str(tmp_path / "mine.json"))
    agent = make_agent("sim-rag", None)
    assert isinstance(agent, MultiRoundRAG)
    assert agent.rule.critic == flat(logprob=1.0)
