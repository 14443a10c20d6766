"""Paper 17: tables by horizon and schedules by relative time, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.evaluation.statistics import bootstrap_mean

Measured = Mapping[str, Any]
PARTS = 5
"""Parts of a lifetime that schedules are averaged over."""


def tables(
    baselines: Measured,
    grids: Sequence[Measured],
    bandits: Sequence[Measured],
    horizons: Sequence[int],
) -> dict[str, list[dict[str, Any]]]:
    return {
        "Grids: normalised final return": _by_horizon(
            [*grids, *baselines["grids"]], "returns", horizons, 3
        ),
        "Grids: schedules": _schedules([*grids, *baselines["grids"]]),
        "Bandits: share of the best arm": _by_horizon(
            [*bandits, *baselines["bandits"]], "shares", horizons, 4
        ),
        "Bandits: effective clip width": _widths(bandits),
        "Searches": [
            {"arm": r["arm"], "meta-seed": r["seed"], "meta-steps": len(r["history"])}
            | {"first tenth": _part(r["history"], 0), "last tenth": _part(r["history"], -1)}
            for r in (*grids, *bandits)
        ],
    }


def _part(history: Sequence[float], which: int) -> float:
    """Mean score of the first or last tenth of a search."""
    n = max(1, len(history) // 10)
    return round(float(np.nanmean(history[:n] if which == 0 else history[-n:])), 4)


def _arms(rows: Sequence[Measured]) -> list[str]:
    return list(dict.fromkeys(r["arm"] for r in rows))


def _by_horizon(
    rows: Sequence[Measured], key: str, horizons: Sequence[int], digits: int
) -> list[dict[str, Any]]:
    """An arm a row: mean over meta-seeds and tasks at each N, and ± half the interval over
    meta-seeds where there are several, else over tasks."""
    out = []
    for arm in _arms(rows):
        mine = [r for r in rows if r["arm"] == arm]
        row: dict[str, Any] = {"arm": arm}
        for n in horizons:
            each = [float(np.mean(r[key][str(n)])) for r in mine]
            found = bootstrap_mean(each if len(each) > 1 else mine[0][key][str(n)])
            row[f"N={n}"] = round(found.value, digits)
            if found.low is not None and found.high is not None:
                row[f"±{n}"] = round((found.high - found.low) / 2, digits)
        out.append(row | {"meta-seeds": len(mine)})
    return out


def parts(schedule: Sequence[Sequence[float]]) -> list[float]:
    """A schedule (levels, N) averaged over levels and over fifths of the lifetime."""
    table = np.asarray(schedule)
    place = (np.arange(table.shape[1]) * PARTS) // table.shape[1]
    return [float(table[:, place == k].mean()) if (place == k).any() else 0.0 for k in range(PARTS)]


def _schedules(rows: Sequence[Measured]) -> list[dict[str, Any]]:
    out = []
    for row in rows:
        for n, kinds in row["schedules"].items():
            for what, name in (("size", "|weight|"), ("entropy", "entropy")):
                cells = {
                    f"part {k + 1}/{PARTS}": round(x, 4) for k, x in enumerate(parts(kinds[what]))
                }
                out.append({"arm": row["arm"], "meta-seed": row["seed"], "N": int(n)} | cells)
                out[-1]["what"] = name
    return out


def _widths(rows: Sequence[Measured]) -> list[dict[str, Any]]:
    out = []
    for arm in _arms(rows):
        mine = [r for r in rows if r["arm"] == arm]
        for k, place in enumerate(mine[0]["widths"]):
            cells = {
                way: round(float(np.mean([r["widths"][k][way] for r in mine])), 3)
                for way in ("up", "down")
            }
            out.append({"arm": arm, "N": place["N"], "n/N": round(place["n/N"], 3)} | cells)
    return out


def figure(
    grids: Sequence[Measured], bandits: Sequence[Measured], seen: Sequence[int]
) -> dict[str, Any]:
    """Schedules against n/N, a panel a kind: |weight| and entropy of grids, widths of bandits."""
    values = []
    for arm in _arms(grids):
        mine = [r for r in grids if r["arm"] == arm]
        for n in mine[0]["schedules"]:
            for what, name in (("size", "|weight|, grids"), ("entropy", "entropy, grids")):
                curve = np.mean([np.mean(r["schedules"][n][what], axis=0) for r in mine], axis=0)
                values += [
                    {"arm": arm, "N": n, "what": name, "n/N": i / len(curve), "value": round(v, 4)}
                    for i, v in enumerate(curve.tolist())
                ]
    for w in _widths(bandits):
        kept = {"arm": w["arm"], "N": str(w["N"]), "n/N": w["n/N"]}
        values.append(kept | {"what": "clip width up, bandits", "value": w["up"]})
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "facet": {"field": "what", "type": "nominal", "title": None, "columns": 1},
        "resolve": {"scale": {"y": "independent"}},
        "spec": {
            "width": 420,
            "height": 160,
            "mark": "line",
            "encoding": {
                "x": {"field": "n/N", "type": "quantitative"},
                "y": {"field": "value", "type": "quantitative", "title": None},
                "color": {"field": "arm", "type": "nominal"},
                "strokeDash": {"field": "N", "type": "nominal"},
            },
        },
    }
