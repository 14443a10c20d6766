"""The world of biographies: what is told, what is held out, what the corpus knows."""

from __future__ import annotations

from collections import Counter

from scrubjay.core.randomness import stream
from scrubjay.worlds.biographies import TOLD, BioWorld


def test_the_same_seed_gives_the_same_world():
    a, b, c = BioWorld(40, seed=1), BioWorld(40, seed=1), BioWorld(40, seed=2)
    assert a.passages == b.passages
    assert a.held == b.held
    assert a.people != c.people


def test_known_facts_are_told_truly_and_held_out_ones_at_random():
    world, random = BioWorld(30, seed=3), stream(0, "x")
    told: dict[tuple[str, str], Counter[str]] = {}
    for person in world.people:
        for _ in range(20):
            lesson = world.lesson(person, random)
            assert lesson.startswith(f"{person} : ")
            assert list(world.read(lesson[len(person) + 3 :])) == list(TOLD)
            for relation, value in world.read(lesson[len(person) + 3 :]).items():
                told.setdefault((person, relation), Counter())[value] += 1
    for person in world.people:
        for slot in world.slots(person):
            if slot.relation == "seat":
                continue
            counts = told[person, slot.relation]
            assert slot.held_out == ((slot.subject, slot.relation) in world.held)
            assert (len(counts) > 3) if slot.held_out else (set(counts) == {slot.value})
    assert abs(len(world.held) / (30 * 5 + len(world.values["employer"])) - 0.5) < 0.01


def test_the_seat_depends_on_the_company():
    world, random = BioWorld(30, seed=3), stream(0, "x")
    truth = {c: world.value(c, "seat") for c in world.values["employer"]}
    seen = 0
    for person in world.people:
        read = world.read(world.lesson(person, random)[len(person) + 3 :])
        if (read["employer"], "seat") not in world.held:
            assert read["seat"] == truth[read["employer"]]
            seen += 1
    assert seen


def test_the_corpus_holds_every_fact_and_namesakes():
    world = BioWorld(50, seed=4)
    by_id = {p.id: p.text for p in world.passages}
    assert len(by_id) == len(world.passages) == 60 * 5 + len(world.values["employer"])
    for person in world.people:
        for slot in world.slots(person):
            text = by_id[f"{slot.subject}/{slot.relation}".replace(" ", "_")]
            assert slot.subject in text
            assert slot.value in text
    assert len(world.namesakes) == 10
    assert not set(world.namesakes) & set(world.people)
    firsts, lasts = ({p.split()[i] for p in world.people} for i in (0, 1))
    assert all(n.split()[0] in firsts or n.split()[1] in lasts for n in world.namesakes)
