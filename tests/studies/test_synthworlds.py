"""Part 1 of SynthWorlds: lessons against facts, the judge on planted scores, a small whole run."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from scrubjay.core.files import cache_dir
from scrubjay.core.finding import Finding, Verdict
from scrubjay.studies import get_study
from scrubjay.studies.synthworlds import merge
from scrubjay.studies.synthworlds_judge import judge
from scrubjay.studies.synthworlds_lessons import FreshNames, WorldLessons
from scrubjay.studies.synthworlds_made import Job
from scrubjay.studies.synthworlds_stage import SIZES, Stage, candidates
from scrubjay.worlds.documents import Ref
from scrubjay.worlds.universe import Quantity, Timestamp


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(SIZES["smoke"], 0)


def said(stage: Stage, ids: list[int]) -> list[list[int]]:
    """The answers of a lesson, without their END."""
    voice = stage.voice
    starts = [i for i, t in enumerate(ids) if t == voice.say]
    return [list(ids[s + 1 : ids.index(voice.end, s)]) for s in starts]


def holds(page: list[int], part: list[int]) -> bool:
    return any(page[i : i + len(part)] == part for i in range(len(page)))


def test_every_answer_of_a_reading_lesson_stands_on_its_pages(stage: Stage) -> None:
    for step in range(12):
        for example in stage.reading.batch(step, 4):
            ids = list(example.ids)
            page = ids[: ids.index(stage.voice.ask)]
            answers = said(stage, ids)
            assert answers
            assert all(holds(page, answer) for answer in answers)


def test_what_is_learned_is_answers_and_names_told_before(stage: Stage) -> None:
    for example in stage.reading.batch(3, 4):
        ids, learn = list(example.ids), list(example.learn)
        assert not learn[0]
        for start in (i for i, t in enumerate(ids) if t == stage.voice.say):
            assert not learn[start]
            assert all(learn[start + 1 : ids.index(stage.voice.end, start) + 1])
        for i, counts in enumerate(learn):
            if counts and ids[i] != stage.voice.end:
                assert ids[i] in ids[:i]


def test_batches_depend_on_the_step_alone(stage: Stage) -> None:
    again = Stage(SIZES["smoke"], 0)
    assert stage.settings == again.settings
    assert stage.reading.batch(5, 4) == again.reading.batch(5, 4)
    assert stage.reading.batch(5, 4) != stage.reading.batch(6, 4)


def test_fresh_names_are_of_the_type_and_never_shared(stage: Stage) -> None:
    shelf = stage.reading.shelves[0]
    universe, pool = shelf.universe, stage.reading.pool
    names = FreshNames(stage.voice, pool, universe, Random(1))
    people = [e.id for e in universe.by_type["person"]]
    known = {stage.voice.ids(n) for n in pool["person"]}
    drawn = [names.value(p) for p in people]
    assert len(set(drawn)) == len(people)
    assert set(drawn) <= known
    assert names(Ref(people[0])) == drawn[0]
    date, size = names.value(Timestamp(1900, 5, 3)), names.value(Quantity(1000.0))
    assert date == names.value(Timestamp(1900, 5, 3)) != names.value(Timestamp(1900, 5, 4))
    assert size == names.value(Quantity(1000.0))


def test_lessons_of_a_world_tell_its_facts_under_its_names(stage: Stage) -> None:
    world = stage.worlds[0]["B"]
    items = stage.items[0]["recall"]
    lessons = WorldLessons(stage.voice, world, items, stage.reading, 0)
    call = stage.voice.calling(world.names)
    truth = {
        tuple(stage.voice.question(i, call)): [
            stage.voice.ids(world.names.value(a)) for a in i.answers
        ]
        for i in items
    }
    for example in [*lessons.batch(2, 4), *lessons.batch(3, 4)]:
        ids = list(example.ids)
        cut = ids.index(stage.voice.say) + 1
        assert tuple(ids[cut:-1]) in truth[tuple(ids[:cut])]
        assert list(example.learn) == [False] * cut + [True] * (len(ids) - cut)
    pages = {tuple(stage.voice.tell(d.segments, call)) for d in world.marked}
    assert {tuple(e.ids[:-1]) for e in lessons.batch(1, 4)} <= pages


def test_candidates_are_all_of_the_type_and_hold_the_answers(stage: Stage) -> None:
    universe = stage.worlds[0]["A"].universe
    for item in [*stage.items[0]["recall"], *stage.items[0]["multihop"]]:
        values = candidates(universe, item)
        assert len(set(values)) == len(values)
        assert set(item.answers) <= set(values)
        if isinstance(item.answers[0], str):
            assert len(values) == len(universe.by_type[item.answer_type])


def planted(stage: Stage, *, memory: bool = True, reads: bool = True, swap: bool = True):
    """Scores of models that know one map by heart, answer other maps' questions closed book never,
    and read all pages well or not at all."""
    scores = {}
    for made in "AB":
        found = {}
        for task in ("recall", "multihop"):
            n = len(stage.items[0][task])
            for setting in ("closed-book", "gold pages", "one-step RAG"):
                for world in "ABC":
                    knows = memory and world == (made if swap else "A")
                    right = knows or (reads and setting != "closed-book")
                    value = [float(right)] * n
                    found[f"{task}|{setting}|{world}"] = dict.fromkeys(
                        ("hits@1", "MRR", "EM"), value
                    )
        scores[Job(stage.size, 0, 0, 0, made)] = found
    return judge(stage, scores, [{"one page": 0.5}])


def test_planted_memory_and_reading_satisfy_all_claims(stage: Stage) -> None:
    found = planted(stage)
    assert [c.holds for c in found.claims] == [True, True, True]
    assert found.numbers["KA closed book"].value == 1.0
    assert found.numbers["KA closed book, B made known"].value == -1.0
    assert found.numbers["KA gold pages"].value == 0.0
    row = next(r for r in found.tables["gap"] if r["setting"] == "gold pages")
    assert (row["gap"], row["reduction"], row["known"], row["twins"]) == (0.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"memory": False}, [False, False, False]),
        ({"reads": False}, [True, False, True]),
        ({"swap": False}, [True, True, False]),
    ],
)
def test_each_claim_can_fail(stage: Stage, fault: dict, expected: list[bool]) -> None:
    assert [c.holds for c in planted(stage, **fault).claims] == expected


def test_baselines_are_those_of_the_facts(stage: Stage) -> None:
    numbers = planted(stage).numbers
    universe, items = stage.worlds[0]["A"].universe, stage.items[0]["recall"]
    shares = [len(i.answers) / len(candidates(universe, i)) for i in items]
    assert numbers["random answer"].value == pytest.approx(sum(shares) / len(shares), abs=1e-4)
    assert numbers["oracle"].value == 1.0
    usual = 0
    for item in items:
        objects = [f.object for f in universe.by_relation[item.group]]
        most = max(objects, key=lambda o: (objects.count(o), -objects.index(o)))
        usual += most in item.answers
    assert numbers["frequent answer"].value == pytest.approx(usual / len(items), abs=1e-4)


def test_parts_merge_into_one_finding(stage: Stage) -> None:
    part = planted(stage)
    both = merge({"made": part, "real": replace(part, notes=("other",))})
    assert len(both.claims) == 6
    assert both.verdict == Verdict.REPRODUCED
    assert both.numbers["real: KA closed book"] == part.numbers["KA closed book"]
    assert both.notes == (*part.notes, "other")
    assert both.figure == {"vconcat": [part.figure, part.figure]}
    assert merge({"made": part}).figure == part.figure


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Finding]]:
    """A whole smoke run in a cache of its own, in which only the embedded model is there."""
    folder = tmp_path_factory.mktemp("synthworlds")
    (folder / "cache").mkdir()
    for kept in ("assets", "models", "tokenizers"):
        (folder / "cache" / kept).symlink_to(cache_dir(kept))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCRUBJAY_CACHE", str(folder / "cache"))
        yield folder, get_study("synthworlds").run("smoke", folder / "results")


def test_a_smoke_run_measures_everything(first: tuple[Path, Finding]) -> None:
    folder, found = first
    rows = found.tables["made: gap"]
    assert len(rows) == 2 * 3 * 3
    for row in rows:
        assert row["low"] <= row["gap"] <= row["high"]
        assert row["gap"] == pytest.approx(row["known"] - row["twins"], abs=2e-4)
    assert len(found.claims) >= 3
    kept = json.loads((folder / "results" / "synthworlds" / "finding.json").read_text("utf-8"))
    assert kept == json.loads(json.dumps(found.to_dict()))


def test_a_run_that_lost_half_its_work_ends_the_same(first: tuple[Path, Finding]) -> None:
    folder, found = first
    work = next((folder / "cache" / "studies" / "synthworlds").glob("smoke-0/made-*"))
    (work / "0-0-B.json").unlink()
    for model in (folder / "cache" / "tiny").iterdir():
        if '"map": "B"' in (model / "settings.json").read_text():
            shutil.rmtree(model)
    news: list[tuple[str, int, int]] = []
    again = get_study("synthworlds").run("smoke", folder / "results", 0, lambda *n: news.append(n))
    assert replace(again, seconds=0.0) == replace(found, seconds=0.0)
    assert ("making known", 16, 16) in news
