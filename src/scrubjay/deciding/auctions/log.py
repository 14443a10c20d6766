"""The record of one auction, and its replay.

A log holds what was fixed before (items, money, estimates, the seed of draws), every round of
answers, and what cannot be derived: refused bids, plans, beliefs, what models were asked. States
are not stored: ``replay`` plays the answers again and checks every sale against the record.

    for state in replay(log):      # AuctionError → InputError if the log contradicts the rules
        print(state.lot, state.price, state.leader)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.deciding.auctions.game import AuctionError, English, Item, Lot, Sale, State


@dataclass(frozen=True, slots=True)
class Round:
    """One round: the lot's position, and each asked bidder's final answer (None: out)."""

    at: int
    answers: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Refused:
    """A bid that was no legal one, and why."""

    at: int
    bidder: str
    said: str
    reason: str


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan a bidder had once ``at`` lots were sold."""

    at: int
    bidder: str
    priorities: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Believed:
    """What a bidder believed once ``at`` lots were sold, and where that was wrong."""

    at: int
    bidder: str
    believed: Mapping[str, Any]
    """As ``Beliefs.to_dict``."""
    errors: Mapping[str, int]
    """Wrong entries by kind, see ``beliefs.belief_errors``."""
    checked: Mapping[str, int]
    """How many entries of each kind there were to get wrong."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that went wrong with a bidder; the auction went on without it."""

    at: int
    bidder: str
    text: str


@dataclass(slots=True)
class AuctionLog:
    """Everything about one auction. ``to_dict`` and ``from_dict`` go through JSON unchanged."""

    items: tuple[Item, ...]
    budgets: Mapping[str, int]
    estimates: Mapping[str, Mapping[str, int]]
    increment: float = 0.1
    discounts: int = 0
    seed: int = 0
    game: int = 0
    """Its number in a tournament."""
    setting: str = ""
    """Its setting in a tournament."""
    goals: Mapping[str, str] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    plans: list[Planned] = field(default_factory=list)
    beliefs: list[Believed] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    memos: dict[str, str] = field(default_factory=dict)
    """What bidders wrote down for later games."""
    steps: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What was asked of language models, by bidder (``Trace.to_list``)."""

    @property
    def bidders(self) -> tuple[str, ...]:
        """In the order of their seats."""
        return tuple(self.budgets)

    def profit(self, bidder: str) -> int:
        """Σ (v − p) over what the bidder won."""
        return sum((s.value or 0) - s.price for s in self.sales if s.winner == bidder)

    def won(self, bidder: str) -> list[Sale]:
        """The bidder's purchases."""
        return [s for s in self.sales if s.winner == bidder]

    def money(self, bidder: str) -> int:
        """What is left of the budget."""
        return self.budgets[bidder] - sum(s.price for s in self.won(bidder))

    def game_again(self) -> English:
        """The auction as it was before the first bid."""
        return English(self.items, self.budgets, self.increment, self.discounts, self.seed)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {**asdict(self), "budgets": [[b, m] for b, m in self.budgets.items()]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> AuctionLog:
        """The inverse of ``to_dict``.

        Raises:
            InputError: not the record of an auction.
        """
        try:
            given = {f.name: value[f.name] for f in fields(cls) if f.name in value}
            given["items"] = tuple(Item(**i) for i in value["items"])
            # A list, since JSON with sorted keys forgets the seats.
            given["budgets"] = dict(value["budgets"])
            for name, kind in _KINDS.items():
                given[name] = [kind(**v) for v in value[name]]
            given["sales"] = [Sale(**{**s, "lot": Lot(**s["lot"])}) for s in value["sales"]]
            return cls(**given)
        except (KeyError, TypeError, ValueError, AttributeError, AuctionError) as error:
            raise InputError(f"not the record of an auction ({error})") from error


_KINDS: dict[str, Any] = {
    "rounds": Round,
    "refused": Refused,
    "plans": Planned,
    "beliefs": Believed,
    "notes": Note,
}


def replay(log: AuctionLog) -> Iterator[State]:
    """Every state of the auction, the one before the first bid first, the final one last.

    Raises:
        InputError: an answer breaks the rules, or a sale is not the one that was recorded.
    """
    number, sales = 0, 0
    try:
        auction = log.game_again()
        yield auction.state
        for played in log.rounds:
            number += 1
            if played.at != auction.state.at:
                raise AuctionError(f"it is of lot {played.at}, not of lot {auction.state.at}")
            sale = auction.step(played.answers)
            if sale is not None:
                sales += 1
                if log.sales[sales - 1 : sales] != [sale]:
                    raise AuctionError(f"the sale of '{sale.lot.name}' is not the recorded one")
            yield auction.state
        if not auction.state.over or sales != len(log.sales):
            raise AuctionError("the record ends before the auction or sells more than was played")
    except AuctionError as error:
        raise InputError(
            f"the record of game {log.game} can't be replayed beyond round {number}: {error}"
        ) from error
