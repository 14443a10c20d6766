"""Navigators and walkers on small graphs of known shape."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from scrubjay.agents import (
    Budget,
    GreedyWalker,
    LinkNavigator,
    RandomWalker,
    Session,
    ShortestPath,
)
from scrubjay.agents.session import as_text
from scrubjay.core import BudgetExceeded, Chose, Link, Moved, Passage, Question, ScrubjayError
from scrubjay.models.types import Choice, Prompt
from scrubjay.worlds.hitting import PageGraph

LINKS = {"a": "bc", "b": "a", "c": "d", "d": "e", "e": "a"}
PAGES = {
    i: Passage(i, f"Page of {i}.", f"Title {i}", links=tuple(Link(0, 4, t) for t in to))
    for i, to in LINKS.items()
}
GRAPH = PageGraph.from_pages(PAGES)
WALK = Question("n1", "Start at a, reach e.", task="navigation", start="a", goal="e")


@dataclass
class Chooser:
    """Always takes the option it was told to, else the first."""

    wanted: list[str]
    asked: list[str] = field(default_factory=list)
    name: str = "chooser"

    async def choose(self, prompt: Prompt, options: Sequence[str]) -> Choice:
        self.asked.append(as_text(prompt))
        want = self.wanted.pop(0) if self.wanted else options[0]
        return Choice(list(options).index(want), want, tuple(float(o == want) for o in options))


def session(model: object = None, **more: object) -> Session:
    return Session(model, pages=PAGES, graph=GRAPH, **more)  # type: ignore[arg-type]


def test_the_navigator_follows_what_the_model_chooses() -> None:
    model = Chooser(["Title b", "go back", "Title c", "Title d", "Title e"])
    answer = asyncio.run(LinkNavigator().answer(WALK, session(model)))
    assert answer.success
    assert answer.path == ("a", "b", "a", "c", "d", "e")
    assert answer.text == "Title e"
    assert answer.trace.cost.moves == 5
    assert "Page of" not in model.asked[0]
    assert "go back" not in model.asked[0]
    assert {s.opened for s in answer.trace if isinstance(s, Chose)} == {"memory"}


def test_content_shows_the_page() -> None:
    model = Chooser(["Title c", "Title d", "Title e"])
    answer = asyncio.run(LinkNavigator(content=True).answer(WALK, session(model)))
    assert answer.success
    assert "Page of c." in model.asked[1]
    assert {s.opened for s in answer.trace if isinstance(s, Chose)} == {"context"}


def test_it_gives_up_after_thirty_steps() -> None:
    model = Chooser(["Title b", "go back"] * 20)
    answer = asyncio.run(LinkNavigator().answer(WALK, session(model)))
    assert not answer.success
    assert sum(isinstance(s, Moved) for s in answer.trace) == 30


def test_moves_are_budgeted() -> None:
    limited = session(Chooser([]), budget=Budget(moves=1))
    with pytest.raises(BudgetExceeded, match="1 moves"):
        asyncio.run(LinkNavigator().answer(WALK, limited))


def test_shortest_path_takes_the_shortest() -> None:
    answer = asyncio.run(ShortestPath().answer(WALK, session()))
    assert answer.path == ("a", "c", "d", "e")


def test_random_walker_repeats_itself_for_the_same_seed_only() -> None:
    paths = [
        asyncio.run(RandomWalker().answer(WALK, session(seed=s))).path for s in (0, 0, 1, 2, 3, 4)
    ]
    assert paths[0] == paths[1]
    assert len(set(paths)) > 1


def test_greedy_walker_follows_likeness_of_titles() -> None:
    @dataclass
    class Toy:
        name: str = "toy"
        dimensions: int = 2

        def encode(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
            angle = {"Title b": 0.1, "Title c": 0.9, "Title d": 1.0, "Title e": 1.1}
            return np.array([[np.cos(angle.get(t, 3)), np.sin(angle.get(t, 3))] for t in texts])

    answer = asyncio.run(GreedyWalker(Toy()).answer(WALK, session()))
    assert answer.path == ("a", "c", "d", "e")
    with pytest.raises(ScrubjayError, match="--encoder"):
        asyncio.run(GreedyWalker().answer(WALK, session()))


def test_a_session_without_pages_says_so() -> None:
    with pytest.raises(ScrubjayError, match="no pages"):
        asyncio.run(RandomWalker().answer(WALK, Session()))
