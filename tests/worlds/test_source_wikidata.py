"""Wikidata dumps: ranks, precisions, what is dropped, connected samples, bounded memory."""

import bz2
import gzip
import json
import tracemalloc

import pytest

from scrubjay.core.errors import InputError
from scrubjay.worlds.check import check_universe
from scrubjay.worlds.sources import load_universe, read_wikidata
from scrubjay.worlds.universe import Quantity, Timestamp


def item(target, rank="normal"):
    value = {"value": {"id": target, "entity-type": "item"}, "type": "wikibase-entityid"}
    return claim("wikibase-item", value, rank)


def time(text, precision, rank="normal"):
    return claim("time", {"value": {"time": text, "precision": precision}}, rank)


def quantity(amount, unit="1"):
    return claim("quantity", {"value": {"amount": amount, "unit": unit}})


def claim(datatype, datavalue, rank="normal"):
    snak = {"snaktype": "value", "datatype": datatype, "datavalue": datavalue}
    return {"mainsnak": snak, "rank": rank, "type": "statement"}


def entity(id, name, claims=None, aliases=(), language="en", **more):
    return {
        "type": "property" if id.startswith("P") else "item",
        "id": id,
        "labels": {language: {"language": language, "value": name}},
        "aliases": {language: [{"language": language, "value": a} for a in aliases]},
        "claims": claims or {},
        **more,
    }


PROPERTIES = [
    entity("P17", "country"),
    entity("P36", "capital"),
    entity("P47", "shares border with"),
    entity("P571", "inception"),
    entity("P1082", "population"),
    entity("P2046", "area"),
    entity("P856", "official website"),
    entity("P1705", "native label"),
]
FRANCE = entity(
    "Q142",
    "France",
    {
        "P31": [item("Q6256")],
        "P36": [item("Q90", "preferred"), item("Q777"), item("Q456", "deprecated")],
        "P47": [item("Q183"), item("Q29")],
        "P571": [time("+0843-08-10T00:00:00Z", 11), time("+0481-00-00T00:00:00Z", 9, "deprecated")],
        "P2046": [quantity("+643801", "http://www.wikidata.org/entity/Q712226")],
        "P856": [claim("url", {"value": "https://france.fr", "type": "string"})],
        "P1705": [claim("monolingualtext", {"value": {"text": "France", "language": "fr"}})],
        "P1": [claim("external-id", {"value": "FR", "type": "string"})],
        "P9": [
            {"mainsnak": {"snaktype": "novalue", "datatype": "wikibase-item"}, "rank": "normal"}
        ],
    },
    aliases=("French Republic", "France", "La France"),
)
DUMP = [
    *PROPERTIES,
    FRANCE,
    entity(
        "Q183",
        "Germany",
        {
            "P31": [item("Q6256")],
            "P36": [item("Q64")],
            "P47": [item("Q142")],
            "P571": [time("-0043-01-00T00:00:00Z", 10)],
        },
    ),
    entity("Q29", "Spain", {"P31": [item("Q6256")], "P47": [item("Q142"), item("Q183")]}),
    entity(
        "Q90",
        "Paris",
        {
            "P31": [item("Q515")],
            "P17": [item("Q142")],
            "P1082": [quantity("+2102650")],
            "P571": [time("-0250-00-00T00:00:00Z", 7)],
        },
    ),
    entity(
        "Q64",
        "Berlin",
        {"P31": [item("Q515")], "P17": [item("Q183")], "P1082": [quantity("+3677472")]},
    ),
    entity("Q777", "Old capital", {"P17": [item("Q142")]}),
    entity("Q6256", "country"),
    entity("Q515", "city"),
    entity("Q712226", "square kilometre"),
    entity(
        "Q5000",
        "Nirgendwo",
        {"P17": [item("Q142")], "P47": [item("Q142"), item("Q183")]},
        language="de",
    ),
    # A part of its own: three facts each, but not connected with the rest.
    entity("Q8", "Far", {"P47": [item("Q9")], "P1082": [quantity("+1")]}),
    entity("Q9", "Away", {"P47": [item("Q8")], "P1082": [quantity("+2")]}),
]


def written(path, records):
    lines = ["[", *(json.dumps(r, ensure_ascii=False) + "," for r in records[:-1])]
    text = "\n".join([*lines, json.dumps(records[-1]), "]", ""])
    opener = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix, open)
    with opener(path, "wt", encoding="utf-8") as file:
        file.write(text)
    return path


def test_facts_types_ranks_precisions_units(tmp_path):
    u = read_wikidata(written(tmp_path / "d.json", DUMP))
    check_universe(u)
    assert {e.name: e.type for e in u.entities.values()} == {
        "France": "country",
        "Germany": "country",
        "Spain": "country",
        "Paris": "city",
        "Berlin": "city",
    }
    assert u.entities["Q142"].aliases == ("French Republic", "La France")
    assert {(f.subject, f.relation, f.object) for f in u.facts} == {
        ("Q142", "P36", "Q90"),
        ("Q142", "P47", "Q183"),
        ("Q142", "P47", "Q29"),
        ("Q142", "P571", Timestamp(843, 8, 10)),
        ("Q142", "P2046", Quantity(643801.0, "square kilometre")),
        ("Q183", "P36", "Q64"),
        ("Q183", "P47", "Q142"),
        ("Q183", "P571", Timestamp(-43, 1)),
        ("Q29", "P47", "Q142"),
        ("Q29", "P47", "Q183"),
        ("Q90", "P17", "Q142"),
        ("Q90", "P1082", Quantity(2102650.0)),
        ("Q64", "P17", "Q183"),
        ("Q64", "P1082", Quantity(3677472.0)),
    }
    assert u.relations["P36"].question == "What is the capital of [S]?"
    assert u.relations["P47"].phrasings[0] == "[S] shares border with [O]."


@pytest.mark.parametrize("name", ["d.json.gz", "d.json.bz2"])
def test_compressed_dumps_are_the_same(tmp_path, name):
    whole = read_wikidata(written(tmp_path / "d.json", DUMP))
    assert load_universe(written(tmp_path / name, DUMP)).hash == whole.hash


def test_only_kept_properties(tmp_path):
    kept = {"P47", "P36", "P17", "P1082"}
    u = read_wikidata(written(tmp_path / "d.json", DUMP), keep=kept)
    assert set(u.relations) == kept
    assert len(u.facts) == 11


def test_labels_in_the_next_language(tmp_path):
    path = written(tmp_path / "d.json", DUMP)
    assert "Q5000" not in read_wikidata(path).entities
    assert read_wikidata(path, languages=("en", "de")).entities["Q5000"].name == "Nirgendwo"


def test_homonyms_are_told_apart(tmp_path):
    twin = entity(
        "Q830149",
        "Paris",
        {"P31": [item("Q3957")], "P17": [item("Q142")], "P47": [item("Q90"), item("Q64")]},
    )
    u = read_wikidata(written(tmp_path / "d.json", [*DUMP, twin, entity("Q3957", "town")]))
    assert u.entities["Q830149"].name == "Paris"  # it has more facts here
    assert u.entities["Q90"].name == "Paris (city)"
    assert "Paris" in u.entities["Q90"].aliases


def towns(n, padding):
    """``n`` connected towns, each with ``padding`` characters that nobody keeps."""
    text = "x" * padding
    return [
        entity(
            f"Q{i}",
            f"Town {i}",
            {
                "P47": [item(f"Q{j % n}") for j in (i + 1, 7 * i + 3, 11 * i + 5)],
                "P571": [time(f"+{1000 + i % 900}-00-00T00:00:00Z", 9)],
                "P1082": [quantity(f"+{1000 + i}")],
            },
            sitelinks={"enwiki": {"title": text}},
        )
        for i in range(n)
    ]


def test_a_limit_gives_a_connected_sample(tmp_path):
    path = written(tmp_path / "d.json", [*PROPERTIES, *towns(500, 10)])
    u = read_wikidata(path, limit=120, seeds=["Q0"])
    check_universe(u)
    assert 100 <= len(u.entities) <= 120
    degree = dict.fromkeys(u.entities, 0)
    for fact in u.facts:
        degree[fact.subject] += 1
        if isinstance(fact.object, str):
            degree[fact.object] += 1
    assert min(degree.values()) >= 3
    assert u.hash == read_wikidata(path, limit=120, seeds=["Q0"]).hash


def test_memory_is_bounded_by_the_sample_not_by_the_dump(tmp_path):
    path = written(tmp_path / "d.json", [*PROPERTIES, *towns(2000, 12_000)])
    assert path.stat().st_size > 24_000_000
    tracemalloc.start()
    u = read_wikidata(path, limit=200, seeds=["Q0"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(u.entities) > 100
    assert peak < 3_000_000


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["[", json.dumps(FRANCE) + ",", "{oops", "]"], "d.json:3: not a Wikidata entity"),
        (["[", '{"labels": {}}', "]"], "d.json:2: not a Wikidata entity: it has no id"),
        (
            ['{"id": "Q1", "labels": {"en": {"value": "x"}}, "claims": {"P1": [{"mainsnak": 3}]}}'],
            "d.json:1: the entity Q1 is not written as Wikidata writes its entities",
        ),
        (["[", json.dumps(FRANCE), "]"], "d.json: no property has a label in en; keep the lines"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, lines, sentence):
    path = tmp_path / "d.json"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as error:
        load_universe(path)
    assert sentence in str(error.value)


def test_a_torn_archive_is_said(tmp_path):
    path = written(tmp_path / "d.json.gz", [*PROPERTIES, *towns(200, 500)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"d\.json\.gz: can't be read"):
        load_universe(path)
