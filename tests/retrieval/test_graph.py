import asyncio
import random

import networkx as nx
import pytest

from scrubjay.core import Hit, InputError, Link, Passage
from scrubjay.retrieval import PPRRetriever


def pages(n=40, seed=0):
    rng = random.Random(seed)
    return [
        Passage(
            f"d{i:02}",
            "text",
            f"Page {i:02}",
            links=tuple(
                Link(0, 1, f"d{j:02}")
                for j in rng.choices(range(n + 3), k=rng.randint(0, 3) if i else 0)
                if i % 7  # every seventh page links nowhere
            ),
        )
        for i in range(n)
    ]


def oracle(passages, seeds, damping):
    graph = nx.Graph()
    graph.add_nodes_from(p.id for p in passages)
    known = set(graph)
    graph.add_edges_from(
        (p.id, x.target) for p in passages for x in p.links if x.target in known - {p.id}
    )
    weights = dict.fromkeys(seeds, 1)
    return nx.pagerank(graph, damping, weights, tol=1e-14, max_iter=500, dangling=weights)


@pytest.mark.parametrize("damping", [0.5, 0.85])
def test_scores_are_networkx_personalised_pagerank(damping):
    passages = pages()
    retriever = PPRRetriever(passages, damping=damping)
    hits = asyncio.run(retriever.search("from page 01 to PAGE 17, please", k=40))
    expected = oracle(passages, ["d01", "d17"], damping)
    reached = {i: s for i, s in expected.items() if s > 1e-9}
    assert {h.passage.id: h.score for h in hits} == pytest.approx(reached, abs=1e-8)
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_the_longest_title_wins():
    passages = [Passage("t", "", "Toronto"), Passage("u", "", "University of Toronto")]
    retriever = PPRRetriever(passages)
    assert retriever.named("the University of TORONTO?") == [1]
    assert retriever.named("Toronto, university of Toronto") == [0, 1]
    assert retriever.named("Torontonian") == []


def test_without_a_title_the_base_gives_the_seeds():
    passages = [
        Passage("a", "", "A1", links=(Link(0, 1, "b"),)),
        Passage("b", "", "B1"),
        Passage("c", "", "C1"),
    ]

    class Base:
        async def search(self, query, k=5, where=None):
            return [Hit(passages[1], 1.0), Hit(Passage("elsewhere", ""), 0.5)]

    hits = asyncio.run(PPRRetriever(passages, Base()).search("no title in here"))
    # Two linked pages, a walk from b: p_b = 1/2 + p_a / 2 and p_a = p_b / 2.
    assert [(h.passage.id, h.score) for h in hits] == [
        ("b", pytest.approx(2 / 3)),
        ("a", pytest.approx(1 / 3)),
    ]
    assert asyncio.run(PPRRetriever(passages).search("no title in here")) == []
    assert asyncio.run(PPRRetriever([]).search("anything")) == []


def test_passages_of_one_document_come_together_and_filters_are_refused():
    passages = [
        Passage("a1", "", "Alpha", document="a", links=(Link(0, 1, "b"),)),
        Passage("a2", "", "Alpha", document="a"),
        Passage("b1", "", "Beta", document="b"),
    ]
    retriever = PPRRetriever(passages)
    hits = asyncio.run(retriever.search("alpha"))
    assert [h.passage.id for h in hits] == ["a1", "a2", "b1"]
    assert len(asyncio.run(retriever.search("alpha", k=1))) == 1
    with pytest.raises(InputError, match="filter"):
        asyncio.run(retriever.search("alpha", where="id = 'a1'"))
