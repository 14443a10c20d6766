"""World: twins, questions, saving, loading, exporting, and every way to break a folder."""

import json
import os
import re
import subprocess
import sys

import pytest

from scrubjay.core.errors import InputError, ScrubjayError, UnknownName
from scrubjay.worlds.names import NameMap
from scrubjay.worlds.sources.random import random_universe
from scrubjay.worlds.universe import Entity, Fact, Relation, Universe
from scrubjay.worlds.world import World, load_world

TASKS = ("recall", "multihop", "navigation")


@pytest.fixture(scope="module")
def real() -> World:
    return World.build(random_universe(120, 3), "toy")


@pytest.fixture(scope="module")
def twin(real) -> World:
    return real.twin(5)


def test_pages_of_a_world_and_its_twin_mirror_each_other(real, twin):
    assert (real.is_twin, twin.is_twin) == (False, True)
    assert twin.name == "toy-twin5"
    assert [p.id for p in real.documents()] == [p.id for p in twin.documents()]
    assert not {p.title for p in real.documents()} & {p.title for p in twin.documents()}
    assert twin.pages[real.documents()[0].id] is twin.documents()[0]
    assert twin.twin(6).name == "toy-twin6"
    assert twin.twin(5).hash == twin.hash != real.hash


@pytest.mark.parametrize("task", TASKS)
def test_questions_mirror_each_other(real, twin, task):
    ours, theirs = real.questions(task, 12), twin.questions(task, 12)
    assert [q.id for q in ours] == [q.id for q in theirs]
    assert [q.gold for q in ours] == [q.gold for q in theirs]
    assert all(a.text != b.text for a, b in zip(ours, theirs))


def test_an_unknown_task_is_named(real):
    with pytest.raises(UnknownName, match="recall"):
        real.questions("recal", 3)


def test_saving_and_loading_gives_the_same_world(twin, tmp_path):
    twin.save(tmp_path / "w")
    again = World.load(tmp_path / "w")
    assert again.hash == twin.hash
    assert again.documents() == twin.documents()
    assert again.questions("recall", 5) == twin.questions("recall", 5)
    assert load_world(str(tmp_path / "w")).names == twin.names
    assert sorted(p.name for p in (tmp_path / "w").iterdir()) == [
        "docs.jsonl",
        "manifest.json",
        "names.real.json",
        "names.twin5.json",
        "universe.jsonl",
    ]


@pytest.mark.parametrize(
    ("file", "edit", "sentence"),
    [
        ("manifest.json", None, "no manifest.json"),
        (
            "manifest.json",
            lambda t: t.replace('"schema": 1', '"schema": 99'),
            "not a world of version",
        ),
        ("manifest.json", lambda t: t[:-3], "not JSON"),
        ("universe.jsonl", lambda t: t.replace('"name"', '"nome"', 1), "damaged"),
        ("docs.jsonl", lambda t: t + "{\n", "not JSON"),
        ("docs.jsonl", lambda t: t.replace(" is a ", " was a ", 1), "digest differs"),
        ("names.twin5.json", lambda t: t.replace('"forms"', '"norms"', 1), "damaged"),
        ("names.twin5.json", None, "can't be read"),
    ],
)
def test_broken_folders_are_told_in_a_sentence(twin, tmp_path, file, edit, sentence):
    twin.save(tmp_path / "w")
    path = tmp_path / "w" / file
    if edit is None:
        path.unlink()
    else:
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        World.load(tmp_path / "w")


def test_a_twin_that_leaks_is_not_saved(real, twin, tmp_path):
    first, second = list(real.universe.entities)[:2]
    forms = {**twin.names.entities, first: (f"Old {real.names.name(second).upper()}",)}
    leaky = World("bad", real.universe, NameMap(forms, "twin9"), real.marked, 9)
    with pytest.raises(ScrubjayError, match=re.escape(real.names.name(second))):
        leaky.save(tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_phrasing_that_tells_a_real_name_is_refused():
    universe = Universe(
        [Entity("p", "city", "Paris"), Entity("f", "country", "France")],
        [Relation("in", "city", "country", ("[S] lies in France, that is in [O].",))],
        [Fact("p", "in", "f")],
    )
    world = World.build(universe, "bad")
    with pytest.raises(ScrubjayError, match=r"'France'.*reword the relation"):
        world.twin(0)


def test_a_faulty_universe_is_refused_before_anything_is_written():
    universe = Universe(
        [Entity("a", "t", "Same"), Entity("b", "t", "Same")],
        [Relation("r", "t", "t", ("[S] knows [O].",))],
        [Fact("a", "r", "b")],
    )
    with pytest.raises(ScrubjayError, match="Same"):
        World.build(universe, "bad")


def test_export_tells_no_real_name_and_links_resolve(real, twin, tmp_path):
    questions = [q for t in TASKS for q in twin.questions(t, 4)]
    twin.export(tmp_path / "x", questions)
    real.export(tmp_path / "y")
    files = sorted(p.name for p in (tmp_path / "x" / "pages").iterdir())
    assert files == sorted(p.name for p in (tmp_path / "y" / "pages").iterdir())
    first = (tmp_path / "x" / "pages" / "000001.md").read_text(encoding="utf-8")
    assert first.startswith(f"# {twin.documents()[0].title}\n")
    targets = re.findall(r"\]\((.*?)\)", first)
    assert len(targets) == len(twin.documents()[0].links)
    assert set(targets) <= set(files)
    text = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "x").rglob("*.*"))
    assert not [n for e in real.universe.entities if (n := real.names.name(e)) in text]
    records = [json.loads(x) for x in (tmp_path / "x" / "questions.jsonl").open(encoding="utf-8")]
    assert [r["answers"] for r in records] == [list(q.answers) for q in questions]
    assert all((tmp_path / "x" / g).is_file() for r in records for g in r["gold"])
    assert all((tmp_path / "x" / r["goal"]).is_file() for r in records if r["task"] == "navigation")


def test_the_same_world_in_another_process(twin):
    code = (
        "from scrubjay.worlds.world import World\n"
        "from scrubjay.worlds.sources.random import random_universe\n"
        "print(World.build(random_universe(120, 3), 'toy').twin(5).hash)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == twin.hash


def test_unknown_worlds_and_files_are_named(tmp_path):
    with pytest.raises(ScrubjayError, match="atlas"):
        load_world("atlass")
    with pytest.raises(InputError, match=r"no manifest\.json"):
        load_world(str(tmp_path))


def test_random_worlds_by_specification():
    world = load_world("random:100", seed=2)
    assert len(world.universe.entities) == 100
    assert world.hash != load_world("random:100", seed=3).hash
