"""Paper 63: from the measurements of all seeds to claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.evaluation.statistics import bootstrap_mean
from scrubjay.probing.entity_circuit import GROUPS, TITLES
from scrubjay.probing.entity_tracking import named
from scrubjay.worlds.boxes import VARIABLES

Measured = Mapping[str, Any]
FAITHFUL, ABOVE, GAIN, MOST = 0.8, 0.2, 0.05, 0.5
KINDS = ("boxes", "sums", "shuffled")
CLAIMS = (
    f"the base's circuit alone keeps at least {FAITHFUL:.0%} of the tuned model's accuracy, and is "
    f"{ABOVE:.0%} above random circuits of its size",
    "every group carries the same variable before and after tuning, and it is not the box's label",
    f"value fetchers or position transmitters of the tuned model give the base at least {MOST:.0%} "
    "of the gain, and more than position detectors and structure readers do",
    "tuning on another task (sums) lifts the accuracy on boxes",
)


def judge(runs: Sequence[Measured]) -> Finding:
    """Every run is a base and its tuned models, or {failed: why}."""
    good = [r for r in runs if "failed" not in r]
    if not good:
        claims = tuple(Claim(text, False, "no base had the circuit") for text in CLAIMS)
        return Finding("entity-tracking", {"bases with a circuit": Number(0, n=len(runs))}, claims)
    tuned = [r["models"]["boxes"] for r in good]
    faithful = bootstrap_mean([m["circuit"] / max(m["accuracy"], 1e-9) for m in tuned])
    above = bootstrap_mean([m["circuit"] - np.mean(m["random"]) for m in tuned])
    gains = {k: bootstrap_mean([_gain(r, k) for r in good], bounds=(-1, 1)) for k in KINDS}
    labels = [_labels(r) for r in good]
    same = [a == b and "label" not in a.values() for a, b in labels]
    lifted = [r for r in good if _gain(r, "boxes") >= GAIN]
    shares = {g: [_share(r, g) for r in lifted] for g in GROUPS}
    front = [max(a, b) for a, b in zip(shares["A"], shares["B"])]
    back = [max(c, d) for c, d in zip(shares["C"], shares["D"])]
    carried = bootstrap_mean(front) if front else None
    ahead = bootstrap_mean(np.subtract(front, back)) if front else None
    claims = (
        Claim(
            CLAIMS[0],
            faithful.value >= FAITHFUL and above.value >= ABOVE,
            f"faithfulness {faithful.signed}, above random {above.signed}",
        ),
        Claim(CLAIMS[1], all(same), "; ".join(_told(a, b) for a, b in labels)),
        Claim(
            CLAIMS[2],
            carried is not None
            and ahead is not None
            and carried.value >= MOST
            and ahead.above_zero,
            "no model gained"
            if carried is None or ahead is None
            else f"share {carried.signed}, more than C and D by {ahead.signed}",
        ),
        Claim(CLAIMS[3], gains["sums"].above_zero, f"gain {gains['sums'].signed}"),
    )
    numbers = {
        "bases with a circuit": Number(len(good) / len(runs), n=len(runs)),
        "accuracy, base": bootstrap_mean([r["models"]["base"]["accuracy"] for r in good]).number,
        **{f"gain by {k}": gains[k].number for k in KINDS},
        "faithfulness, base": bootstrap_mean([_faith(r["models"]["base"]) for r in good]).number,
        "faithfulness in the model tuned on boxes": faithful.number,
        "above random circuits": above.number,
        "circuit found again": bootstrap_mean([m["groups"]["overlap"] for m in tuned]).number,
        "circuit against the planted one": bootstrap_mean([_overlap(r) for r in good]).number,
        **{
            f"share of the gain, {g} {TITLES[g]}": bootstrap_mean(shares[g]).number
            for g in GROUPS
            if shares[g]
        },
    }
    tables = {"Models": _models(good), "What groups carry": _carried(good)}
    return Finding("entity-tracking", numbers, claims, tables, _figure(good))


def _faith(model: Measured) -> float:
    return float(model["circuit"] / max(model["accuracy"], 1e-9))


def _gain(run: Measured, kind: str) -> float:
    return float(run["models"][kind]["accuracy"] - run["models"]["base"]["accuracy"])


def _share(run: Measured, group: str) -> float:
    """Of the gain, what the base gets with the tuned model's heads of this group."""
    crossed = run["models"]["boxes"]["crossed"].get(group)
    base = run["models"]["base"]["accuracy"]
    return 0.0 if crossed is None else float((crossed - base) / _gain(run, "boxes"))


def _labels(run: Measured) -> tuple[dict[str, str], dict[str, str]]:
    """What each group carries in base and tuned model."""
    before, after = (
        {g: named(run["models"][m]["carries"][g], run["chance"]) for g in GROUPS}
        for m in ("base", "boxes")
    )
    return before, after


def _told(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    return ", ".join(
        f"{g} {before[g]}" if before[g] == after[g] else f"{g} {before[g]} → {after[g]}"
        for g in before
    )


def _overlap(run: Measured) -> float:
    one, other = (
        {(g, *head) for g, heads in run[key].items() for head in heads}
        for key in ("circuit", "planted")
    )
    return len(one & other) / len(one | other)


def _models(runs: Sequence[Measured]) -> list[dict[str, Any]]:
    rows = []
    for name in ("base", *KINDS):
        mine = [r["models"][name] for r in runs]
        rows.append(
            {
                "model": name,
                "accuracy": _mean(m["accuracy"] for m in mine),
                "circuit alone": _mean(m["circuit"] for m in mine),
                "random circuits": _mean(np.mean(m["random"]) for m in mine),
                **{
                    f"base with its {g}": _mean(m["crossed"].get(g, np.nan) for m in mine)
                    for g in (*GROUPS, "all")
                },
                "n": len(mine),
            }
        )
    return rows


def _carried(runs: Sequence[Measured]) -> list[dict[str, Any]]:
    return [
        {"model": name, "group": f"{group} {TITLES[group]}"}
        | {
            v: _mean(r["models"][name]["carries"][group].get(v, np.nan) for r in runs)
            for v in VARIABLES
        }
        for name in ("base", "boxes")
        for group in GROUPS
    ]


def _mean(values: Any) -> float | None:
    """Of those that exist."""
    found = [float(v) for v in values if np.isfinite(v)]
    return float(np.mean(found)) if found else None


def _figure(runs: Sequence[Measured]) -> dict[str, Any]:
    """The base's accuracy with a group of each model, a bar a group."""
    rows = _models(runs)
    values = [
        {"model": r["model"], "group": g, "accuracy": r[f"base with its {g}"]}
        for r in rows
        for g in (*GROUPS, "all")
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "x": {"field": "group", "type": "nominal", "title": "heads taken from the model"},
            "xOffset": {"field": "model", "type": "nominal", "sort": ["base", *KINDS]},
            "y": {
                "field": "accuracy",
                "type": "quantitative",
                "axis": {"format": "%"},
                "title": "accuracy of the base",
            },
            "color": {"field": "model", "type": "nominal", "sort": ["base", *KINDS]},
        },
    }
