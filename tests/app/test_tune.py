"""``scrubjay tune`` as a user meets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from scrubjay.app import cli
from scrubjay.deciding.bo.nap import NAPSpec, NeuralAcquisitionProcess

TABLE = "k,chunk,mode,accuracy\n1,100,bm25,0.3\n3,100,bm25,0.5\n5,100,bm25,\n3,200,hybrid,\n"


def scrubjay(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["tune", *words])


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    return str(path)


def test_proposals_are_rows_without_a_result(table: str) -> None:
    done = scrubjay(table, "--target", "accuracy", "--next", "2", "--json")
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout)
    assert value["tried"] == 2
    assert sorted(row["row"] for row in value["next"]) == [3, 4]
    assert {"k", "chunk", "mode", "predicted", "deviation", "expected gain"} < set(value["next"][0])
    assert all(row["expected gain"] >= 0 for row in value["next"])


def test_least_is_the_same_as_most_of_the_negative(tmp_path: Path) -> None:
    results = [0.9, 0.2, None, 0.4, None, None]
    found = []
    for sign, words in ((1, ["--minimise"]), (-1, [])):
        rows = [f"{i},{'' if r is None else sign * r}" for i, r in enumerate(results)]
        path = tmp_path / f"{len(words)}.csv"
        path.write_text("k,seconds\n" + "\n".join(rows) + "\n")
        done = scrubjay(str(path), "--target", "seconds", "--next", "3", "--json", *words)
        assert done.exit_code == 0, done.output
        found.append(json.loads(done.stdout)["next"])
    least, most = found
    assert [r["row"] for r in least] == [r["row"] for r in most]
    assert [r["predicted"] for r in least] == pytest.approx([-r["predicted"] for r in most])
    assert [r["expected gain"] for r in least] == [r["expected gain"] for r in most]


def test_people_get_a_table(table: str) -> None:
    done = scrubjay(table, "--target", "accuracy")
    assert done.exit_code == 0, done.output
    assert "Next by gp-ei, after 2 of 4 rows" in done.stdout
    assert "expected gain" in done.stdout.replace("\n", " ")


def test_equal_results_are_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("k,accuracy\n1,0.5\n2,0.5\n3,\n")
    done = scrubjay(str(path), "--target", "accuracy", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["next"][0]["row"] == 3
    assert done.stderr.strip() == "all results are equal: the order of proposals is random"


def test_a_saved_model_proposes(table: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "m.nap"
    spec = NAPSpec((0, 0, 2), width=8, layers=1, heads=1, buckets=8)
    NeuralAcquisitionProcess(spec).save(path)
    words = ("--target", "accuracy", "--method", "nap", "--model", str(path), "--span", "0,1")
    done = scrubjay(table, *words, "--json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["next"]
    assert row["row"] in (3, 4)
    assert -0.1 <= row["predicted"] <= 1.1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--target", "score"), "there is no column 'score'"),
        (("--target", "accuracy", "--method", "gpei"), "did you mean 'gp-ei'"),
        (("--target", "accuracy", "--method", "nap"), "--model FILE"),
        (("--target", "accuracy", "--method", "nap", "--model", "none"), "can't be read"),
        (("--target", "accuracy", "--span", "1,0"), "the lower number first"),
        (("--target", "accuracy", "--span", "low"), "takes two numbers"),
        (("--target", "accuracy", "--trials", "0"), "at least one trial"),
        (("--target", "accuracy", "--next", "0"), "at least one row"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    words: tuple[str, ...],
    says: str,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["scrubjay", "tune", table, *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("scrubjay: ")
    assert says in told
