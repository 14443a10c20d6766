"""Every universe that isn't fit to be told is refused with a sentence that names what is wrong."""

from dataclasses import replace

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.core.errors import InputError
from scrubjay.worlds.check import check_universe, components, largest_component
from scrubjay.worlds.universe import Entity, Fact, Relation, Timestamp, Universe

CAPITAL = Relation(
    "capital", "country", "city", ("The capital of [S] is [O].",), "What is the capital of [S]?"
)
FRANCE, PARIS = Entity("fr", "country", "France"), Entity("paris", "city", "Paris")
FACT = Fact("fr", "capital", "paris")


def test_a_sound_universe_passes():
    check_universe(Universe([FRANCE, PARIS], [CAPITAL], [FACT]))


@pytest.mark.parametrize(
    ("entities", "relations", "facts", "sentence"),
    [
        ([], [], [], "the universe is empty: 0 entities, 0 facts; a world needs both"),
        (
            [FRANCE, PARIS, Entity("p2", "city", "PARIS")],
            [CAPITAL],
            [FACT],
            "two entities share the name 'PARIS': paris and p2; rename one",
        ),
        (
            [FRANCE],
            [CAPITAL],
            [FACT],
            "the fact (fr, capital, paris) names the unknown entity 'paris'; "
            "add it or drop the fact",
        ),
        (
            [FRANCE, PARIS],
            [],
            [FACT],
            "the fact (fr, capital, paris) uses the unknown relation 'capital'; define it",
        ),
        (
            [FRANCE, PARIS],
            [CAPITAL],
            [FACT, Fact("fr", "capital", Timestamp(1789))],
            "the fact (fr, capital, 1789) has an object that is not of the relation's range 'city'",
        ),
        (
            [FRANCE, PARIS],
            [replace(CAPITAL, phrasings=())],
            [FACT],
            "the relation 'capital' has no phrasing; add at least one",
        ),
        (
            [FRANCE, PARIS],
            [replace(CAPITAL, phrasings=("The capital is [O].",))],
            [FACT],
            "the relation 'capital' says \"The capital is [O].\", which lacks [S]",
        ),
        (
            [FRANCE, PARIS, Entity("lyon", "city", "Lyon")],
            [replace(CAPITAL, functional=True)],
            [FACT, Fact("fr", "capital", "lyon")],
            "the relation 'capital' is functional, but fr has two objects: paris and lyon; "
            "drop one or make it not functional",
        ),
        (
            [FRANCE, PARIS, Entity("x", "city", "Atlantis")],
            [CAPITAL],
            [FACT],
            "the universe falls into 2 parts that no fact connects; one of them holds "
            "'Atlantis' (x); add facts, or keep the largest part with largest_component",
        ),
    ],
)
def test_what_is_wrong_is_said(entities, relations, facts, sentence):
    with pytest.raises(InputError) as error:
        check_universe(Universe(entities, relations, facts))
    assert str(error.value) == sentence


EDGES = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20)


@given(EDGES)
def test_components_agree_with_networkx(edges):
    universe = Universe(
        [Entity(str(n), "city", f"City {n}") for n in range(13)],
        [CAPITAL],
        [Fact(str(a), "capital", str(b)) for a, b in edges],
    )
    graph = nx.Graph([(str(a), str(b)) for a, b in edges])
    graph.add_nodes_from(universe.entities)
    assert {frozenset(c) for c in components(universe)} == set(
        map(frozenset, nx.connected_components(graph))
    )
    largest = largest_component(universe)
    assert len(largest.entities) == max(map(len, nx.connected_components(graph)))
    assert len(components(largest)) == 1
    assert {f for f in universe.facts if f.subject in largest.entities} == set(largest.facts)
