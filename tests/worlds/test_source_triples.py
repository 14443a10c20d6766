"""Tables and JSON Lines of triples: round trips, phrasings beside them, errors with lines."""

import csv
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import InputError, UnknownName
from scrubjay.core.files import dump_json
from scrubjay.worlds.check import check_universe
from scrubjay.worlds.sources import load_universe, read_triples
from scrubjay.worlds.sources.phrase import derive_relation
from scrubjay.worlds.sources.random import random_universe
from scrubjay.worlds.universe import Fact, Quantity, Timestamp

TABLE = """subject,relation,object,subject_type,object_type
France,capital,Paris,country,city
Germany,capital,Berlin,country,city
France,borders,Germany,country,country
Germany,borders,France,country,country
Paris,inhabitants,"2,102,650 people",city,number
Berlin,first mentioned,1244,city,time
"""
SAYS = """id,phrasing,question,functional
capital,The capital of [S] is [O].|[S] is ruled from [O].,What is the capital of [S]?,yes
borders,[S] borders [O].,,
inhabitants,[S] has [O].,,
first mentioned,[S] was first mentioned in [O].,,
"""


@pytest.fixture
def table(tmp_path):
    (tmp_path / "facts.csv").write_text(TABLE)
    (tmp_path / "relations.csv").write_text(SAYS)
    return tmp_path / "facts.csv"


def test_table_with_phrasings_beside_it(table):
    u = load_universe(table)
    check_universe(u)
    assert {e.id: e.type for e in u.entities.values()} == {
        "France": "country",
        "Paris": "city",
        "Germany": "country",
        "Berlin": "city",
    }
    assert Fact("Paris", "inhabitants", Quantity(2102650.0, "people")) in u.facts
    assert Fact("Berlin", "first mentioned", Timestamp(1244)) in u.facts
    capital = u.relations["capital"]
    assert capital.phrasings == ("The capital of [S] is [O].", "[S] is ruled from [O].")
    assert (capital.domain, capital.range, capital.functional) == ("country", "city", True)
    assert capital.noun == "the capital of [S]"  # derived: the row leaves it out
    assert u.relations["borders"].inverse == "borders"


def test_tab_separated_and_json_lines_say_the_same(table):
    rows = list(csv.DictReader(TABLE.splitlines()))
    tsv = table.with_suffix(".tsv")
    tsv.write_text("\n".join("\t".join(r) for r in [rows[0].keys(), *(r.values() for r in rows)]))
    lines = table.with_suffix(".jsonl")
    lines.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert load_universe(tsv).hash == load_universe(lines).hash == load_universe(table).hash


def test_our_own_records_round_trip(tmp_path):
    u = random_universe(80, seed=3)
    path = tmp_path / "u.jsonl"
    path.write_text("".join(dump_json(r) + "\n" for r in u.records()))
    assert load_universe(path).hash == u.hash


NAMES = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=12).filter(
    lambda s: s.strip() == s
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(NAMES, st.sampled_from(["knows", "likes", "is from"]), NAMES),
        min_size=1,
        max_size=15,
    )
)
def test_any_names_survive_a_table(tmp_path_factory, triples):
    spelling = {}
    for s, _, o in triples:
        for name in (s, o):
            spelling.setdefault(name.casefold(), name)
    triples = [(spelling[s.casefold()], r, spelling[o.casefold()]) for s, r, o in triples]
    path = tmp_path_factory.mktemp("t") / "t.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("subject", "relation", "object"), *triples])
    u = read_triples(path, derive=True)
    assert {(f.subject, f.relation, f.object) for f in u.facts} == set(triples)


@pytest.mark.parametrize(
    ("line", "row", "sentence"),
    [
        (3, "France,capital", "facts.csv:3: 2 columns where the first line names 5"),
        (3, ",capital,Paris,,", "facts.csv:3: the subject is missing; write its name"),
        (3, "France,,Paris,,", "facts.csv:3: the relation is missing; write its name"),
        (3, "France,capital,,,", "facts.csv:3: the object is missing; write its name"),
        (
            4,
            "FRANCE,capital,Paris,country,city",
            "facts.csv:4: 'FRANCE' and 'France' (line 2) are two entities of one name; "
            "write them alike or rename one",
        ),
        (
            5,
            "Paris,borders,France,person,",
            "facts.csv:5: 'Paris' is a person here but a city before; one name can't stand for "
            "two entities, write 'Paris (person)'",
        ),
        (6, "Paris,inhabitants,many,city,number", "facts.csv:6: 'many' is not a number"),
        (7, "Berlin,first mentioned,1244-13,city,time", "facts.csv:7: '1244-13' is not a time"),
        (2, 'France,capital,"Paris,country', "facts.csv:"),
    ],
)
def test_bad_rows_are_named_by_line(table, line, row, sentence):
    lines = TABLE.splitlines()
    lines.insert(line - 1, row)
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError) as error:
        load_universe(table)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "subject,object\nx,y\n", "a.csv:1: the first line must name the columns"),
        ("a.csv", b"subject,relation,object\n\xff,b,c\n", "a.csv: can't be read: it is not UTF-8"),
        ("a.jsonl", '{"subject": "a", "relation": "r", "object": "b"}\n{oops\n', "a.jsonl:2: not"),
        ("a.jsonl", '{"subject": "a", "relation": "r", "object": "b"}\n[1]\n', "a.jsonl:2: not a"),
        ("a.jsonl", '{"entity": {"id": "x"}}\n', "a.jsonl:1: neither a triple nor a record"),
        ("a.csv", "subject,relation,object\n", "a.csv: the universe is empty"),
        (
            "a.jsonl",
            '{"subject": "a", "relation": "r", "object": {"time": ["x"]}}\n',
            "a.jsonl:1: ",
        ),
        (
            "a.jsonl",
            '{"subject": "a", "relation": "r", "object": {"number": Infinity}}\n',
            "a.jsonl:1: ",
        ),
        ("a.txt", "hello", "a.txt: not a kind of file worlds are read from"),
    ],
)
def test_files_that_are_no_triples(tmp_path, name, text, sentence):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as error:
        load_universe(path)
    assert sentence in str(error.value)


def test_a_relation_without_phrasing_names_the_file_to_write(table):
    side = table.with_name("relations.csv")
    side.write_text(SAYS.replace("borders,[S] borders [O].,,\n", ""))
    with pytest.raises(InputError) as error:
        load_universe(table)
    assert str(error.value) == (
        "the relation 'borders' has no phrasing; add a row with its id and a phrasing such as "
        f'"[S] borders [O]." to {side}'
    )
    assert read_triples(table, derive=True).relations["borders"].phrasings[0] == "[S] borders [O]."
    side.write_text(SAYS.replace("[S] borders [O]", "They border [O]"))
    with pytest.raises(InputError, match=re.escape(f"{side}:3: the phrasing")):
        load_universe(table)


def test_functional_by_its_row_but_not_by_the_data(table):
    table.write_text(TABLE + "France,capital,Berlin,country,city\n")
    with pytest.raises(InputError, match="'capital' is functional, but France has two objects"):
        load_universe(table)


def test_unknown_worlds_are_named():
    with pytest.raises(UnknownName, match="there is no world 'atlass'"):
        load_universe("atlass")


@pytest.mark.parametrize(
    ("label", "range", "phrasing", "question"),
    [
        ("birthPlace", "city", "The birth place of [S] is [O].", "What is the birth place of [S]?"),
        ("was born in", "city", "[S] was born in [O].", "What is it that [S] was born in?"),
        ("founded", "time", "[S] was founded in [O].", "When was [S] founded?"),
        ("ISORegion", "region", "The ISO region of [S] is [O].", None),
    ],
)
def test_labels_become_sentences(label, range, phrasing, question):
    relation = derive_relation("r", label, "thing", range, functional=True)
    assert relation.phrasings[0] == phrasing
    assert question in (None, relation.question)


@given(st.text(st.characters(codec="ascii", exclude_characters="[]"), max_size=20))
def test_every_label_gives_a_sound_relation(label):
    relation = derive_relation("id", label, "a_type", "b")
    assert len(relation.phrasings) == 3
    assert all("[S]" in p and "[O]" in p for p in relation.phrasings)
    assert "[S]" in relation.question
    assert "[S]" in relation.noun
    assert "[O]" in relation.inverse_noun
    assert "[O]" in relation.condition
