"""``scrubjay train objective`` as a user meets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scrubjay.app import cli
from scrubjay.training.meta.saved import Objective

SMALL = ("--pairs", "2", "--steps", "3", "--horizons", "2,4", "--tests", "4")


def scrubjay(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["train", "objective", *words])


@pytest.mark.parametrize(
    ("base", "rivals"), [("lpo", {"PPO, clip 0.2", "PPO, clip 0.8 annealed"}), ("lpg", {"A2C"})]
)
def test_it_searches_saves_compares_and_goes_on(
    base: str, rivals: set[str], tmp_path: Path
) -> None:
    words = ("--base", base, "--unaware", *SMALL, "--out", str(tmp_path / "a"), "--json")
    done = scrubjay(*words)
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout)
    names = [row["rule"] for row in value["rules"]]
    assert names[0] == base.upper()
    assert all(any(name.startswith(rival) for name in names) for rival in rivals)
    assert all(row.keys() == {"rule", "N=2", "N=4", "N=8"} for row in value["rules"])
    found = Objective.load(tmp_path / "a")
    assert found.base == base
    assert not list(tmp_path.rglob("*.pkl"))
    again = scrubjay(*words)
    assert again.stdout == done.stdout
    other = scrubjay("--base", base, "--aware", *SMALL, "--out", str(tmp_path / "b"), "--json")
    assert json.loads(other.stdout)["rules"][0]["rule"] == f"TA-{base.upper()}"
    # What a person wrote stays as it was, whichever objective stands beside it.
    assert json.loads(other.stdout)["rules"][1:] == value["rules"][1:]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--base", "lpq"), "'lpo' or 'lpg', not 'lpq'"),
        (("--pairs", "0"), "at least one pair"),
        (("--steps", "0"), "one step"),
        (("--horizons", "5,many"), "whole numbers"),
        (("--horizons", "0,5"), "1 or more"),
        (("--tests", "0"), "at least one task"),
        (("--out", "FILE"), "is a file"),
        (("--out", "OTHER"), "was made with aware = null"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    words: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("")
    Path("OTHER").mkdir()
    Path("OTHER/settings.json").write_text("{}")
    rest = () if "--out" in words else ("--out", "new")
    monkeypatch.setattr(sys, "argv", ["scrubjay", "train", "objective", *rest, *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("scrubjay: ")
    assert says in told
    assert not Path("new").exists()
