"""Study 32 at smoke scale, and its judgment on planted runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scrubjay.deciding.bo.curves import harmonic
from scrubjay.studies import get_study
from scrubjay.studies.nap import FAMILIES, TRAINED
from scrubjay.studies.nap_judge import ALONE, APART, KNOWN, NAP, UNKNOWN, judge

ARMS = ("random", "gp-ei", "deep-kernel", *TRAINED)
USUAL = {"random": 0.4, "gp-ei": 0.3, "np-ei": 0.25, NAP: 0.2, ALONE: 0.38, APART: 0.22}
TRIALS = 4


def planted(areas: dict[str, float], ratio: float = 1.0, seeds: int = 3) -> list[dict[str, Any]]:
    """Runs with given mean regrets, a little noise of tasks, and records around ratio · H_T."""
    rng = np.random.default_rng(0)
    runs = []
    for family in FAMILIES:
        for seed in range(seeds):
            noise = rng.normal(0, 0.01, (12, 1))
            curves = {
                arm: (areas.get(arm, 0.3) + noise + 0.001 * rng.normal(size=(12, TRIALS))).tolist()
                for arm in ARMS
            }
            runs.append(
                {
                    "family": family,
                    "seed": seed,
                    "tasks": [str(i // 2) for i in range(12)],
                    "regret": {KNOWN: curves, UNKNOWN: curves},
                    "training": {
                        a: {"auxiliary": [0.5, 0.1], "regret": [], "found": [0.3, 0.2]}
                        for a in TRAINED
                    },
                    "records": [ratio * harmonic(TRIALS) + 0.01 * (-1) ** i for i in range(40)],
                    "expected": [harmonic(TRIALS)] * 40,
                }
            )
    return runs


def test_claims_follow_the_runs() -> None:
    good = judge(planted(USUAL), TRIALS)
    assert [c.holds for c in good.claims] == [True] * 3
    found = good.numbers["area, np-ei minus NAP, processes"]
    assert found.value == pytest.approx(0.05, abs=0.01)
    assert found.n == 6  # data sets, not tasks
    # no better than NP-EI, half as good without the loss, too few records
    bad = judge(planted({**USUAL, NAP: 0.25, ALONE: 0.31}, ratio=0.8), TRIALS)
    assert [c.holds for c in bad.claims] == [False] * 3
    # as good without the auxiliary loss
    assert not judge(planted({**USUAL, ALONE: 0.2}), TRIALS).claims[1].holds


def test_one_bad_seed_or_family_is_enough_to_fail() -> None:
    runs = planted(USUAL)
    for scaled in runs[-1]["regret"].values():
        scaled["np-ei"] = (np.array(scaled[NAP]) - 0.01).tolist()
    assert [c.holds for c in judge(runs, TRIALS).claims] == [False, True, True]


def test_smoke_scale_runs_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # no processes for a few seconds of work
    study = get_study("nap")
    first = study.run("smoke", tmp_path / "a")
    part = next((tmp_path / "cache").rglob("svm-tables-1.json"))
    part.unlink()
    again = study.run("smoke", tmp_path / "b")
    assert first.numbers == again.numbers
    assert {r["arm"] for r in first.tables["processes"]} == set(ARMS)
    for row in first.tables["svm tables"]:
        assert 0 <= row["regret 5"] <= row["regret 1"] <= 1
    for row in first.tables["processes, training"]:
        assert (row["auxiliary, last"] is None) == (row["arm"] in (ALONE, "metabo"))
        assert (row["regret, last"] is None) == (row["arm"] == "np-ei")
