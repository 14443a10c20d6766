"""The atlas: facts checked by hand, counts, names, and the same universe in every process."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from scrubjay.worlds.check import check_universe
from scrubjay.worlds.sources.atlas import atlas, build_atlas
from scrubjay.worlds.sources.draft import key
from scrubjay.worlds.universe import Quantity, Timestamp


@pytest.fixture(scope="module")
def world():
    return build_atlas()


@pytest.fixture(scope="module")
def says(world):
    """(name of subject, relation) → set of names or values."""
    ids = {e.name: e.id for e in world.entities.values()}

    def look(subject, relation):
        objects = world.objects(ids[subject], relation)
        return {world.entities[o].name if isinstance(o, str) else o for o in objects}

    return look


@pytest.mark.parametrize(
    ("subject", "relation", "objects"),
    [
        ("France", "capital", {"Paris"}),
        ("France", "currency", {"Euro"}),
        ("France", "continent", {"Europe"}),
        ("France", "main_language", {"French"}),
        ("Germany", "capital", {"Berlin"}),
        ("Japan", "currency", {"Yen"}),
        ("Canada", "currency", {"Canadian dollar"}),
        ("Canada", "capital", {"Ottawa"}),
        ("Canada", "borders", {"United States"}),
        ("Portugal", "borders", {"Spain"}),
        ("Brazil", "capital", {"Brasília"}),
        ("Brazil", "main_language", {"Portuguese"}),
        ("Brazil", "largest_city", {"São Paulo"}),
        ("Turkey", "largest_city", {"Istanbul"}),
        ("Turkey", "capital", {"Ankara"}),
        ("Australia", "largest_city", {"Sydney"}),
        ("United States", "capital", {"Washington"}),
        ("United States", "largest_city", {"New York City"}),
        ("Kazakhstan", "capital", {"Astana"}),
        ("Georgia", "capital", {"Tbilisi"}),
        ("Seychelles", "capital", {"Victoria (Seychelles)"}),
        ("Mexico", "capital", {"Mexico City"}),
        ("Singapore", "capital", {"Singapore (city)"}),
        ("Egypt", "continent", {"Africa"}),
        ("Denmark", "currency", {"Danish krone"}),
        ("Switzerland", "currency", {"Swiss franc"}),
        ("Kyoto", "city_region", {"Kyoto Prefecture"}),
        ("Chicago", "city_region", {"Illinois"}),
        ("Chicago", "same_time", set()),
        ("Houston", "same_time", {"Chicago"}),
        ("Mumbai", "same_time", {"Kolkata"}),
        ("Atlanta", "city_region", {"Georgia (United States)"}),
        ("Texas", "region_country", {"United States"}),
        ("Texas", "region_largest_city", {"Houston"}),
        ("Marseille", "nearest_larger", {"Barcelona"}),
        ("Polonium", "discoverer", {"Marie Curie", "Pierre Curie"}),
        ("Polonium", "discovery_year", {Timestamp(1898)}),
        ("Polonium", "discovery_country", {"France"}),
        ("Chlorine", "discoverer", {"Carl Wilhelm Scheele"}),
        ("Oxygen", "discoverer", {"Joseph Priestley", "Carl Wilhelm Scheele"}),
        ("Sodium", "discoverer", {"Humphry Davy"}),
        ("Sodium", "element_family", {"Alkali metals"}),
        ("Gold", "discoverer", set()),
        ("Gold", "element_group", {"Coinage metals"}),
        ("Gold", "element_period", {Quantity(6.0)}),
        ("Nihonium", "discovering_laboratory", {"RIKEN"}),
        ("Humphry Davy", "worked_in", {"United Kingdom"}),
        ("Marie Curie", "co_discoverer", {"Pierre Curie"}),
    ],
)
def test_facts_of_the_real_world(says, subject, relation, objects):
    assert says(subject, relation) == objects


def test_spain_is_bordered_from_both_sides(says):
    for neighbour in ("France", "Portugal", "Andorra", "Morocco", "Gibraltar"):
        assert neighbour in says("Spain", "borders")
        assert "Spain" in says(neighbour, "borders")


def test_size_shape_and_names(world):
    check_universe(world)  # unique names, functional relations, connected, phrasings
    assert len(world.entities) >= 3000
    assert len(world.facts) >= 15000
    degree = Counter(f.subject for f in world.facts)
    assert max(degree.values()) < 40  # no page is a hub of links
    degree.update(f.object for f in world.facts if isinstance(f.object, str))
    few = {world.entities[id].type for id in world.entities if degree[id] < 3}
    assert few <= {"language", "currency", "laboratory", "continent"}
    for relation in world.relations.values():
        assert 3 <= len(relation.phrasings) <= 6
        assert all((relation.question, relation.noun, relation.inverse_noun, relation.condition))
    names = [e.name for e in world.entities.values()]
    assert len({key(n) for n in names}) == len(names)


def test_functional_marks_are_honest(world):
    """A relation is marked functional exactly when no subject has two objects."""
    for relation in world.relations.values():
        subjects = [f.subject for f in world.by_relation[relation.id]]
        once = len(set(subjects)) == len(subjects)
        assert relation.functional == once, relation.id


def test_aliases_are_real_forms_and_adjectives_stand_with_their_country(world):
    by_name = {e.name: e for e in world.entities.values()}
    assert "Canadian" in by_name["Canada"].aliases
    assert "Republic of Korea" not in by_name["North Korea"].aliases
    assert {"Brasilia"} <= set(by_name["Brasília"].aliases)
    assert "Victoria" in by_name["Victoria (Seychelles)"].aliases
    assert "Pound" not in by_name["United Kingdom"].aliases
    for entity in world.entities.values():
        assert entity.name not in entity.aliases
        assert all(a == a.strip() and a for a in (entity.name, *entity.aliases))


def test_no_codes_or_addresses(world):
    kinds = {type(f.object) for f in world.facts}
    assert kinds == {str, Timestamp, Quantity}
    atomic = {79.0, 196.97}  # gold's number and weight would name it
    assert not atomic & {
        f.object.value for f in world.by_subject["element-gold"] if isinstance(f.object, Quantity)
    }


def test_same_in_every_process_and_through_the_cache(world, tmp_path, monkeypatch):
    code = "from scrubjay.worlds.sources.atlas import atlas; print(atlas().hash)"
    env = {**os.environ, "SCRUBJAY_CACHE": str(tmp_path), "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == world.hash  # built there
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path))
    assert atlas().hash == world.hash  # read from the cache
    (cached,) = (tmp_path / "worlds").iterdir()
    whole = cached.read_bytes()
    cached.write_bytes(whole[: len(whole) // 2])
    assert atlas().hash == world.hash  # damaged, so built anew
    assert cached.read_bytes() == whole
