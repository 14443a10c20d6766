"""Practice, training and test from end to end, with a model whose knowledge is constructed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scrubjay.agents.session import as_text
from scrubjay.core import InputError
from scrubjay.evaluation import sources_plan
from scrubjay.evaluation.sources_measure import in_test, measure_sources
from scrubjay.evaluation.sources_plan import SourcesPlan, collect
from scrubjay.evaluation.sources_rows import SourceRow
from scrubjay.models.types import Choice, Completion, Prompt, Scored
from scrubjay.training.sources import train_sources
from scrubjay.worlds import load_world
from scrubjay.worlds.items import Item, render
from scrubjay.worlds.tasks import sample
from scrubjay.worlds.world import World

WORLD, INVENTED = "random:100", ("random:70",)
FACTS, CHAINS, EACH = 250, 60, 10
UNKNOWN = "no idea"


_SAMPLED: dict[tuple[Any, ...], list[Item]] = {}


def sampled(task: str, universe: Any, marked: Any, n: int, seed: int = 0) -> list[Item]:
    """``sample``, but once: drawing chains in a small world is most of the time."""
    key = (task, universe.hash, n, seed)
    if key not in _SAMPLED:
        _SAMPLED[key] = sample(task, universe, marked, n, seed)
    return _SAMPLED[key]


def every(world: World) -> list[Item]:
    return [
        item
        for task, n in (("recall", FACTS), ("multihop", CHAINS))
        for item in sampled(task, world.universe, world.marked, n)
    ]


class Knower:
    """Remembers two thirds of the real world; reads an answer where its whole chain of pages is.

    Were it as sure of saying that it has no idea, no likelihood could tell that from knowing.
    """

    name = "knower"

    def __init__(self) -> None:
        real = load_world(WORLD)
        worlds = [real, *(real.twin(s) for s in (0, 1, 2, 101, 102))]
        worlds += [load_world(spec, seed=s) for s, spec in enumerate(INVENTED, 11)]
        self.right: dict[str, tuple[str, ...]] = {}
        self.gold: dict[str, list[str]] = {}
        self.known: dict[str, str] = {}
        self.calls = 0
        for world in worlds:
            for item in every(world):
                question = render(item, world.names)
                self.right[question.text] = question.answers
                self.gold[question.text] = [
                    f"Document: {world.pages[g].title}\n" for g in item.gold
                ]
                if world is real and sum(map(ord, item.id)) % 3:
                    self.known[question.text] = question.answers[0]

    async def check(self) -> None: ...

    async def close(self) -> None: ...

    def settle(self) -> None: ...

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def _asked(self, prompt: Prompt) -> tuple[str, str]:
        before, _, last = as_text(prompt).rpartition("Question: ")
        question = last.partition("\n")[0]
        return question, before.rpartition(f"Question: {question}\n")[2]

    def _says(self, prompt: Prompt) -> str:
        question, shown = self._asked(prompt)
        whole = question in self.gold and all(t in shown for t in self.gold[question])
        read = next((a for a in self.right.get(question, ()) if whole and a in shown), "")
        return read or self.known.get(question, UNKNOWN)

    async def generate(self, prompt: Prompt, **_: Any) -> Completion:
        self.calls += 1
        question, _ = self._asked(prompt)
        for plain in (q for q in self.known if question == f"Answer this: {q}"):
            return Completion(self.known[plain], logprobs=(-1.0,))
        return Completion(self._says(prompt), logprobs=(-1.0,))

    async def choose(self, prompt: Prompt, options: Sequence[str]) -> Choice:
        return Choice(0, options[0], (1.0,))

    async def score(self, prompt: Prompt, texts: Sequence[str]) -> list[Scored]:
        self.calls += 1
        said = self._says(prompt)
        sure = -0.5 if said != UNKNOWN else -3.0  # it is unsure of what it doesn't know
        return [Scored(t, (sure if t.strip() == said else -5.0,)) for t in texts]


@pytest.fixture(scope="module")
def model() -> Knower:
    return Knower()


@pytest.fixture
def plans(model: Knower, monkeypatch: Any) -> Any:
    monkeypatch.setattr(sources_plan, "RANDOM", INVENTED)
    monkeypatch.setattr(sources_plan, "sample", sampled)
    monkeypatch.setattr("scrubjay.models.load_model", lambda _: model)
    monkeypatch.setattr("scrubjay.evaluation.sources_known.rephrased", lambda _, q: (
        f"Answer this: {q.text}"
    ))  # fmt: skip

    def run(part: str, folder: Path) -> list[SourceRow]:
        plan = SourcesPlan("knower", WORLD, FACTS, CHAINS, EACH, "likelihood", part)
        return asyncio.run(collect(plan, folder, lambda *_: None))

    return run


def test_from_practice_to_a_finding_and_nothing_is_asked_twice(
    plans: Any, model: Knower, tmp_path: Path
) -> None:
    practice = plans("practice", tmp_path)
    asked = model.calls
    assert plans("practice", tmp_path) == practice
    assert model.calls == asked
    test = plans("test", tmp_path)
    finding = measure_sources(test, train_sources(practice))
    for task in ("", "multi-hop: "):
        assert finding.numbers[f"{task}accuracy"].value > 0.8
        assert finding.numbers[f"{task}majority baseline"].value < 0.6
        assert {r["case"] for r in finding.tables[f"{task}cases"] if r["answers"]} == {
            "memory", "documents", "both", "conflict", "neither",
        }  # fmt: skip
    parts_share_nothing(practice, test)


def parts_share_nothing(practice: list[SourceRow], test: list[SourceRow]) -> None:
    """No first page and no twin."""
    real = load_world(WORLD)
    sides = {item.id: in_test(item) for item in every(real)}
    for rows, side in ((practice, False), (test, True)):
        assert {sides[r.question] for r in rows if r.world.startswith(real.name)} == {side}
    shared = {r.world for r in practice} & {r.world for r in test}
    assert shared == {real.name}


def test_a_method_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    plan = SourcesPlan(method="guessing")
    with pytest.raises(InputError, match="likelihood or sampling"):
        asyncio.run(collect(plan, tmp_path, lambda *_: None))
