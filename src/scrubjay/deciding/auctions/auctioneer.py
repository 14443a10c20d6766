"""The auctioneer: asks bidders, insists on legal answers, keeps the log.

    begin all → each round: ask everybody at once → re-ask what was illegal, at most ``REASKS``
    times, then count it as a withdrawal → step → after a sale: all update → …

A bidder that raises is out of the lot, with a note in the log: no bidder can stop a game. Only what
a user can act on (a ``ScrubjayError``: a model that is gone, a full disk) ends it.

Source: AucArena (paper 48), 3.2. Ours: at most three re-asks (the paper's loop has no end).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from inspect import isawaitable
from types import MappingProxyType
from typing import Any

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import derive
from scrubjay.core.trace import Trace
from scrubjay.deciding.auctions.beliefs import count_errors
from scrubjay.deciding.auctions.bidder import Bidder
from scrubjay.deciding.auctions.game import AuctionError, English, Item, View, whole
from scrubjay.deciding.auctions.items import Estimates
from scrubjay.deciding.auctions.log import AuctionLog, Believed, Note, Planned, Refused, Round

COMMON = Estimates()
REASKS = 3
"""How often an illegal bid may be corrected before it counts as a withdrawal."""


async def play(
    items: Sequence[Item],
    bidders: Mapping[str, Bidder],
    budgets: int | Mapping[str, int],
    *,
    estimates: Estimates | Mapping[str, Mapping[str, int]] = COMMON,
    increment: float = 0.1,
    discounts: int = 0,
    seed: int = 0,
) -> AuctionLog:
    """Hold one auction. Bidders sit in the order of ``bidders``; they answer at the same moment.

    Args:
        items: in the order of sale.
        bidders: by name.
        budgets: one for all, or one for each.
        estimates: how wrong bidders are about values, or every estimate by bidder and item.
        increment: the least raise, as a share of the start price.
        discounts: how often an unwanted lot's price is halved.
        seed: fixes estimates, draws among equal bids, and what bidders draw.

    Raises:
        AuctionError: see ``English``; budgets or estimates of others than the bidders; a bidder
            that is none, or sits twice.
        ScrubjayError: what a bidder's model raised.
    """
    if not all(isinstance(b, Bidder) for b in bidders.values()):
        raise AuctionError("every seat needs a Bidder")
    if len({id(b) for b in bidders.values()}) < len(bidders):
        raise AuctionError("one bidder can't sit in two seats; make one for each")
    money = dict(budgets) if isinstance(budgets, Mapping) else dict.fromkeys(bidders, budgets)
    if set(money) != set(bidders):
        raise AuctionError("budgets must be those of the bidders, a number each")
    auction = English(items, {b: money[b] for b in bidders}, increment, discounts, seed)
    if isinstance(estimates, Estimates):
        drawn = estimates.draw(items, tuple(bidders), seed)
    else:
        drawn = _checked(estimates, tuple(bidders), auction)
    log = AuctionLog(
        tuple(items), dict(auction.budgets), drawn, increment, discounts, seed,
        goals={b: bidder.goal for b, bidder in bidders.items()},
    )  # fmt: skip
    return await _Auctioneer(auction, dict(bidders), log).run()


def _checked(
    estimates: Mapping[str, Mapping[str, int]], bidders: Sequence[str], auction: English
) -> dict[str, dict[str, int]]:
    """Estimates that were given, if every bidder has one of every item."""
    names = [item.name for item in auction.items]
    for bidder in bidders:
        if missing := [n for n in names if n not in estimates.get(bidder, {})]:
            raise AuctionError(f"'{bidder}' has no estimate of '{missing[0]}'")
    return {
        b: {n: whole(estimates[b][n], f"the estimate of '{n}' by '{b}'") for n in names}
        for b in bidders
    }


class _Auctioneer:
    def __init__(self, auction: English, bidders: dict[str, Bidder], log: AuctionLog) -> None:
        self.auction, self.bidders, self.log = auction, bidders, log
        self._names = tuple(bidders)
        self._estimates = {b: MappingProxyType(dict(log.estimates[b])) for b in bidders}

    async def run(self) -> AuctionLog:
        for name, bidder in self.bidders.items():
            bidder.seed = derive(self.log.seed, "bidder", name)
            bidder.priorities, bidder.beliefs, bidder.trace = {}, None, Trace()
            if isinstance(failed := _guarded(bidder.reveal, self.log.items), Exception):
                self._note(name, failed)
        await self._all("begin")
        while not self.auction.state.over:
            at = self.auction.state.at
            answers = await self._answers()
            sale = self.auction.step(answers)
            self.log.rounds.append(Round(at, answers))
            if self.auction.state.at != at:
                if sale is not None:
                    self.log.sales.append(sale)
                await self._all("after")
        memos = await _gather([_guarded(b.reflect, self.log) for b in self.bidders.values()])
        for (name, bidder), memo in zip(self.bidders.items(), memos):
            if isinstance(memo, Exception):
                self._note(name, memo)
            elif memo:
                self.log.memos[name] = str(memo)
            if bidder.trace.steps:
                self.log.steps[name] = bidder.trace.to_list()
        return self.log

    def _view(self, name: str) -> View:
        auction = self.auction
        return View(name, auction.money[name], self._estimates[name], auction.state, self._names)

    async def _all(self, moment: str) -> None:
        """``begin`` or ``after`` of everybody; their plans and beliefs go into the log."""
        at = self.auction.state.at
        calls = [_guarded(getattr(b, moment), self._view(name)) for name, b in self.bidders.items()]
        for (name, bidder), done in zip(self.bidders.items(), await _gather(calls)):
            if isinstance(done, Exception):
                self._note(name, done)
            if plan := _guarded(_plan, bidder.priorities):
                if isinstance(plan, Exception):
                    self._note(name, plan)
                else:
                    self.log.plans.append(Planned(at, name, plan))
            if bidder.beliefs is not None and moment == "after":
                errors, checked = count_errors(bidder.beliefs, name, self.log)
                self.log.beliefs.append(
                    Believed(at, name, bidder.beliefs.to_dict(), errors, checked)
                )

    async def _answers(self) -> dict[str, int | None]:
        """A legal answer of everybody who is asked."""
        answers: dict[str, int | None] = {}
        waiting = dict.fromkeys(self.auction.asked, "")
        for _ in range(REASKS + 1):
            calls = [
                _guarded(self.bidders[name].bid, self._view(name), problem)
                for name, problem in waiting.items()
            ]
            again: dict[str, str] = {}
            for name, said in zip(waiting, await _gather(calls)):
                answers[name] = None
                if isinstance(said, Exception):
                    self._note(name, said)
                elif problem := self.auction.problem(name, said):
                    self.log.refused.append(
                        Refused(self.auction.state.at, name, repr(said)[:80], problem)
                    )
                    again[name] = problem
                else:
                    answers[name] = None if said is None else whole(said, "a bid")
            waiting = again
            if not waiting:
                break
        for name in waiting:
            self._note(name, f"withdrawn after {REASKS} corrections")
        return answers

    def _note(self, name: str, what: object) -> None:
        text = f"{type(what).__name__}: {what}" if isinstance(what, Exception) else str(what)
        self.log.notes.append(Note(self.auction.state.at, name, text[:400]))


def _plan(priorities: Mapping[str, int]) -> dict[str, int]:
    try:
        return {str(i): whole(p, f"the priority of '{i}'") for i, p in priorities.items()}
    except AuctionError as error:  # the bidder's mistake, not the user's
        raise ValueError(str(error)) from error


def _guarded(call: Any, *given: Any) -> Any:
    """What the call returns; what it raises, as a value."""
    try:
        return call(*given)
    except ScrubjayError:
        raise
    except Exception as error:
        return error


async def _gather(values: Sequence[Any]) -> list[Any]:
    """Values, with those that must be awaited awaited together; errors as values."""
    done = list(values)
    slow = [i for i, v in enumerate(values) if isawaitable(v)]
    if slow:
        results = await asyncio.gather(*(_caught(values[i]) for i in slow))
        for i, result in zip(slow, results):
            done[i] = result
    return done


async def _caught(value: Awaitable[Any]) -> Any:
    try:
        return await value
    except ScrubjayError:
        raise
    except Exception as error:
        return error
