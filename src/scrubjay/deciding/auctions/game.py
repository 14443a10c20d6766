"""Open ascending (English) auctions of one item after another, as a pure state machine.

    for item in order:
        floor = s                                     s: the item's start price
        repeat:  everybody who is neither leading nor out answers: an amount ≥ floor, or None = out
                 nobody ever bid                    -> unsold (or the price is halved, all back in)
                 one bid at once, or no bid any more -> sold to the leader for the highest amount
                 floor = highest amount + max(1, int(δ s))

    profit of i: U_i = Σ_j (v_j − p_j) x_ij        with  Σ_j p_j x_ij ≤ B_i,   Σ_i x_ij ≤ 1

Answers of a round are simultaneous: the floor of all of them is the *previous* round's maximum, so
two may name the same amount; then a fair draw says who leads. Nothing here asks or waits: whoever
drives it calls ``problem`` for a bid that may be illegal and ``step`` with a whole round of legal
answers. After a sale the true value v_j is announced, as in AucArena.

Source: AucArena (paper 48), section 3.2 of our sheet. Ours: the least raise is at least one unit
(with start prices below 10 the paper's is 0, and two bidders could go on forever), and the draw is
even among any number of equal bids (drawn one by one in order of arrival it favours the last).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import stream

ROUNDS = 1_000_000
"""More than this no auction may take: somebody would wait for it."""


class AuctionError(ScrubjayError):
    """Items, budgets or bids that no auction can be held with."""


def whole(value: object, what: str, least: int = 0) -> int:
    """``value`` as a whole number of money.

    Raises:
        AuctionError: it is no whole number (``True`` and 3.0 are none), or below ``least``.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or number < least:
        raise AuctionError(f"{what} must be a whole number of at least {least}, not {value!r}")
    return number


@dataclass(frozen=True, slots=True)
class Item:
    """Something to be sold; ``value`` is what it brings on resale, hidden until it is sold.

    Raises:
        AuctionError: no name, or a price that is not a whole number above 0.
    """

    name: str
    start: int
    value: int

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise AuctionError("an item needs a name")
        object.__setattr__(self, "start", whole(self.start, f"start price of '{self.name}'", 1))
        object.__setattr__(self, "value", whole(self.value, f"value of '{self.name}'"))


@dataclass(frozen=True, slots=True)
class Lot:
    """An item as everybody sees it."""

    name: str
    start: int


@dataclass(frozen=True, slots=True)
class Sale:
    """How a lot ended. Unsold: no ``winner``, price 0, and the value stays hidden."""

    lot: Lot
    winner: str | None
    price: int
    value: int | None


@dataclass(frozen=True, slots=True)
class State:
    """What everybody knows. Immutable: a bidder may keep it, and can't change the game by it."""

    lots: tuple[Lot, ...]
    """All of them, in the order of sale."""
    at: int
    """Position of the lot being sold; ``len(lots)`` when the auction is over."""
    floor: int
    """The least amount that can be bid."""
    step: int
    """The least raise of this lot."""
    round: int = 0
    price: int | None = None
    """The highest amount bid so far."""
    leader: str | None = None
    out: frozenset[str] = frozenset()
    """Who withdrew from this lot."""
    bids: tuple[tuple[tuple[str, int], ...], ...] = ()
    """(bidder, amount) of this lot, by round."""
    sales: tuple[Sale, ...] = ()
    last: tuple[tuple[tuple[str, int], ...], ...] = ()
    """``bids`` of the lot before this one, as they were at its end."""

    @property
    def over(self) -> bool:
        return self.at == len(self.lots)

    @property
    def lot(self) -> Lot:
        """The lot being sold."""
        return self.lots[self.at]

    @property
    def coming(self) -> tuple[Lot, ...]:
        """The lot being sold and all after it."""
        return self.lots[self.at :]


@dataclass(frozen=True, slots=True)
class View:
    """What one bidder knows: the public state, its own money and its own estimates."""

    me: str
    money: int
    """Its budget less what it paid."""
    estimates: Mapping[str, int]
    """Its own guess of every item's value, by name."""
    state: State
    bidders: tuple[str, ...]
    """Everybody, itself included."""


@dataclass
class English:
    """One auction: ``state`` to look at, ``step`` to go on.

    Args:
        items: in the order of sale.
        budgets: money by bidder, in the order of their seats.
        increment: δ, the least raise as a share of the start price.
        discounts: how often the start price of a lot nobody wants is halved before it goes unsold.
        seed: fixes the draws among equal bids.

    Raises:
        AuctionError: no items, a name twice, fewer than two bidders, a budget below 1, an
            increment outside (0, 1], or raises so small that it could go on for ever.
    """

    items: Sequence[Item]
    budgets: Mapping[str, int]
    increment: float = 0.1
    discounts: int = 0
    seed: int = 0
    state: State = field(init=False)
    money: dict[str, int] = field(init=False)
    _halved: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.items = tuple(self.items)
        if not self.items:
            raise AuctionError("an auction needs at least one item")
        names = [item.name for item in self.items]
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise AuctionError(f"two items are called '{twice}'; names tell items apart")
        if len(self.budgets) < 2:
            raise AuctionError("an auction needs at least two bidders")
        if not all(isinstance(b, str) and b.strip() for b in self.budgets):
            raise AuctionError("every bidder needs a name")
        self.money = {b: whole(m, f"budget of '{b}'", 1) for b, m in self.budgets.items()}
        if not 0 < self.increment <= 1:
            raise AuctionError(f"the increment must be a share in (0, 1], not {self.increment!r}")
        self.discounts = whole(self.discounts, "the number of discounts")
        least = self._least_raise(min(item.start for item in self.items))
        if max(self.money.values()) // least > ROUNDS:
            raise AuctionError(
                f"with budgets of {max(self.money.values())} and raises of {least} an auction "
                f"could take more than {ROUNDS} rounds; raise the start prices or the increment"
            )
        self.state = self._open(tuple(Lot(i.name, i.start) for i in self.items), 0, ())

    @property
    def asked(self) -> tuple[str, ...]:
        """Who must answer now: all that are neither leading nor out (nobody when it is over)."""
        s = self.state
        if s.over:
            return ()
        return tuple(b for b in self.money if b != s.leader and b not in s.out)

    def problem(self, bidder: str, answer: object) -> str:
        """Why this answer is illegal, in a sentence for the bidder; empty when it is legal."""
        if answer is None:
            return ""
        try:
            amount = whole(answer, "a bid")
        except AuctionError as error:
            return str(error)
        if amount > self.money[bidder]:
            return f"{amount} is more than the {self.money[bidder]} that are left"
        if amount < self.state.floor:
            return f"{amount} is below {self.state.floor}, the least that can be bid now"
        return ""

    def step(self, answers: Mapping[str, int | None]) -> Sale | None:
        """Go on by a round of answers, one from each of ``asked``; the sale if it ended a lot.

        Raises:
            AuctionError: an answer is missing, illegal or nobody's; nothing is changed then.
        """
        if self.state.over:
            raise AuctionError("the auction is over; nothing can be bid any more")
        if set(answers) != set(self.asked):
            raise AuctionError(
                f"a round needs the answers of {', '.join(self.asked) or 'nobody'}, "
                f"not of {', '.join(map(str, answers)) or 'nobody'}"
            )
        for bidder, answer in answers.items():
            if problem := self.problem(bidder, answer):
                raise AuctionError(f"{bidder}: {problem}")
        s = self.state
        bids = tuple((b, int(a)) for b in self.asked if (a := answers[b]) is not None)
        out = s.out | {b for b, a in answers.items() if a is None}
        if not bids:
            return self._none_bid(out)
        price = max(amount for _, amount in bids)
        equal = [b for b, amount in bids if amount == price]
        if len(equal) == 1:
            leader = equal[0]
        else:
            leader = stream(self.seed, "equal bids", s.at, self._halved, s.round).choice(equal)
        self.state = replace(
            s, floor=price + s.step, round=s.round + 1, price=price, leader=leader, out=out,
            bids=(*s.bids, bids),
        )  # fmt: skip
        return self._sell() if s.round == 0 and len(bids) == 1 else None

    def _none_bid(self, out: frozenset[str]) -> Sale | None:
        s = self.state
        if s.leader is not None:
            return self._sell()
        if self._halved < self.discounts:
            self._halved += 1
            floor = max(1, s.lot.start // 2**self._halved)
            self.state = replace(s, floor=floor, out=frozenset())
            return None
        return self._close(Sale(s.lot, None, 0, None))

    def _sell(self) -> Sale:
        s = self.state
        assert s.leader is not None
        assert s.price is not None
        self.money[s.leader] -= s.price
        assert self.money[s.leader] >= 0
        return self._close(Sale(s.lot, s.leader, s.price, self.items[s.at].value))

    def _close(self, sale: Sale) -> Sale:
        s = self.state
        self._halved = 0
        self.state = replace(self._open(s.lots, s.at + 1, (*s.sales, sale)), last=s.bids)
        return sale

    def _open(self, lots: tuple[Lot, ...], at: int, sales: tuple[Sale, ...]) -> State:
        if at == len(lots):
            return State(lots, at, 0, 0, sales=sales)
        raised = self._least_raise(lots[at].start)
        return State(lots, at, lots[at].start, raised, sales=sales)

    def _least_raise(self, start: int) -> int:
        # a hair more, for products such as 0.7 * 10 = 6.999…
        return max(1, math.floor(self.increment * start + 1e-9))
