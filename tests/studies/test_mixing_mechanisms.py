"""Study 04: its judgment on planted findings, and the smoke scale on SmolLM2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scrubjay.core.finding import Finding, Number
from scrubjay.studies import get_study
from scrubjay.studies.mixing_mechanisms import FIRST, LAST, judge

READERS = {"position": 0.99, "word": 0.99, "pointer": 0.995, "all three": 0.999}


def planted(whole: float, one: float, lexical: float, reflexive: float, middle: float) -> Any:
    values = {
        "JSS, M": whole,
        "JSS, P one-hot": one,
        "JSS, M without L": lexical,
        "JSS, M without R": reflexive,
    }
    rows = [
        {"group": i + 1, "pairs": 5, "position": share}
        for i, share in enumerate((0.9, middle, middle, 0.8))
    ]
    finding = Finding(
        "x", {k: Number(v) for k, v in values.items()}, tables={"Effects by position": rows}
    )
    return {"finding": finding.to_dict()}


LAST_GOOD = planted(0.95, 0.6, 0.7, 0.94, 0.3)
FIRST_GOOD = planted(0.95, 0.6, 0.94, 0.7, 0.3)


@pytest.mark.parametrize(
    ("last", "first", "holds"),
    [
        (LAST_GOOD, FIRST_GOOD, [True, True, True]),
        (LAST_GOOD, LAST_GOOD, [True, False, True]),
        (planted(0.95, 0.9, 0.7, 0.94, 0.3), FIRST_GOOD, [False, True, True]),
        (planted(0.95, 0.6, 0.7, 0.94, 0.85), FIRST_GOOD, [True, True, False]),
        (LAST_GOOD, {"refused": "chance"}, [True, False, True]),
        ({"refused": "chance"}, {"refused": "chance"}, [False, False, False]),
    ],
)
def test_claims_follow_the_numbers(last: Any, first: Any, holds: list[bool]) -> None:
    assert [c.holds for c in judge({LAST: last, FIRST: first}, READERS).claims] == holds


def test_smoke(tmp_path: Path) -> None:
    found = get_study("mixing-mechanisms").run("smoke", tmp_path)
    assert found.numbers[f"layer, {LAST}"].value in (18, 20)
    assert len(found.claims) == 3
