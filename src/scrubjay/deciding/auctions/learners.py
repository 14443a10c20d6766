"""Bidders that learn from game to game how much of its estimate a thing is worth paying for.

    arms      shares c of the estimate to bid up to (0.6, 0.7, …, 1.0)
    a game    c = bandit.select(); bid the least raise while it stays below c · v̂
    reward    1/2 + profit / (2 b B), cut to [0, 1]      (B: the budget; b: profits beyond ± b B are
                                                          all the same to it; a small b tells more)

Any bandit of ``deciding.bandits`` decides: one that sees only its own reward (UCB1, Thompson
sampling, EXP3), or one that is told what every arm would have brought (``feedback`` 'full'), which
is worked out from the log with the others' bids taken as they were:

    with c, item j is won if  c v̂_j ≥ q_j  and  q_j ≤ money left,   q_j: the least that beats others

A state between games must not depend on more than the log: see ``Bidder.learn``.

Source: ours; the paper's bidders (AucArena, 48) learn in words only, see ``language``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scrubjay.deciding.auctions.bidder import Bidder
from scrubjay.deciding.auctions.game import AuctionError, View, whole
from scrubjay.deciding.auctions.log import AuctionLog, replay
from scrubjay.deciding.auctions.rules import affordable, share

if TYPE_CHECKING:
    from scrubjay.deciding.bandits.types import Bandit, SingleBandit

SHADES = (0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass
class LearningBidder(Bidder):
    """Chooses a share of its estimates at the start of every game, by a bandit.

    Args:
        bandit: of ``deciding.bandits``, new; its rewards lie in [0, 1].
        shades: the shares to choose among.
        games: how many games it is told it will play (some bandits tune themselves by that).
        draws: seed of the bandit's own draws.
        swing: b above.

    Raises:
        AuctionError: no shares, or one that is below 0.
    """

    bandit: Bandit
    shades: Sequence[float] = SHADES
    games: int = 1000
    draws: int = 0
    swing: float = 0.25
    _single: SingleBandit = field(init=False, repr=False)
    _arm: int | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        from scrubjay.deciding.bandits.types import SingleBandit

        if not self.shades:
            raise AuctionError("a learning bidder needs at least one share to choose")
        whole(self.games, "the number of games a learning bidder is told", 1)
        if not 0 < self.swing <= 10:
            raise AuctionError(f"the swing of profits must lie in (0, 10], not {self.swing!r}")
        for shade in self.shades:
            share(shade, "a share of the estimate to bid up to", 10)
        self._single = SingleBandit(self.bandit, len(self.shades), self.games, self.draws)

    @property
    def across(self) -> bool:
        return True

    def begin(self, view: View) -> None:
        self._choose()

    def bid(self, view: View, problem: str = "") -> int | None:
        limit = self.shades[self._choose()] * view.estimates[view.state.lot.name]
        return affordable(view) if view.state.floor <= limit else None

    def learn(self, me: str, log: AuctionLog) -> None:
        arm = self._choose()  # a game from the record was never begun here
        reward = self._reward(log.profit(me), log.budgets[me])
        seen = None
        if self.bandit.feedback == "full":
            prices = prices_to_beat(me, log)
            seen = [
                self._reward(profit_with(shade, me, log, prices), log.budgets[me])
                for shade in self.shades
            ]
        self._single.update(arm, reward, seen)
        self._arm = None

    def _reward(self, profit: int, budget: int) -> float:
        return min(1.0, max(0.0, 0.5 + profit / (2 * self.swing * budget)))

    def _choose(self) -> int:
        if self._arm is None:
            self._arm = int(self._single.select())
        return self._arm


def profit_with(shade: float, me: str, log: AuctionLog, prices: Sequence[int]) -> int:
    """What bidding up to ``shade`` of the estimates would have brought, had all others bid alike.

    ``prices``: of ``prices_to_beat``. A lot whose value was never announced counts as not bought.
    """
    money, profit = log.budgets[me], 0
    for price, sale in zip(prices, log.sales):
        limit = shade * log.estimates[me][sale.lot.name]
        if sale.value is not None and price <= min(money, limit):
            money -= price
            profit += sale.value - price
    return profit


def prices_to_beat(me: str, log: AuctionLog) -> list[int]:
    """Per lot, the least legal bid above everything that others bid on it."""
    prices = [item.start for item in log.items]
    steps = {state.at: state.step for state in replay(log) if not state.over}
    for played in log.rounds:
        for bidder, amount in played.answers.items():
            if bidder != me and amount is not None:
                prices[played.at] = max(prices[played.at], amount + steps[played.at])
    return prices
