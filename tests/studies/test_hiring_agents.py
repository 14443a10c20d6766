"""Study 02: episodes and their law by hand, the judge on planted values, a small whole run."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scrubjay.core.finding import Verdict
from scrubjay.core.nouns import Link, Passage
from scrubjay.deciding.information import Mechanism, optimal_mechanism
from scrubjay.studies import get_study
from scrubjay.studies.hiring_agents import CLAIMS, judge
from scrubjay.studies.hiring_agents_stage import SIZES, TABLE, Episodes, claimed, problem


def episodes(n: int = 400, seed: int = 0) -> Episodes:
    """Searchers that are right with chance 0.5, 0.7 and 0.9, by effort."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    right = rng.random((n, 2, 3)) < np.array([0.5, 0.7, 0.9])
    return Episodes(np.where(right, truth[:, None, None], 1 - truth[:, None, None]), truth)


def test_the_law_is_counted() -> None:
    law = episodes(4000).law()
    assert law.sum(axis=(2, 3, 4)) == pytest.approx(np.ones((3, 3)))
    # Agent 0 working hard is right in nine cases of ten, whatever agent 1 does.
    assert law[2, 1, 0, :, 0].sum() / law[2, 1, :, :, 0].sum() == pytest.approx(0.9, abs=0.03)
    assert law[0, 2, :, 1, 1].sum() / law[0, 2, :, :, 1].sum() == pytest.approx(0.9, abs=0.03)


def test_values_of_episodes_average_to_the_mechanism_s_value() -> None:
    seen = episodes(3000)
    instance = problem(seen, SIZES["smoke"])
    mechanism = optimal_mechanism(instance)
    assert seen.values(mechanism).mean() == pytest.approx(mechanism.value, abs=0.01)
    free = Mechanism(np.eye(9)[8], np.zeros_like(mechanism.gamma), mechanism.policy, 0.0)
    both = seen.signals[:, :, 2]
    said = np.where(both[:, 0] == both[:, 1], both[:, 0], -1)
    agreed = said >= 0
    assert seen.values(free)[agreed] == pytest.approx((said == seen.truth)[agreed] * 1.0)


def test_claims_are_true_and_false_in_equal_parts() -> None:
    text = "Ora borders Bil."
    documents = [
        Passage("land-1", text, "Ora", links=(Link(12, 15, "land-2"),)),
        Passage("land-2", "Bil is a land.", "Bil"),
        Passage("land-3", "Kem is a land.", "Kem"),
    ]
    made = claimed(documents, 10, 0)
    assert sum(c.true for c in made) == 5
    assert {(c.subject, c.object) for c in made if c.true} == {("Ora", "Bil")}
    assert {(c.subject, c.object) for c in made if not c.true} == {("Ora", "Kem")}


def planted() -> tuple[Any, ...]:
    table = [
        {"cap": cap, "optimal": value, "independent": value - 0.01, "one profile": 0.5}
        | {"deviation": 0.0, "both asked": 0.1, "worst equilibrium": 0.2}
        for cap, value in TABLE.items()
    ]
    row = {"optimal": 0.8, "independent": 0.79, "one profile": 0.78, "deviation": 0.0, "stays": 0.0}
    made = [{"problem": "random 2x2x2x2", **row}, {"problem": "auditor", **row}]

    def way(obeyed: float, power: float) -> list[dict[str, Any]]:
        rng = np.random.default_rng(1)
        return [
            {"T": t, "regret": (t**power * (1 + 0.01 * rng.normal(size=10))).tolist()}
            | {"obeyed": obeyed, "alpha": 0.5}
            for t in (10**6, 10**7, 10**8)
        ]

    learned = {
        "ways": {
            "explore and commit": way(1.0, 0.67),
            "without loosening and mixing": way(0.1, 1.0),
        },
        "always the best strict profile, regret a round": 0.06,
        "ucb": {"T": 20_000, "regret": 1.0, "a round": 0.07},
    }
    rng = np.random.default_rng(0)
    base = rng.random(200)
    ways = {
        name: {"planned": 0.8, "values": (base + extra).tolist(), "deviation": 0.0, "mu": [1.0] * 9}
        for name, extra in (("optimal", 0.1 + 0.01 * rng.random(200)), ("one worker", 0.0))
    }
    return table, made, learned, {"ways": ways, "signal right": [[0.5, 0.8, 0.9]] * 2}


def test_planted_values_hold_every_claim() -> None:
    finding = judge(*planted())
    assert [c.holds for c in finding.claims] == [True] * len(CLAIMS), [
        (c.text, c.evidence) for c in finding.claims if not c.holds
    ]
    assert finding.verdict is Verdict.REPRODUCED
    assert finding.numbers["slope of regret"].value == pytest.approx(0.67, abs=0.01)


@pytest.mark.parametrize(
    ("claim", "spoil"),
    [
        (0, lambda t, m, o, h: t[0].update(independent=0.6)),
        (0, lambda t, m, o, h: t[0].update(optimal=0.57)),
        (1, lambda t, m, o, h: m[1].update(deviation=1e-4)),
        (1, lambda t, m, o, h: m[1].update({"one profile": 0.81})),
        (2, lambda t, m, o, h: m[0].update(independent=0.8)),
        (3, lambda t, m, o, h: [r.update(regret=[0.1 * r["T"]] * 10) for r in ways(o)]),
        (3, lambda t, m, o, h: [r.update(alpha=1.0) for r in ways(o)]),
        (4, lambda t, m, o, h: ways(o)[0].update(obeyed=0.9)),
        (4, lambda t, m, o, h: o["ways"]["without loosening and mixing"][0].update(obeyed=1.0)),
        (5, lambda t, m, o, h: h["ways"].update(optimal=h["ways"]["one worker"])),
    ],
)
def test_each_claim_can_fail(claim: int, spoil: Any) -> None:
    parts = copy.deepcopy(planted())
    spoil(*parts)
    assert not judge(*parts).claims[claim].holds


def ways(learned: dict[str, Any]) -> Any:
    return learned["ways"]["explore and commit"]


def test_a_small_run_ends_and_goes_on_from_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path / "cache"))
    study = get_study("hiring-agents")
    first = study.run("smoke", tmp_path / "a")
    (tmp_path / "cache/studies/hiring-agents/smoke-0/online.json").unlink()
    again = study.run("smoke", tmp_path / "b")
    assert again.numbers == first.numbers
    assert len(first.claims) == len(CLAIMS)
