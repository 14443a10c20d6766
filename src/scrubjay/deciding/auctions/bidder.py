"""What a bidder is: four moments of a game, and what it carries from one game to the next.

    begin(view)          before the first lot: make a plan            -> (kept as priorities)
    bid(view, problem)   a round: an amount, or None = out of this lot
    after(view)          a lot was sold: update beliefs, plan again   -> (kept as beliefs)
    reflect(log)         the game is over: something to remember, in words
    learn(log)           the same, for what can be recomputed from the log

Any of the first four may be a coroutine (a language model is asked in them); plain functions keep
thousands of games a minute possible. ``learn`` is called again for every recorded game when a
killed tournament goes on, so it must depend on the log alone.

Source: AucArena (paper 48), 3.3 and section 5 of our sheet (there: ``Mind``).
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from scrubjay.core.trace import Trace
from scrubjay.deciding.auctions.game import Item, View

if TYPE_CHECKING:
    from scrubjay.deciding.auctions.beliefs import Beliefs
    from scrubjay.deciding.auctions.log import AuctionLog

Goal = Literal["profit", "items"]


@dataclass(kw_only=True)
class Bidder:
    """The base of all bidders: never bids. Everything but ``bid`` may be left as it is."""

    goal: Goal = "profit"
    """'profit': the most money; 'items': as many items as possible."""
    seed: int = field(default=0, init=False)
    """Set before ``begin``: fixes what the bidder draws in this game."""
    priorities: Mapping[str, int] = field(default_factory=dict, init=False)
    """The plan in force: 1 (give it up if needed) to 3 (first of all), by item; may be empty."""
    beliefs: Beliefs | None = field(default=None, init=False)
    """Its own account of the game, if it keeps one by itself."""
    trace: Trace = field(default_factory=Trace, init=False)
    """What a model was asked in this game."""

    @property
    def across(self) -> bool:
        """Whether it changes from game to game: then games are played one after another."""
        return False

    def fresh(self) -> Self:
        """One like this for another game at the same time; a model may be shared."""
        return copy.deepcopy(self)

    async def check(self) -> None:
        """Before anything is played.

        Raises:
            ScrubjayError: its model can't be asked.
        """

    async def close(self) -> None:
        """When nothing is played any more."""

    def begin(self, view: View) -> Awaitable[None] | None:
        """Before the first lot."""
        return None

    def bid(self, view: View, problem: str = "") -> object:
        """An amount, or None; or one that is awaited. What is neither is refused as a bid.
        ``problem``: why the last answer was illegal, if it was."""
        return None

    def after(self, view: View) -> Awaitable[None] | None:
        """A lot has just been sold, or not: ``view.state.sales[-1]``."""
        return None

    def reflect(self, log: AuctionLog) -> Awaitable[str] | str:
        """What to remember of a finished game in words; kept in the log (``log.memos``)."""
        return ""

    def learn(self, me: str, log: AuctionLog) -> None:
        """What to remember of a finished game that the log tells."""

    def reveal(self, items: tuple[Item, ...]) -> None:
        """The true values, before ``begin``. For oracles; others must not override this."""

    def settle(self) -> None:
        """Forget what makes results depend on what ran before (caches of a model)."""
