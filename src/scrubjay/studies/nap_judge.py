"""Paper 32: from regret curves and counts of records to claims, paired by test task and by seed.

Claim 1 asks whether joint learning gains anything, claim 2 whether the auxiliary loss is what makes
it learn, claim 3 whether new bests are as rare as the harmonic number says. A difference holds if
its interval over test items lies above 0 and every seed agrees; items are tasks, or data sets where
several tasks come from one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding
from scrubjay.deciding.bo.curves import area, chart, harmonic, mean_ranks
from scrubjay.evaluation.statistics import Interval, bootstrap_mean

Measured = Mapping[str, Any]
NEAR = 0.1
CLAIMS = (
    "NAP has less area under the regret curve than random search, GP-EI and NP-EI on new tasks",
    "without the auxiliary loss NAP ends worse than with it, and gains less than half as much over "
    "random search",
    f"random search finds as many new bests as the harmonic number of its trials, to {NEAR:.0%}",
)
RIVALS = ("random", "gp-ei", "np-ei")
NAP, ALONE, APART = "nap", "nap, no auxiliary", "nap, disjoint"
KNOWN, UNKNOWN = "table range", "online"
"""How values were scaled for the optimisers at test."""


def judge(runs: Sequence[Measured], trials: int) -> Finding:
    """Every run is {family, seed, tasks: names, regret: {scaling: {arm: (tasks, T)}}, …}.

    A claim must hold in every family.
    """
    families = list(dict.fromkeys(r["family"] for r in runs))
    numbers, first, second, third = {}, [], [], []
    for family in families:
        mine = [r for r in runs if r["family"] == family]
        for rival in (*RIVALS, APART, "metabo", "deep-kernel"):
            found = _Gap.of(mine, KNOWN, rival, NAP)
            numbers[f"area, {rival} minus NAP, {family}"] = found.items.number
            if rival in RIVALS:
                first.append((f"{rival} minus NAP, {family}", found))
            if rival != "random":
                honest = _Gap.of(mine, UNKNOWN, rival, NAP)
                numbers[f"area, online scaling, {rival} minus NAP, {family}"] = honest.items.number
        # Half of NAP's gain over random search: (random − NAP) − 2 (random − alone) > 0.
        worse = _Gap.of(mine, KNOWN, ALONE, NAP)
        half = _Gap.mixed(mine, KNOWN, {NAP: -1.0, ALONE: 2.0, "random": -1.0})
        second += [(f"no auxiliary minus NAP, {family}", worse)]
        second += [(f"NAP's gain minus twice that without, {family}", half)]
        numbers[f"area, no auxiliary minus NAP, {family}"] = worse.items.number
        share = bootstrap_mean([n / harmonic(trials) - 1 for r in mine for n in r["records"]])
        exact = bootstrap_mean([n - e for r in mine for n, e in zip(r["records"], r["expected"])])
        numbers[f"records of random search over H_T, minus 1, {family}"] = share.number
        numbers[f"records minus their closed form with ties, {family}"] = exact.number
        third.append((family, share))
    held = all(_near_one(i) for _, i in third)
    told = "; ".join(f"{f}, share of H_T minus 1: {i.signed}" for f, i in third)
    claims = (
        Claim(CLAIMS[0], all(g.holds for _, g in first), _told(first)),
        Claim(CLAIMS[1], all(g.holds for _, g in second), _told(second)),
        Claim(CLAIMS[2], held, told),
    )
    tables: dict[str, list[dict[str, Any]]] = {}
    for family in families:
        mine = [r for r in runs if r["family"] == family]
        tables[family] = _table(mine)
        tables[f"{family}, training"] = _training(mine, trials)
    return Finding("nap", numbers, claims, tables, _figure(runs, families))


def _near_one(share: Interval) -> bool:
    """Whether all of a share minus 1 is within the margin."""
    return (
        share.low is not None
        and share.high is not None
        and (share.low >= -NEAR and share.high <= NEAR)
    )


class _Gap:
    """A weighted sum of areas: over items (mean over seeds), and of every seed."""

    def __init__(self, items: Interval, seeds: Sequence[float]) -> None:
        self.items, self.seeds = items, seeds

    @classmethod
    def of(cls, runs: Sequence[Measured], scaling: str, worse: str, better: str) -> _Gap:
        return cls.mixed(runs, scaling, {worse: 1.0, better: -1.0})

    @classmethod
    def mixed(cls, runs: Sequence[Measured], scaling: str, weights: Mapping[str, float]) -> _Gap:
        each = np.array(
            [
                sum(w * area(np.array(r["regret"][scaling][arm])) for arm, w in weights.items())
                for r in runs
            ]
        )
        names = np.array(runs[0]["tasks"])
        items = [each[:, names == name].mean() for name in dict.fromkeys(names)]
        return cls(bootstrap_mean(items), each.mean(axis=1).tolist())

    @property
    def holds(self) -> bool:
        return self.items.above_zero and min(self.seeds) > 0


def _told(gaps: Sequence[tuple[str, _Gap]]) -> str:
    return "; ".join(
        f"{what}: {g.items.signed} (seeds {', '.join(f'{s:+.3f}' for s in g.seeds)})"
        for what, g in gaps
    )


def _table(runs: Sequence[Measured]) -> list[dict[str, Any]]:
    """A row for every arm and scaling: area with its interval over tasks, regret and rank."""
    names = np.array(runs[0]["tasks"])
    rows = []
    for scaling in (KNOWN, UNKNOWN):
        arms = {
            a: np.array([r["regret"][scaling][a] for r in runs]) for a in runs[0]["regret"][scaling]
        }
        ranks = mean_ranks({a: x.reshape(-1, x.shape[-1]) for a, x in arms.items()})
        for arm, regret in arms.items():
            each = regret.mean(axis=(0, 2))
            found = bootstrap_mean([each[names == n].mean() for n in dict.fromkeys(names)])
            by_seed = regret.mean(axis=(1, 2))
            rows.append(
                {"arm": arm, "values": scaling, "area": found.value}
                | {"low": found.low, "high": found.high, "n": found.n}
                | {"least seed": float(by_seed.min()), "most seed": float(by_seed.max())}
                | {f"regret {t}": float(regret[..., t - 1].mean()) for t in _some(regret.shape[-1])}
                | {"rank": float(ranks[arm].mean()), "rank at the end": float(ranks[arm][-1])}
            )
    return rows


def _some(trials: int) -> list[int]:
    return sorted({1, min(3, trials), (trials + 1) // 2, trials})


def _training(runs: Sequence[Measured], trials: int) -> list[dict[str, Any]]:
    """Tenths of training, mean over seeds; the share of new bests beside ln T/T."""
    rows = []
    for arm in runs[0]["training"]:
        row: dict[str, Any] = {"arm": arm}
        for key in ("auxiliary", "regret", "found"):
            curves = [r["training"][arm][key] for r in runs]
            for when, share in (("first", 0.0), ("middle", 0.5), ("last", 1.0)):
                ends = [c[round(share * (len(c) - 1))] for c in curves if c]
                row[f"{key}, {when}"] = float(np.mean(ends)) if ends else None
        rows.append(row | {"ln T / T": float(np.log(trials) / trials)})
    return rows


def _figure(runs: Sequence[Measured], families: Sequence[str]) -> dict[str, Any]:
    """Regret by trial, a panel for every family; intervals over tasks."""
    panels = []
    for family in families:
        mine = [r for r in runs if r["family"] == family]
        arms = mine[0]["regret"][KNOWN]
        mean = {a: np.mean([r["regret"][KNOWN][a] for r in mine], axis=0) for a in arms}
        panel = chart(mean, f"Regret by trial: {family}")
        panels.append({k: v for k, v in panel.items() if k != "$schema"} | {"width": 320})
    return {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "hconcat": panels}
