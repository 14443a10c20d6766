"""The cascade: when it searches, what it notes, and which threshold is worth most."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest

from scrubjay.agents.cascade import Cascade, Gate, calibrate_threshold
from scrubjay.agents.critics import Platt
from scrubjay.agents.registry import make_agent
from scrubjay.agents.session import Session
from scrubjay.core import Hit, InputError, Noted, Passage, Question
from scrubjay.models.types import Completion

QUESTION = Question("q", "Where is Brin?", ("Chad",))


class Model:
    name = "model"

    def __init__(self, text: str, *logprobs: float) -> None:
        self.said = itertools.chain([Completion(text, logprobs=logprobs)], [Completion(" read")])

    async def generate(self, prompt: Any, **_: Any) -> Completion:
        return next(self.said)


class Shelf:
    async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
        return [Hit(Passage("p", "Brin is in Chad.", "Brin"), 1.0)]


def run(model: Model, threshold: float = 0.5) -> Any:
    agent = Cascade(gate=Gate(Platt(1.0, 1.0), threshold))
    session = Session(model, Shelf())  # type: ignore[arg-type]
    return asyncio.run(agent.answer(QUESTION, session))


def test_sure_memory_answers_alone() -> None:
    answer = run(Model(" Chad", -0.5, -0.5))
    assert (answer.text, answer.trace.cost.searches) == ("Chad", 0)
    assert answer.confidence == pytest.approx(0.6225, abs=1e-4)  # sigmoid(0.5)


@pytest.mark.parametrize("model", [Model(" Chad", -3.0), Model("", -0.1), Model(" Chad")])
def test_unsure_empty_or_unmeasured_memory_searches(model: Model) -> None:
    answer = run(model)
    assert (answer.text, answer.trace.cost.searches) == ("read", 1)
    (note,) = [s.text for s in answer.trace if isinstance(s, Noted)]
    assert "searched" in note
    assert "threshold 0.500" in note


def test_the_threshold_by_hand() -> None:
    # Trusting the first is worth the price of its search; trusting the second loses an answer.
    assert calibrate_threshold([0.9, 0.5], [1, 0], [1, 1], 0.1) == pytest.approx(0.7)
    assert calibrate_threshold([0.9, 0.5], [1, 0], [1, 1], 0.0) > 1  # a free search, always made
    assert calibrate_threshold([0.9, 0.5], [0, 0], [0, 0], 0.1) == 0.5
    with pytest.raises(ValueError, match="threshold"):
        calibrate_threshold([], [], [], 0.0)


def test_no_threshold_is_worth_more() -> None:
    draw = random.Random(3)
    for _ in range(200):
        n = draw.randrange(1, 12)
        sure = [draw.choice([0.1, 0.3, 0.5, 0.7]) for _ in range(n)]
        memory, reading = ([float(draw.random() < 0.5) for _ in range(n)] for _ in range(2))

        def worth(t: float, rows: Any = (sure, memory, reading)) -> float:
            return sum(m if s >= t else r - 0.1 for s, m, r in zip(*rows))

        found = calibrate_threshold(sure, memory, reading, 0.1)
        assert worth(found) == pytest.approx(max(worth(t) for t in (0.0, 0.2, 0.4, 0.6, 0.8)))


def test_the_built_in_gate_is_one_and_the_agent_is_known_by_name() -> None:
    agent = make_agent("cascade", None)
    assert isinstance(agent, Cascade)
    gate = agent.gate
    assert 0 < gate.threshold < 1
    assert gate.platt.slope > 0  # likelier answers are surer
    assert "smollm2-135m" in gate.trained_on


def test_a_gate_survives_its_file(tmp_path: Any) -> None:
    gate = Gate(Platt(1.5, 0.25), 0.625, 0.05, "words")
    gate.save(tmp_path / "g.json")
    assert Gate.load(tmp_path / "g.json") == gate
    for junk in ("", "[]", "{}", '{"format": "scrubjay-cascade-1", "slope": NaN}'):
        (tmp_path / "g.json").write_text(junk)
        with pytest.raises(InputError, match="no threshold"):
            Gate.load(tmp_path / "g.json")
