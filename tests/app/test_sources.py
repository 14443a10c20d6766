"""The command: bad input in one sentence, before a model is asked anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from scrubjay.app.cli import app
from scrubjay.core import ScrubjayError


def refusal(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["sources", *arguments])
    if result.exit_code == 2:
        return result.output
    assert isinstance(result.exception, ScrubjayError)
    return str(result.exception)


def test_an_unknown_method_is_refused(tmp_path: Path) -> None:
    said = refusal("measure", "--method", "guessing", "--runs", str(tmp_path))
    assert "likelihood or sampling, not 'guessing'" in said


def test_weights_need_a_place(tmp_path: Path) -> None:
    assert "is no place for weights" in refusal("train", "--out", str(tmp_path))
    assert "is no place" in refusal("train", "--out", str(tmp_path / "none" / "w.json"))


def test_damaged_weights_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text("{}")
    assert "w.json" in refusal("measure", "--weights", str(tmp_path / "w.json"))


@pytest.mark.parametrize("bad", [["--multihop", "-1"], ["--each", "1"], ["--questions", "3"]])
def test_numbers_out_of_range_are_refused(bad: list[str]) -> None:
    assert "greater than or equal" in " ".join(refusal("measure", *bad).split())
