"""Study 11: its judgment on planted findings, and the smoke scale on SmolLM2."""

from __future__ import annotations

from pathlib import Path

import pytest

from scrubjay.core.finding import Finding, Number
from scrubjay.studies import get_study
from scrubjay.studies.talking_heads import judge


def planted(ratio: float, long: float, channel: float, random: float) -> Finding:
    def near(x: float) -> Number:
        return Number(x, x - 0.05, x + 0.05, 60)

    numbers = {
        "channel over another component": near(ratio),
        "recall, 2 things": near(0.9),
        "recall, 6 things": near(long),
        "gain, channel, 3 things": near(channel),
        "gain, random, 3 things": near(random),
    }
    return Finding("talking-heads", numbers)


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        (planted(8, 0.3, 0.3, 0.02), [True, True, True]),
        (planted(2, 0.3, 0.3, 0.02), [False, True, True]),
        (planted(8, 0.85, 0.3, 0.02), [True, False, True]),
        (planted(8, 0.3, 0.3, 0.25), [True, True, False]),
        (planted(8, 0.3, 0.05, 0.0), [True, True, False]),
    ],
)
def test_claims_follow_the_numbers(found: Finding, holds: list[bool]) -> None:
    assert [c.holds for c in judge([found, found]).claims] == holds


def test_smoke(tmp_path: Path) -> None:
    found = get_study("talking-heads").run("smoke", tmp_path)
    assert found.numbers["recall, 2 things"].n == 8
    assert found.settings["model"] == "smollm2-135m"
    assert found.settings["reader"][0] > 0
    assert len(found.claims) == 3
    assert (tmp_path / "talking-heads" / "finding.json").exists()
