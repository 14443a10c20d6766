"""Study 18 at smoke scale on a planted transformer, and its judgment on planted answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scrubjay.probing.heads import HeadScores
from scrubjay.studies import get_study
from scrubjay.studies.retrieval_head_judge import judge


def scores(seed: int, heads: int = 1, noise: float = 0.0) -> HeadScores:
    samples = np.zeros((6, 5, 8))
    samples.reshape(6, -1)[:, :heads] = 0.5
    samples += noise * np.random.default_rng(seed).random(samples.shape)
    return HeadScores(samples, mass=samples.mean(0))


def answers(intact: float, best: float, control: float) -> dict[str, list[float]]:
    jitter = 0.02 * np.arange(10) / 10
    told = {"intact": intact, "retrieval 5": best, "attention 5": best, "induction 5": best}
    told |= {f"{name} 5 #{i}": control for name in ("same layers", "random") for i in range(2)}
    return {name: list(value - jitter) for name, value in told.items()}


CHOSEN = {
    "retrieval 5": [(0, 0), (0, 1)],
    "attention 5": [(0, 0), (0, 1)],
    "induction 5": [(0, 0), (2, 1)],
}


def test_claims_follow_the_answers() -> None:
    alike, memory = [scores(0), scores(1)], answers(1, 1, 1)
    good = judge(alike, scores(0), answers(1, 0.1, 0.9), memory, CHOSEN, share=5)
    assert [c.holds for c in good.claims] == [True] * 4
    assert good.numbers["same layers minus retrieval, 5 heads"].value == pytest.approx(0.8)
    assert good.numbers["retrieval heads"].value == pytest.approx(1 / 40)
    assert good.numbers["overlap with attention heads"].value == 1
    assert good.numbers["overlap with induction heads"].value == pytest.approx(1 / 3)
    many = [scores(0, 8), scores(1, 8)]
    bad = judge(many, scores(0, 8), answers(1, 0.6, 0.7), answers(1, 0.5, 1), CHOSEN, share=5)
    assert [c.holds for c in bad.claims] == [False, False, False, True]
    # a weak model proves nothing, and neither does a memory that nobody asked
    weak = judge(alike, scores(0), answers(0.7, 0.1, 0.7), {}, CHOSEN, share=5)
    assert [c.holds for c in weak.claims] == [True, False, False, True]
    unlike = [scores(0, 0, 1.0), scores(1, 0, 1.0)]
    assert not judge(unlike, scores(0), answers(1, 0, 1), memory, CHOSEN, share=5).claims[3].holds


def test_smoke_scale_finds_the_planted_head_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    study = get_study("retrieval-head")
    first = study.run("smoke", tmp_path / "a")
    again = study.run("smoke", tmp_path / "b")
    assert first.numbers == again.numbers
    assert first.numbers["recall, intact"].value == 1
    assert first.numbers["same layers minus retrieval, 1 heads"].value > 0.4
    rows = {r["without"]: r["needle recall"] for r in first.tables["Without heads"]}
    assert rows["same layers"] > 0.9 > 0.5 > rows["retrieval"]
    assert not first.claims[2].holds  # memory isn't asked at this scale
