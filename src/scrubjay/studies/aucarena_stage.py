"""Paper 48: which auctions are held, and what is kept of each.

    arms     {none, static, adaptive} × {believes its estimates, learns their bias} × two forecasts
             of prices, beside the rule bidder and a greedy one, three at a table
    books    the same adaptive planner, and one that forgets to subtract what it paid
    niches   seekers of profit and of items, in three budgets
    wrong    everybody with estimates that are off by 0, 10, 20 %, in common or each its own way
    words    a language model beside the rule bidder and a planner, by choosing and by writing

Bidders of an arm differ in nothing else. Seats rotate; every setting has its own games.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.core.randomness import derive, stream
from scrubjay.deciding.auctions.auctioneer import COMMON, play
from scrubjay.deciding.auctions.bidder import Bidder
from scrubjay.deciding.auctions.game import Item
from scrubjay.deciding.auctions.items import Estimates, item_set
from scrubjay.deciding.auctions.log import AuctionLog
from scrubjay.deciding.auctions.measures import fidelity
from scrubjay.deciding.auctions.planner import Clairvoyant, Forgetful, ShadowPricePlanner
from scrubjay.deciding.auctions.rules import GreedyBidder, RandomBidder, RuleBidder
from scrubjay.studies.kept import kept

if TYPE_CHECKING:
    from scrubjay.models.types import LanguageModel

ORDERS = ("random", "ascending", "descending")
BUDGETS = (20_000, 40_000)
NICHE_BUDGETS = (10_000, 20_000, 30_000)
FORECASTS = ("start", "seen")
PLANS = ("none", "static", "adaptive")
WRONG = ((0.0, 0.0), (0.1, 0.0), (0.2, 0.0), (0.1, 0.1), (0.1, 0.2))
TINY_ITEMS = tuple(Item(f"Lot {n}", 1000 * n, 2000 * n) for n in (1, 2, 3, 4))


@dataclass(frozen=True, slots=True)
class Size:
    """How much is played."""

    games: int
    """Auctions per setting and seed."""
    seeds: int
    words: int
    """Auctions with the language model, for each of its voices."""


SIZES = {"smoke": Size(2, 1, 0), "laptop": Size(60, 5, 6), "full": Size(300, 5, 10)}


def arm(plan: str, bias: bool) -> str:
    """The name of a seat."""
    return f"{plan}{' + bias' if bias else ''}"


def seats(forecast: str) -> dict[str, Bidder]:
    """Six planners that differ in plan and learning only, and the baselines."""
    planners: dict[str, Bidder] = {
        arm(plan, bias): ShadowPricePlanner(plan=plan, learns_bias=bias, forecast=forecast)  # type: ignore[arg-type]
        for plan in PLANS
        for bias in (False, True)
    }
    return {**planners, "rule": RuleBidder(), "greedy 0.9": GreedyBidder(shade=0.9)}


def settings() -> list[tuple[str, str, str, int]]:
    """(items, forecast, order, budget) of every setting of the main comparison."""
    kinds = [("standard", f) for f in FORECASTS] + [("ratios", "seen")]
    return [(i, f, o, b) for i, f in kinds for o in ORDERS for b in BUDGETS]


def compare(size: Size, seed: int) -> list[dict[str, Any]]:
    """The main comparison: three of the eight, drawn for each game, as in the paper's three seats.

    (With all eight at a table prices are driven to the estimates and nobody earns anything.)
    """
    out = []
    for items, forecast, order, budget in settings():
        everybody = seats(forecast)
        names = list(everybody)
        games = []
        for game in range(size.games):
            number = derive(seed, items, forecast, order, budget, game) % 2**31
            chosen = _three(names, number)
            log = _play(items, order, number, {n: everybody[n] for n in chosen}, budget)
            games.append(_kept(log))
        setting = {"items": items, "forecast": forecast, "order": order, "budget": budget}
        out.append(setting | {"games": games})
    return out


def books(size: Size, seed: int) -> list[dict[str, Any]]:
    """A planner beside its forgetful double and the rule bidder."""
    out = []
    for order in ORDERS:
        for budget in BUDGETS:
            bidders: dict[str, Bidder] = {
                "keeps books": ShadowPricePlanner(),
                "forgets": Forgetful(mind=ShadowPricePlanner(), errs=0.5),
                "rule": RuleBidder(),
            }
            for game in range(size.games):
                number = derive(seed, "books", order, budget, game) % 2**31
                out.append(_kept(_play("standard", order, number, _turned(bidders, game), budget)))
    return out


def niches(size: Size, seed: int) -> dict[str, list[list[float]]]:
    """Mean start price of what two seekers of profit and two of items bought, per game."""
    out: dict[str, list[list[float]]] = {}
    for budget in NICHE_BUDGETS:
        bidders: dict[str, Bidder] = {
            f"{goal} {n}": ShadowPricePlanner(goal=goal)
            for goal in ("profit", "items")
            for n in (1, 2)
        }
        rows = []
        for game in range(size.games):
            number = derive(seed, "niche", budget, game) % 2**31
            log = _play("niche", "random", number, _turned(bidders, game), budget)
            rows.append([_mean_start(log, "profit"), _mean_start(log, "items")])
        out[str(budget)] = rows
    return out


def wrong(size: Size, seed: int) -> list[dict[str, Any]]:
    """Everybody under estimates that are off in different ways."""
    out = []
    for over, private in WRONG:
        bidders: dict[str, Bidder] = {
            "adaptive": ShadowPricePlanner(learns_bias=False),
            "adaptive + bias": ShadowPricePlanner(),
            "greedy 0.8": GreedyBidder(shade=0.8),
            "rule": RuleBidder(),
            "rule 8": RuleBidder(bids=8),
            "random": RandomBidder(),
            "clairvoyant": Clairvoyant(),
        }
        games = []
        for game in range(size.games):
            number = derive(seed, "wrong", over, private, game) % 2**31
            chosen = _three(list(bidders), number)
            picked = {n: bidders[n] for n in chosen}
            log = _play("standard", "random", number, picked, 20_000, Estimates(over, private))
            games.append(_kept(log))
        out.append({"over": over, "private": private, "games": games})
    return out


async def words(model: LanguageModel, size: Size, seed: int, voice: str) -> list[dict[str, Any]]:
    """Logs of the language model's auctions, four items each; all games at the same time."""
    from scrubjay.deciding.auctions.language import LanguageBidder
    from scrubjay.deciding.auctions.language_voices import Choosing, Writing

    model.settle()
    games = []
    for game in range(size.words):
        bidders: dict[str, Bidder] = {
            "model": LanguageBidder(
                model,
                "static" if voice == "choosing" else "none",
                Choosing() if voice == "choosing" else Writing(tokens=120),
                checks=False,
            ),
            "rule": RuleBidder(),
            "adaptive + bias": ShadowPricePlanner(),
        }
        number = derive(seed, "words", game) % 2**31
        games.append(play(TINY_ITEMS, _turned(bidders, game), 8_000, seed=number))
    return [log.to_dict() for log in await asyncio.gather(*games)]


def _play(
    items: str,
    order: str,
    number: int,
    bidders: Mapping[str, Bidder],
    budget: int,
    estimates: Estimates = COMMON,
) -> AuctionLog:
    sold = item_set(items, order, number)  # type: ignore[arg-type]
    return asyncio.run(play(sold, bidders, budget, estimates=estimates, seed=number))


def _three(names: Sequence[str], number: int) -> list[str]:
    return stream(number, "seats").sample(list(names), 3)


def _turned(bidders: Mapping[str, Bidder], game: int) -> dict[str, Bidder]:
    names = list(bidders)
    turn = game % len(names)
    return {n: bidders[n] for n in names[turn:] + names[:turn]}


def _kept(log: AuctionLog) -> dict[str, Any]:
    """What the judgment reads of a game."""
    return {
        b: {
            "profit": log.profit(b),
            "bought": len(log.won(b)),
            "cursed": sum(s.price > (s.value or 0) for s in log.won(b)),
            "rho": {k: v[0] for k, v in fidelity([log], b).items() if v},
        }
        for b in log.bidders
    }


def _mean_start(log: AuctionLog, goal: str) -> float:
    starts = [s.lot.start for s in log.sales if s.winner and log.goals[s.winner] == goal]
    return sum(starts) / len(starts) if starts else 0.0


def measure_seed(size: Size, seed: int, out: Path) -> None:
    """Everything without a language model, for one seed, kept in a file."""
    kept(
        out / f"seed-{seed}.json",
        lambda: {
            "compare": compare(size, seed),
            "books": books(size, seed),
            "niches": niches(size, seed),
            "wrong": wrong(size, seed),
        },
    )
