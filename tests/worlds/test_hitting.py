"""Page graphs and hitting times, against closed forms, simulation and networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.nouns import Link, Passage
from scrubjay.worlds import hitting
from scrubjay.worlds.documents import MarkedDocument, Ref
from scrubjay.worlds.hitting import PageGraph


def graph(links: dict[int, list[int]]) -> PageGraph:
    return PageGraph({str(v): [str(u) for u in out] for v, out in links.items()})


def path_graph(n: int) -> PageGraph:
    return graph({v: [u for u in (v - 1, v + 1) if 0 <= u <= n] for v in range(n + 1)})


def test_cycle() -> None:
    cycle = graph({v: [(v + 1) % 7] for v in range(7)})
    assert cycle.hitting("0") == pytest.approx([0, 6, 5, 4, 3, 2, 1])


def test_path_is_quadratic() -> None:
    # A reflected walk on 0..n needs n² - v² steps from v to n.
    times = path_graph(30).hitting("30")
    assert times == pytest.approx([900 - v * v for v in range(31)])


def test_complete_graph_is_geometric() -> None:
    complete = graph({v: [u for u in range(9) if u != v] for v in range(9)})
    assert complete.hitting("4") == pytest.approx([8] * 4 + [0] + [8] * 4)


def test_start_again_half_of_the_time() -> None:
    # h_0 = 1 + h_1 and h_v = 1 + (h_{v+1} + h_0) / 2 solve to h_0 = 3 · 2^(n-1) - 2.
    n = 30
    tosses = graph({**{v: [v + 1, 0] for v in range(1, n)}, 0: [1], n: [0]})
    assert tosses.hitting(str(n))[0] == pytest.approx(3 * 2 ** (n - 1) - 2, rel=1e-6)


def test_artefacts_are_refused() -> None:
    for n in (60, 1500):
        tosses = graph({**{v: [v + 1, 0] for v in range(1, n)}, 0: [1], n: [0]})
        with pytest.raises(ScrubjayError, match="almost unconnected"):
            tosses.hitting(str(n))


def test_simulation() -> None:
    rng = np.random.default_rng(5)
    links = {v: sorted({int(u) for u in rng.integers(0, 12, 3)} - {v}) for v in range(12)}
    for v in range(12):
        links[v] = sorted({*links[v], (v + 1) % 12} - {v})
    expected = graph(links).hitting("3")
    for start in (0, 7):
        walks = []
        for _ in range(4000):
            here, steps = start, 0
            while here != 3:
                here, steps = links[here][int(rng.integers(len(links[here])))], steps + 1
            walks.append(steps)
        error = 5 * np.std(walks) / np.sqrt(len(walks))
        assert np.mean(walks) == pytest.approx(expected[start], abs=error)


def test_large_graphs_by_either_solver() -> None:
    # A long path is a bottleneck everywhere: GMRES gives up and the factors take over.
    n = hitting.DIRECT + 100
    path = path_graph(n)
    assert path.hitting(str(n))[[0, n // 2]] == pytest.approx([n**2, n**2 - (n // 2) ** 2])
    # A well-mixed graph goes the other way.
    rng = np.random.default_rng(1)
    mixed = graph({v: [(v + 1) % n, *rng.integers(0, n, 4).tolist()] for v in range(n)})
    assert mixed._iterative
    assert not path._iterative
    times = mixed.hitting("7")
    others = [v for v in range(n) if v != 7]
    means = [np.mean([times[int(u)] for u in mixed.links(str(v))]) for v in others]
    assert times[others] == pytest.approx(1 + np.array(means), rel=1e-6)


def test_solvers_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    links = {v: [(v + 1) % 200, *rng.integers(0, 200, 3).tolist()] for v in range(200)}
    direct = graph(links).hitting("9")
    monkeypatch.setattr(hitting, "DIRECT", 0)
    iterative = graph(links)
    assert iterative._iterative
    assert iterative.hitting("9") == pytest.approx(direct, rel=1e-7)


def test_links_are_distinct_and_in_order_of_mention() -> None:
    pages = PageGraph({"a": ["c", "b", "c", "a", "nowhere"], "b": ["a"], "c": ["b"]})
    assert pages.links("a") == ("c", "b")


def test_dead_end_goes_back_to_its_commonest_parent() -> None:
    pages = PageGraph({"a": ["end", "b"], "b": ["end", "a", "end"], "end": [], "alone": []})
    assert pages.links("end") == ("b",)
    assert pages.links("alone") == ()


def test_targets_are_certain_to_be_reached() -> None:
    # Two closed pairs, {x, y, z} and {p, q}; 's' may end in either, 't' only in the larger one.
    pages = PageGraph(
        {"s": ["x", "p"], "t": ["x"], "x": ["y"], "y": ["z"], "z": ["x"], "p": ["q"], "q": ["p"]}
    )
    assert pages.targets == ("x", "y", "z")
    assert pages.starts == ("t", "x", "y", "z")
    times = pages.hitting("y")
    assert times[1] == pytest.approx(2)
    assert np.isinf(times[[0, 5, 6]]).all()
    with pytest.raises(ScrubjayError, match="'p' can't serve as a goal"):
        pages.hitting("p")
    with pytest.raises(ScrubjayError, match="'nobody'"):
        pages.hitting("nobody")


def test_documents_and_rendered_pages_give_one_graph() -> None:
    marked = [
        MarkedDocument("a", (Ref("a"), " lies in ", Ref("b"), " near ", Ref("c"), ".")),
        MarkedDocument("b", (Ref("c"), " and ", Ref("gone"), " and ", Ref("c"))),
        MarkedDocument("c", ("nothing",)),
    ]
    pages = {
        "a": Passage("a", "A lies in B near C.", links=(Link(11, 12, "b"), Link(18, 19, "c"))),
        "b": Passage("b", "C and G and C", links=(Link(0, 1, "c"), Link(12, 13, "c"))),
        "c": Passage("c", "nothing"),
    }
    one, other = PageGraph.from_documents(marked), PageGraph.from_pages(pages)
    assert one.pages == other.pages == ("a", "b", "c")
    assert {p: one.links(p) for p in one.pages} == {"a": ("b", "c"), "b": ("c",), "c": ("b",)}
    assert [one.links(p) for p in one.pages] == [other.links(p) for p in other.pages]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 11), max_size=4), min_size=2, max_size=12))
def test_any_graph(mentions: list[list[int]]) -> None:
    pages = PageGraph({str(v): [str(u) for u in out] for v, out in enumerate(mentions)})
    oracle = nx.DiGraph([(p, u) for p in pages.pages for u in pages.links(p)])
    oracle.add_nodes_from(pages.pages)
    for start in pages.pages:
        lengths = nx.single_source_shortest_path_length(oracle, start)
        for goal in pages.pages:
            assert pages.shortest(start, goal) == lengths.get(goal, -1)
    # Targets: a component that nothing leaves; starts: what can reach no other such component.
    closed = [
        c for c in nx.strongly_connected_components(oracle) if not nx.node_boundary(oracle, c)
    ]
    assert set(pages.targets) in closed
    assert len(pages.targets) == max(map(len, closed))
    others = [c for c in closed if c != set(pages.targets)]
    lost = {p for p in oracle for c in others if nx.descendants(oracle, p) & c or p in c}
    assert set(pages.starts) == set(oracle) - lost
    goal = pages.targets[0]
    times = dict(zip(pages.pages, pages.hitting(goal)))
    for page in pages.starts:
        if page != goal:
            mean = np.mean([times[u] for u in pages.links(page)])
            assert times[page] == pytest.approx(1 + mean)
            assert times[page] > pages.shortest(page, goal) - 1e-9
