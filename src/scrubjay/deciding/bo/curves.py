"""Comparing optimisers: regret by trial, ranks, and how rarely regret changes at all.

    records of a random order    E = Σ_{t ≤ T} 1/t = H_T ≈ ln T          all values different
    with ties                    E = Σ_v m_v/N Σ_{t ≤ T} C(L_v, t − 1) / C(N − 1, t − 1)

A record is a new best value. m_v candidates have the value v, L_v less: the t-th is a record of
value v if the t − 1 before it are all less. The share H_T/T of informative steps is the paper's
"logarithmic sparsity". Source: paper 32, sections 3.3 and 3.5 of our sheet; derivation ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import gammaln
from scipy.stats import rankdata

from scrubjay.deciding.bandits.curves import mean_interval
from scrubjay.deciding.bo.tasks import Floats, Ints, OptimiseError


def harmonic(trials: int) -> float:
    """H_T.

    >>> round(harmonic(4), 4)
    2.0833
    """
    return float(sum(1 / t for t in range(1, trials + 1)))


def expected_records(values: Floats, trials: int) -> float:
    """Expected number of new best values in the first ``trials`` of a random order.

    Raises:
        OptimiseError: fewer values than trials.
    """
    n = len(values)
    if not 1 <= trials <= n:
        raise OptimiseError(f"{trials} trials can't be made with {n} candidates")
    _, many = np.unique(values, return_counts=True)
    less, before = np.cumsum(many) - many, np.arange(trials)
    ways = _log_choose(less[:, None], before) - _log_choose(np.array(n - 1), before)
    return float((many[:, None] / n * np.exp(ways)).sum())


def records(regret: Floats) -> Floats:
    """New best values in each row (B, T) of regret, the first trial among them."""
    return np.asarray(1.0 + (np.diff(regret, axis=1) < 0).sum(axis=1))


def area(regret: Floats) -> Floats:
    """(B,): mean over the trials, the area under the regret curve per trial."""
    return np.asarray(regret.mean(axis=1))


def mean_ranks(regrets: Mapping[str, Floats]) -> dict[str, Floats]:
    """Rank (1 is best, ties share) among the optimisers at every trial, mean over tasks: (T,)."""
    stacked = np.stack(list(regrets.values()))
    ranks = rankdata(stacked.round(12), axis=0).mean(axis=1)
    return dict(zip(regrets, ranks))


def chart(regrets: Mapping[str, Floats], title: str = "Regret by trial") -> dict[str, Any]:
    """Mean regret with its 95 % interval over tasks, as a Vega-Lite specification."""
    rows = []
    for name, regret in regrets.items():
        low, high = mean_interval(regret)
        mean = regret.mean(axis=0)
        for t in range(regret.shape[1]):
            row = {"optimiser": name, "trial": t + 1, "regret": float(mean[t])}
            rows.append(row | {"low": float(low[t]), "high": float(high[t])})
    x = {"field": "trial", "type": "quantitative"}
    y = {"type": "quantitative", "title": "regret"}
    color = {"field": "optimiser", "type": "nominal", "sort": list(regrets)}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": title,
        "width": 560,
        "height": 360,
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.2},
                "encoding": {
                    "x": x,
                    "y": {"field": "low", **y},
                    "y2": {"field": "high"},
                    "color": color,
                },
            },
            {
                "mark": "line",
                "encoding": {"x": x, "y": {"field": "regret", **y}, "color": color},
            },
        ],
    }


def _log_choose(n: Ints, k: Ints) -> Floats:
    """log C(n, k); −∞ where k > n."""
    inside = np.maximum(n - k, 0)
    value = gammaln(n + 1) - gammaln(k + 1) - gammaln(inside + 1)
    return np.where(k <= n, value, -np.inf)
