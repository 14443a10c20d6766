"""``scrubjay bandit`` as a user meets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from scrubjay.app import cli
from scrubjay.core.arrays import load_arrays, save_arrays


def scrubjay(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["bandit", *words])


SHORT = ("--arms", "0.1,0.5,0.6", "--horizon", "200", "--runs", "20")


def parsed(done: Result) -> dict:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_race_gives_curves_intervals_and_bounds() -> None:
    value = parsed(scrubjay("race", *SHORT, "--algorithms", "ucb1,thompson", "--json"))
    ucb1, thompson = value["algorithms"]
    assert (ucb1["name"], thompson["name"]) == ("ucb1", "thompson")
    assert ucb1["rounds"][-1] == 200
    assert ucb1["low"][-1] <= ucb1["mean"][-1] <= ucb1["high"][-1] <= ucb1["bound"][-1]
    assert thompson["bound"] is None
    again = parsed(scrubjay("race", *SHORT, "--algorithms", "thompson", "--json"))
    assert again["algorithms"][0]["mean"] == thompson["mean"]


def test_race_draws_what_it_measured(tmp_path: Path) -> None:
    for name in ("out.json", "out.svg"):
        done = scrubjay("race", *SHORT, "--algorithms", "ucb1", "--figure", str(tmp_path / name))
        assert done.exit_code == 0, done.output
    spec = json.loads((tmp_path / "out.json").read_text())
    assert {row["algorithm"] for row in spec["data"]["values"]} == {"ucb1"}
    assert "<svg" in (tmp_path / "out.svg").read_text()


def test_list_names_every_algorithm() -> None:
    done = scrubjay("list", "--json")
    names = {row["name"] for row in json.loads(done.stdout)}
    assert {"ucb1", "thompson", "exp3", "hedge", "explore-first"} <= names


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--arms", "0.1,much"), "takes numbers"),
        (("--arms", ""), "at least one arm"),
        (("--arms", "0.1,1.5"), "must lie in [0, 1]"),
        (("--arms", "nan"), "finite number"),
        (("--arms", "0.5", "--horizon", "0"), "at least one round"),
        (("--arms", "0.5", "--runs", "0"), "at least one run"),
        (("--arms", "0.5", "--algorithms", "ucb"), "did you mean 'ucb1'"),
        (("--arms", "0.5", "--algorithms", ""), "at least one algorithm"),
        (("--arms", "0.5", "--rewards", "odd"), "'bernoulli' or 'gaussian'"),
        (("--arms", "0.5", "--figure", "x.gif"), "ends in .svg"),
        (("--arms", "3,9", "--rewards", "gaussian", "--algorithms", "exp3"), "EXP3 needs rewards"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    words: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(sys, "argv", ["scrubjay", "bandit", "race", *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("scrubjay: ")
    assert says in told


def test_a_race_that_was_killed_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "race"
    words = ("race", *SHORT, "--out", str(folder), "--json")
    whole = parsed(scrubjay(*words, "--algorithms", "ucb1,thompson"))
    parts = sorted(p.name for p in folder.glob("*.npz"))
    assert parts == ["thompson-0-20.npz", "ucb1-0-20.npz"]
    (folder / parts[0]).unlink()  # as if killed after the first algorithm
    before = (folder / parts[1]).stat().st_mtime_ns
    assert parsed(scrubjay(*words, "--algorithms", "ucb1,thompson")) == whole
    assert (folder / parts[1]).stat().st_mtime_ns == before
    kept = load_arrays(folder / parts[1])["regret"]
    save_arrays(
        folder / parts[1], {"regret": kept + 1}
    )  # what is kept is what is shown, not simulated again
    more = parsed(scrubjay(*words, "--algorithms", "ucb1,exp3"))
    assert more["algorithms"][0]["mean"][-1] == pytest.approx(
        whole["algorithms"][0]["mean"][-1] + 1
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "race.json").write_text("{"), "can't be read as settings"),
        (lambda f: (f / "ucb1-0-20.npz").write_bytes(b"no"), "not a whole file of arrays"),
        (
            lambda f: save_arrays(f / "ucb1-0-20.npz", {"regret": np.zeros(3)}),
            "of another race",
        ),
    ],
)
def test_a_spoilt_folder_of_a_race_is_one_sentence(tmp_path: Path, spoil, says: str) -> None:
    words = ("race", *SHORT, "--out", str(tmp_path), "--algorithms", "ucb1")
    assert scrubjay(*words).exit_code == 0
    spoil(tmp_path)
    assert says in str(scrubjay(*words).exception)


def test_another_race_is_refused_and_a_mistake_leaves_no_folder(tmp_path: Path) -> None:
    words = ("race", *SHORT, "--out", str(tmp_path / "a"), "--algorithms", "ucb1")
    assert scrubjay(*words).exit_code == 0
    assert "made with seed = 0, not 1" in str(scrubjay(*words, "--seed", "1").exception)
    scrubjay("race", "--arms", "0.5", "--runs", "0", "--out", str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()
