"""Study 48 at smoke scale, and its judgment on planted games."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scrubjay.studies import get_study
from scrubjay.studies.aucarena_judge import judge
from scrubjay.studies.aucarena_stage import NICHE_BUDGETS, WRONG


def row(profit: int, rho: dict[str, float] | None = None) -> dict[str, Any]:
    return {"profit": profit, "bought": 2, "cursed": 1, "rho": rho or {}}


def seed(sign: int, number: int) -> dict[str, Any]:
    """Games in which the stated order holds (sign 1) or its opposite (-1)."""
    rho = {"r1,n": 0.1, "rj,n": 0.1 + 0.3 * sign, "r1,x": 0.1, "rj,x": 0.2}
    game = {
        name: row(sign * place + number, rho if "adaptive" in name else None)
        for place, name in enumerate(
            (
                "none",
                "none + bias",
                "static",
                "static + bias",
                "adaptive",
                "adaptive + bias",
                "rule",
            )
        )
    }
    setting = {"items": "standard", "forecast": "seen", "order": "random", "budget": 1}
    return {
        "compare": [{**setting, "budget": b, "games": [game] * 12} for b in (1, 2, 3)],
        "books": [{"keeps books": row(5 * sign + n), "forgets": row(n)} for n in range(9)],
        "niches": {
            str(b): [[900 + sign * n * 100 + k, 500 + 2 * k] for k in range(8)]
            for n, b in enumerate(NICHE_BUDGETS)
        },
        "wrong": [{"over": o, "private": p, "games": [game] * 2} for o, p in WRONG],
    }


@pytest.mark.parametrize(("sign", "holds"), [(1, True), (-1, False)])
def test_claims_follow_the_games(sign: int, holds: bool) -> None:
    found = judge([seed(sign, n) for n in range(4)], {})
    assert [c.holds for c in found.claims] == [holds, holds, False, holds, holds, holds]
    gap = found.numbers["TrueSkill, adaptive minus static"].value
    assert (gap > 0) is holds
    assert found.numbers["ρ(plan in force, bids) minus ρ(first plan, bids)"].value == pytest.approx(
        0.3 * sign
    )
    assert found.numbers["start price, profit minus items, growth"].value == sign * 200
    assert found.tables["Profit under wrong estimates"][0]["above value"] == 0.5


def test_smoke_scale_runs_goes_on_and_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    study = get_study("aucarena")
    first = study.run("smoke", tmp_path / "a")
    again = study.run("smoke", tmp_path / "b")
    assert len(first.claims) == 6
    assert first.numbers == again.numbers
    assert first.settings["model"] is None
    assert len(first.tables["TrueSkill by setting"]) == 18
