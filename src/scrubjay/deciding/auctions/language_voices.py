"""How a language model bids: by weighing answers, or by writing them.

    Choosing   bid:    argmax_a  log p(a | auction) − log p(a | "now you call out")
               plan:   1, 2 or 3 for every item, relative to what it would say of any
               books:  who got it?  how much money have I now?  (with the wrong answers that a
                       careless book-keeper gives)
    Writing    bid:    a line, read by ``parse_bid``
               plan, books: the last JSON object in the text

A model that is too small to follow the rules in writing can still tell answers apart. Its leaning
to a wording ("I'm out!" is likelier than any number) is taken out by what it would say knowing
nothing, as pointwise mutual information.

Source: AucArena (paper 48), 3.3, for ``Writing`` (there a second model reads the bids).
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from scrubjay.core.trace import Chose, Cost, Generated, Trace
from scrubjay.deciding.auctions.beliefs import Beliefs, parse_beliefs
from scrubjay.deciding.auctions.game import Sale, View
from scrubjay.models.prompting.prompts import render_prompt
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.models.types import Choice, LanguageModel, Message, Prompt

OUT = '"I\'m out!"'


@dataclass(frozen=True)
class Asker:
    """A model whose every answer is recorded and counted."""

    model: LanguageModel
    trace: Trace
    seed: int = 0

    async def generate(
        self,
        prompt: str,
        most: int,
        *,
        stop: Sequence[str] = (),
        chat: bool = False,
        **values: Any,
    ) -> str:
        """What the model writes after a prompt file, or answers if it is asked in a ``chat``."""
        text, began = _text(prompt, values), time.perf_counter()
        asked: Prompt = [Message("user", text)] if chat else text
        done = await self.model.generate(asked, max_tokens=most, stop=stop, seed=self.seed)
        spent = Cost(done.tokens_in, done.tokens_out, 1, seconds=time.perf_counter() - began)
        self.trace.add(Generated(text, done.text, cost=spent))
        return done.text

    async def choose(self, prompt: str, options: Sequence[str], **values: Any) -> Choice:
        """Which option the model would say after a prompt file."""
        text, began = _text(prompt, values), time.perf_counter()
        choice = await self.model.choose(text, options)
        spent = Cost(choice.tokens_in, choice.tokens_out, 1, seconds=time.perf_counter() - began)
        self.trace.add(
            Chose(
                text, tuple(options), choice.index, choice.probabilities,
                parsed=choice.parsed, cost=spent,
            )
        )  # fmt: skip
        return choice


class Voice(Protocol):
    """Plan, bid and keep books, each by asking a model."""

    async def plan(self, asker: Asker, scene: Mapping[str, Any], view: View) -> Mapping[str, int]:
        """A priority from 1 to 3 by item; empty if the model made none."""
        ...

    async def bid(self, asker: Asker, scene: Mapping[str, Any], view: View, money: int) -> object:
        """An amount, None for out, or a text that is neither. ``money``: what it thinks it has."""
        ...

    async def books(
        self, asker: Asker, before: Beliefs, view: View, wrong: Sequence[str]
    ) -> Beliefs:
        """The books after the last sale; ``wrong``: what was wrong in the last attempt."""
        ...


class Choosing:
    """Weighs given answers; made for small models."""

    async def plan(self, asker: Asker, scene: Mapping[str, Any], view: View) -> Mapping[str, int]:
        options = ("1", "2", "3")
        names = [lot.name for lot in view.state.coming]
        told = [
            await asker.choose("auction_priority", options, **scene, item=one_line(name))
            for name in names
        ]
        if any(choice.parsed for choice in told):  # no probabilities: its word is all there is
            return {name: choice.index + 1 for name, choice in zip(names, told)}
        rows = [_logs(choice) for choice in told]
        # What it says of all things alike is a habit: a priority is what is said of this one more.
        usual = [sum(column) / len(rows) for column in zip(*rows)]
        leanings = [
            sum(k * math.exp(p - u) for k, (p, u) in enumerate(zip(row, usual), 1))
            / sum(math.exp(p - u) for p, u in zip(row, usual))
            for row in rows
        ]
        return dict(zip(names, thirds(leanings)))

    async def bid(self, asker: Asker, scene: Mapping[str, Any], view: View, money: int) -> object:
        floor, step = view.state.floor, view.state.step
        amounts = [a for a in (floor, floor + 2 * step) if a <= money]
        if not amounts or scene["problem"]:
            return None
        options = [*(f'"I bid {a} dollars!"' for a in amounts), OUT]
        told = await asker.choose("auction_bid", options, opening="", **scene)
        best = await self._less_habit(asker, told, "auction_nothing", options)
        return amounts[best] if best < len(amounts) else None

    async def books(
        self, asker: Asker, before: Beliefs, view: View, wrong: Sequence[str]
    ) -> Beliefs:
        if wrong:  # whoever chooses can't say better what it is told: it takes it
            return Beliefs.true(view)
        sale, names = view.state.sales[-1], view.bidders
        winner = None
        if sale.winner is not None:
            shown = ["You" if n == view.me else one_line(n) for n in names]
            history = bids_told(view.state.last, view.me)
            item, hammer = one_line(sale.lot.name), sale_told(sale, view.me)
            told = await asker.choose(
                "auction_who", shown, item=item, history=history, hammer=hammer
            )
            winner = names[
                await self._less_habit(
                    asker, told, "auction_who", shown, item=item, history=[], hammer=""
                )
            ]
        mine = winner == view.me
        sums = [before.money - sale.price, before.money, before.money - sale.lot.start]
        options = list(dict.fromkeys(str(max(0, s)) for s in sums))
        believed = sale_told(replace(sale, winner=winner), view.me)
        left = await asker.choose(
            "auction_money", options,
            money=before.money, hammer=believed, mine=mine, price=sale.price,
        )  # fmt: skip
        money = int(options[left.index])
        return _booked(before, winner, sale.lot.name, sale.price, sale.value, money)

    @staticmethod
    async def _less_habit(
        asker: Asker, told: Choice, prompt: str, options: Sequence[str], **values: Any
    ) -> int:
        """The option said more readily than after a prompt that tells nothing."""
        if told.parsed:  # no probabilities: the model's word is all there is
            return told.index
        habit = await asker.choose(prompt, options, **values)
        gains = [a - b for a, b in zip(_logs(told), _logs(habit))]
        return max(range(len(gains)), key=gains.__getitem__)


@dataclass(frozen=True)
class Writing:
    """Writes, and is read; for models that can follow a format."""

    tokens: int = 300
    """Most tokens of a plan or of books."""
    chat: bool = False
    """Ask for plans and books as a turn of a chat: for instructed models of some size. Bids are
    always continued text."""

    async def plan(self, asker: Asker, scene: Mapping[str, Any], view: View) -> Mapping[str, int]:
        text = await asker.generate("auction_plan", self.tokens, chat=self.chat, **scene)
        return parse_plan(text, [lot.name for lot in view.state.coming])

    async def bid(self, asker: Asker, scene: Mapping[str, Any], view: View, money: int) -> object:
        text = await asker.generate("auction_bid", 24, stop=("\n", '"'), opening=' "I', **scene)
        try:
            return parse_bid("I " + text.lstrip())
        except ValueError:
            return text

    async def books(
        self, asker: Asker, before: Beliefs, view: View, wrong: Sequence[str]
    ) -> Beliefs:
        text = await asker.generate(
            "auction_status", self.tokens, chat=self.chat,
            me=one_line(view.me), bidders=[one_line(b) for b in view.bidders],
            before=one_line(json.dumps(before.to_dict(), ensure_ascii=False)),
            history=bids_told(view.state.last, view.me),
            hammer=sale_told(view.state.sales[-1], view.me), wrong=list(wrong),
        )  # fmt: skip
        return _named(parse_beliefs(text), view) or before


def parse_bid(text: str) -> int | None:
    """The amount of "I bid $2,400!"; None for "I'm out!".

    Of several amounts the one after the word "bid" counts, else the only one there is.

    Raises:
        ValueError: the text says neither, or is unclear.
    """
    plain = text.replace("’", "'")
    bids = re.findall(r"\bbid[^\d\n.!?\-−]{0,30}(\d[\d,]*)", plain, re.IGNORECASE)
    if not bids and re.search(r"\b(i ?'?m out|i am out|withdraw|pass\b)", plain, re.IGNORECASE):
        return None
    numbers = bids or re.findall(r"(?<![-−\d.])\d[\d,]*", plain)
    amounts = {int(n.replace(",", "")) for n in numbers}
    if len(amounts) != 1:
        raise ValueError("no bid and no withdrawal can be read")
    return amounts.pop()


def parse_plan(text: str, names: Sequence[str]) -> dict[str, int]:
    """Priorities of known items from the last JSON object of ``text``; others are passed over."""
    found: dict[str, int] = {}
    for match in re.finditer(r"\{[^{}]*\}", text):
        try:
            value = json.loads(match[0])
        except ValueError:
            continue
        shown = {one_line(name): name for name in names}
        rows = {shown[k]: v for k, v in value.items() if k in shown}
        found = {k: v for k, v in rows.items() if type(v) is int and 1 <= v <= 3} or found
    return found


def thirds(values: Sequence[float]) -> list[int]:
    """1, 2 or 3 by third of the order; equal values get the same."""
    order = sorted(values)
    return [1 + min(2, 3 * order.index(v) // len(order)) for v in values]


def bids_told(bids: Any, me: str) -> list[str]:
    """A lot's bids as sentences, a line each."""
    return [
        f"{'You bid' if b == me else one_line(b) + ' bids'} {amount} dollars."
        for given in bids
        for b, amount in given
    ]


def sale_told(sale: Sale, me: str) -> str:
    """What the auctioneer announces at the hammer."""
    name = one_line(sale.lot.name)
    if sale.winner is None:
        return f"Nobody buys {name}."
    who = "You buy" if sale.winner == me else f"{one_line(sale.winner)} buys"
    return f"{who} {name} for {sale.price} dollars. It is worth {sale.value} dollars."


def status_told(books: Beliefs, view: View) -> str:
    """The books in a sentence."""
    mine = books.wins.get(view.me, {})
    bought = ", ".join(f"{one_line(i)} for {p}" for i, p in mine.items()) or "nothing"
    profits = ", ".join(f"{one_line(b)} {books.profits.get(b, 0)}" for b in view.bidders)
    return f"you bought {bought}; profits: {profits}."


def _logs(choice: Choice) -> list[float]:
    """Log-probabilities of the options, each up to the same constant."""
    return [math.log(max(p, 1e-12)) for p in choice.probabilities]


def _named(beliefs: Beliefs | None, view: View) -> Beliefs | None:
    """The same with the names that prompts show on one line as they really are."""
    if beliefs is None:
        return None
    real = {one_line(n): n for n in (*view.bidders, *(lot.name for lot in view.state.lots))}
    return Beliefs(
        beliefs.money,
        {real.get(b, b): p for b, p in beliefs.profits.items()},
        {
            real.get(b, b): {real.get(i, i): p for i, p in won.items()}
            for b, won in beliefs.wins.items()
        },
    )


def _booked(
    before: Beliefs, winner: str | None, item: str, price: int, value: int | None, money: int
) -> Beliefs:
    profits, wins = dict(before.profits), {b: dict(w) for b, w in before.wins.items()}
    if winner is not None:
        profits[winner] = profits.get(winner, 0) + (value or 0) - price
        wins.setdefault(winner, {})[item] = price
    return Beliefs(money, profits, wins)


def _text(prompt: str, values: Mapping[str, Any]) -> str:
    (turn,) = render_prompt("scrubjay.deciding", prompt, **values)
    return turn.content
