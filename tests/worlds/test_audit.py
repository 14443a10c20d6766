"""The audit passes good twins and names what is wrong with planted bad ones."""

from dataclasses import replace

import pytest

from scrubjay.core.nouns import Question
from scrubjay.worlds.audit import audit, frequent_answer_share
from scrubjay.worlds.names import NameMap
from scrubjay.worlds.sources.atlas import atlas
from scrubjay.worlds.sources.random import random_universe
from scrubjay.worlds.universe import Quantity
from scrubjay.worlds.world import World

TASKS = ("recall", "multihop", "navigation")


@pytest.fixture(scope="module")
def real() -> World:
    return World.build(random_universe(150, 1), "toy")


@pytest.fixture(scope="module")
def twin(real) -> World:
    return real.twin(0)


def pairs(real, twin, n=10):
    return [p for t in TASKS for p in zip(real.questions(t, n), twin.questions(t, n))]


def renamed(twin, **forms) -> World:
    entities = {**twin.names.entities, **forms}
    names = NameMap(entities, "twin0", twin.names.shift, twin.names.times, twin.names.numbers)
    return World(twin.name, twin.universe, names, twin.marked, 0)


def test_a_good_twin_passes(real, twin):
    report = audit(real, twin, pairs(real, twin))
    assert report.ok
    assert report.questions == 30 == sum(report.answer_types.values())
    assert "✗" not in str(report)
    assert "leaks" in str(report)


def test_leaks_in_names_are_found(real, twin):
    first, second = list(real.universe.entities)[:2]
    bad = renamed(twin, **{first: (real.names.name(second).lower(),)})
    report = audit(real, bad)
    assert not report.ok
    assert {x.entity for x in report.leaks} == {second}
    assert "✗ leaks" in str(report)


def test_leaks_in_questions_are_found(real, twin):
    (a, b), *_ = pairs(real, twin, 1)
    told = replace(b, text=f"{b.text} It is {real.documents()[7].title}.")
    report = audit(real, twin, [(a, told)])
    assert [x.entity for x in report.leaks] == [real.documents()[7].id]


def test_namesakes_are_found(real, twin):
    first, second = list(real.universe.entities)[:2]
    report = audit(real, renamed(twin, **{first: twin.names.forms(second)}))
    assert (report.namesakes, report.ok) == (1, False)


def test_names_that_are_too_long_are_found(real, twin):
    people = [e.id for e in real.universe.by_type["person"]]
    report = audit(real, renamed(twin, **{p: (twin.names.name(p) + "orolanda",) for p in people}))
    assert not report.lengths["person"].ok
    assert report.lengths["city"].ok
    assert not report.ok


def test_other_pages_are_found(real, twin):
    other = World(twin.name, twin.universe, twin.names, twin.marked[1:], 0)
    report = audit(real, other)
    assert not report.parity["pages"]
    assert not report.ok


def test_answers_that_the_graph_does_not_give_are_found(real, twin):
    (a, b), *_ = pairs(real, twin, 1)
    report = audit(real, twin, [(a, replace(b, answers=("Nobody",)))])
    assert report.ambiguous == (b.id,)
    assert not report.ok


def test_frequent_answer_rule_by_hand():
    questions = [
        Question(str(n), "?", (answer,), "recall", group)
        for n, (group, answer) in enumerate([("a", "x"), ("a", "x"), ("a", "y"), ("b", "z")])
    ]
    assert frequent_answer_share(questions) == 0.75
    assert frequent_answer_share([]) == 0.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_atlas_has_sound_twins(seed, atlas_world):
    twin = atlas_world.twin(seed)
    report = audit(atlas_world, twin, pairs(atlas_world, twin, 40))
    assert report.leaks == ()
    assert report.ok, str(report)
    assert all(twin.names.identify(twin.names.name(e)) == e for e in twin.universe.entities)
    changed = [q for q in twin.names.numbers if q.value and twin.names.map(q) != q]
    assert len(changed) == sum(q != Quantity(0.0, q.unit) for q in twin.names.numbers)


@pytest.fixture(scope="module")
def atlas_world() -> World:
    return World.build(atlas(), "atlas")
