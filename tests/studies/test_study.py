"""The registry of studies, the table of papers, and findings on disk."""

import csv
import json
from pathlib import Path

import pytest

from scrubjay.core.errors import InputError, ScrubjayError, UnknownName
from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.studies import (
    Study,
    get_study,
    list_studies,
    load_finding,
    papers,
    save_finding,
    study_table,
)
from scrubjay.studies.study import REGISTRY, Paper, paper, study

FOUND = Finding(
    "made-up",
    {"gap": Number(0.25, 0.125, 0.5, 8)},
    (Claim("it helps", True, "0.25"), Claim("it always helps", False)),
    {"rows": [{"setting": "é", "value": 0.5}]},
    {"mark": "bar"},
    {"scale": "laptop"},
    12.5,
    ("a note",),
)


MADE_UP = Paper(73, "made-up", "Does it help?", "core")
NOT_YET = Paper(74, "not-yet", "Will it?", "core")


@pytest.fixture(autouse=True)
def more_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two papers that the library doesn't have: one gets a study here, one has none."""
    rows = (*papers(), MADE_UP, NOT_YET)
    monkeypatch.setattr("scrubjay.studies.study.papers", lambda: rows)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Study:
    """A study of paper 73 that measures nothing, registered for one test."""
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(REGISTRY, "_entries", dict(REGISTRY._entries))

    @study("made-up", claims=("it helps",))
    def run(scale, *, out, seed, progress):
        progress("measuring", 1, 1)
        (out / "part").write_text("kept")
        return Finding("", {"seed": Number(seed)}, FOUND.claims, settings={"steps": 3})

    return get_study("made-up")


def test_there_are_72_papers_in_order_with_different_slugs() -> None:
    rows = papers()
    assert [p.number for p in rows] == list(range(1, 73))
    assert len({p.slug for p in rows}) == 72
    assert all(p.title and p.room for p in rows)
    assert (paper("dragin").number, paper("synthworlds").room) == (41, "worlds, evaluation")


def test_every_study_is_listed_under_its_paper() -> None:
    studies = list_studies()
    assert "synthworlds" in [s.slug for s in studies]
    assert [s.number for s in studies] == sorted(s.number for s in studies)
    assert all(s.claims for s in studies)


def test_unknown_and_planned_studies_are_told_apart() -> None:
    with pytest.raises(UnknownName, match="did you mean 'synthworlds'"):
        get_study("synthworld")
    with pytest.raises(ScrubjayError, match="'not-yet' is planned but not written"):
        get_study("not-yet")
    with pytest.raises(UnknownName, match="no paper 'nothing'"):
        study("nothing", claims=())


def test_an_unknown_scale_is_refused_before_anything_runs(made: Study, tmp_path: Path) -> None:
    with pytest.raises(ScrubjayError, match="no scale 'huge'; known: smoke, laptop, full"):
        made.run("huge", tmp_path)
    assert not (tmp_path / "made-up").exists()


def test_a_run_keeps_its_finding_and_names_scale_and_seed(made: Study, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    found = made.run("smoke", tmp_path, 5, lambda *news: heard.append(news))
    assert heard == [("measuring", 1, 1)]
    assert load_finding("made-up", tmp_path) == found
    assert found.name == "made-up"
    assert found.settings == {"steps": 3, "scale": "smoke", "seed": 5}
    assert found.numbers["seed"].value == 5


def test_seconds_count_earlier_attempts_too(made: Study, tmp_path: Path) -> None:
    clock = tmp_path / "cache" / "studies" / "made-up" / "smoke-0" / "seconds"
    made.run("smoke", tmp_path)
    assert float(clock.read_text()) < 50
    clock.write_text("100.0")
    assert 100 <= made.run("smoke", tmp_path).seconds < 150


def test_a_finding_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = save_finding(FOUND, tmp_path)
    assert load_finding("made-up", tmp_path) == FOUND
    assert json.loads((folder / "figure.json").read_text()) == {"mark": "bar"}
    assert json.loads((folder / "finding.json").read_text())["verdict"] == "partly"
    assert sorted(p.name for p in folder.iterdir()) == ["figure.json", "finding.json"]


def test_table_has_a_row_a_paper_with_its_verdict(tmp_path: Path) -> None:
    save_finding(FOUND, tmp_path)
    rows = {row["slug"]: row for row in study_table(tmp_path)}
    assert len(rows) == 74
    assert rows["made-up"] == {
        "paper": 73,
        "slug": "made-up",
        "title": MADE_UP.title,
        "verdict": "partly",
        "scale": "laptop",
        "seconds": 12.5,
    }
    assert (rows["not-yet"]["verdict"], rows["not-yet"]["seconds"]) == ("planned", None)
    assert rows["synthworlds"]["verdict"] == "not run"


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "x"}', '{"numbers": {"a": 3}}'])
def test_a_damaged_finding_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "dragin").mkdir()
    (tmp_path / "dragin" / "finding.json").write_text(text)
    with pytest.raises(InputError, match=r"dragin.finding\.json: is not a finding"):
        study_table(tmp_path)


def test_papers_are_the_files_rows() -> None:
    import scrubjay.studies

    with open(Path(scrubjay.studies.__file__).with_name("papers.csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(int(r["number"]), r["slug"]) for r in rows] == [(p.number, p.slug) for p in papers()]
