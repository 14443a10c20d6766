"""Paper 27: from the curves of all runs to claims, paired by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding
from scrubjay.evaluation.statistics import Interval, bootstrap_mean

Measured = Mapping[str, Any]
ENOUGH, GOOD = 0.85, 0.9
CLAIMS = (
    f"STAX visits at least {ENOUGH:.0%} of what the same search visits when it is given the space",
    "STAX visits more than in a space that is never trained, and than random search",
    f"its best rewards reach at least {GOOD:.0%} of those found with the given space",
    "its best rewards are above those of TAXONS, which has no emitters",
)
GIVEN, SINGLE, PLAIN = "serene", "stax, one picture", "stax, no distractor"


def judge(runs: Sequence[Measured]) -> Finding:
    """Every run is {world, seed, methods: {name: row}}; a claim must hold in every world."""
    worlds = list(dict.fromkeys(r["world"] for r in runs))

    def against(key: str, a: str, b: str, share: float = 1.0) -> dict[str, Interval]:
        """a − share · b by world, an interval over seeds."""
        return {
            w: bootstrap_mean(
                [
                    r["methods"][a][key] - share * r["methods"][b][key]
                    for r in runs
                    if r["world"] == w
                ]
            )
            for w in worlds
        }

    enough = against("coverage", "stax", GIVEN, ENOUGH)
    trained = against("coverage", "stax", "stax-nt")
    drawn = against("coverage", "stax", "random")
    good = against("reward", "stax", GIVEN, GOOD)
    climbed = against("reward", "stax", "taxons")
    claims = (
        _claim(CLAIMS[0], {f"STAX minus {ENOUGH} SERENE": enough}),
        _claim(CLAIMS[1], {"STAX minus untrained": trained, "STAX minus random": drawn}),
        _claim(CLAIMS[2], {f"STAX minus {GOOD} SERENE": good}),
        _claim(CLAIMS[3], {"STAX minus TAXONS": climbed}),
    )
    numbers = {
        f"{what}, {w}": interval.number
        for what, found in (
            (f"coverage, STAX minus {ENOUGH} SERENE", enough),
            ("coverage, STAX minus STAX-NT", trained),
            ("coverage, STAX minus random", drawn),
            (f"best rewards, STAX minus {GOOD} SERENE", good),
            ("best rewards, STAX minus TAXONS", climbed),
            ("coverage, three pictures minus one", against("coverage", "stax", SINGLE)),
            ("best rewards, three pictures minus one", against("reward", "stax", SINGLE)),
            ("coverage, without distractor minus with", against("coverage", PLAIN, "stax")),
            ("best rewards, without distractor minus with", against("reward", PLAIN, "stax")),
        )
        for w, interval in found.items()
    }  # fmt: skip
    tables = {w: _table([r for r in runs if r["world"] == w]) for w in worlds}
    return Finding("stax", numbers, claims, tables, _figure(runs))


def _claim(text: str, parts: Mapping[str, Mapping[str, Interval]]) -> Claim:
    every = [i for found in parts.values() for i in found.values()]
    told = "; ".join(
        f"{p}, {w}: {i.signed}" for p, found in parts.items() for w, i in found.items()
    )
    return Claim(text, all(i.above_zero for i in every), told)


def _table(runs: Sequence[Measured]) -> list[dict[str, Any]]:
    out = []
    for name in runs[0]["methods"]:
        rows = [r["methods"][name] for r in runs]
        covered = bootstrap_mean([r["coverage"] for r in rows])
        reward = bootstrap_mean([r["reward"] for r in rows])
        out.append(
            {"method": name, "coverage": covered.value, "low": covered.low, "high": covered.high}
            | {"areas": _mean(rows, "areas"), "best rewards": reward.value}
            | {"rewards low": reward.low, "rewards high": reward.high}
            | {"rewarded": _mean(rows, "rewarded"), "kept coverage": _mean(rows, "kept")}
            | {f"spent, {k}": _mean(rows, k) for k in ("explore", "candidates", "emitters")}
            | {"picture error": _mean(rows, "error"), "distances": _mean(rows, "distances")}
            | {"n": len(rows)}
        )
    return out


def _mean(rows: Sequence[Measured], key: str) -> float | None:
    found = [r[key] for r in rows if r[key] is not None]
    return float(np.mean(found)) if found else None


def _figure(runs: Sequence[Measured]) -> dict[str, Any]:
    """Coverage against evaluations, mean over seeds, a panel per world."""
    values = []
    for world in dict.fromkeys(r["world"] for r in runs):
        mine = [r for r in runs if r["world"] == world]
        for name in mine[0]["methods"]:
            curves = [r["methods"][name]["curve"] for r in mine]
            for point in zip(*curves):
                values.append(
                    {"world": world, "method": name}
                    | {"evaluations": int(np.mean([p[0] for p in point]))}
                    | {"coverage": float(np.mean([p[1] for p in point]))}
                )
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "facet": {"column": {"field": "world", "type": "nominal", "title": None}},
        "spec": {
            "mark": "line",
            "encoding": {
                "x": {"field": "evaluations", "type": "quantitative"},
                "y": {"field": "coverage", "type": "quantitative", "axis": {"format": "%"}},
                "color": {"field": "method", "type": "nominal"},
            },
        },
    }
