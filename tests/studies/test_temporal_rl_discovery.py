"""Study 17: the judge on planted measurements, and a whole run at smoke scale."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scrubjay.core.finding import Verdict
from scrubjay.studies import get_study
from scrubjay.studies.temporal_rl_discovery_judge import CLAIMS, ends, judge, stretches
from scrubjay.studies.temporal_rl_discovery_stage import CLOCKS, GRID_ARMS, SIZES, Held
from scrubjay.studies.temporal_rl_discovery_views import parts

SEEN, UNSEEN = (5, 10, 20, 40), (80, 160)
LEVELS = 12
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 0.01, LEVELS)


def schedule(n: int, falls: float) -> list[list[float]]:
    curve = 1 - falls * np.arange(n) / n
    return [(curve + 0.01 * x).tolist() for x in NOISE]


def grid(arm: str, seed: int, ends_at: float, falls: float) -> dict[str, Any]:
    return {
        "arm": arm,
        "seed": seed,
        "history": [0.1, 0.2],
        "returns": {str(n): (ends_at + 0.01 * seed + NOISE).tolist() for n in SEEN + UNSEEN},
        "schedules": {
            str(n): {"size": schedule(n, falls), "entropy": schedule(n, falls)}
            for n in (10, 20, 40)
        },
        "response": {"early": (1 + NOISE).tolist(), "late": (1 - falls + 2 * NOISE).tolist()}
        if "ta" in arm
        else None,
    }


def bandit(arm: str, seed: int, share: float, narrows: float) -> dict[str, Any]:
    return {
        "arm": arm,
        "seed": seed,
        "history": [0.1, 0.2],
        "shares": {str(n): [share + 0.001 * seed, share] for n in SEEN + UNSEEN},
        "widths": [
            {"N": n, "n/N": k / 10, "up": 1 - narrows * k / 10 - 0.01 * seed, "down": 0.5}
            for n in (5, 160)
            for k in range(10)
        ],
    }


def planted() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Measurements under which every claim holds."""
    rows: list[dict[str, Any]] = []
    for seed in range(3):
        rows += [grid("es lpg", seed, 0.6, 0.1), grid("es ta-lpg", seed, 0.7, 0.5)]
        rows += [grid("mg lpg", seed, 0.5, 0.1), grid("mg ta-lpg", seed, 0.49, 0.05)]
        rows += [bandit("lpo", seed, 0.9, 0.0), bandit("ta-lpo", seed, 0.92 + seed / 1e3, 0.5)]
        rows += [bandit("ta-lpo, log N", seed, 0.93, 0.5)]
    by_hand = {
        "grids": [grid("a2c, constant step", 0, 0.65, 0.0)],
        "bandits": [bandit("ppo, clip 0.2", 0, 0.91, 0.0)],
    }
    return by_hand, rows


def test_planted_measurements_hold_every_claim() -> None:
    finding = judge(*planted(), SEEN, UNSEEN)
    assert [c.holds for c in finding.claims] == [True] * len(CLAIMS), [
        (c.text, c.evidence) for c in finding.claims if not c.holds
    ]
    assert finding.verdict is Verdict.REPRODUCED
    assert finding.numbers["grids, TA-LPG minus LPG by evolution, all N"].value == pytest.approx(
        0.1
    )
    gain = "bandits, TA-LPO minus the best hand-made (ppo, clip 0.2), seen N"
    assert finding.numbers[gain].value == pytest.approx(0.0115, abs=1e-4)


def spoil(arm: str, change: Any, seed: int | None = None) -> Any:
    def apply(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["arm"] == arm and seed in (None, row["seed"]):
                change(row)

    return apply


def returns(value: float) -> Any:
    return lambda row: row["returns"].update({k: [value] * LEVELS for k in row["returns"]})


def shares(value: float, horizons: tuple[int, ...]) -> Any:
    return lambda row: row["shares"].update({str(n): [value] * 2 for n in horizons})


def flat(what: str) -> Any:
    def change(row: dict[str, Any]) -> None:
        for n, kinds in row["schedules"].items():
            kinds[what] = [[1 + x * (i % 2) for i in range(int(n))] for x in NOISE]

    return change


def absolute(row: dict[str, Any]) -> None:
    """A schedule that follows n, whatever N is."""
    for n, kinds in row["schedules"].items():
        kinds["size"] = [[1 - i / 100 + x for i in range(int(n))] for x in NOISE]


SPOILS = [
    (0, spoil("es ta-lpg", returns(0.5))),
    (0, spoil("es ta-lpg", returns(0.5), seed=1)),  # one meta-seed below
    (1, spoil("es ta-lpg", flat("entropy"), seed=2)),
    (1, spoil("es ta-lpg", absolute)),
    (1, spoil("es ta-lpg", lambda r: r["response"].update(late=r["response"]["early"]))),
    (2, spoil("mg ta-lpg", returns(0.9))),
    (2, spoil("mg lpg", returns(0.1))),  # has learned nothing: no evidence
    (2, spoil("mg ta-lpg", lambda r: r["response"].update(late=[0.1] * LEVELS))),
    (3, spoil("ta-lpo", shares(0.85, SEEN))),
    (4, spoil("ta-lpo", shares(0.85, UNSEEN))),
    (5, spoil("ta-lpo", lambda r: r.update(widths=bandit("", r["seed"], 0, -0.5)["widths"]))),
]


@pytest.mark.parametrize(("claim", "change"), SPOILS)
def test_each_claim_can_fail(claim: int, change: Any) -> None:
    by_hand, rows = copy.deepcopy(planted())
    change(rows)
    assert not judge(by_hand, rows, SEEN, UNSEEN).claims[claim].holds


def test_ends_parts_and_stretch_by_hand() -> None:
    line = [list(map(float, range(10)))]
    early, late = ends(line)
    assert (early[0], late[0]) == (0.5, 9.0)
    assert parts(line) == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert parts([[1.0, 3.0]])[0] == 1.0
    # One falls from 1 to 0 over 4, the other over 8: alike by n/N, apart by n.
    short, long = [[1.0, 0.75, 0.5, 0.25]], [[1 - i / 8 - 1 / 16 + 1 / 8 for i in range(8)]]
    relative = [abs(s - (l0 + l1) / 2) for s, (l0, l1) in zip(short[0], zip(*[iter(long[0])] * 2))]
    apart = [abs(s - x) for s, x in zip(short[0], long[0])]
    assert stretches(short, long)[0] == pytest.approx(np.mean(apart) - np.mean(relative))
    assert stretches(short, long)[0] > 0.1


def test_held_out_levels_leave_something_to_learn_and_differ_from_tuning() -> None:
    held, other = (Held.draw(SIZES["smoke"], 0, name) for name in ("held out", "tuning"))
    assert (held.best - held.blind > 0.1).all()
    assert held.normalised(held.best) == pytest.approx([1.0] * len(held.levels))
    assert not set(held.levels) & set(other.levels)


def test_a_small_run_ends_and_goes_on_from_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    study = get_study("temporal-rl-discovery")
    first = study.run("smoke", tmp_path / "a")
    folder = tmp_path / "cache/studies/temporal-rl-discovery/smoke-0"
    for name in ("es-ta-lpg-0.json", "ta-lpo-1.json", "ta-lpo-1.npz", "mg-lpg-0.npz"):
        (folder / name).unlink()  # searched again, from a checkpoint or from the start
    again = study.run("smoke", tmp_path / "b")
    assert again.numbers == first.numbers
    assert again.tables == first.tables
    assert len(first.claims) == len(CLAIMS)
    arms = {r["arm"] for r in first.tables["Grids: normalised final return"]}
    assert arms >= set(GRID_ARMS)
    assert {r["arm"] for r in first.tables["Bandits: effective clip width"]} == set(CLOCKS)
