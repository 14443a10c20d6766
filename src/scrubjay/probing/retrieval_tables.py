"""What is told about retrieval heads: shares of heads, recall with and without them, a map.

A condition is named "<ranking> <count>" or "<ranking> <count> #<draw>"; draws are pooled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.core.finding import Number
from scrubjay.probing.heads import Array, Head, HeadScores
from scrubjay.probing.intervals import bootstrap


def numbers(found: HeadScores, threshold: float) -> dict[str, Number]:
    """Shares of heads, with intervals from resampling samples."""
    rows = found.samples.reshape(len(found.samples), -1)

    def share(test: Callable[[Array], Any]) -> Number:
        return bootstrap(rows, lambda x: float(test(x).mean()), draws=300)

    return {
        "retrieval heads": share(lambda x: x.mean(0) >= threshold),
        "heads that copy a little": share(lambda x: (x.mean(0) > 0) & (x.mean(0) < threshold)),
        "heads that never copy": share(lambda x: x.max(0) == 0),
        "always active": share(lambda x: (x > 0).all(0)),
        "samples answered": Number(found.n_used / (found.n_used + found.n_skipped)),
    }


def condition_of(name: str) -> str:
    """A condition without the number of its draw."""
    return name.partition(" #")[0]


def pooled(found: Mapping[str, Array]) -> dict[str, Array]:
    """Condition → (samples,), the mean over its random draws."""
    groups: dict[str, list[Array]] = {}
    for name, values in found.items():
        groups.setdefault(condition_of(name), []).append(values)
    return {name: np.mean(rows, axis=0) for name, rows in groups.items()}


def compared(needles: Mapping[str, Array], memory: Mapping[str, Array]) -> list[dict[str, Any]]:
    """One row a condition: recall of needles and share remembered, with intervals over items."""
    memory = pooled(memory)
    rows = []
    for name, values in pooled(needles).items():
        number = bootstrap(values, np.mean)
        order, _, count = name.rpartition(" ")
        row = {
            "without": order or name,
            "heads": int(count) if order else 0,
            "needle recall": number.value,
            "low": number.low,
            "high": number.high,
        }
        if name in memory and len(memory[name]):
            kept = bootstrap(memory[name], np.mean)
            row |= {"memory": kept.value, "memory low": kept.low, "memory high": kept.high}
        rows.append(row)
    return rows


def scored(found: HeadScores, heads: Sequence[Head]) -> list[dict[str, Any]]:
    """One row a head."""
    mean, std, frequency = found.mean, found.std, found.frequency
    return [
        {
            "head": f"L{layer}H{head}",
            "score": float(mean[layer, head]),
            "deviation": float(std[layer, head]),
            "active": float(frequency[layer, head]),
            **({} if found.mass is None else {"attention": float(found.mass[layer, head])}),
        }
        for layer, head in heads
    ]


def heat_map(found: HeadScores) -> dict[str, Any]:
    """Scores of all heads (Vega-Lite)."""
    values = [
        {"layer": i, "head": j, "score": round(float(found.mean[i, j]), 4)}
        for i in range(found.mean.shape[0])
        for j in range(found.mean.shape[1])
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": "rect",
        "encoding": {
            "x": {"field": "layer", "type": "ordinal"},
            "y": {"field": "head", "type": "ordinal"},
            "color": {"field": "score", "type": "quantitative", "title": "retrieval score"},
        },
    }
