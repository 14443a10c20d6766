"""Study 27 at smoke scale, and its judgment on planted runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scrubjay.deciding.diversity.methods import METHODS
from scrubjay.studies import get_study
from scrubjay.studies.stax import VARIANTS
from scrubjay.studies.stax_judge import judge


def planted(coverage: dict[str, float], reward: dict[str, float]) -> list[dict[str, Any]]:
    rest = dict.fromkeys(("areas", "rewarded", "kept", "explore", "candidates", "emitters"), 1.0)
    return [
        {
            "world": world,
            "seed": seed,
            "methods": {
                name: {
                    **rest,
                    "coverage": coverage.get(name, 0.2) + 0.001 * seed,
                    "reward": reward.get(name, 1.0) + 0.01 * seed,
                    "error": None,
                    "distances": None,
                    "curve": [[10, 0.1], [20, 0.2]],
                }
                for name in (*METHODS, *VARIANTS)
            },
        }
        for world in ("arm", "maze")
        for seed in range(4)
    ]


def test_claims_follow_the_runs() -> None:
    good = judge(planted({"stax": 0.5, "serene": 0.5}, {"stax": 2.5, "serene": 2.6}))
    assert [c.holds for c in good.claims] == [True] * 4
    bad = judge(planted({"stax": 0.1, "serene": 0.5}, {"stax": 0.5, "serene": 2.6}))
    assert [c.holds for c in bad.claims] == [False] * 4
    # one world is not enough
    half = planted({"stax": 0.5, "serene": 0.5}, {"stax": 2.5, "serene": 2.6})
    for run in half:
        if run["world"] == "maze":
            run["methods"]["stax"]["coverage"] = 0.1
    assert [c.holds for c in judge(half).claims] == [False, False, True, True]
    assert good.numbers["coverage, STAX minus STAX-NT, arm"].value == pytest.approx(0.3)


def test_smoke_scale_runs_goes_on_and_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    study = get_study("stax")
    first = study.run("smoke", tmp_path / "a")
    again = study.run("smoke", tmp_path / "b")
    assert first.numbers == again.numbers
    assert set(first.tables) == {"arm", "maze"}
    assert {r["method"] for r in first.tables["arm"]} == {*METHODS, *VARIANTS}
    for row in first.tables["arm"]:
        assert row["spent, explore"] + row["spent, candidates"] + row["spent, emitters"] == 600
