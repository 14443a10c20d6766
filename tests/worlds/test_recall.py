"""Single-fact recall: which facts are asked for, and how."""

from __future__ import annotations

from collections import Counter

import pytest

from scrubjay.core.errors import ScrubjayError, UnknownName
from scrubjay.worlds.documents import Ref
from scrubjay.worlds.items import RealNames, fill
from scrubjay.worlds.names import NameMap
from scrubjay.worlds.recall import most_frequent_answers
from scrubjay.worlds.sources.random import random_universe
from scrubjay.worlds.tasks import render, sample
from scrubjay.worlds.universe import (
    TIME,
    Entity,
    Fact,
    Relation,
    Timestamp,
    Universe,
    Value,
)
from scrubjay.worlds.writer import TemplateWriter

CAPITAL = Relation("capital", "country", "city", ("[S] has [O].",), "What is the capital of [S]?")
BORDERS = Relation("borders", "country", "country", ("[S] is by [O].",), "What borders [S]?")
SINCE = Relation("since", "country", TIME, ("[S] is from [O].",), "When was [S] founded?")
MUTE = Relation("mute", "country", "city", ("[S] knows [O].",))

NAMES = {
    "fr": "France",
    "paris": "Paris",
    "mx": "Mexico",
    "mxc": "Mexico City",
    "tn": "Tunisia",
    "tunis": "Tunis",
    "bz": "Belize",
    "bmp": "Belmopan",
}


def world(*facts: tuple[str, Relation, Value]) -> tuple[Universe, NameMap]:
    cities = {"paris", "mxc", "tunis", "bmp"}
    entities = [
        Entity(i, "city" if i in cities else "country", n, ("Lutetia",) if i == "paris" else ())
        for i, n in NAMES.items()
    ]
    universe = Universe(
        entities, [CAPITAL, BORDERS, SINCE, MUTE], [Fact(s, r.id, o) for s, r, o in facts]
    )
    return universe, NameMap.real(universe)


def test_question_answers_and_gold() -> None:
    universe, names = world(("fr", CAPITAL, "paris"))
    [item] = sample("recall", universe, TemplateWriter(universe).write(), 10)
    question = render(item, names)
    assert question.text == "What is the capital of France?"
    assert question.answers == ("Paris", "Lutetia")
    assert (question.group, question.gold, question.answer_type) == ("capital", ("fr",), "city")
    assert universe.query(question.query) == {"paris"}
    assert not question.is_time


def test_names_that_give_the_answer_away() -> None:
    universe, _ = world(
        ("fr", CAPITAL, "paris"),
        ("mx", CAPITAL, "mxc"),
        ("tn", CAPITAL, "tunis"),
        ("bz", CAPITAL, "bmp"),
    )
    items = sample("recall", universe, TemplateWriter(universe).write(), 10)
    assert {i.gold[0] for i in items} == {"fr", "bz"}


def test_clues() -> None:
    names = RealNames(world()[0])
    assert names.clue("mxc", ["mx"])
    assert names.clue("mx", ["fr", "mxc"])
    assert names.clue("tunis", ["tn"])
    assert names.clue("paris", [], "Where does the mayor of Lutetia live?")
    assert not names.clue("paris", ["fr", "mx"], "comparison")
    assert not names.clue("bmp", ["bz"])


def test_several_right_answers_are_all_listed_up_to_four() -> None:
    others = ["mx", "tn", "bz", "paris", "bmp"]
    for count in (4, 5):
        universe, names = world(
            ("fr", CAPITAL, "paris"), *(("fr", BORDERS, o) for o in others[:count])
        )
        items = sample("recall", universe, TemplateWriter(universe).write(), 10)
        found = {i.group: render(i, names).answers for i in items}
        assert ("borders" in found) == (count == 4)
        if count == 4:
            assert found["borders"][:4] == ("Mexico", "Tunisia", "Belize", "Paris")


def test_times() -> None:
    universe, names = world(("fr", SINCE, Timestamp(843)))
    question = render(sample("recall", universe, TemplateWriter(universe).write(), 1)[0], names)
    assert question.is_time
    assert question.answers == ("843 CE",)
    assert question.answer_type == TIME


def test_facts_that_no_page_states_are_not_asked() -> None:
    universe, _ = world(("fr", CAPITAL, "paris"), ("bz", CAPITAL, "bmp"))
    marked = [d for d in TemplateWriter(universe).write() if d.entity == "bz"]
    assert [i.gold for i in sample("recall", universe, marked, 10)] == [("bz",)]


def test_relations_take_turns_and_a_prefix_is_a_smaller_sample() -> None:
    universe = random_universe(300, seed=8)
    marked = TemplateWriter(universe).write()
    items = sample("recall", universe, marked, 100, seed=5)
    assert len({i.id for i in items}) == len(items) == 100
    for n in (1, 17, 60):
        assert sample("recall", universe, marked, n, seed=5) == items[:n]
    counts = Counter(i.group for i in items[:30])
    assert max(counts.values()) - min(counts.values()) <= 1
    assert {i.id for i in items} != {i.id for i in sample("recall", universe, marked, 100, seed=6)}
    # The same question has the same id whatever the seed.
    every = {i.pattern: i.id for i in sample("recall", universe, marked, 10**6)}
    assert all(every[i.pattern] == i.id for i in items)


def test_worlds_mirror_each_other() -> None:
    universe = random_universe(200, seed=2)
    marked = TemplateWriter(universe).write()
    mirror = NameMap({e: (f"Name{n}",) for n, e in enumerate(universe.entities)}, shift=11)
    for item in sample("recall", universe, marked, 150):
        one, other = render(item, NameMap.real(universe)), render(item, mirror)
        assert one.id == other.id
        name = universe.entities[item.gold[0]].name
        assert one.text.replace(name, mirror.name(item.gold[0])) == other.text
        assert other.answers == tuple(map(mirror.value, item.answers))


def test_most_frequent_answers() -> None:
    universe, _ = world(
        ("mx", BORDERS, "bz"),
        ("fr", BORDERS, "mx"),
        ("bz", BORDERS, "mx"),
        ("fr", CAPITAL, "paris"),
        ("bz", CAPITAL, "bmp"),
    )
    assert most_frequent_answers(universe) == {"borders": "mx", "capital": "paris"}


def test_bad_requests() -> None:
    universe, _ = world(("fr", MUTE, "paris"))
    with pytest.raises(ScrubjayError, match="no recall question"):
        sample("recall", universe, TemplateWriter(universe).write(), 3)
    with pytest.raises(UnknownName, match="did you mean 'recall'"):
        sample("recal", universe, [], 3)
    with pytest.raises(ScrubjayError, match="must be 0 or more, not -1"):
        sample("recall", universe, [], -1)
    assert sample("recall", universe, [], 0) == []


def test_phrases_say_nothing_twice() -> None:
    inner = ("the region whose capital is ", Ref("paris"))
    said = fill("a city in the region of [O]", "[O]", inner)
    assert "".join(s if isinstance(s, str) else "X" for s in said) == (
        "a city in the region whose capital is X"
    )
    said = fill("pays with the [O] only", "[O]", ("the currency of ", Ref("fr")))
    assert "".join(s if isinstance(s, str) else "X" for s in said) == (
        "pays with the currency of X only"
    )
