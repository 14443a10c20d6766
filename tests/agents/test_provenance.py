"""Signals by hand, the account of sources with constructed models, weights as JSON."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any

import pytest

from scrubjay.agents.provenance import Evidence, cited, explain, measure_signals
from scrubjay.agents.provenance_classifier import Softmax, SourceModel, hand_set
from scrubjay.agents.provenance_signals import NAMES, SAMPLES, by_likelihood, by_sampling
from scrubjay.agents.provenance_support import MOST, support, weighed
from scrubjay.agents.provenance_words import holds, overlap, same_words
from scrubjay.agents.session import Session, as_text
from scrubjay.core import Answer, InputError, ModelError, Passage, Question, Source, Trace
from scrubjay.models.types import Completion, Prompt, Scored

GOLD = Passage("gold", "The capital of Brenland is Torvik. Brenland has many lakes.", "Brenland")
OTHER = Passage("other", "Ossa is a city. It lies by the sea.", "Ossa")
QUESTION = Question("q", "What is the capital of Brenland?", ("Torvik",))


class Reader:
    """Knows ``memory``; believes a text in its prompt that holds the answer; -1 and -4 nats."""

    name = "reader"

    def __init__(self, memory: str, scores: bool = True) -> None:
        self.memory, self.scores, self.scored = memory, scores, list[str]()

    async def generate(self, prompt: Prompt, **_: Any) -> Completion:
        asked = as_text(prompt).rpartition("Question:")[0]
        said = "Torvik" if "capital of Brenland is Torvik" in asked else self.memory
        return Completion(f" {said}", logprobs=(-0.5,), tokens_in=5, tokens_out=1)

    async def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[Scored]:
        if not self.scores:
            raise ModelError("gives no log-probabilities")
        text = as_text(prompt)
        self.scored.append(text)
        out = []
        for c in continuations:
            word = c.strip()
            believed = word == self.memory or f"is {word}." in text
            out.append(Scored(c, (-1.0 if believed else -4.0,)))
        return out

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def told(answer: str, passages: Sequence[Passage], model: Reader, method: str = "") -> Any:
    session = Session(model, pages={p.id: p for p in passages})  # type: ignore[arg-type]
    session.read([p.id for p in passages])
    made = Answer(answer, session.trace)
    return asyncio.run(explain(QUESTION, made, session, weights=hand_set(), method=method))


def test_a_session_remembers_what_was_read_once_and_in_order() -> None:
    session = Session(pages={"gold": GOLD, "other": OTHER})
    session.read(["other", "nothing"])
    session.read(["gold", "other"])
    assert list(session.passages) == ["other", "gold"]


def test_likelihoods_by_hand() -> None:
    model = Reader("Rome")
    signals = asyncio.run(by_likelihood(QUESTION, "Torvik", [OTHER, GOLD], model))  # type: ignore[arg-type]
    assert (signals.alone_log, signals.given_log) == (-4.0, -1.0)
    assert signals.alone == pytest.approx(math.exp(-4))
    assert signals.drops == {"gold": 3.0}
    assert (signals.recalled.strip(), signals.same) == ("Rome", False)
    row = dict(zip(NAMES, signals.row, strict=True))
    assert (row["gain"], row["drop"], row["held"]) == (3.0, 3.0, 1.0)
    assert signals.cost.calls == 4  # the closed-book answer, alone, with, and without gold


@pytest.mark.parametrize(
    ("answer", "memory", "passages", "source"),
    [
        ("Torvik", "Rome", [OTHER, GOLD], Source.DOCUMENTS),
        ("Rome", "Rome", [OTHER], Source.MEMORY),
        ("Torvik", "Torvik", [GOLD, OTHER], Source.BOTH),
        ("Rome", "Rome", [GOLD, OTHER], Source.MEMORY),  # against what the passage says
        ("Ossa", "Rome", [OTHER], Source.NOWHERE),  # copied from what is about something else
        ("Torvik", "Torvik", [], Source.MEMORY),
        ("Torvik", "Rome", [], Source.NOWHERE),
    ],
)
@pytest.mark.parametrize("method", ["likelihood", "sampling"])
def test_the_source_of_an_answer(
    answer: str, memory: str, passages: list[Passage], source: Source, method: str
) -> None:
    explained = told(answer, passages, Reader(memory), method)
    assert explained.answer.source is source
    assert explained.evidence.method == method
    assert explained.answer.citations == (
        ("gold",) if source in (Source.DOCUMENTS, Source.BOTH) else ()
    )
    assert 0 <= explained.answer.confidence <= 1
    assert sum(explained.evidence.probabilities.values()) == pytest.approx(1)


def test_an_empty_answer_is_from_nowhere_and_costs_nothing() -> None:
    model = Reader("Rome")
    explained = told("  ", [GOLD], model)
    assert explained.answer.source is Source.NOWHERE
    assert explained.answer.confidence == 0.0
    assert model.scored == []
    assert explained.evidence.sentences() == ["No answer was given."]


def test_without_log_probabilities_it_asks_again_and_says_so() -> None:
    explained = told("Torvik", [GOLD], Reader("Rome", scores=False))
    assert explained.evidence.method == "sampling"
    assert explained.evidence.signals.cost.calls == 1 + 2 * SAMPLES
    assert "asking again" in explained.evidence.sentences()[0]
    with pytest.raises(ModelError):
        told("Torvik", [GOLD], Reader("Rome", scores=False), "likelihood")


def test_shares_of_samples_by_hand() -> None:
    signals = asyncio.run(by_sampling(QUESTION, "Torvik", [GOLD], Reader("Rome")))  # type: ignore[arg-type]
    assert (signals.alone, signals.given, signals.sure) == (0.0, 1.0, 1.0)


def test_explaining_leaves_the_trace_as_the_agent_made_it() -> None:
    session = Session(Reader("Rome"), pages={"gold": GOLD})  # type: ignore[arg-type]
    session.read(["gold"])
    before = session.trace.to_list()
    asyncio.run(explain(QUESTION, Answer("Torvik", session.trace), session, weights=hand_set()))
    assert session.trace.to_list() == before


def test_evidence_is_json_and_sentences_name_the_passage() -> None:
    evidence = told("Torvik", [OTHER, GOLD], Reader("Rome")).evidence
    assert json.loads(json.dumps(evidence.to_dict()))["citations"] == ["gold"]
    text = "\n".join(evidence.sentences())
    assert "gold says: “The capital of Brenland is Torvik.”" in text
    assert "Without gold it loses 3.0 nats per token." in text


def test_the_steps_of_a_multi_hop_answer_are_cited_and_told() -> None:
    asked = Question("m", "What is the capital of the country in which Ossa lies?", ("Torvik",))
    lies = Passage("lies", "Ossa lies in Brenland. Ossa is old.", "Ossa")
    model = Reader("Rome")
    pages = {p.id: p for p in (lies, GOLD, OTHER)}
    session = Session(model, pages=pages)  # type: ignore[arg-type]
    session.read(list(pages))
    made = Answer("Torvik", session.trace)
    signals = asyncio.run(measure_signals(asked, "Torvik", list(pages.values()), session))
    assert cited(signals) == ("gold", "lies")
    evidence = Evidence(Source.DOCUMENTS, dict.fromkeys(Source, 0.25), 0.5, signals)
    assert "What leads there, lies: “Ossa lies in Brenland.”" in evidence.sentences()
    assert asyncio.run(explain(asked, made, session)).evidence.method == "likelihood"


def test_words_decide_support() -> None:
    found = support(QUESTION.text, "Torvik", [OTHER, GOLD])
    assert (found.holding, found.place, found.named) == (("gold",), "gold", 1.0)
    assert found.covered == 1.0
    stray = support(QUESTION.text, "Ossa", [OTHER, GOLD])
    assert (stray.holding, stray.named, stray.about) == (("other",), 0.0, 1.0)
    assert support(QUESTION.text, "Brenland", [GOLD]).in_question
    assert support("", "", []).holding == ()


def test_answers_are_compared_by_words() -> None:
    assert holds("It is in New York, now.", "new york")
    assert not holds("Newer York", "new york")
    assert not holds("anything", " ! ")
    assert same_words("The Hague.", "Hague")
    assert not same_words("", "")
    assert overlap("New York", "York") == pytest.approx(2 / 3)


def test_of_many_passages_those_that_hold_the_answer_are_weighed() -> None:
    many = [Passage(f"p{i}", f"Lake {i} is deep.", f"Lake {i}") for i in range(20)]
    kept = weighed(QUESTION.text, "Torvik", [*many, GOLD])
    assert kept[-1].id == "gold"
    assert len(kept) == MOST


def test_weights_survive_the_file_and_damage_is_told(tmp_path: Any) -> None:
    file = tmp_path / "w.json"
    hand_set().save(file)
    assert SourceModel.load(file) == hand_set()
    file.write_text(file.read_text().replace('"alone"', '"lonely"'))
    with pytest.raises(InputError, match="no source weights of this version"):
        SourceModel.load(file)
    for junk in ("", "[]", '{"format": "scrubjay-sources-1"}', "{"):
        file.write_text(junk)
        with pytest.raises(InputError, match=r"w\.json"):
            SourceModel.load(file)


def test_softmax_by_hand() -> None:
    regression = Softmax(("a", "b"), (1.0,), (2.0,), ((0.0,), (1.0,)), (0.0, 0.0))
    assert regression([1.0]) == {"a": 0.5, "b": 0.5}
    assert regression([3.0])["b"] == pytest.approx(1 / (1 + math.exp(-1)))
    with pytest.raises(ValueError, match="zip"):
        regression([1.0, 2.0])


def test_a_session_without_a_model_is_refused() -> None:
    from scrubjay.core import ScrubjayError

    with pytest.raises(ScrubjayError, match="has none"):
        asyncio.run(explain(QUESTION, Answer("x", Trace()), Session()))
