"""RDF files give the triples that rdflib sees, under their labels, without strings that leak."""

import re

import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import InputError
from scrubjay.worlds.check import check_universe
from scrubjay.worlds.sources import load_universe, read_rdf
from scrubjay.worlds.universe import Quantity, Timestamp

PREFIXES = """
@prefix : <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
FRANCE = (
    PREFIXES
    + """
:Country rdfs:label "country"@en .
:capital rdfs:label "capital city"@en, "Hauptstadt"@de .
:fr a :Country ; rdfs:label "Frankreich"@de, "France"@en ; skos:altLabel "La France", "Gallia"@la ;
  :capital :paris ; :founded "0843"^^xsd:gYear ; :population 67000000 ; :area 643801.5 ;
  :motto "Liberté" ; :homepage <http://gouvernement.fr> ; :code "FR" ; :member true .
:paris a :City ; rdfs:label "Paris" ; :locatedIn :fr ; :twinTown :rome ;
  :liberated "1944-08-25"^^xsd:date .
:rome a :City ; rdfs:label "Roma"@it ; :twinTown :paris ; :mayorSince "2021-10"^^xsd:gYearMonth .
"""
)


def test_entities_facts_and_values(tmp_path):
    path = tmp_path / "france.ttl"
    path.write_text(FRANCE)
    u = read_rdf(path)
    check_universe(u)
    assert {e.name: (e.id, e.type, e.aliases) for e in u.entities.values()} == {
        "France": ("fr", "country", ("La France",)),
        "Paris": ("paris", "city", ()),
        "Roma": ("rome", "city", ()),
    }
    assert {(f.subject, f.relation, f.object) for f in u.facts} == {
        ("fr", "capital", "paris"),
        ("fr", "founded", Timestamp(843)),
        ("fr", "population", Quantity(67000000.0)),
        ("fr", "area", Quantity(643801.5)),
        ("paris", "locatedIn", "fr"),
        ("paris", "liberated", Timestamp(1944, 8, 25)),
        ("paris", "twinTown", "rome"),
        ("rome", "twinTown", "paris"),
        ("rome", "mayorSince", Timestamp(2021, 10)),
    }
    capital = u.relations["capital"]
    assert capital.phrasings[0] == "The capital city of [S] is [O]."
    assert capital.question == "What is the capital city of [S]?"
    assert (capital.domain, capital.range, capital.functional) == ("country", "city", True)
    assert u.relations["twinTown"].inverse == "twinTown"
    assert u.relations["locatedIn"].phrasings[0] == "[S] is located in [O]."


def test_ntriples_and_turtle_of_one_graph_agree(tmp_path):
    (tmp_path / "a.ttl").write_text(FRANCE)
    graph = rdflib.Graph().parse(data=FRANCE, format="turtle")
    graph.serialize(tmp_path / "a.nt", format="nt", encoding="utf-8")
    assert read_rdf(tmp_path / "a.ttl").hash == load_universe(tmp_path / "a.nt").hash


NODES = st.integers(0, 9)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.tuples(NODES, st.integers(0, 3), NODES), min_size=1, max_size=25))
def test_as_many_facts_as_rdflib_has_triples_between_things(tmp_path_factory, edges):
    graph = rdflib.Graph()
    at = rdflib.Namespace("http://example.org/")
    for s, p, o in edges:
        graph.add((at[f"n{s}"], at[f"p{p}"], at[f"n{o}"]))
    subjects = set(graph.subjects())
    expected = {(s, p, o) for s, p, o in graph if o in subjects and s != o}
    path = tmp_path_factory.mktemp("rdf") / "g.nt"
    path.write_text("".join(sorted(graph.serialize(format="nt").splitlines(True))))
    got = {(at[f.subject], at[f.relation], at[f.object]) for f in read_rdf(path).facts}
    assert got == expected


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "a.nt",
            "<http://e/a> <http://e/b> <http://e/c> .\n<http://e/a> x .\n",
            "a.nt:2: not N-Triples",
        ),
        (
            "a.ttl",
            PREFIXES + ":a :b :c .\n:a :b ; .\n:d [\n",
            "a.ttl:7: not Turtle (Bad syntax (objectList expected))",
        ),
        ("b.ttl", "@prefix : <http://e/> .\n\n:a :b nonsense:x .\n", "b.ttl:3: not Turtle"),
        (
            "c.ttl",
            PREFIXES + ':a rdfs:label "Rome" ; :b :c .\n:c rdfs:label "Rome" ; :b :a .\n',
            "c.ttl: two entities share the name 'Rome': a and c; rename one",
        ),
        ("d.ttl", PREFIXES + ':a :b "text" .\n', "the universe is empty"),
        (
            "e.ttl",
            PREFIXES + ":a :b :c . :c :b :a . :d :b :e . :e :b :d .\n",
            "falls into 2 parts",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, name, text, sentence):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(sentence)):
        load_universe(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"gone\.ttl: there is no such file"):
        load_universe(tmp_path / "gone.ttl")
