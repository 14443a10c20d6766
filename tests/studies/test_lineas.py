"""Study 19 at smoke scale, and its judgment on planted effects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scrubjay.core.finding import Verdict
from scrubjay.studies import get_study
from scrubjay.studies.lineas import judge

SETTINGS: dict[str, Any] = {}


def effect(method: str, strength: float, rate: float, loss: float, share: float = 1.0) -> Any:
    shows = [1.0] * round(40 * rate) + [0.0] * (40 - round(40 * rate))
    rest = {"fluency": 2.0, "distinct": 0.5, "share": share}
    return {"method": method, "strength": strength, "shows": shows, "neutral": [loss] * 5, **rest}


def part(
    ours: float, act: float, sparse: float = 0.2, share: float = 0.03, late: float = 0.3
) -> Any:
    effects = [effect("none", 0.0, 1.0, 2.0)]
    for strength in (0.5, 1.0):
        for name, rate in (("lineas", ours), ("linear act", act), ("lineas, shuffled", 1.0)):
            effects.append(effect(name, strength, 1 - strength * (1 - rate), 2.0 + strength))
        rate = 1 - strength * (1 - sparse)
        effects.append(effect("lineas, sparsity 0.1", strength, rate, 2.1, share))
    ratios = [0.8, 0.8, 0.7, 0.7, late, late]
    layers = [{"site": str(i), "lineas": r, "linear act": 1.0} for i, r in enumerate(ratios)]
    return {"effects": effects, "layers": layers}


def test_claims_follow_the_effects() -> None:
    good = judge([part(0.2, 0.6)] * 3, None, SETTINGS)
    assert good.verdict is Verdict.REPRODUCED
    bad = judge([part(0.6, 0.2, sparse=0.9, late=1.2)] * 3, part(0.5, 0.5), SETTINGS)
    assert [c.holds for c in bad.claims] == [False, False, False, True]
    assert "SmolLM2" in bad.tables
    wide = judge([part(0.2, 0.6, share=0.5)] * 3, None, SETTINGS)
    assert not wide.claims[1].holds


def test_methods_are_compared_where_both_cost_the_same() -> None:
    """LinEAS at full strength costs more than linear AcT ever does: it is read half-way."""
    dear = part(0.0, 0.5)
    for e in dear["effects"]:
        if e["method"] == "lineas":
            e["neutral"] = [2.0 + 2 * e["strength"]] * 5
    found = judge([dear] * 2, None, SETTINGS)
    assert found.numbers["rate, linear AcT minus LinEAS at equal loss"].value == 0.0


def test_smoke(tmp_path: Path) -> None:
    found = get_study("lineas").run("smoke", tmp_path)
    assert len(found.claims) == 4
    methods = {r["method"] for r in found.tables["Tiny models"]}
    assert {"none", "lineas", "linear act", "mean shift", "lineas, shuffled"} <= methods
