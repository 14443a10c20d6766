"""Bidders that follow a rule: the floor that everything clever stands on.

    rule K         the start price, then the least raise, at most K bids an item      (the paper's)
    greedy c       the least raise as long as it stays below c · v̂
    random p       with probability p the least raise, else out

Source: AucArena (paper 48), 3.4, and the baselines of our sheet's section 6.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from scrubjay.core.randomness import stream
from scrubjay.deciding.auctions.bidder import Bidder
from scrubjay.deciding.auctions.game import AuctionError, View, whole


def affordable(view: View) -> int | None:
    """The least legal bid, if the bidder can pay it."""
    return view.state.floor if view.state.floor <= view.money else None


def share(value: float, what: str, most: float = 1.0) -> None:
    """Refuse what is no share.

    Raises:
        AuctionError: outside [0, most].
    """
    if not 0 <= value <= most:
        raise AuctionError(f"{what} must lie between 0 and {most:g}, not {value!r}")


@dataclass
class RuleBidder(Bidder):
    """Bids the least it can, at most ``bids`` times an item (K = 4 in the paper)."""

    bids: int = 4

    def __post_init__(self) -> None:
        self.bids = whole(self.bids, "the rule bidder's number of bids", 1)

    def bid(self, view: View, problem: str = "") -> int | None:
        mine = sum(b == view.me for given in view.state.bids for b, _ in given)
        return affordable(view) if mine < self.bids else None


@dataclass
class GreedyBidder(Bidder):
    """Raises by the least until ``shade`` times its estimate; below 1 it guards itself against
    the winner's curse."""

    shade: float = 1.0

    def __post_init__(self) -> None:
        share(self.shade, "the share of the estimate to bid up to", 10)

    def bid(self, view: View, problem: str = "") -> int | None:
        limit = self.shade * view.estimates[view.state.lot.name]
        return affordable(view) if view.state.floor <= limit else None


@dataclass
class RandomBidder(Bidder):
    """Any legal behaviour: stays with probability ``stay``."""

    stay: float = 0.7
    _draw: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        share(self.stay, "the probability to stay")

    def begin(self, view: View) -> None:
        self._draw = stream(self.seed, "random bidder")

    def bid(self, view: View, problem: str = "") -> int | None:
        return affordable(view) if self._draw.random() < self.stay else None
