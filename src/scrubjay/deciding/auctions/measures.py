"""What is read out of the logs of auctions.

    profit, items won                             per game
    curse        share of purchases above the true value
    CFR          F / (C + F): refused bids over all bids                ("corrected failure rate")
    belief errors                                 the same, over all entries of a bidder's account
    fidelity     Spearman's ρ between priorities r and the number of bids n or the win x, with the
                 plan made first (r¹) or the one in force when the lot came up (rʲ)
    increment    (bid − maximum before) / maximum before, by which a bid raised
    niche        mean start price of what a bidder bought

Everything is per bidder *name*. Undefined values (ρ with constant priorities, no purchase) are
None, never 0. Source: AucArena (paper 48), 3.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from scrubjay.deciding.auctions.log import AuctionLog

By = Literal["profit", "items"]
EDGES = (0.0, 0.1, 0.2, 0.5, 1.0)
"""Lower edges of the bins of ``increment_histogram``."""


def scores(log: AuctionLog, by: By = "profit") -> dict[str, float]:
    """What a game is ranked by."""
    if by == "items":
        return {b: float(len(log.won(b))) for b in log.bidders}
    return {b: float(log.profit(b)) for b in log.bidders}


def curse_rate(logs: Sequence[AuctionLog], bidder: str) -> float | None:
    """Share of purchases that cost more than the true value."""
    return _mean(float(s.price > (s.value or 0)) for log in logs for s in log.won(bidder))


def failure_rate(logs: Sequence[AuctionLog], bidder: str) -> float | None:
    """Refused bids over all bids; None if it never bid."""
    failed = sum(r.bidder == bidder for log in logs for r in log.refused)
    legal = sum(r.answers.get(bidder) is not None for log in logs for r in log.rounds)
    return failed / (failed + legal) if failed + legal else None


def withdrawal_rate(logs: Sequence[AuctionLog], bidder: str) -> float | None:
    """Share of lots on which the bidder never bid."""
    lots = [(log, at) for log in logs for at in range(len(log.items))]
    return _mean(float(_bids(log, bidder).get(at, 0) == 0) for log, at in lots)


def belief_error_rates(logs: Sequence[AuctionLog], bidder: str) -> dict[str, float | None]:
    """Wrong entries over entries, by kind; empty if the bidder keeps no account."""
    rows = [b for log in logs for b in log.beliefs if b.bidder == bidder]
    kinds = rows[0].errors if rows else {}
    out: dict[str, float | None] = {}
    for kind in kinds:
        checked = sum(r.checked[kind] for r in rows)
        out[kind] = sum(r.errors[kind] for r in rows) / checked if checked else None
    return out


def engagement(logs: Sequence[AuctionLog], bidder: str) -> float | None:
    """Bids per lot."""
    return _mean(
        float(_bids(log, bidder).get(at, 0)) for log in logs for at in range(len(log.items))
    )


def increments(logs: Iterable[AuctionLog], bidder: str) -> list[float]:
    """By which share of the price before each of its bids raised it (opening bids have none)."""
    out: list[float] = []
    for log in logs:
        price: dict[int, int] = {}
        for played in log.rounds:
            before = price.get(played.at)
            amounts = [a for a in played.answers.values() if a is not None]
            mine = played.answers.get(bidder)
            if before and mine is not None:
                out.append((mine - before) / before)
            if amounts:
                price[played.at] = max(amounts)
    return out


def increment_histogram(logs: Iterable[AuctionLog], bidder: str) -> dict[str, int]:
    """``increments`` counted between ``EDGES``; the last bin has no end."""
    found = np.searchsorted(EDGES, increments(logs, bidder), side="right") - 1
    ends = [*(f"{e:.0%}" for e in EDGES[1:]), "…"]
    counts = np.bincount(found, minlength=len(EDGES))
    return {f"{low:.0%}–{end}": int(n) for low, end, n in zip(EDGES, ends, counts)}


def fidelity(logs: Sequence[AuctionLog], bidder: str) -> dict[str, list[float]]:
    """ρ per game, for the games where it is defined: keys 'r1,n', 'r1,x', 'rj,n', 'rj,x'."""
    out: dict[str, list[float]] = {"r1,n": [], "r1,x": [], "rj,n": [], "rj,x": []}
    for log in logs:
        plans = [p for p in log.plans if p.bidder == bidder]
        if not plans:
            continue
        bids, bought = _bids(log, bidder), {s.lot.name for s in log.won(bidder)}
        n = [bids.get(at, 0) for at in range(len(log.items))]
        x = [int(item.name in bought) for item in log.items]
        first = [plans[0].priorities.get(item.name, 0) for item in log.items]
        current = [
            next(
                (p.priorities[i.name] for p in reversed(plans)
                 if p.at <= at and i.name in p.priorities), 0,
            )
            for at, i in enumerate(log.items)
        ]  # fmt: skip
        for key, r, y in (
            ("r1,n", first, n), ("r1,x", first, x), ("rj,n", current, n), ("rj,x", current, x),
        ):  # fmt: skip
            if (rho := spearman(r, y)) is not None:
                out[key].append(rho)
    return out


def priority_changes(logs: Sequence[AuctionLog], bidder: str) -> list[Mapping[str, float]]:
    """How plans move: mean change and mean |change| of priority by number of lots sold before."""
    moved: dict[int, list[int]] = {}
    for log in logs:
        plans = [p for p in log.plans if p.bidder == bidder]
        for old, new in pairwise(plans):
            for name, priority in new.priorities.items():
                if new.at < len(log.items) and name in old.priorities:
                    moved.setdefault(new.at, []).append(priority - old.priorities[name])
    return [
        {"sold": at, "change": float(np.mean(d)), "size": float(np.mean(np.abs(d)))}
        for at, d in sorted(moved.items())
    ]


def niche(logs: Sequence[AuctionLog], bidder: str) -> float | None:
    """Mean start price of what the bidder bought."""
    return _mean(float(s.lot.start) for log in logs for s in log.won(bidder))


def spearman(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Rank correlation with ties sharing their mean rank; None if one side is constant."""
    a, b = _ranks(x), _ranks(y)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else None


def _ranks(values: Sequence[float]) -> np.ndarray:
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], dtype=float)


def _bids(log: AuctionLog, bidder: str) -> dict[int, int]:
    """Number of its bids by lot."""
    out: dict[int, int] = {}
    for played in log.rounds:
        if played.answers.get(bidder) is not None:
            out[played.at] = out.get(played.at, 0) + 1
    return out


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None
