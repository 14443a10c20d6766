"""A language model that bids: beliefs, desire and plan in words, around the same four moments.

    begin   plan: a priority 1–3 for everything                              ('static', 'adaptive')
    bid     who I am, my money, my plan, this lot's bids  ->  "I bid 2400!" or "I'm out!"
    after   bring the books up to date from what was announced; plan again            ('adaptive')
    reflect notes for the next game                                                     (``learns``)

How it decides is one of two *voices*: ``Choosing``, for models of any size, weighs given answers;
``Writing`` lets the model write and reads what it wrote (``language_voices``). The money and the
purchases in its prompts are what it believes, not what is true: a model that keeps bad books bids
what it cannot pay, which the auctioneer refuses and counts. With ``checks`` mistakes are handed
back, up to ``TRIES`` times.

Names of items and bidders, refusals and the model's own notes enter prompts on one line and
harmless (``one_line``): an item can't speak for the auctioneer.

Source: AucArena (paper 48), 3.3. Ours: the choosing voice; shorter prompts; the model's thoughts
before a bid are not asked for.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args
from weakref import WeakValueDictionary

from scrubjay.core.errors import UnknownName
from scrubjay.deciding.auctions.beliefs import Beliefs, corrections
from scrubjay.deciding.auctions.bidder import Bidder
from scrubjay.deciding.auctions.game import AuctionError, View
from scrubjay.deciding.auctions.language_voices import (
    Asker,
    Choosing,
    Voice,
    Writing,
    bids_told,
    sale_told,
    status_told,
)
from scrubjay.deciding.auctions.log import AuctionLog
from scrubjay.models.load import load_model
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.models.types import LanguageModel

Strategy = Literal["none", "static", "adaptive"]
TRIES = 4
"""How often wrong books are handed back."""


@dataclass
class LanguageBidder(Bidder):
    """Any language model as a bidder; see the top of this file.

    Raises:
        UnknownName: no such strategy.
    """

    model: LanguageModel
    strategy: Strategy = "adaptive"
    voice: Voice = field(default_factory=Choosing)
    checks: bool = True
    learns: bool = False
    _notes: str = field(default="", init=False, repr=False)
    _me: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        if self.strategy not in get_args(Strategy):
            raise UnknownName("strategy of a bidder", self.strategy, get_args(Strategy))

    @property
    def across(self) -> bool:
        return self.learns

    def fresh(self) -> Self:
        return copy.copy(self)  # begin() gives it a plan and books of its own

    def settle(self) -> None:
        self.model.settle()

    async def check(self) -> None:
        await self.model.check()

    async def close(self) -> None:
        await self.model.close()

    async def begin(self, view: View) -> None:
        self._me, self.beliefs = view.me, Beliefs.true(view)
        self.priorities = {}
        if self.strategy != "none":
            self.priorities = await self.voice.plan(self._asker(), self._scene(view), view)

    async def bid(self, view: View, problem: str = "") -> object:
        lot = view.state.lot
        scene = self._scene(view) | {
            "item": one_line(lot.name),
            "start": lot.start,
            "estimate": view.estimates[lot.name],
            "later": len(view.state.coming) - 1,
            "floor": view.state.floor,
            "history": bids_told(view.state.bids, view.me),
            "plan": self.priorities.get(lot.name, 0),
            "problem": one_line(problem),
        }
        return await self.voice.bid(self._asker(), scene, view, self._books.money)

    async def after(self, view: View) -> None:
        books = self._books
        wrong: list[str] = []
        for _ in range(TRIES if self.checks else 1):
            books = await self.voice.books(self._asker(), self._books, view, wrong)
            wrong = [one_line(w) for w in corrections(books, view)]
            if not wrong:
                break
        self.beliefs = books
        if self.strategy == "adaptive" and not view.state.over:
            plan = await self.voice.plan(self._asker(), self._scene(view), view)
            self.priorities = plan or self.priorities

    async def reflect(self, log: AuctionLog) -> str:
        if not self.learns:
            return ""
        me = self._me
        history = [one_line(sale_told(s, me)) for s in log.sales]
        profits = ", ".join(f"{one_line(b)} {log.profit(b)}" for b in log.bidders)
        values: dict[str, Any] = {"me": one_line(me), "history": history, "profits": profits}
        written = await self._asker().generate(
            "auction_learn", 80, stop=("\n\n",), learned=self._notes, **values
        )
        return one_line(written)[:400]

    def learn(self, me: str, log: AuctionLog) -> None:
        if self.learns:
            self._notes = one_line(log.memos.get(me, ""))[:400]

    @property
    def _books(self) -> Beliefs:
        assert self.beliefs is not None  # since begin()
        return self.beliefs

    def _asker(self) -> Asker:
        return Asker(self.model, self.trace, self.seed)

    def _scene(self, view: View) -> dict[str, Any]:
        """What every prompt may tell."""
        books = self._books
        return {
            "me": one_line(view.me),
            "goal": self.goal,
            "money": books.money,
            "learned": self._notes,
            "status": status_told(books, view) if view.state.sales else "",
            "items": [
                {
                    "name": one_line(lot.name),
                    "start": lot.start,
                    "estimate": view.estimates[lot.name],
                }
                for lot in view.state.coming
            ],
        }


_LOADED: WeakValueDictionary[str, LanguageModel] = WeakValueDictionary()


def _shared(spec: str) -> LanguageModel:
    """One model for all seats that name it."""
    model = _LOADED.get(spec)
    if model is None:
        model = _LOADED[spec] = load_model(spec)
    return model


def language_bidder(settings: str) -> LanguageBidder:
    """``MODEL`` or ``MODEL|static+write+check+learn+items``: a bidder for the command line.

    Without a strategy it is adaptive; it chooses unless it is told to write; books are not
    checked and nothing is learned from game to game unless it is said.

    Raises:
        AuctionError: no model, or an unknown switch.
        ScrubjayError: the model can't be loaded.
    """
    name, _, rest = settings.partition("|")
    switches = [s for s in rest.split("+") if s]
    strategies = [s for s in switches if s in get_args(Strategy)]
    known = {"write", "chat", "check", "learn", "items"}
    if not name or len(strategies) > 1 or set(switches) - known - set(strategies):
        raise AuctionError(
            f"'lm:{settings}' names no bidder; write lm:MODEL or lm:MODEL|SWITCHES, with none, "
            "static or adaptive, and write, chat, check, learn, items, joined by +"
        )
    return LanguageBidder(
        _shared(name),
        strategy=strategies[0] if strategies else "adaptive",  # type: ignore[arg-type]
        voice=Writing(chat="chat" in switches) if "write" in switches else Choosing(),
        checks="check" in switches,
        learns="learn" in switches,
        goal="items" if "items" in switches else "profit",
    )
