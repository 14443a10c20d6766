"""Paper 48: from kept games to claims; ratings per setting, intervals over seeds or games."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding
from scrubjay.deciding.auctions.log import AuctionLog
from scrubjay.deciding.auctions.measures import (
    belief_error_rates,
    failure_rate,
    increment_histogram,
    withdrawal_rate,
)
from scrubjay.deciding.auctions.ratings import rate
from scrubjay.evaluation.statistics import Interval, bootstrap_mean
from scrubjay.studies.aucarena_stage import NICHE_BUDGETS, PLANS, arm

Measured = Mapping[str, Any]
CLAIMS = (
    "re-planning after every sale stands above a static plan in TrueSkill in most settings, "
    "nothing else differing",
    "a static plan stands above no plan in TrueSkill in most settings, nothing else differing",
    "the rule bidder earns more than at least half of the language-model bidders",
    "a plan in force predicts the number of bids better than the first plan",
    "uncorrected mistakes in the books lower profit",
    "seekers of profit and of items drift apart in what they buy as budgets grow",
)
PAIRS = (
    ("adaptive", "static"),
    ("static", "none"),
    ("adaptive + bias", "static + bias"),
    ("static + bias", "none + bias"),
    ("none + bias", "none"),
    ("static + bias", "static"),
    ("adaptive + bias", "adaptive"),
    ("adaptive + bias", "static"),
)
"""Who is compared: re-planning, planning and learning the bias, each with and without others."""


def judge(seeds: Sequence[Measured], words: Mapping[str, Sequence[Mapping[str, Any]]]) -> Finding:
    """Claims, numbers, tables and the figure."""
    rated = _ratings(seeds)
    gaps = {pair: _gaps(rated, *pair) for pair in PAIRS}
    replanning, planning = (
        [gaps[p], gaps[q]]
        for p, q in (
            (("adaptive", "static"), ("adaptive + bias", "static + bias")),
            (("static", "none"), ("static + bias", "none + bias")),
        )
    )
    spoken = {voice: _spoken(logs) for voice, logs in words.items()}
    below = {v: s["rule minus model"] for v, s in spoken.items()}
    current = _fidelity_gain(seeds)
    books = bootstrap_mean(
        [g["keeps books"]["profit"] - g["forgets"]["profit"] for m in seeds for g in m["books"]]
    )
    apart = _apart(seeds)
    claims = (
        _most(CLAIMS[0], replanning),
        _most(CLAIMS[1], planning),
        Claim(
            CLAIMS[2],
            bool(below) and 2 * sum(i.above_zero for i in below.values()) >= len(below),
            "; ".join(f"rule minus {v} model {i.signed}" for v, i in below.items()) or "not asked",
        ),
        Claim(CLAIMS[3], current.above_zero, f"difference of ρ {current.signed}"),
        Claim(CLAIMS[4], books.above_zero, f"profit with books minus without {books.signed}"),
        Claim(
            CLAIMS[5],
            apart["growth"].above_zero,
            f"difference of mean start prices at {NICHE_BUDGETS[-1]} minus at {NICHE_BUDGETS[0]} "
            f"{apart['growth'].signed}",
        ),
    )
    numbers = {f"TrueSkill, {a} minus {b}": _pooled(gaps[a, b]).number for a, b in PAIRS}
    numbers |= {f"profit, rule minus model, {v}": i.number for v, i in below.items()}
    numbers |= {
        "ρ(plan in force, bids) minus ρ(first plan, bids)": current.number,
        "profit, books kept minus forgotten": books.number,
        **{f"start price, profit minus items, {k}": i.number for k, i in apart.items()},
    }
    held = {
        "TrueSkill by setting": _by_setting(rated),
        "Profit by setting": _profits(seeds),
        "Profit under wrong estimates": _wrong(seeds),
        "Plans and what was done": _rho(seeds),
    }
    if spoken:
        held["Language models"] = [{"voice": v, **s["row"]} for v, s in spoken.items()]
        held["Raises"] = [{"voice": v, **s["raises"]} for v, s in spoken.items()]
    return Finding("aucarena", numbers, claims, held, _figure(held["Profit under wrong estimates"]))


def _most(text: str, kinds: Sequence[Sequence[Interval]]) -> Claim:
    """Whether more than half of the settings have an interval above zero, in both kinds of arms."""
    shares = [(sum(i.above_zero for i in k), len(k)) for k in kinds]
    told = [f"in {up} of {n} settings ({label})" for (up, n), label in zip(
        shares, ("believing estimates", "learning their bias"))]  # fmt: skip
    pooled = ", ".join(_pooled(k).signed for k in kinds)
    return Claim(
        text,
        all(2 * up > n for up, n in shares),
        f"interval above 0 {' and '.join(told)}; mean difference {pooled}",
    )


def _ratings(seeds: Sequence[Measured]) -> dict[str, list[dict[str, float]]]:
    """TrueSkill μ of every bidder, by setting, one entry a seed."""
    out: dict[str, list[dict[str, float]]] = defaultdict(list)
    for seed in seeds:
        for setting in seed["compare"]:
            games = [{b: float(x["profit"]) for b, x in g.items()} for g in setting["games"]]
            rated = {b: r.mu for b, r in rate(games).items()}
            out[_label(setting)].append(rated)
    return dict(out)


def _label(setting: Mapping[str, Any]) -> str:
    return ", ".join(str(setting[k]) for k in ("items", "forecast", "order", "budget"))


def _gaps(rated: Mapping[str, Sequence[Mapping[str, float]]], a: str, b: str) -> list[Interval]:
    """The difference of two bidders in every setting, with an interval over seeds."""
    return [
        bootstrap_mean([r[a] - r[b] for r in rows if a in r and b in r] or [0.0])
        for rows in rated.values()
    ]


def _pooled(gaps: Sequence[Interval]) -> Interval:
    return bootstrap_mean([g.value for g in gaps])


def _by_setting(rated: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    names = sorted({b for rows in rated.values() for r in rows for b in r})
    return [
        {"setting": s}
        | {b: float(np.mean([r[b] for r in rows if b in r] or [25.0])) for b in names}
        for s, rows in rated.items()
    ]


def _profits(seeds: Sequence[Measured]) -> list[dict[str, Any]]:
    """Mean profit a game and share of purchases above value, over orders and seeds."""
    found: dict[tuple[str, str, int], dict[str, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for seed in seeds:
        for setting in seed["compare"]:
            key = (setting["items"], setting["forecast"], setting["budget"])
            for game in setting["games"]:
                for bidder, row in game.items():
                    found[key][bidder].append(row)
    out = []
    for (items, forecast, budget), bidders in found.items():
        for bidder, rows in sorted(bidders.items()):
            profit = bootstrap_mean([r["profit"] for r in rows])
            bought = sum(r["bought"] for r in rows)
            out.append(
                {"setting": f"{items}, {forecast}, {budget}", "bidder": bidder}
                | {"value": profit.value, "low": profit.low, "high": profit.high, "n": profit.n}
                | {"above value": sum(r["cursed"] for r in rows) / bought if bought else None}
            )
    return out


def _wrong(seeds: Sequence[Measured]) -> list[dict[str, Any]]:
    out = []
    for number, first in enumerate(seeds[0]["wrong"]):
        games = [g for m in seeds for g in m["wrong"][number]["games"]]
        names = sorted({b for g in games for b in g})
        for name in names:
            rows = [g[name] for g in games if name in g]
            profit = bootstrap_mean([r["profit"] for r in rows])
            bought = sum(r["bought"] for r in rows)
            out.append(
                {"over": first["over"], "private": first["private"], "bidder": name}
                | {"value": profit.value, "low": profit.low, "high": profit.high}
                | {"above value": sum(r["cursed"] for r in rows) / bought if bought else None}
            )
    return out


def _rhos(seeds: Sequence[Measured], name: str, key: str) -> list[float]:
    return [
        g[name]["rho"][key]
        for m in seeds for s in m["compare"] for g in s["games"]
        if name in g and key in g[name]["rho"]
    ]  # fmt: skip


def _rho(seeds: Sequence[Measured]) -> list[dict[str, Any]]:
    out = []
    for plan in PLANS[1:]:
        for bias in (False, True):
            found = {k: _rhos(seeds, arm(plan, bias), k) for k in ("r1,n", "r1,x", "rj,n", "rj,x")}
            means = {f"ρ({k})": float(np.mean(v)) if v else None for k, v in found.items()}
            out.append({"bidder": arm(plan, bias)} | means | {"n": len(found["rj,n"])})
    return out


def _fidelity_gain(seeds: Sequence[Measured]) -> Interval:
    """ρ with the plan in force minus ρ with the first plan, of re-planners, per game."""
    gains = [
        g[name]["rho"]["rj,n"] - g[name]["rho"]["r1,n"]
        for m in seeds for s in m["compare"] for g in s["games"]
        for name in ("adaptive", "adaptive + bias")
        if name in g and {"rj,n", "r1,n"} <= set(g[name]["rho"])
    ]  # fmt: skip
    return bootstrap_mean(gains or [0.0])


def _apart(seeds: Sequence[Measured]) -> dict[str, Interval]:
    """Mean start price of what seekers of profit bought minus that of seekers of items."""
    apart = {
        budget: [p - i for m in seeds for p, i in m["niches"][budget] if p and i]
        for budget in map(str, NICHE_BUDGETS)
    }
    out = {budget: bootstrap_mean(v or [0.0]) for budget, v in apart.items()}
    first, last = (apart[str(b)] for b in (NICHE_BUDGETS[0], NICHE_BUDGETS[-1]))
    n = min(len(first), len(last))
    growth = [b - a for a, b in zip(first[:n], last[:n])]
    return {**out, "growth": bootstrap_mean(growth or [0.0])}


def _spoken(raw: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a language model did in its auctions."""
    logs = [AuctionLog.from_dict(r) for r in raw]
    errors = belief_error_rates(logs, "model")
    profits = [[float(log.profit(b)) for log in logs] for b in ("rule", "model", "adaptive + bias")]
    steps = [s for log in logs for s in log.steps.get("model", [])]
    row = {
        "games": len(logs),
        "profit": float(np.mean(profits[1])),
        "profit, rule": float(np.mean(profits[0])),
        "profit, planner": float(np.mean(profits[2])),
        "items": float(np.mean([len(log.won("model")) for log in logs])),
        "refused bids": failure_rate(logs, "model"),
        "lots without a bid": withdrawal_rate(logs, "model"),
        **{f"wrong, {k}": v for k, v in errors.items()},
        "calls": len(steps),
    }
    gap = bootstrap_mean([a - b for a, b in zip(profits[0], profits[1])])
    return {"row": row, "rule minus model": gap, "raises": increment_histogram(logs, "model")}


def _figure(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Profit against the common overestimate."""
    values = [r for r in rows if r["private"] == 0]
    x = {"field": "over", "type": "quantitative", "title": "overestimate", "axis": {"format": "%"}}
    color = {"field": "bidder", "type": "nominal"}
    y = {"type": "quantitative", "title": "profit a game"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "layer": [
            {"mark": {"type": "line", "point": True},
             "encoding": {"x": x, "y": {"field": "value", **y}, "color": color}},
            {"mark": "rule",
             "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"},
                          "color": color}},
        ],
    }  # fmt: skip
