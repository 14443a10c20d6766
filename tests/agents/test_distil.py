"""From text to triples, pairs and a world: what is found, what is refused, and what is lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scrubjay.agents.distil import (
    Distiller,
    Triple,
    gather,
    load_triples,
    read_sources,
    save_graph,
)
from scrubjay.agents.distil.files import as_csv
from scrubjay.agents.distil.mentions import Gazetteer, as_value, mentions, plain, sentences
from scrubjay.agents.distil.merging import noun
from scrubjay.agents.distil.pairs import flaw, template
from scrubjay.agents.distil.patterns import read_sentence
from scrubjay.agents.distil.triples import parse_line
from scrubjay.agents.session import as_text
from scrubjay.core import InputError, ScrubjayError
from scrubjay.evaluation.graphs import score_graph
from scrubjay.models.types import Choice, Completion, Prompt
from scrubjay.worlds import Quantity, Timestamp, load_world
from scrubjay.worlds.universe import TIME

SAMPLE = Path(__file__).with_name("sample_graph_text.md")
NOBODY = Gazetteer([])
BOOKS = Gazetteer(["The Grey Door", "A Winter in Jeigor", "Night over Arn"])


def said(sentence: str, topic: str = "", known: Gazetteer = BOOKS) -> set[tuple[str, str, str]]:
    found = read_sentence(sentence, known, topic).said
    return {(s.subject.text, s.relation, s.object.text) for s in found}


@pytest.mark.parametrize(
    ("sentence", "triples"),
    [
        ("The capital of Brenland is Torvik.", {("Brenland", "capital", "Torvik")}),
        ("Torvik is the capital of Brenland.", {("Brenland", "capital", "Torvik")}),
        ("Brenland's capital is Torvik.", {("Brenland", "capital", "Torvik")}),
        ("Brenland has Ana Solvik as its head.", {("Brenland", "head", "Ana Solvik")}),
        (
            "Kalen Brusk was born in Torvik on March 2, 1851 and died in Arn.",
            {
                ("Kalen Brusk", "was born in", "Torvik"),
                ("Kalen Brusk", "was born on", "March 2, 1851"),
                ("Kalen Brusk", "died in", "Arn"),
            },
        ),
        (
            "The Velmor passes Torvik, Arn and Dun.",
            {("Velmor", "passes", "Torvik"), ("Velmor", "passes", "Arn"),
             ("Velmor", "passes", "Dun")},
        ),
        (
            "Kalen Brusk, the mayor of Torvik, speaks Brennish.",
            {("Torvik", "mayor", "Kalen Brusk"), ("Kalen Brusk", "speaks", "Brennish")},
        ),
        (
            "Kalen Brusk, who was born in Arn, lives in Torvik.",
            {("Kalen Brusk", "was born in", "Arn"), ("Kalen Brusk", "lives in", "Torvik")},
        ),
        ("In 1871, Ana Po painted The Grey Door.", {("Ana Po", "painted", "The Grey Door")}),
        ("The cast of Night over Arn includes Bo Lee.", {("Night over Arn", "cast", "Bo Lee")}),
        ("Ana Po was on the staff of Arn Group.", {("Ana Po", "was on the staff of", "Arn Group")}),
        # Nothing is said, or it is denied, or nobody knows of whom.
        ("Torvik is not in Brenland.", set()),
        ("Readers can find it in Torvik.", set()),
        ("Torvik and Arn.", set()),
        ("Not until later did Hale get a railway to Brindle.", set()),
        ("It lies in Brenland.", set()),
    ],
)  # fmt: skip
def test_patterns(sentence: str, triples: set[tuple[str, str, str]]) -> None:
    assert said(sentence) == triples


def test_a_pronoun_stands_for_the_topic() -> None:
    assert said("It lies in Brenland.", "Torvik") == {("Torvik", "lies in", "Brenland")}
    assert said("Its mayor is Ana Solvik.", "Torvik") == {("Torvik", "mayor", "Ana Solvik")}
    reading = read_sentence("The Velmor is a river in Brenland.", NOBODY)
    assert read_sentence("The Velmor is a river.", NOBODY).types == {"Velmor": "river"}
    assert reading.types == {"Velmor": "river"}


def test_mentions_and_values() -> None:
    text = "On March 2, 1851, the Museum of Arn paid 81,400 for A Winter in Jeigor, 12.5 km away."
    assert [(m.text, m.kind) for m in mentions(text, BOOKS)] == [
        ("March 2, 1851", "time"), ("Museum of Arn", "name"), ("81,400", "number"),
        ("A Winter in Jeigor", "name"), ("12.5 km", "number"),
    ]  # fmt: skip
    assert as_value("March 2, 1851", "time") == Timestamp(1851, 3, 2)
    assert as_value("43 BCE", "time") == Timestamp(-43)
    assert as_value("1871", "time") == Timestamp(1871)
    assert as_value("12.5 km", "number") == Quantity(12.5, "km")


def test_markdown_becomes_plain_line_for_line() -> None:
    text, labels = plain("*See* [The \\*Door](x.md),\n- `or` **this**.\n\n![no](i.png)")
    assert text == "See The *Door,\nor this.\n\nno"
    assert labels == ("The *Door",)
    assert [(s.text, s.line) for s in sentences("Dr. Po is\nhere. He left.\n\nDone")] == [
        ("Dr. Po is here.", 0), ("He left.", 1), ("Done", 3)
    ]  # fmt: skip


def test_a_text_of_other_shapes_than_our_own_templates() -> None:
    """26 of the 30 facts that a person reads in it are found, and nothing else."""
    sources = read_sources([SAMPLE])
    found = asyncio.run(Distiller(passes=0).run(sources.passages, sources.names))
    triples = {(t.subject, t.relation, t.object) for t in found.triples}
    gold = {
        ("Orrin", "oldest town", "Tessaly"), ("Tessaly", "was founded in", "1312"),
        ("Tessaly", "was founded by", "Edda Vane"), ("Edda Vane", "came from", "Port Lissom"),
        ("Edda Vane", "brother", "Joss Vane"), ("Joss Vane", "built", "Long Bridge"),
        ("Tessaly", "has a population of", "18,200"), ("Tessaly", "mayor", "Petra Oake"),
        ("Orrin", "rises below", "Mount Carrow"), ("Orrin", "flows through", "Tessaly"),
        ("Orrin", "flows through", "Hale"), ("Orrin", "flows through", "Brindle"),
        ("Orrin", "reaches", "Glass Sea"), ("Norrow", "capital", "Brindle"),
        ("Norrow", "borders", "Vesk"), ("Petra Oake", "was born in", "Hale"),
        ("Petra Oake", "was born on", "May 3, 1961"),
        ("Oake", "studied at", "University of Brindle"), ("Oake", "worked for", "Lissom Shipping"),
        ("Oake", "is married to", "Anders Quill"), ("Anders Quill", "wrote", "Salt Ledger"),
        ("Field of Crows", "author", "Anders Quill"), ("Quill", "teacher", "Mira Stane"),
        ("Carrow Museum", "director", "Mira Stane"), ("Mira Stane", "lives in", "Tessaly"),
        ("Lissom Shipping", "was based in", "Port Lissom"),
        ("Lissom Shipping", "employs", "Joren Pike"), ("Joren Pike", "crossed", "Glass Sea"),
        ("Joren Pike", "crossed in", "1988"), ("Hale", "got a railway to", "Brindle"),
    }  # fmt: skip
    assert triples <= gold
    assert len(triples) == 26
    lines = SAMPLE.read_text("utf-8").split("\n")
    for t in found.triples:
        name, line = t.place.rsplit(":", 1)
        assert name == SAMPLE.name
        assert t.quote.split()[0] in lines[int(line) - 1]
        assert t.object in t.quote
    made = gather(found.triples, found.types)
    assert ("Oake", "Petra Oake") in made.merged
    assert made.world.names.forms("petra-oake") == ("Petra Oake", "Oake")


def test_a_text_written_after_the_patterns() -> None:
    """12 of the 28 facts that a person reads in it, and nothing else: what to expect of prose."""
    sources = read_sources([SAMPLE.with_name("held_out_graph_text.md")])
    found = asyncio.run(Distiller(passes=0).run(sources.passages, sources.names))
    assert {(t.subject, t.relation, t.object) for t in found.triples} == {
        ("Kessen", "native", "Solberg"), ("Solberg", "had studied engineering in", "Dravik"),
        ("Arnholt", "sold the company to", "Baltic Lines"),
        ("Arnholt", "sold the company in", "1902"), ("Heron", "sails from", "Kessen"),
        ("Heron", "sails to", "Port Amsel"), ("Port Amsel", "belongs to", "Lunden"),
        ("Lunden", "president", "Ilse Brandt"), ("Brandt", "taught history at", "Amsel College"),
        ("Hahl", "died in", "Varna"), ("Hahl", "died on", "June 9, 1911"),
        ("Hahl", "is buried in", "Dravik"),
    }  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_a_world_is_read_back_from_its_pages(tmp_path: Path, seed: int) -> None:
    world = load_world("random:100", seed=seed)
    world.export(tmp_path / "export", [])
    sources = read_sources([tmp_path / "export" / "pages"])
    found = asyncio.run(Distiller(passes=0).run(sources.passages, sources.names))
    score = score_graph(found.triples, world)
    assert score.edges.precision > 0.97
    assert score.edges.recall > 0.85
    assert score.claims.precision > 0.9
    wrong = [
        Triple(t.subject, t.relation, o.object, t.form)
        for t, o in zip(found.triples, found.triples[101:])
    ]
    assert score_graph(wrong, world).claims.precision < 0.5  # the measure can fail
    assert score_graph(found.triples[::2], world).claims.recall < 0.6
    saved = tmp_path / "g"
    save_graph(saved, gather(found.triples, found.types), [], found.dropped, {}, {})
    back = load_world(str(saved))
    assert len(back.universe.facts) > 0.85 * score.claims.there
    assert load_triples(saved) == found.triples


def test_lines_of_a_model_are_not_believed() -> None:
    sentence = "Trained by Ivo Tarn, Kalen Brusk later settled in Torvik."
    found = mentions(sentence, NOBODY)
    good = parse_line("Kalen Brusk | was trained by | Ivo Tarn", sentence, found)
    assert isinstance(good, Triple)
    assert (good.subject, good.object) == ("Kalen Brusk", "Ivo Tarn")
    for line, reason in {
        "Kalen Brusk settled in Torvik": "not a line of three parts",
        "Kalen Brusk | settled in | Paris": "a name is not in the sentence",
        "Kalen Brusk | hates | Torvik": "the relation is not in the sentence",
        "Torvik | settled in | Torvik": "subject and object are the same",
        "Torvik | | Kalen Brusk": "not a line of three parts",
    }.items():
        assert parse_line(line, sentence, found) == reason


@dataclass
class Writer:
    """Writes given lines to every request, and takes the option that is in ``takes``."""

    lines: str
    takes: tuple[str, ...]
    asked: list[str] = field(default_factory=list)
    name: str = "writer"

    async def generate(self, prompt: Prompt, **_: object) -> Completion:
        self.asked.append(as_text(prompt))
        return Completion(self.lines)

    async def choose(self, prompt: Prompt, options: Sequence[str]) -> Choice:
        self.asked.append(as_text(prompt))
        at = next((i for i, o in enumerate(options) if o in self.takes), 0)
        return Choice(at, options[at], tuple(float(i == at) for i in range(len(options))))

    def settle(self) -> None: ...


def distil(text: str, model: object, tmp_path: Path, **more: object):  # type: ignore[no-untyped-def]
    (tmp_path / "t.md").write_text(text, encoding="utf-8")
    sources = read_sources([tmp_path / "t.md"])
    return asyncio.run(Distiller(model, **more).run(sources.passages, sources.names))  # type: ignore[arg-type]


TEXT = "Trained by Ivo Tarn, Kalen Brusk later settled in Torvik, far from Arn."


def test_the_model_reads_what_no_pattern_fits_and_is_checked(tmp_path: Path) -> None:
    model = Writer("Kalen Brusk | was trained by | Ivo Tarn\nKalen Brusk | settled in | Arn",
                   ("Ivo Tarn",))  # fmt: skip
    found = distil(TEXT, model, tmp_path, passes=0)
    assert [(t.subject, t.object, t.by) for t in found.triples] == [
        ("Kalen Brusk", "Ivo Tarn", "model")
    ]
    assert found.dropped == {"the passage doesn't bear it out": 1}
    trusting = distil(TEXT, model, tmp_path, passes=0, verify=False)
    assert len(trusting.triples) == 2


def test_second_pass_repairs_or_refuses(tmp_path: Path) -> None:
    text = "The mayor of Torvik is Ana Solvik. So much for Dun and Arn."
    repaired = distil(text, Writer("Who is the mayor?", ("Ana Solvik",)), tmp_path).pairs
    assert [(p.question, p.accepted, p.by, p.reason) for p in repaired] == [
        ("What is the mayor of Torvik?", True, "template", "doesn't name what it asks about")
    ]
    kept = distil(text, Writer("Who is Torvik's mayor?", ("Ana Solvik",)), tmp_path).pairs
    assert [(p.question, p.accepted, p.by) for p in kept] == [
        ("Who is Torvik's mayor?", True, "model")
    ]
    refused = distil(text, Writer("Who is Torvik's mayor?", ("Dun",)), tmp_path).pairs
    assert [(p.accepted, p.reason) for p in refused] == [
        (False, "the passage, read, gives another answer")
    ]
    once = distil(text, Writer("Who is the mayor?", ("Dun",)), tmp_path, passes=1).pairs
    assert [(p.question, p.accepted) for p in once] == [("Who is the mayor?", True)]


def test_flaws_of_questions() -> None:
    triple = Triple("Ana", "was born in", "Arn", "verb")
    assert template(triple) == "What was Ana born in?"
    assert flaw("Where was Ana born?", triple) == ""
    assert flaw("Was Ana born in Arn?", triple) == "gives the answer away"
    assert flaw("Where in this section is Ana born?", triple) == "points outside itself"
    assert flaw("Ana was born", triple) == "not a question"


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    texts = "\n\n".join(f"# Town{i}\n\nTown{i} lies in Land{i}." for i in range(12))
    (tmp_path / "t.md").write_text(texts, encoding="utf-8")
    sources = read_sources([tmp_path / "t.md"])
    record = tmp_path / "record.jsonl"
    whole = asyncio.run(Distiller().run(sources.passages, sources.names, record=record))
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(lines[:5]) + lines[5][:40])  # killed while writing
    again = asyncio.run(Distiller().run(sources.passages, sources.names, record=record))
    assert again == whole
    assert len(record.read_text().splitlines()) == 12
    first = json.loads(record.read_text().splitlines()[0])
    first["triples"][0]["subject"] = "Marked"
    record.write_text(json.dumps(first) + "\n" + "".join(lines[1:]))
    marked = asyncio.run(Distiller().run(sources.passages, sources.names, record=record))
    assert marked.triples[0].subject == "Marked"  # what is there is not redone …
    other = asyncio.run(Distiller(passes=0).run(sources.passages, sources.names, record=record))
    assert other.triples[0].subject == "Town0"  # … unless it was made in another way


def test_merging_leaves_alone_what_could_be_two() -> None:
    def t(subject: str, object: str, place: str = "a.md:1") -> Triple:
        return Triple(subject, "knows", object, "verb", place=place)

    two = gather([t("Kalen Brusk", "Ana Po"), t("Ivo Brusk", "Brusk")])
    assert two.merged == []
    lake = gather([t("Lake Ostra", "Ostra")])
    assert len(lake.world.universe.entities) == 2
    case = gather([t("São Tomé", "Ana"), t("Sao Tome", "Bo")])
    assert len(case.world.universe.entities) == 3
    with pytest.raises(ScrubjayError, match="no facts were found"):
        gather([])


@pytest.mark.parametrize(
    "text",
    ["A " * 4000, "Bo and " * 2000, "Xy of " * 2000, "[a](" * 2000, "1," * 4000, "aa " * 4000],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.perf_counter()
    told, _ = plain(text)
    for sentence in sentences(told):
        read_sentence(sentence.text, NOBODY, "Topic")
    assert time.perf_counter() - began < 3


def test_what_a_verb_leads_to() -> None:
    assert noun("was born in", "thing") == "the place in which [S] was born"
    assert noun("was born on", TIME) == "the time when [S] was born"
    assert noun("is married to", "thing") == "the one to whom [S] is married"
    assert noun("built", "thing") == "what [S] built"
    assert noun("flows through", "thing") == "the place through which [S] flows"


def test_nothing_but_a_graph_is_replaced(tmp_path: Path) -> None:
    made = gather([Triple("A", "knows", "B", "verb", place="a.md:1")])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "triples.jsonl").write_text("{}")
    with pytest.raises(InputError, match="is no graph"):
        save_graph(tmp_path / "mine", made, [], {}, {}, {})
    assert (tmp_path / "mine" / "triples.jsonl").read_text() == "{}"
    save_graph(tmp_path / "g", made, [], {}, {}, {})
    save_graph(tmp_path / "g", made, [], {}, {}, {})
    with pytest.raises(InputError, match="no graph is here"):
        load_triples(tmp_path / "mine" / "nowhere")


def test_a_spreadsheet_runs_nothing() -> None:
    row = as_csv([Triple("=1+1", "is", "@b", "verb")]).splitlines()[1]
    assert row == "'=1+1,is,'@b,name,,"
