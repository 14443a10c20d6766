"""Study 42 at smoke scale, and its judgment on planted seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scrubjay.core.finding import Verdict
from scrubjay.studies import get_study
from scrubjay.studies.behaviour_shift import judge
from scrubjay.worlds.instructions import OTHERS, VERBS


def part(lift: float, tuned: float, gain: int, concepts: int) -> Any:
    def rows(score: float) -> list[dict[str, Any]]:
        return [
            {
                "verb": "blick", "followed": i % 2 == 0, "own": 1 + lift * (i % 2 == 0) + 0.01 * i,
                "own beside": 0.5, "own raw": 1.0 + 0.01 * i, "common": score + 0.01 * i,
                "common beside": 0.5, "common raw": 1.0, "common logprob": 1.0, "first": 0.1,
            }
            for i in range(20)
        ]  # fmt: skip

    verbs = {v: [3, 3] for v in (*VERBS, *OTHERS)}
    more = verbs | {v: [3 + gain + i % 2, 3] for i, v in enumerate(VERBS)}
    kinds = {"base": {"a": 10, "b": 10}, "tuned": {"a": 16, "b": 4}, "shuffled": {"a": 10}}
    return {
        "scores": {"base": rows(1.0), "tuned": rows(1.0 + tuned), "shuffled": rows(1.0)},
        "verbs": {"base": verbs, "tuned": more, "shuffled": verbs},
        "relations": kinds,
        "concepts": kinds | {"tuned": {"a": 10 + concepts, "b": 10 - concepts}},
    }


def test_claims_follow_the_seeds() -> None:
    good = judge([part(0.5, 0.3, 2, 1), part(0.6, 0.4, 3, 1)], {})
    assert good.verdict is Verdict.REPRODUCED
    bad = judge([part(-0.5, -0.3, -2, 9)] * 2, {})
    assert bad.verdict is Verdict.NOT_REPRODUCED


def test_too_few_that_fail_decide_nothing() -> None:
    one = part(0.5, 0.3, 2, 1)
    for row in one["scores"]["tuned"]:
        row["followed"] = True
    found = judge([one], {})
    assert not found.claims[0].holds
    assert "too few" in found.claims[0].evidence


def test_smoke(tmp_path: Path) -> None:
    found = get_study("behaviour-shift").run("smoke", tmp_path)
    assert len(found.claims) == 4
    assert [r["model"] for r in found.tables["Models"]] == ["base", "shuffled", "tuned"]
