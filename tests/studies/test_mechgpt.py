"""Study 10: its stage, its plumbing at smoke scale, and a verdict that can go either way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from scrubjay.core.finding import Verdict
from scrubjay.studies import get_study
from scrubjay.studies.mechgpt import false_shares, judge
from scrubjay.studies.mechgpt_stage import SIZES, Stage

STAGE = asyncio.run(Stage.make(SIZES["smoke"], 0))


def test_stage() -> None:
    assert len(STAGE.written) == len(STAGE.held) == 8
    assert not {*STAGE.written} & {*STAGE.held}
    assert {len(q.query) for q in STAGE.bridges} == {2}
    triples = STAGE.triples_of(STAGE.written)
    names = STAGE.world.names
    assert [(t.subject, t.object) for t in triples] == [
        (names.value(f.subject), names.value(f.object)) for f in STAGE.written
    ]
    every = STAGE.spoilt(STAGE.triples, 1)
    assert 0.1 < sum(bad for _, bad in every) / len(every) < 0.4
    for (t, bad), before in zip(every, STAGE.triples):
        assert (t != before) == bad
        assert t.object in names.entities or t.object in STAGE.passage(t).text


def test_smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    found = get_study("mechgpt").run("smoke", tmp_path / "results")
    assert found.numbers["extracted graph, edges, precision"].value > 0.95
    assert found.verdict is Verdict.NOT_REPRODUCED  # no model was asked


def test_false_shares_by_hand() -> None:
    before, after, less = false_shares(
        {"false, accepted": [1.0] + [0.0] * 19, "true, accepted": [1.0] * 19 + [0.0]}
    )
    assert (before, after) == (0.5, 0.05)
    assert less.low is not None
    assert less.low > 0.3
    same = false_shares({"false, accepted": [1.0] * 9, "true, accepted": [1.0] * 9})
    assert same[2].value == 0.0


def test_the_verdict_follows_the_parts() -> None:
    high, low = [1.0] * 30 + [0.0] * 10, [0.0] * 38 + [1.0] * 2

    def closed(written: list[float], held: list[float]) -> dict[str, Any]:
        return {"written": written, "held out": held, "bridges": low}

    parts: dict[str, Any] = {
        "graph": {"edges": [1.0, 0.9, 0.95]},
        "pairs": {"false, accepted": [0.0] * 20, "true, accepted": [1.0] * 20},
        "base": closed(low, low),
        "raw": closed(low, low),
        "pairs tuned": closed(high, low),
        "read": {"chunks": low, "graph": high, "true graph": high},
    }
    assert judge(parts, {}).verdict is Verdict.REPRODUCED
    parts["raw"] = closed(high, low)
    assert [c.holds for c in judge(parts, {}).claims] == [False, True, True, True]
    parts["pairs tuned"] = closed(high, high)
    assert [c.holds for c in judge(parts, {}).claims] == [False, False, True, True]
    parts["read"]["chunks"] = [1.0] * 40
    parts["pairs"]["false, accepted"] = [1.0] * 20
    assert judge(parts, {}).verdict is Verdict.NOT_REPRODUCED
