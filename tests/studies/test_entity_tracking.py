"""Study 63 at smoke scale, and its judgment on planted measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scrubjay.studies import get_study
from scrubjay.studies.entity_tracking_judge import judge

CARRIES = {
    "A": {"position": 0.1, "value": 0.9, "label": 0.0},
    "B": {"position": 0.8, "value": 0.0, "label": 0.1},
    "C": {"position": 0.7, "value": 0.0, "label": 0.1},
    "D": {"position": 0.6, "value": 0.0, "label": 0.2},
}


def planted(
    seed: int,
    *,
    tuned: float = 0.9,
    circuit: float = 0.85,
    random: float = 0.1,
    front: float = 0.85,
    back: float = 0.62,
    sums: float = 0.7,
    after: dict[str, Any] = CARRIES,
) -> dict[str, Any]:
    jitter = 0.01 * seed

    def model(accuracy: float, **crossed: float) -> dict[str, Any]:
        return {
            "accuracy": accuracy + jitter,
            "circuit": circuit * accuracy / tuned + jitter,
            "random": [random, random],
            "crossed": {"A": 0.6, "B": 0.6, "C": 0.6, "D": 0.6, "all": 0.6, **crossed},
            "groups": {"overlap": 0.9},
            "carries": CARRIES,
        }

    boxes = model(tuned, A=front, B=front, C=back, D=back, all=front) | {"carries": after}
    heads = {g: [[i, 0]] for i, g in enumerate("DCBA")}
    models = {"base": model(0.6), "boxes": boxes, "sums": model(sums + jitter)}
    models["shuffled"] = model(0.1)
    return {"seed": seed, "chance": 0.25, "planted": heads, "circuit": heads, "models": models}


def holds(runs: list[dict[str, Any]]) -> list[bool]:
    return [c.holds for c in judge(runs).claims]


def test_claims_follow_the_measurements() -> None:
    assert holds([planted(i) for i in range(4)]) == [True] * 4
    assert holds([planted(i, circuit=0.5) for i in range(4)]) == [False, True, True, True]
    assert holds([planted(i, random=0.8) for i in range(4)]) == [False, True, True, True]
    other = {**CARRIES, "B": {"position": 0.1, "value": 0.0, "label": 0.9}}
    assert holds([planted(i, after=other) for i in range(4)]) == [True, False, True, True]
    assert holds([planted(i, back=0.85) for i in range(4)]) == [True, True, False, True]
    assert holds([planted(i, front=0.65) for i in range(4)]) == [True, True, False, True]
    assert holds([planted(i, sums=0.5) for i in range(4)]) == [True, True, True, False]
    # without a gain there is nothing to share out
    assert holds([planted(i, tuned=0.62) for i in range(4)])[2] is False


def test_bases_without_a_circuit_prove_nothing() -> None:
    assert holds([{"seed": 0, "failed": "no head"}]) == [False] * 4
    mixed = judge([planted(0), planted(1), {"seed": 2, "failed": "no head"}])
    assert mixed.numbers["bases with a circuit"].value == pytest.approx(2 / 3)


def test_smoke_scale_runs_and_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    study = get_study("entity-tracking")
    first = study.run("smoke", tmp_path / "a")
    again = study.run("smoke", tmp_path / "b")
    assert first.numbers == again.numbers
    assert len(first.tables["Models"]) == 4
    base = first.tables["Models"][0]
    crossed = {v for k, v in base.items() if k.startswith("base with")}
    assert crossed == {base["accuracy"]}  # a model into itself
    assert 0.3 < base["accuracy"] < 0.9
