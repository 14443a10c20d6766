"""A bidder that plans: what is a unit of money worth later in this auction?

    maximise  Σ_j x_j (w_j − p_j)   subject to  Σ_j x_j p_j ≤ m,   0 ≤ x_j ≤ 1

with w_j what item j is thought to be worth, p_j the price it is thought to go for, m the money
left. It is a fractional knapsack: sort by return (w_j − p_j) / p_j and buy until the money is
spent. The return of the item where it runs out is the shadow price λ of money, and the most to pay
for j is

    limit_j = w_j / (1 + λ)                     ('items': everything is worth the same, so the limit
                                                 is the price of the dearest item still bought)

Scarce money makes λ large and the bidder choosy; with plenty λ = 0 and it bids what a thing is
worth. Three switches, so that a study can say which of them wins:

    plan          'none' limit_j = w_j;   'static' λ once, before the first lot;
                  'adaptive' λ again after every sale
    learns_bias   w_j = v̂_j · mean(v / v̂ of the sold items), since true values are announced
    forecast      'start' p_j = a fixed share of v̂_j;   'seen' the mean p / v̂ of the sales

Source: section 5 of our sheet of AucArena (paper 48), which asks for such a planner in place of the
paper's prompts; priorities 1–3 as in 3.3.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from scrubjay.core.errors import UnknownName
from scrubjay.core.randomness import stream
from scrubjay.deciding.auctions.bidder import Bidder
from scrubjay.deciding.auctions.game import Item, Lot, Sale, View
from scrubjay.deciding.auctions.rules import affordable, share

Plan = Literal["none", "static", "adaptive"]
Forecast = Literal["start", "seen"]
EXPECTED = 0.75
"""Prices to be expected before any was seen, as a share of the estimate."""


def shadow_price(worth: Sequence[float], price: Sequence[float], money: float) -> float:
    """λ ≥ 0: the return of the item at which the money runs out, buying the best returns first."""
    returns = sorted(((w - p) / p, p) for w, p in zip(worth, price))
    for gain, paid in reversed(returns):
        if gain <= 0:
            return 0.0
        money -= paid
        if money < 0:
            return gain
    return 0.0


@dataclass
class ShadowPricePlanner(Bidder):
    """See the top of this file. ``shade`` multiplies what items are thought to be worth."""

    plan: Plan = "adaptive"
    learns_bias: bool = True
    forecast: Forecast = "seen"
    shade: float = 1.0
    _limits: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _price: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _lam: float = field(default=0.0, init=False, repr=False)
    _cap: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        for value, kind, what in (
            (self.plan, Plan, "way to plan"),
            (self.forecast, Forecast, "forecast of prices"),
        ):
            if value not in get_args(kind):
                raise UnknownName(what, value, get_args(kind))
        share(self.shade, "the share of the estimate to bid up to", 10)

    def begin(self, view: View) -> None:
        self._make(view)

    def bid(self, view: View, problem: str = "") -> int | None:
        return affordable(view) if view.state.floor <= self._limits[view.state.lot.name] else None

    def after(self, view: View) -> None:
        if self.learns_bias or self.plan == "adaptive":
            self._make(view, first=False)

    def _make(self, view: View, first: bool = True) -> None:
        """Limits and priorities of what is still to come. A plan that isn't made again keeps its
        shadow price; what things are thought to be worth may still be learned."""
        coming = view.state.coming
        if not coming:
            return
        worth = [w * self.shade for w in self._worth(view, coming)]
        if first or self.plan == "adaptive":
            price = self._prices(view, coming)
            if self.goal == "items":
                self._cap = _dearest(price, view.money)
            else:
                self._lam = shadow_price(worth, price, view.money)
                if self.plan == "none":
                    self._lam = 0.0
            self._price = dict(zip((lot.name for lot in coming), price))
        for lot, w in zip(coming, worth):
            self._limits[lot.name] = (
                w / (1 + self._lam) if self.goal == "profit" else self._item_limit(w)
            )
        if self.plan != "none":
            self.priorities = {lot.name: self._priority(lot.name) for lot in coming}

    def _item_limit(self, worth: float) -> float:
        """Who counts items pays up to the dearest price in the plan; without a plan, the worth."""
        return worth if self.plan == "none" else self._cap

    def _priority(self, name: str) -> int:
        room = self._limits[name] / self._price[name]
        return 1 if room < 1 else 2 if room < 1.25 else 3

    def _worth(self, view: View, lots: Sequence[Lot]) -> list[float]:
        ratio = 1.0
        if self.learns_bias and (sold := _sold(view)):
            ratio = _mean([(s.value or 0) / max(1, view.estimates[s.lot.name]) for s in sold])
        return [ratio * view.estimates[lot.name] for lot in lots]

    def _prices(self, view: View, lots: Sequence[Lot]) -> list[float]:
        """What the lots are thought to go for: never less than their start price."""
        seen = [EXPECTED]
        if self.forecast == "seen":
            seen += [s.price / max(1, view.estimates[s.lot.name]) for s in _sold(view)]
        return [max(float(lot.start), _mean(seen) * view.estimates[lot.name]) for lot in lots]


@dataclass
class Clairvoyant(ShadowPricePlanner):
    """Plans with the true values (not with the prices, which others make): an oracle, no player."""

    learns_bias: bool = False
    _values: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def reveal(self, items: tuple[Item, ...]) -> None:
        self._values = {i.name: i.value for i in items}

    def _make(self, view: View, first: bool = True) -> None:
        ShadowPricePlanner._make(self, replace(view, estimates=self._values), first)


@dataclass
class Forgetful(Bidder):
    """Another bidder whose books are wrong: with probability ``errs`` it takes its money, after a
    sale, for what it was some sales ago (it forgets to subtract) and plans with that.

    Only what it plans with is corrupted; the auctioneer refuses what it can't pay.
    """

    mind: Bidder = field(default_factory=ShadowPricePlanner)
    errs: float = 0.5
    _thinks: int = field(default=0, init=False, repr=False)
    _draw: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        share(self.errs, "the probability of an error")
        self.goal = self.mind.goal

    def reveal(self, items: tuple[Item, ...]) -> None:
        self.mind.reveal(items)

    async def begin(self, view: View) -> None:
        self._draw = stream(self.seed, "forgetful")
        self._thinks = view.money
        self.mind.seed, self.mind.trace = self.seed, self.trace
        await self._let(self.mind.begin(view))

    def bid(self, view: View, problem: str = "") -> object:
        return self.mind.bid(view, problem)

    async def after(self, view: View) -> None:
        if self._draw.random() >= self.errs:
            self._thinks = view.money
        await self._let(self.mind.after(replace(view, money=self._thinks)))

    async def _let(self, done: Awaitable[None] | None) -> None:
        if done is not None:
            await done
        self.priorities = self.mind.priorities


def _dearest(price: Sequence[float], money: float) -> float:
    """The price of the dearest item that is bought, buying the cheapest first."""
    cap = 0.0
    for paid in sorted(price):
        money -= paid
        if money < 0:
            break
        cap = paid
    return cap or money + min(price)  # not even the cheapest: all the money


def _sold(view: View) -> list[Sale]:
    return [s for s in view.state.sales if s.winner is not None]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
