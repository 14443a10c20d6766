"""A bidder's own account of the game, and how wrong it is.

    {"remaining_budget": 16400,
     "total_profits": {"A": 900, "B": 0},
     "winning_bids": {"A": {"Item 3": 3600}, "B": {}}}

Language models are bad book-keepers. Every entry is held against the truth, which anybody could
have computed from the announced sales: about oneself (money, profit, purchases) and about others
(profits, purchases). ``corrections`` says what is wrong, in sentences to hand back.

Source: AucArena (paper 48), 3.3 and 3.5.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scrubjay.deciding.auctions.game import View
from scrubjay.deciding.auctions.log import AuctionLog

KINDS = ("own money", "own profit", "own wins", "others' profit", "others' wins")


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What a bidder thinks it has, who earned what, and who bought what for how much."""

    money: int
    profits: Mapping[str, int] = field(default_factory=dict)
    wins: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """In the paper's JSON schema."""
        return {
            "remaining_budget": self.money,
            "total_profits": dict(self.profits),
            "winning_bids": {b: dict(won) for b, won in self.wins.items()},
        }

    @classmethod
    def true(cls, view: View) -> Beliefs:
        """The account without a mistake."""
        profits = dict.fromkeys(view.bidders, 0)
        wins: dict[str, dict[str, int]] = {b: {} for b in view.bidders}
        for sale in view.state.sales:
            if sale.winner is not None:
                profits[sale.winner] += (sale.value or 0) - sale.price
                wins[sale.winner][sale.lot.name] = sale.price
        return cls(view.money, profits, wins)


def parse_beliefs(text: str) -> Beliefs | None:
    """The last JSON object of ``text`` that has the schema; None if there is none.

    Numbers may be written as text with signs and commas ("$1,200"); sums are not worked out.
    Bidders and items are kept as they are named: unknown ones count as errors, not as reasons to
    drop the whole.
    """
    found, text = None, text[-20_000:]
    decoder = json.JSONDecoder()
    begin = text.find("{")
    while begin >= 0:
        try:
            value, length = decoder.raw_decode(text[begin:])
        except (ValueError, RecursionError):
            begin = text.find("{", begin + 1)
            continue
        made = _beliefs(value)
        found = made or found
        begin = text.find("{", begin + length)
    return found


def _beliefs(value: Any) -> Beliefs | None:
    keys = ("remaining_budget", "total_profits", "winning_bids")
    if not isinstance(value, dict) or any(k not in value for k in keys):
        return None
    money, profits, wins = (value[k] for k in keys)
    try:
        return Beliefs(
            _number(money),
            {str(b): _number(p) for b, p in profits.items()},
            {
                str(b): {str(i): _number(p) for i, p in (won or {}).items()}
                for b, won in wins.items()
            },
        )
    except (TypeError, ValueError, AttributeError):
        return None


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError("not a number")
    if isinstance(value, str):
        plain = re.sub(r"[\s$,_]", "", value)
        if not re.fullmatch(r"[-+]?\d{1,15}(\.0+)?", plain):
            raise ValueError("not a number")
        return int(float(plain))
    if not math.isfinite(value):
        raise ValueError("not a number")
    return int(value)


def _wrong(beliefs: Beliefs, me: str, truth: Beliefs) -> list[tuple[str, str, bool]]:
    """(kind, sentence, whether it is wrong) of every entry that can be wrong."""
    rows = [("own money", f"your money is {truth.money}", beliefs.money != truth.money)]
    for bidder, profit in truth.profits.items():
        mine = bidder == me
        wrong = beliefs.profits.get(bidder) != profit
        kind = "own profit" if mine else "others' profit"
        rows.append((kind, f"the profit of {bidder} is {profit}", wrong))
        won = dict(truth.wins.get(bidder, {}))
        wrong = dict(beliefs.wins.get(bidder, {})) != won
        bought = ", ".join(f"{item} for {price}" for item, price in won.items()) or "nothing"
        kind = "own wins" if mine else "others' wins"
        rows.append((kind, f"{bidder} bought {bought}", wrong))
    for kind, named in (("others' profit", beliefs.profits), ("others' wins", beliefs.wins)):
        unknown = [b for b in named if b not in truth.profits]
        rows += [(kind, f"there is no bidder {b}", True) for b in unknown]
    return rows


def corrections(beliefs: Beliefs, view: View) -> list[str]:
    """What is wrong, each as the sentence that would be right; empty: nothing."""
    return [s for _, s, wrong in _wrong(beliefs, view.me, Beliefs.true(view)) if wrong]


def belief_errors(beliefs: Beliefs, view: View) -> dict[str, int]:
    """Wrong entries by kind (``KINDS``)."""
    return _counted(beliefs, view.me, Beliefs.true(view))[0]


def count_errors(
    beliefs: Beliefs, me: str, log: AuctionLog
) -> tuple[dict[str, int], dict[str, int]]:
    """(wrong entries, entries) by kind, against the sales in the log so far."""
    truth = Beliefs(
        log.money(me),
        {b: log.profit(b) for b in log.bidders},
        {b: {s.lot.name: s.price for s in log.won(b)} for b in log.bidders},
    )
    return _counted(beliefs, me, truth)


def _counted(beliefs: Beliefs, me: str, truth: Beliefs) -> tuple[dict[str, int], dict[str, int]]:
    errors, checked = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for kind, _, wrong in _wrong(beliefs, me, truth):
        checked[kind] += 1
        errors[kind] += wrong
    return errors, checked
