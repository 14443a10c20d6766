"""Study 67: the judge on planted regrets, the lower bound by hand, a small whole run."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scrubjay.core.finding import Verdict
from scrubjay.studies import get_study
from scrubjay.studies.bandits_book_judge import CLAIMS, hard_bound, judge
from scrubjay.studies.bandits_book_players import Always
from scrubjay.studies.bandits_book_stage import BUDGETS, EXPONENT, GAP, SIZES, WIDE, blocks

HORIZONS = [1000, 3162, 10_000]


def one(scale: float, power: float, runs: int = 20, bound: float | None = None) -> dict[str, Any]:
    rng = np.random.default_rng(round(scale * 1000))
    noise = 1 + 0.01 * rng.normal(size=(3, runs))
    regret = scale * np.array(HORIZONS)[:, None] ** power * noise
    if power == 0:  # log T
        regret = scale * np.log(HORIZONS)[:, None] * noise
    return {
        "horizons": HORIZONS,
        "regret": regret.tolist(),
        "bounds": [bound and bound * t**power for t in HORIZONS],
        "optimum": 1000.0,
    }


def planted() -> dict[str, Any]:
    """Regrets under which every claim holds."""
    order = {"thompson": 1, "ucb1": 2, "successive-elimination": 3}
    iid = {name: one(scale, 0) for name, scale in order.items()}
    iid |= {"epsilon-greedy": one(1, 2 / 3), "explore-first": one(1.1, 2 / 3), "exp3": one(3, 0.5)}
    iid |= {"greedy": one(0.05, 1), "uniform": one(0.09, 1)}
    found: dict[str, Any] = {name: copy.deepcopy(iid) for name in (*GAP, WIDE)}
    for block, name in EXPONENT:
        rate = EXPONENT[block, name]
        found.setdefault(block, {}).setdefault(name, one(1, rate, bound=1.5))
    found["copy"] = {"ucb1": one(0.5, 1), "exp3": one(0.5, 0.5, bound=2.0)}
    for block in ("peak", "needle"):
        found[block] |= {"grid": one(1.2, 2 / 3), "zooming": one(1, 2 / 3)}
        found[block] |= {"grid, finer": one(1.5, 2 / 3), "grid, coarser": one(1.6, 2 / 3)}
    found["routing"] |= {"exp3": one(30, 0.5)}
    found["contextual"] |= {"exp4": one(5, 0.5), "uniform": one(0.5, 1)}
    for share, lost in zip(BUDGETS, (0.1, 0.05, 0.02)):
        names = ("ucb-bwk", "primal-dual-bwk", "lagrange-bwk", "ucb1-until-broke")
        found[f"knapsack {share:g}"] = {name: one(lost, 1) for name in names}
        found[f"knapsack {share:g}, elimination"] = {"elimination-bwk": one(lost, 1, 2)}
    return {
        "blocks": found,
        "games": [
            {"players": "hedge", "gap": gap, "bound": 0.1, "T": t}
            for t, gap in ((100, 0.1), (1000, 0.05))
        ],
        "incentives": {"bound": 0.1, "never tried, greedy": 0.3, "never tried, hidden": 0.0}
        | {"gain": 0.01, "gain low": -0.01, "gain high": 0.03},
        "router": [{"tokens": 0.2}],
    }


def test_planted_regrets_hold_every_claim() -> None:
    finding = judge(planted())
    assert [c.holds for c in finding.claims] == [True] * len(CLAIMS), [
        (c.text, c.evidence) for c in finding.claims if not c.holds
    ]
    assert finding.verdict is Verdict.REPRODUCED
    assert finding.numbers["slope: hard pair, ucb1"].value == pytest.approx(0.5, abs=0.02)


def _set(measured: dict[str, Any], block: str, name: str, value: dict[str, Any]) -> None:
    measured["blocks"][block][name] = value


SPOILS = [
    (0, lambda m: _set(m, "hard pair", "exp3", one(1, 0.9))),
    (0, lambda m: _set(m, "iid gap 0.1", "ucb1", one(0.01, 0.9))),
    (1, lambda m: _set(m, "swap", "hedge", one(1, 0.5, bound=0.5))),
    (1, lambda m: _set(m, "hard pair", "thompson", one(1e-3, 0.5))),
    (2, lambda m: _set(m, "iid gap 0.1", "thompson", one(4, 0))),
    (3, lambda m: _set(m, "iid gap 0.02", "uniform", one(0.001, 1))),
    (4, lambda m: _set(m, "copy", "ucb1", one(1, 0.5))),
    (5, lambda m: _set(m, "needle", "zooming", one(2, 2 / 3))),
    (6, lambda m: _set(m, "routing", "exp3", one(0.1, 0.5))),
    (7, lambda m: _set(m, "contextual", "exp4", one(0.1, 0.5))),
    (8, lambda m: _set(m, "knapsack 0.25", "ucb-bwk", one(0.5, 1))),
    (9, lambda m: m["games"][0].update(gap=0.2)),
    (9, lambda m: m["games"][1].update(gap=0.1)),
    (10, lambda m: m["incentives"].update({"never tried, hidden": 0.1})),
    (10, lambda m: m["incentives"].update({"gain high": -0.001})),
]


@pytest.mark.parametrize(("claim", "spoil"), SPOILS)
def test_each_claim_can_fail(claim: int, spoil: Any) -> None:
    measured = planted()
    spoil(measured)
    assert not judge(measured).claims[claim].holds


def test_the_lower_bound_is_of_the_right_order() -> None:
    for horizon in (1000, 100_000):
        assert 0.01 < hard_bound(horizon) / math.sqrt(horizon) < 0.5


def test_blocks_have_what_the_judge_asks_for() -> None:
    names = {
        block.name: {b.name for b in block.bandits(500)} for block in blocks(SIZES["smoke"], 0)
    }
    for block, name in EXPONENT:
        assert name in names[block]


def test_always_stops_at_its_budget() -> None:
    from scrubjay.deciding.bandits import Lanes, Setting

    player = Always(0, budget=2.0, most=0.8, name="always")
    player.begin(Setting(1, 5), Lanes(0, 1))
    plays = []
    for _ in range(5):
        arm = player.select()
        plays.append(int(arm[0]))
        player.update(arm, np.zeros(1), np.array([[0.8 if arm[0] >= 0 else 0.0]]))
    assert plays == [0, 0, -1, -1, -1]


def test_a_small_run_ends_and_goes_on_from_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    study = get_study("bandits-book")
    first = study.run("smoke", tmp_path / "a")
    folder = tmp_path / "cache/studies/bandits-book/smoke-0"
    (folder / "routing-300.json").unlink()
    again = study.run("smoke", tmp_path / "b")
    assert again.numbers == first.numbers
    assert again.tables == first.tables
    assert len(first.claims) == len(CLAIMS)
