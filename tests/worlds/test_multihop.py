"""Multi-hop questions, checked by an engine of another make: SPARQL through rdflib."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import networkx as nx
import pytest
from rdflib import Graph, Literal, URIRef

from scrubjay.worlds import multihop
from scrubjay.worlds.documents import Ref
from scrubjay.worlds.items import Item, RealNames
from scrubjay.worlds.motifs import MOTIFS, definite, indefinite
from scrubjay.worlds.names import NameMap
from scrubjay.worlds.sources.random import random_universe
from scrubjay.worlds.tasks import render, sample
from scrubjay.worlds.universe import (
    Entity,
    Fact,
    Relation,
    Timestamp,
    Universe,
    Value,
    value_to_json,
)
from scrubjay.worlds.writer import TemplateWriter

Triple = tuple[str, str, str]


class Oracle:
    """Answers of a pattern by SPARQL; shares no code with ``Universe.query`` or ``Solver``."""

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        self.graph = Graph()
        for f in universe.facts:
            self.graph.add(
                (URIRef(f"urn:{f.subject}"), URIRef(f"urn:{f.relation}"), _rdf(f.object))
            )

    def answers(self, pattern: Sequence[Triple]) -> set[object]:
        triples = " . ".join(" ".join(map(_term, triple)) for triple in pattern)
        found = self.graph.query(f"SELECT DISTINCT ?answer WHERE {{ {triples} }}")
        return {row[0] for row in found}

    def without(self, pattern: Sequence[Triple], edge: int) -> set[object] | None:
        """Answers when one edge is gone; ``None``: no edge speaks of the answer any more."""
        rest = [t for i, t in enumerate(pattern) if i != edge]
        shared = nx.Graph((t, v) for t in rest for v in (t[0], t[2]) if v.startswith("?"))
        if "?answer" not in shared:
            return None
        part = nx.node_connected_component(shared, "?answer")
        return self.answers([t for t in rest if t in part])

    def type(self, node: object) -> str:
        if isinstance(node, Literal):
            return "time" if "time" in str(node) else "number"
        return self.universe.entities[str(node).removeprefix("urn:")].type


def _rdf(value: Value) -> URIRef | Literal:
    return URIRef(f"urn:{value}") if isinstance(value, str) else Literal(str(value_to_json(value)))


def _term(term: str) -> str:
    return term if term.startswith("?") else f"<urn:{term}>"


@pytest.fixture(scope="module", params=[1, 2, 3])
def drawn(request: pytest.FixtureRequest) -> tuple[Universe, list[Item]]:
    seed = request.param
    universe = random_universe(250 + 50 * seed, seed=seed, relations=26)
    return universe, sample("multihop", universe, TemplateWriter(universe).write(), 48, seed)


def test_one_answer_and_every_edge_needed(drawn: tuple[Universe, list[Item]]) -> None:
    universe, items = drawn
    oracle = Oracle(universe)
    for item in items:
        [answer] = item.answers
        assert oracle.answers(item.pattern) == {_rdf(answer)}
        assert universe.query(item.pattern) == {answer}
        for edge in range(len(item.pattern)):
            found = oracle.without(item.pattern, edge)
            if found is None:
                assert len(universe.by_type.get(item.answer_type, "two")) > 1
            else:
                same = [a for a in found if oracle.type(a) == item.answer_type]
                assert _rdf(answer) in same
                assert len(same) > 1


def test_shapes(drawn: tuple[Universe, list[Item]]) -> None:
    degrees = {
        # Edges, named entities, and how many edges meet in the most connected node.
        "2-chain": (2, 1, 2, 1),
        "3-chain": (3, 1, 2, 1),
        "4-chain": (4, 1, 2, 1),
        "3-join": (3, 2, 2, 2),
        "4-branch-late": (4, 2, 2, 2),
        "4-branch-early": (4, 2, 3, 1),
    }
    assert Counter(i.group for i in drawn[1]) == dict.fromkeys(MOTIFS, 8)
    for item in drawn[1]:
        shape = nx.Graph((s, o) for s, _, o in item.pattern)
        edges, named, most, at_answer = degrees[item.group]
        assert nx.is_tree(shape)
        assert shape.number_of_edges() == len(item.pattern) == edges
        assert sum(not n.startswith("?") for n in shape) == named
        assert max(d for _, d in shape.degree) == most
        assert shape.degree["?answer"] == at_answer
        if item.group == "4-branch-late":
            ends = [n for n in shape if not n.startswith("?")]
            assert [nx.shortest_path_length(shape, n, "?answer") for n in ends] == [2, 2]


def test_every_edge_on_its_own_page(drawn: tuple[Universe, list[Item]]) -> None:
    universe, items = drawn
    pages = {d.entity: d for d in TemplateWriter(universe).write()}
    for item in items:
        assert len(set(item.gold)) == len(item.gold) == len(item.pattern)
        for (subject, relation, object), page in zip(item.pattern, item.gold):
            stated = [f for f in pages[page].facts if f.relation == relation]
            assert stated
            if not subject.startswith("?"):
                assert subject == page
            if not object.startswith("?"):
                assert object in {f.object for f in stated}


def test_names_in_the_question(drawn: tuple[Universe, list[Item]]) -> None:
    universe, items = drawn
    names, real = RealNames(universe), NameMap.real(universe)
    for item in items:
        named = {s.value for s in item.query if isinstance(s, Ref)}
        assert named == {t for s, _, o in item.pattern for t in (s, o) if not t.startswith("?")}
        question = render(item, real)
        assert all(a.casefold() not in question.text.casefold() for a in question.answers)
        assert not names.clue(item.answers[0], named)
        assert "[" not in question.text
        assert " the the " not in question.text
        assert "  " not in question.text
        assert question.text.endswith("?")


def test_worlds_mirror_each_other(drawn: tuple[Universe, list[Item]]) -> None:
    universe, items = drawn
    mirror = NameMap({e: (f"Xx{n}xx",) for n, e in enumerate(universe.entities)}, shift=-20)
    for item in items:
        one, other = render(item, NameMap.real(universe)), render(item, mirror)
        assert (one.id, one.group, one.gold, one.query) == (
            other.id,
            other.group,
            other.gold,
            other.query,
        )
        text = other.text
        for segment in item.query:
            if isinstance(segment, Ref):
                assert isinstance(segment.value, str)
                text = text.replace(
                    mirror.name(segment.value), universe.entities[segment.value].name
                )
        assert text == one.text
        assert other.answers == (mirror.value(item.answers[0]),)


def test_balance_and_prefixes() -> None:
    universe = random_universe(1500, seed=9, relations=26)
    marked = TemplateWriter(universe).write()
    items = sample("multihop", universe, marked, 300, seed=4)
    assert items[:90] == sample("multihop", universe, marked, 90, seed=4)
    assert len({i.id for i in items}) == 300
    for motif in MOTIFS:
        group = [i for i in items if i.group == motif]
        assert len(group) == 50
        answers = Counter(i.answers[0] for i in group)
        signatures = Counter(tuple(r for _, r, _ in i.pattern) for i in group)
        assert max(answers.values()) <= math.ceil(0.05 * 50)
        # A signature knows forwards from backwards, which these triples don't.
        assert max(signatures.values()) <= 2 * math.ceil(0.10 * 50)
    assert any(i.is_time for i in items)
    assert {i.answer_type for i in items if i.is_time} == {"time"}


MENTOR = Relation("mentor", "person", "person", ("[S] taught [O].",), noun="the pupil of [S]")
VISITED = Relation("visited", "person", "town", ("[S] saw [O].",), noun="a town seen by [S]")
PLANTED = [
    ("anna", MENTOR, "boris"),
    ("dmitri", MENTOR, "elena"),
    ("dmitri", MENTOR, "fjodor"),
    ("boris", VISITED, "xanten"),
    ("boris", VISITED, "ypern"),
    ("clara", VISITED, "xanten"),
    ("clara", VISITED, "zwolle"),
    ("elena", VISITED, "zwolle"),
    ("elena", VISITED, "wesel"),
]


def planted(facts: list[tuple[str, Relation, str]]) -> tuple[Universe, list[Item]]:
    ids = dict.fromkeys(x for s, _, o in facts for x in (s, o))
    towns = {o for _, r, o in facts if r.range == "town"}
    entities = [Entity(i, "town" if i in towns else "person", i.capitalize()) for i in ids]
    relations = list({r.id: r for _, r, _ in facts}.values())
    universe = Universe(entities, relations, [Fact(s, r.id, o) for s, r, o in facts])
    return universe, multihop.sample(universe, TemplateWriter(universe).write(), 50)


def test_the_only_join_is_found() -> None:
    universe, items = planted(PLANTED)
    assert [i.group for i in items] == ["3-join"]
    question = render(items[0], NameMap.real(universe))
    assert question.text == (
        "What is the town seen by Clara that is also a town seen by the pupil of Anna?"
    )
    assert question.answers == ("Xanten",)
    assert question.gold == ("anna", "boris", "clara")
    assert question.query == (
        ("anna", "mentor", "?1"),
        ("?1", "visited", "?answer"),
        ("clara", "visited", "?answer"),
    )


@pytest.mark.parametrize(
    "extra",
    [
        ("clara", VISITED, "ypern"),  # a second answer
        ("anna", MENTOR, "clara"),  # 'the pupil of Anna' is nobody in particular
    ],
)
def test_no_join_when_it_is_not_unique(extra: tuple[str, Relation, str]) -> None:
    assert planted([*PLANTED, extra])[1] == []


def test_no_join_when_an_edge_is_idle() -> None:
    # Without Zwolle, Clara alone leads to Xanten.
    facts = [f for f in PLANTED if f != ("clara", VISITED, "zwolle")]
    assert planted(facts)[1] == []


def test_no_way_back_through_an_inverse() -> None:
    capital = Relation("capital", "land", "town", ("[S] [O].",), noun="the capital of [S]")
    seat = Relation("seat", "town", "land", ("[S] [O].",), noun="the land ruled from [S]")
    facts = [(f"land{i}", capital, f"town{i}") for i in range(4)]
    facts += [(f"town{i}", seat, f"land{i}") for i in range(4)]
    assert planted(facts)[1] == []


def test_descriptions() -> None:
    lies = Relation(
        "lies", "town", "land", ("[S] [O].",), noun="the land in which [S] lies", condition="c [O]"
    )
    born = Relation("born", "person", "town", ("[S] [O].",), noun="the birthplace of [S]")
    since = Relation("since", "land", "time", ("[S] [O].",), noun="the year of birth of [S]")
    facts: list[Fact] = []
    entities = []
    for i, name in enumerate(["Aquila", "Bemba", "Cordes", "Delos"]):
        entities += [Entity(f"p{i}", "person", f"{name} Jr"), Entity(f"t{i}", "town", f"T{i}")]
        entities.append(Entity(f"l{i}", "land", f"L{i}"))
        facts += [Fact(f"p{i}", "born", f"t{i}"), Fact(f"t{i}", "lies", f"l{i}")]
        facts.append(Fact(f"l{i}", "since", Timestamp(1900 + i)))
    universe = Universe(entities, [lies, born, since], facts)
    items = sample("multihop", universe, TemplateWriter(universe).write(), 40)
    texts = {render(i, NameMap.real(universe)).text: i for i in items}
    assert "What is the land in which lies the birthplace of Aquila Jr?" in texts
    deep = texts["What is the year of birth of the land in which lies the birthplace of Bemba Jr?"]
    assert deep.is_time
    assert deep.answers == (Timestamp(1901),)
    assert deep.gold == ("p1", "t1", "l1")
    assert definite("a neighbour of [S]") == "the neighbour of [S]"
    assert indefinite("the official language of [S]") == "an official language of [S]"
    assert indefinite("a town") == "a town"
