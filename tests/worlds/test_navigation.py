"""Navigation tasks and the environment that navigators walk in."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from scrubjay.core.errors import ScrubjayError
from scrubjay.worlds.documents import MarkedDocument, Ref
from scrubjay.worlds.hitting import PageGraph
from scrubjay.worlds.names import NameMap
from scrubjay.worlds.navigation import BUCKETS, NavEnv, bucket_edges
from scrubjay.worlds.sources.random import random_universe
from scrubjay.worlds.tasks import render, sample
from scrubjay.worlds.universe import Entity, Universe
from scrubjay.worlds.writer import TemplateWriter


def linked(links: dict[str, list[str]]) -> tuple[Universe, list[MarkedDocument]]:
    """A universe of pages that hold nothing but links."""
    universe = Universe([Entity(p, "page", f"The {p}") for p in links], [], [])
    return universe, [MarkedDocument(p, tuple(Ref(u) for u in out)) for p, out in links.items()]


def ladder(n: int) -> dict[str, list[str]]:
    """Forward, or back to the start: times grow like 2^n."""
    return {f"p{v}": [f"p{u}" for u in (v + 1, 0) if u <= n and u != v] for v in range(n + 1)}


def test_pairs_lie_in_their_buckets() -> None:
    universe, marked = linked(ladder(14))
    graph = PageGraph.from_documents(marked)
    items = sample("navigation", universe, marked, 300, seed=3)
    assert len({(i.start, i.goal) for i in items}) == len(items) == 14 * 15
    every = sorted(t for p in graph.pages for t in graph.hitting(p) if t > 0)
    for item in items:
        low, high = map(float, item.group.split("-"))
        time = graph.hitting(item.goal)[graph.index[item.start]]
        assert low <= time < high
        assert item.start != item.goal
    edges = bucket_edges(every)
    assert len(edges) == BUCKETS + 1
    ratios = np.array(edges[2:]) / np.array(edges[1:-1])
    assert ratios == pytest.approx([ratios.mean()] * 4, rel=0.1)


def test_quintiles_where_times_come_in_clusters() -> None:
    near, far = np.linspace(10, 20, 500), np.linspace(1000, 1100, 500)
    edges = bucket_edges([*near, *far])
    assert edges == [10, 14, 18, 1020, 1060, 1200]
    assert min(np.histogram([*near, *far], edges)[0]) > 90


def test_buckets_take_turns() -> None:
    universe, marked = linked(ladder(14))
    counts = Counter(i.group for i in sample("navigation", universe, marked, 50))
    assert list(counts.values()) == [10] * BUCKETS


def test_one_bucket_where_all_is_equally_far() -> None:
    pages = [f"p{v}" for v in range(6)]
    universe, marked = linked({p: [u for u in pages if u != p] for p in pages})
    items = sample("navigation", universe, marked, 100)
    assert len(items) == 30
    assert {i.group for i in items} == {"5-5.1"}


def test_question_and_its_mirror_image() -> None:
    universe = random_universe(120, seed=4)
    marked = TemplateWriter(universe).write()
    items = sample("navigation", universe, marked, 40, seed=1)
    assert items == sample("navigation", universe, marked, 80, seed=1)[:40]
    assert items != sample("navigation", universe, marked, 40, seed=2)
    mirror = NameMap({e: (f"Name{n}",) for n, e in enumerate(universe.entities)})
    real = NameMap.real(universe)
    for item in items:
        one, other = render(item, real), render(item, mirror)
        assert (one.id, one.group, one.start, one.goal) == (
            other.id,
            other.group,
            other.start,
            other.goal,
        )
        start, goal = mirror.name(item.start), mirror.name(item.goal)
        assert other.text == (
            f"Start at the page '{start}' and reach the page '{goal}' by following links."
        )
        assert other.answers == (goal,)
        assert one.answers[0] == universe.entities[item.goal].name
    graph = PageGraph.from_documents(marked)
    assert all(graph.shortest(i.start, i.goal) > 0 for i in items)


def test_pages_without_links_are_refused() -> None:
    universe, marked = linked({"a": [], "b": []})
    with pytest.raises(ScrubjayError, match="no navigation question"):
        sample("navigation", universe, marked, 5)


@pytest.fixture
def walk() -> NavEnv:
    return NavEnv(PageGraph({"a": ["b", "c"], "b": ["a", "d"], "c": ["a"], "d": ["a"]}), "a", "d")


def test_reaching_the_goal(walk: NavEnv) -> None:
    assert walk.reset().links == ("b", "c")
    seen = walk.click(0)
    assert (seen.page, seen.links, seen.steps, seen.done) == ("b", ("a", "d"), 1, False)
    seen = walk.click("d")
    assert (seen.page, seen.steps, seen.success, seen.done) == ("d", 2, True, True)
    assert walk.path == ["a", "b", "d"]
    after = walk.click(0)
    assert (after.page, after.steps, after.success) == ("d", 2, True)
    assert after.error


def test_unknown_links_cost_a_step(walk: NavEnv) -> None:
    for steps, wrong in enumerate((2, -1, "d", "nobody"), 1):
        seen = walk.click(wrong)
        assert (seen.page, seen.steps, seen.done) == ("a", steps, False)
        assert seen.error
    assert walk.path == ["a"]


def test_back_retraces_the_walk(walk: NavEnv) -> None:
    seen = walk.back()
    assert (seen.page, seen.steps) == ("a", 1)
    assert seen.error
    walk.click("b")
    walk.click("a")
    walk.click("c")
    assert [walk.back().page for _ in range(4)] == ["a", "b", "a", "a"]
    assert walk.path == ["a", "b", "a", "c", "a", "b", "a"]


def test_budget(walk: NavEnv) -> None:
    for _ in range(29):
        assert not walk.back().done
    last = walk.back()
    assert (last.steps, last.done, last.success) == (30, True, False)
    assert walk.click("b").page == "a"
    assert walk.reset().steps == 0
    assert walk.click("b").page == "b"


def test_unknown_pages_are_refused() -> None:
    with pytest.raises(ScrubjayError, match="no page 'z'"):
        NavEnv(PageGraph({"a": ["b"], "b": ["a"]}), "a", "z")
