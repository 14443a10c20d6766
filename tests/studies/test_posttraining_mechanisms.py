"""Study 23 at smoke scale, and its judgment on planted seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from scrubjay.core.finding import Verdict
from scrubjay.studies import get_study
from scrubjay.studies.posttraining_mechanisms import judge
from scrubjay.studies.posttraining_mechanisms_stage import SIZES, Ground, base, noisy, tuned

NAMES = ("base", "tuned", "noise", "independent")


def part(*, other: float, noise: float, refusal: float, forward: float, overlap: float) -> Any:
    r = {"tuned": 0.98, "noise": noise, "independent": other}
    half = {
        "knows": dict.fromkeys(NAMES, 1.0), "r": r, "binned r": r, "largest difference": r,
        "across": {"base into tuned": 1.0, "tuned into base": 0.9},
        "maps": {n: [[0.0, 1.0], [1.0, 0.0]] for n in NAMES},
    }  # fmt: skip
    ways = [f"{a} in {b}" for a in ("base", "tuned", "random") for b in ("base", "tuned")]
    score = {"refused": 1.0, "others": 0.0, "added": 1.0, "removed": 0.2}
    return {
        "storage": {"untaught": half, "taught": half},
        "truth": {
            "accuracy": {w: [0.9, 0.9] for w in ways[:4]},
            "cosine": {"base": 1.0, "tuned": 0.95, "noise": noise, "independent": 0.0},
            "judges": dict.fromkeys(NAMES, 1.0), "judges others": dict.fromkeys(NAMES, 0.5),
            "nie": {w: {"true to false": 0.5, "false to true": 0.4} for w in ways},
        },
        "refusal": {
            "cosine": {"base": 1.0, "tuned": refusal, "noise": 0.9, "independent": 0.0},
            "scores": dict.fromkeys(ways, score) | {"base in tuned": score | {"added": forward}},
        },
        "confidence": {
            "overlap": dict.fromkeys(NAMES, overlap),
            "entropy": {"base": 2.0, "tuned": 1.0, "noise": 2.0, "independent": 2.0},
        },
    }  # fmt: skip


def test_claims_follow_the_seeds() -> None:
    good = part(other=0.3, noise=0.6, refusal=0.2, forward=0.1, overlap=0.7)
    assert judge([good] * 3, {}).verdict is Verdict.REPRODUCED
    bad = part(other=0.95, noise=0.99, refusal=0.9, forward=0.9, overlap=0.2)
    assert judge([bad] * 3, {}).verdict is Verdict.NOT_REPRODUCED


def test_ground_and_noise() -> None:
    size = SIZES["smoke"]
    ground = Ground(size)
    for relation in ("birthplace", "employer"):
        told = ground.statements(relation)
        assert sum(told.labels) * 2 == len(told.labels)
        for text, label, person in zip(told.texts, told.labels, told.groups, strict=True):
            assert (ground.world.value(person, relation) in text) == label
            assert person in ground.judged
    lessons = {tuple(e.ids) for n in range(5) for e in ground.lessons(0, n)}
    names = [tuple(ground.ids(p)) for p in ground.untaught]
    assert not any(name == ids[i : i + len(name)] for name in names for ids in lessons for i in range(len(ids)))  # fmt: skip  # noqa: E501
    one, other = base(size, 0), tuned(size, 0)
    noise = noisy(one, other, 0)
    pairs = zip(one.model.parameters(), other.model.parameters(), noise.model.parameters(), strict=True)  # fmt: skip  # noqa: E501
    for a, b, c in pairs:
        assert float((c - a).norm()) == pytest.approx(float((b - a).norm()), rel=1e-3, abs=1e-6)
        assert not torch.equal(b, c) or torch.equal(a, b)


def test_smoke(tmp_path: Path) -> None:
    found = get_study("posttraining-mechanisms").run("smoke", tmp_path)
    assert len(found.claims) == 4
    assert {"Storage", "Refusals", "Judging"} <= set(found.tables)
