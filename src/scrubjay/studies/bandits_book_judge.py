"""Paper 67: from regrets to claims."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.deciding.bandits.curves import fit_slope, mean_interval
from scrubjay.studies.bandits_book_stage import BUDGETS, EXPONENT, GAP, LOGARITHMIC, WIDE

Measured = Mapping[str, Any]
CLAIMS = (
    "no algorithm's regret grows faster in T than its theorem says: slope over the last decade at "
    "most 0.08 above the exponent, R(T)/log T growing by less than 15 % where it should be log T",
    "no algorithm's mean regret is above a proven bound with its constants, and none is below the "
    "lower bound on the hard pair by more than its error",
    "IID, gap 0.1: Thompson < UCB1 <= elimination < epsilon-greedy ~ explore-first < uniform",
    "IID, gap 0.02: the same order",
    "an adversary with a copy of UCB1 makes it lose linearly; EXP3 stays below its bound",
    "zooming does at least as well as the best of three grids, on a peak and on a needle",
    "routing: full feedback < semi-bandit feedback < EXP3 over routes",
    "contexts: LinUCB and LinTS lose least",
    "knapsacks: the relative gap to the optimum shrinks as the budget grows, for UcbBwK, "
    "primal-dual and LagrangeBwK",
    "games: two of a kind end within their proven regret bounds of a Nash equilibrium (Hedge, "
    "EXP3, regret matching), nearer the longer they play",
    "incentives: greedy users never try the second arm in at least a tenth of the runs; hidden "
    "exploration always tries it and is obeyed",
)
EXTRA, GROWTH = 0.08, 0.15


def judge(measured: Measured) -> Finding:
    """Claims, numbers, tables and the figure."""
    curves = measured["blocks"]
    slopes, logs = _slopes(curves), _logs(curves)
    claims = (
        _grows(slopes, logs),
        _bounded(curves),
        *(_ladder(curves[name], CLAIMS[2 + i]) for i, name in enumerate(GAP)),
        _copy(curves["copy"]),
        _zooming(curves),
        _routing(curves["routing"]),
        _contextual(curves["contextual"]),
        _knapsacks(curves),
        _games(measured["games"]),
        _incentives(measured["incentives"]),
    )
    numbers = {f"slope: {block}, {name}": found for (block, name), found in slopes.items()}
    return Finding(
        "bandits-book",
        numbers,
        claims,
        {
            "Regret at the longest horizon": _table(curves),
            "Growth of R(T)/log T over the last half decade": [
                {"setting": block, "algorithm": name, "growth": growth}
                for (block, name), growth in (logs | _logs(curves, WIDE)).items()
            ],
            "Share of the optimum lost, by stock": _gaps(curves),
            "Games": measured["games"],
            "Memory or search, by token budget": measured["router"],
        },
        _figure(curves),
    )


def _last(curves: Measured, name: str) -> np.ndarray:
    return np.asarray(curves[name]["regret"][-1])


def _slopes(curves: Measured) -> dict[tuple[str, str], Number]:
    found = {}
    for block, name in EXPONENT:
        rows = curves[block][name]
        regret = np.asarray(rows["regret"]).T
        if (regret.mean(axis=0) > 0).all():
            found[block, name] = fit_slope(np.asarray(rows["horizons"]), regret)
    return found


def _logs(curves: Measured, instead: str = "") -> dict[tuple[str, str], float]:
    found = {}
    for judged, name in LOGARITHMIC:
        block = instead or judged
        rows = curves[block][name]
        two = [np.mean(r) / math.log(t) for t, r in zip(rows["horizons"], rows["regret"])][-2:]
        found[block, name] = float(two[1] / two[0] - 1)
    return found


def _grows(
    slopes: Mapping[tuple[str, str], Number], logs: Mapping[tuple[str, str], float]
) -> Claim:
    above = [
        f"{block}, {name}: {found.value:.2f} > {EXPONENT[block, name]:.2f}"
        for (block, name), found in slopes.items()
        if found.value > EXPONENT[block, name] + EXTRA
    ]
    above += [f"{b}, {n}: R/log T grew by {g:.0%}" for (b, n), g in logs.items() if g > GROWTH]
    told = "; ".join(above) or "none"
    return Claim(
        CLAIMS[0], not above, f"{len(slopes) + len(logs)} rates measured, too fast: {told}"
    )


def _bounded(curves: Measured) -> Claim:
    broken, checked = [], 0
    for block, rows in curves.items():
        for name, one in rows.items():
            for t, regret, bound in zip(one["horizons"], one["regret"], one["bounds"]):
                if bound is not None:
                    checked += 1
                    if np.mean(regret) > bound:
                        broken.append(f"{name} in {block} at {t}")
    low = []
    for name, one in curves["hard pair"].items():
        for t, regret in zip(one["horizons"], one["regret"]):
            error = np.std(regret) / math.sqrt(len(regret))
            if np.mean(regret) + 2 * error < hard_bound(t):
                low.append(f"{name} at {t}")
    told = "; ".join([*broken, *low]) or "none"
    return Claim(CLAIMS[1], not broken and not low, f"{checked} upper bounds, broken: {told}")


def hard_bound(horizon: int) -> float:
    """What an algorithm that treats arms alike must lose on the hard pair (Bretagnolle-Huber):
    gap T/8 · exp(-T kl), with kl of the two coins."""
    gap = min(0.5, 0.5 * math.sqrt(2 / horizon))
    p = 0.5 + gap
    kl = max(
        p * math.log(2 * p) + (1 - p) * math.log(max(2 * (1 - p), 1e-12)),
        0.5 * math.log(0.25 / max(p * (1 - p), 1e-12)),
    )
    return gap * horizon / 8 * math.exp(-horizon * kl)


def _below(a: np.ndarray, b: np.ndarray, *, margin: float = 0.0) -> bool:
    """Whether mean a is not above mean b by more than two standard errors (paired by run)."""
    n = min(len(a), len(b))
    rest = a[:n] - b[:n]
    return bool(rest.mean() <= margin + 2 * rest.std() / math.sqrt(n))


def _ladder(curves: Measured, text: str) -> Claim:
    order = ["thompson", "ucb1", "successive-elimination", "epsilon-greedy", "uniform"]
    pairs = list(itertools.pairwise(order))
    pairs += [("successive-elimination", "explore-first"), ("explore-first", "uniform")]
    wrong = [f"{a} > {b}" for a, b in pairs if not _below(_last(curves, a), _last(curves, b))]
    means = ", ".join(
        f"{n} {_last(curves, n).mean():.0f}" for n in [*order[:4], "explore-first", "uniform"]
    )
    stuck = float((_last(curves, "greedy") > 5 * _last(curves, "ucb1").mean()).mean())
    reversed_ = f"; reversed: {', '.join(wrong)}" if wrong else ""
    return Claim(
        text, not wrong, f"{means}; greedy lost more than 5 x UCB1 in {stuck:.0%}{reversed_}"
    )


def _copy(curves: Measured) -> Claim:
    horizon = curves["ucb1"]["horizons"][-1]
    lost, exp3 = _last(curves, "ucb1").mean(), _last(curves, "exp3").mean()
    bound = curves["exp3"]["bounds"][-1]
    return Claim(
        CLAIMS[4],
        bool(lost > 0.4 * horizon and exp3 <= bound),
        f"after {horizon:,} rounds UCB1 lost {lost:.0f}, EXP3 {exp3:.0f} (bound {bound:.0f})",
    )


def _zooming(curves: Measured) -> Claim:
    told, holds = [], True
    for block in ("peak", "needle"):
        grids = {n: _last(curves[block], n) for n in ("grid", "grid, finer", "grid, coarser")}
        best = min(grids, key=lambda n: grids[n].mean())
        zoomed = _last(curves[block], "zooming")
        holds &= _below(zoomed, grids[best])
        told.append(f"{block}: zooming {zoomed.mean():.0f}, best {best} {grids[best].mean():.0f}")
    return Claim(CLAIMS[5], holds, "; ".join(told))


def _routing(curves: Measured) -> Claim:
    full, semi = ("hedge", "ftpl"), ("semi-hedge", "semi-ftpl")
    wrong = [
        f"{a} > {b}"
        for a, b in [*((a, b) for a in full for b in semi), *((a, "exp3") for a in semi)]
        if not _below(_last(curves, a), _last(curves, b))
    ]
    means = ", ".join(f"{n} {_last(curves, n).mean():.0f}" for n in (*full, *semi, "exp3"))
    return Claim(CLAIMS[6], not wrong, means + (f"; reversed: {', '.join(wrong)}" if wrong else ""))


def _contextual(curves: Measured) -> Claim:
    linear, others = ("linucb", "lints"), [n for n in curves if n not in ("linucb", "lints")]
    holds = all(_below(_last(curves, a), _last(curves, b)) for a in linear for b in others)
    return Claim(CLAIMS[7], holds, ", ".join(f"{n} {_last(curves, n).mean():.0f}" for n in curves))


def _gaps(curves: Measured) -> list[dict[str, Any]]:
    rows = []
    for share in BUDGETS:
        block = {**curves[f"knapsack {share:g}"], **curves[f"knapsack {share:g}, elimination"]}
        optimum = next(iter(block.values()))["optimum"]
        rows.append(
            {"stock / T": share, "optimum": optimum}
            | {name: float(_last(block, name).mean() / optimum) for name in block}
        )
    return rows


def _knapsacks(curves: Measured) -> Claim:
    rows = _gaps(curves)
    told, holds = [], True
    for name in ("ucb-bwk", "primal-dual-bwk", "lagrange-bwk"):
        gaps = [row[name] for row in rows]
        holds &= gaps == sorted(gaps, reverse=True)
        told.append(f"{name} " + " > ".join(f"{g:.0%}" for g in gaps))
    return Claim(CLAIMS[8], holds, "; ".join(told))


def _games(rows: Sequence[Mapping[str, Any]]) -> Claim:
    gaps: dict[str, list[float]] = {}
    for row in rows:
        gaps.setdefault(row["players"], []).append(row["gap"])
    nearer = all(later < sooner for sooner, later in gaps.values())
    holds = nearer and all(row["gap"] <= row["bound"] for row in rows)
    told = "; ".join(f"{n}: gap {a:.4f}, then {b:.4f}" for n, (a, b) in gaps.items())
    return Claim(CLAIMS[9], holds, told)


def _incentives(found: Measured) -> Claim:
    greedy, hidden = found["never tried, greedy"], found["never tried, hidden"]
    holds = greedy >= found["bound"] and hidden == 0 and found["gain high"] >= 0
    return Claim(
        CLAIMS[10],
        bool(holds),
        f"never tried: greedy {greedy:.2f} (bound {found['bound']:.2f}), hidden {hidden:.3f}; who "
        f"is told to take the second arm expects to gain {found['gain']:+.4f} "
        f"[{found['gain low']:+.4f}, {found['gain high']:+.4f}]",
    )


def _table(curves: Measured) -> list[dict[str, Any]]:
    rows = []
    for block, names in curves.items():
        for name, one in names.items():
            regret = np.asarray(one["regret"][-1])[:, None]
            low, high = mean_interval(regret)
            rows.append(
                {"setting": block, "algorithm": name, "T": one["horizons"][-1]}
                | {"value": float(regret.mean()), "low": float(low[0]), "high": float(high[0])}
                | {"bound": "" if one["bounds"][-1] is None else float(one["bounds"][-1])}
                | {"n": len(regret)}
            )
    return rows


def _figure(curves: Measured) -> dict[str, Any]:
    """Regret by horizon in the IID block, both in log."""
    values = [
        {"algorithm": name, "T": t, "regret": float(np.mean(r))}
        for name, one in curves["iid gap 0.1"].items()
        for t, r in zip(one["horizons"], one["regret"])
    ]
    log = {"type": "log"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "T", "type": "quantitative", "scale": log},
            "y": {"field": "regret", "type": "quantitative", "scale": log},
            "color": {"field": "algorithm", "type": "nominal"},
        },
    }
