"""From a name on the command line to a bidder.

    rule  rule:8  greedy:0.8  random:0.5  clairvoyant
    none  static  adaptive  none+bias  static+bias  adaptive+bias     (the planner)
    adaptive+items                                                    (goal: items, not profit)
    ucb1  thompson  exp3  hedge  regret                               (learn from game to game)
    exp3:500                                                          (told that it plays 500 games)
    lm:MODEL  lm:MODEL|adaptive+write+check+learn                     (a language model)

Another package adds names through the entry-point group ``scrubjay.bidders``: each is a function
``f(settings: str) -> Bidder``, where ``settings`` is what follows the colon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scrubjay.core.errors import UnknownName
from scrubjay.core.registry import Registry
from scrubjay.deciding.auctions.bidder import Bidder
from scrubjay.deciding.auctions.game import AuctionError
from scrubjay.deciding.auctions.learners import LearningBidder
from scrubjay.deciding.auctions.planner import Clairvoyant, ShadowPricePlanner
from scrubjay.deciding.auctions.rules import GreedyBidder, RandomBidder, RuleBidder

BIDDERS = Registry("bidder", lm="scrubjay.deciding.auctions.language:language_bidder")
BANDITS = Registry(
    "bandit of a bidder",
    ucb1="scrubjay.deciding.bandits.ucb:UCB1",
    thompson="scrubjay.deciding.bandits.thompson:ThompsonBeta",
    exp3="scrubjay.deciding.bandits.exp3:Exp3",
    hedge="scrubjay.deciding.bandits.experts:Hedge",
    regret="scrubjay.deciding.bandits.games:RegretMatching",
)


def make_bidder(spec: str) -> Bidder:
    """The bidder that ``spec`` names; see the top of this file.

    Raises:
        UnknownName: nothing is called so.
        AuctionError: its settings make no sense.
        ScrubjayError: a language model that can't be loaded.
    """
    name, _, settings = spec.strip().partition(":")
    base, *switches = name.split("+")
    if base in BANDITS and not switches:
        games = int(_number(spec, settings or "100", whole=True))
        return LearningBidder(BANDITS.get(base)(), games=games)
    if base in ("none", "static", "adaptive"):
        _none(spec, settings)
        return _planner(spec, base, switches)
    if not switches and name in ("rule", "greedy", "random", "clairvoyant"):
        return _simple(spec, name, settings)
    return _registered(name, settings)


def _simple(spec: str, name: str, settings: str) -> Bidder:
    if name == "clairvoyant":
        _none(spec, settings)
        return Clairvoyant()
    if name == "rule":
        return RuleBidder(bids=int(_number(spec, settings or "4", whole=True)))
    if name == "greedy":
        return GreedyBidder(shade=_number(spec, settings or "1"))
    return RandomBidder(stay=_number(spec, settings or "0.7"))


def _planner(spec: str, plan: Any, switches: Sequence[str]) -> Bidder:
    if unknown := set(switches) - {"bias", "items", "start"}:
        raise AuctionError(
            f"the bidder '{spec}' can't be made: there is no switch '{min(unknown)}' of a planner; "
            "known: bias, items, start"
        )
    return ShadowPricePlanner(
        plan=plan,
        learns_bias="bias" in switches,
        forecast="start" if "start" in switches else "seen",
        goal="items" if "items" in switches else "profit",
    )


def _registered(name: str, settings: str) -> Bidder:
    if name not in BIDDERS:
        known = ["rule", "greedy", "random", "clairvoyant", "none", "static", "adaptive", *BANDITS]
        raise UnknownName("bidder", name, [*known, *BIDDERS])
    made: Bidder = BIDDERS.get(name)(settings)
    return made


def _none(spec: str, settings: str) -> None:
    if settings:
        raise AuctionError(f"the bidder '{spec}' takes nothing behind a colon")


def _number(spec: str, text: str, whole: bool = False) -> float:
    try:
        return int(text) if whole else float(text)
    except ValueError:
        kind = "whole number" if whole else "number"
        raise AuctionError(f"the bidder '{spec}' needs a {kind} behind the colon") from None
