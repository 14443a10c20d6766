"""Random universes: connected, well named, of the size asked for, the same everywhere."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import ScrubjayError
from scrubjay.worlds.check import check_universe
from scrubjay.worlds.sources import load_universe
from scrubjay.worlds.sources.random import random_universe


def test_default_size_is_that_of_the_sheet():
    u = random_universe()
    assert (len(u.entities), len(u.facts)) == (300, 1500)
    assert (len(u.by_type), len(u.relations)) == (12, 20)


@settings(max_examples=25, deadline=None)
@given(st.integers(60, 400), st.integers(0, 10**6), st.integers(1, 12), st.integers(0, 6))
def test_always_fit_to_be_told(entities, seed, types, more):
    try:
        u = random_universe(entities, seed, types, types + more)
    except ScrubjayError as error:
        # Few types have few relations; the sentence says how many.
        most = int(re.search(r"to (\d+) relations", str(error))[1])
        assert types + more > most
        return
    check_universe(u)
    assert len(u.entities) == entities
    assert len(u.relations) == types + more


def test_large_universe_has_exactly_the_facts_asked_for():
    u = random_universe(20_000)
    assert len(u.facts) == 100_000
    check_universe(u)


def test_functional_and_other_relations_times_numbers_and_chains():
    u = random_universe(seed=4)
    kinds = {r.range for r in u.relations.values()}
    assert {"time", "number"} <= kinds
    assert {r.functional for r in u.relations.values()} == {True, False}
    # A chain of four steps (4-chain) exists: film → director → birthplace → country → capital.
    found = [
        f
        for f in u.by_relation["director"]
        if u.query(
            [
                (f.subject, "director", "?a"),
                ("?a", "birthplace", "?b"),
                ("?b", "city_country", "?c"),
                ("?c", "capital", "?answer"),
            ]
        )
    ]
    assert len(found) > 10
    # A join that neither branch answers alone: people of one city who worked for one company.
    joined = 0
    for fact in u.by_relation["employer"]:
        city = u.objects(fact.subject, "birthplace")[0]
        here, there = u.subjects("birthplace", city), u.subjects("employer", fact.object)
        both = u.query([("?answer", "birthplace", city), ("?answer", "employer", str(fact.object))])
        joined += both == {fact.subject} and len(here) > 1 and len(there) > 1
    assert joined > 20


def test_derived_names_follow_the_city():
    u = random_universe(seed=1)
    derived = 0
    for fact in u.by_relation["university_city"]:
        university, city = u.entities[fact.subject], u.entities[fact.object]
        derived += city.name in university.name
        others = [c.name for c in u.by_type["city"] if c.name in university.name]
        assert others in ([], [city.name])
    assert derived > len(u.by_relation["university_city"]) / 2


def test_seed_decides_everything():
    assert random_universe(seed=5).hash == load_universe("random", 5).hash
    assert random_universe(seed=5).hash != random_universe(seed=6).hash
    # Pinned: the same on every machine and in every version of Python.
    assert random_universe(60, seed=7).hash.startswith("22d7c7ef1762")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("random:many", "'random:many' asks for 'many' entities; write a whole number"),
        ("random:7", "a random universe of 12 types needs at least 48 entities, not 7"),
    ],
)
def test_bad_specifications(spec, sentence):
    with pytest.raises(ScrubjayError, match=re.escape(sentence)):
        load_universe(spec)
