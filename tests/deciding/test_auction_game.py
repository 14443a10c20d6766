"""The auction itself: rules by hand, budgets as a property, logs that replay."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import InputError, ScrubjayError, UnknownName
from scrubjay.core.files import dump_json
from scrubjay.deciding.auctions import (
    AuctionError,
    AuctionLog,
    Bidder,
    English,
    Estimates,
    GreedyBidder,
    Item,
    RandomBidder,
    RuleBidder,
    View,
    item_set,
    play,
    replay,
)

VASE, CHAIR = Item("Vase", 100, 200), Item("Chair", 50, 90)


def english(**more: Any) -> English:
    return English((VASE, CHAIR), {"a": 300, "b": 300, "c": 120}, **more)


def test_a_lot_by_hand() -> None:
    game = english()
    assert (game.state.floor, game.state.step, game.asked) == (100, 10, ("a", "b", "c"))
    assert game.step({"a": 100, "b": 120, "c": 120}) is None
    # both named the same amount: a draw says who leads; the other may answer
    assert game.state.leader in ("b", "c")
    assert game.state.price == 120
    assert game.state.floor == 130
    other = "c" if game.state.leader == "b" else "b"
    assert set(game.asked) == {"a", other}
    assert "more than the 120 that are left" in game.problem("c", 131)
    assert "below 130" in game.problem("b", 129)
    assert game.step({"a": 200, other: None}) is None
    leader_before = "b" if other == "c" else "c"
    assert game.asked == (leader_before,)
    sale = game.step({leader_before: None})
    assert sale is not None
    assert (sale.winner, sale.price, sale.value) == ("a", 200, 200)
    assert game.money == {"a": 100, "b": 300, "c": 120}
    assert game.asked == ("a", "b", "c")  # everybody is back in


def test_one_opening_bid_sells_at_once_and_nobody_leaves_it_unsold() -> None:
    game = english()
    sale = game.step({"a": None, "b": 150, "c": None})
    assert sale is not None
    assert (sale.winner, sale.price) == ("b", 150)
    unsold = game.step({"a": None, "b": None, "c": None})
    assert unsold is not None
    assert (unsold.winner, unsold.price, unsold.value) == (None, 0, None)
    assert game.state.over
    with pytest.raises(AuctionError, match="over"):
        game.step({})


def test_an_unwanted_lot_is_halved_as_often_as_said() -> None:
    game = english(discounts=2)
    nobody = dict.fromkeys("abc")
    assert game.step(nobody) is None
    assert (game.state.floor, game.asked) == (50, ("a", "b", "c"))
    assert game.step(nobody) is None
    assert game.state.floor == 25
    sale = game.step({**nobody, "c": 25})
    assert sale is not None
    assert (sale.winner, sale.price) == ("c", 25)
    assert game.state.floor == 50  # the next lot begins at its own price


def test_a_refused_round_changes_nothing() -> None:
    game = english()
    before = game.state
    for answers in ({"a": 1, "b": None, "c": None}, {"a": 100}, {"a": 2.5, "b": None, "c": None}):
        with pytest.raises(AuctionError):
            game.step(answers)  # type: ignore[arg-type]
    assert game.state is before
    assert all(game.problem("a", said) for said in (True, "100", float("nan"), 100.0))
    assert game.problem("a", np.int64(100)) == ""


def test_equal_bids_are_drawn_evenly() -> None:
    led = []
    for seed in range(300):
        game = English((VASE,), dict.fromkeys("abc", 300), seed=seed)
        game.step(dict.fromkeys("abc", 100))
        led.append(game.state.leader)
    assert all(70 <= led.count(b) <= 130 for b in "abc")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: English((), {"a": 1, "b": 1}), "at least one item"),
        (lambda: English((VASE, VASE), {"a": 1, "b": 1}), "two items are called 'Vase'"),
        (lambda: English((VASE,), {"a": 1}), "at least two bidders"),
        (lambda: English((VASE,), {"a": 1, "b": -5}), "budget of 'b'"),
        (lambda: English((VASE,), {"a": 1, "b": 1.5}), "budget of 'b'"),
        (lambda: English((VASE,), {"a": 1, "b": 1}, increment=0), "increment"),
        (lambda: English((VASE,), {"a": 1, "b": 1}, increment=float("nan")), "increment"),
        (lambda: English((VASE,), {"a": 1, "": 1}), "needs a name"),
        (lambda: English((Item("x", 1, 1),), {"a": 1, "b": 10**9}), "rounds"),
        (lambda: Item("", 1, 1), "needs a name"),
        (lambda: Item("x", 0, 1), "start price of 'x'"),
        (lambda: Item("x", 1, -1), "value of 'x'"),
        (lambda: Estimates(float("nan")), "finite"),
        (lambda: Estimates(0.0, 1.5), "negative"),
        (lambda: RuleBidder(bids=0), "number of bids"),
        (lambda: GreedyBidder(shade=-1), "between 0"),
    ],
)
def test_mistakes_are_one_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(AuctionError, match=sentence) as error:
        make()
    assert "\n" not in str(error.value)


@dataclass
class Wild(Bidder):
    """Says whatever it was given, in turn, and raises where it was given an exception."""

    says: list[Any] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def bid(self, view: View, problem: str = "") -> object:
        self.heard.append(problem)
        said = self.says.pop(0) if self.says else None
        if isinstance(said, Exception):
            raise said
        return said


amounts = st.one_of(
    st.none(), st.integers(-5, 400), st.floats(), st.booleans(), st.text(max_size=3),
    st.just(RuntimeError("boom")),
)  # fmt: skip


@given(
    says=st.lists(st.lists(amounts, max_size=30), min_size=2, max_size=4),
    budgets=st.lists(st.integers(1, 300), min_size=4, max_size=4),
    starts=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_no_budget_is_exceeded_by_a_unit_and_the_log_replays(
    says: list[list[Any]], budgets: list[int], starts: list[int], seed: int
) -> None:
    items = [Item(f"i{n}", s, 2 * s) for n, s in enumerate(starts)]
    bidders: dict[str, Bidder] = {f"b{n}": Wild(says=list(s)) for n, s in enumerate(says)}
    bidders["rule"] = RuleBidder(bids=9)
    money = dict(zip(bidders, [*budgets, 100]))
    log = asyncio.run(play(items, bidders, money, seed=seed))
    for name in bidders:
        assert sum(s.price for s in log.won(name)) <= money[name]
    assert len(log.sales) == len(items) == len({s.lot.name for s in log.sales})
    assert all(s.winner is None or s.price >= s.lot.start for s in log.sales)
    again = AuctionLog.from_dict(json.loads(dump_json(log.to_dict())))
    assert again == log
    states = list(replay(again))
    assert states[-1].over
    assert list(states[-1].sales) == log.sales
    assert len(states) == len(log.rounds) + 1


def test_what_is_illegal_is_asked_again_three_times_with_the_reason() -> None:
    wild = Wild(says=[5, "ten", 301, True, 100])
    log = asyncio.run(play((VASE,), {"w": wild, "r": RuleBidder(bids=1)}, 300))
    assert wild.heard[0] == ""
    assert "below 100" in wild.heard[1]
    assert "more than the 300" in wild.heard[3]
    assert len(wild.heard) == 4
    assert [r.said for r in log.refused] == ["5", "'ten'", "301", "True"]
    assert log.notes[0].text == "withdrawn after 3 corrections"
    assert log.sales[0].winner == "r"


def test_a_bidder_that_raises_is_out_but_a_model_that_is_gone_ends_the_game() -> None:
    bidders = {"w": Wild(says=[ZeroDivisionError("x")]), "r": RuleBidder()}
    log = asyncio.run(play((VASE,), bidders, 300))
    assert log.notes[0].text == "ZeroDivisionError: x"
    assert log.sales[0].winner == "r"
    with pytest.raises(ScrubjayError, match="gone"):
        asyncio.run(play((VASE,), {**bidders, "w": Wild(says=[ScrubjayError("gone")])}, 300))


def test_a_changed_record_is_refused() -> None:
    game = {"r": RuleBidder(), "g": GreedyBidder(), "x": RandomBidder()}
    log = asyncio.run(play((VASE, CHAIR), game, 500, seed=4))
    raw = log.to_dict()
    for change in (
        lambda r: r["sales"][0].update(price=r["sales"][0]["price"] + 1),
        lambda r: r["rounds"].pop(),
        lambda r: r["rounds"][0]["answers"].update(g=501),
        lambda r: r.update(seed="x", budgets=[["r", 0], ["g", 1], ["x", 1]]),
    ):
        broken = json.loads(dump_json(raw))
        change(broken)
        with pytest.raises(InputError, match=r"replayed|record"):
            list(replay(AuctionLog.from_dict(broken)))
    for junk in ({}, {"items": 3}, {**raw, "sales": [1]}, {**raw, "budgets": 7}):
        with pytest.raises(InputError, match="not the record"):
            AuctionLog.from_dict(junk)


def test_the_view_hides_the_truth_and_cannot_be_used_to_change_the_game() -> None:
    seen: list[View] = []

    class Spy(Bidder):
        def bid(self, view: View, problem: str = "") -> object:
            seen.append(view)
            with pytest.raises(TypeError):
                view.estimates["Vase"] = 1  # type: ignore[index]
            return None

    asyncio.run(play((VASE, CHAIR), {"s": Spy(), "r": RuleBidder()}, 300))
    assert seen[0].estimates == {"Vase": 220, "Chair": 99}
    assert not any(value in repr(seen[0]) for value in ("200", "90"))  # no true value
    assert seen[-1].state.sales[0].value == 200  # announced after the sale


def test_private_estimates_differ_and_repeat() -> None:
    drawn = Estimates(0.1, 0.2).draw((VASE,), ("a", "b"), 5)
    assert drawn == Estimates(0.1, 0.2).draw((VASE,), ("a", "b"), 5)
    assert drawn["a"] != drawn["b"]
    many = [Estimates(0.1, 0.2).draw((VASE,), ("a",), s)["a"]["Vase"] for s in range(300)]
    assert 180 <= min(many) < 185
    assert 255 < max(many) <= 260


def test_item_sets_and_files(tmp_path: Any) -> None:
    assert [i.start for i in item_set("standard", "ascending")] == sorted(
        [*range(1000, 6000, 1000)] * 2
    )
    assert [i.start for i in item_set("niche", "descending")] == [5000] * 4 + [1000] * 16
    assert item_set("ratios", seed=1) == item_set("ratios", seed=1) != item_set("ratios", seed=2)
    path = tmp_path / "my.csv"
    path.write_text("name,start,value\nPot,10,30\nPan,5,4\n")
    assert item_set(str(path), "ascending") == (Item("Pan", 5, 4), Item("Pot", 10, 30))
    path.write_text("name,start,value\nPot,10,30\nPan,5,-4\n")
    with pytest.raises(InputError, match=r"my.csv:3: .*value of 'Pan'"):
        item_set(str(path))
    (tmp_path / "x.jsonl").write_text('{"name": "Pot", "start": 1}\n')
    with pytest.raises(InputError, match=r"x.jsonl:1"):
        item_set(str(tmp_path / "x.jsonl"))
    with pytest.raises(UnknownName, match="standard"):
        item_set("standrad")
    with pytest.raises(InputError, match="can't be read"):
        item_set(str(tmp_path / "none.csv"))


def test_seats_and_estimates_are_checked() -> None:
    rule, greedy = RuleBidder(), GreedyBidder()
    good = {"r": {"Vase": 150}, "g": {"Vase": 170}}
    log = asyncio.run(play((VASE,), {"r": rule, "g": greedy}, 300, estimates=good))
    assert log.estimates == good
    bad: list[tuple[Any, Any, Any, str]] = [
        ({"r": rule, "g": rule}, 300, good, "two seats"),
        ({"r": rule, "g": 3}, 300, good, "needs a Bidder"),
        ({"r": rule, "g": greedy}, 300, {"r": {"Vase": 1}}, "'g' has no estimate of 'Vase'"),
        ({"r": rule, "g": greedy}, 300, {**good, "g": {"Vase": 1.5}}, "estimate of 'Vase'"),
        ({"r": rule, "g": greedy}, {"r": 300}, good, "a number each"),
        ({"r": rule, "g": greedy}, 1.5, good, "budget of 'r'"),
        ({"r": rule, "g": greedy}, True, good, "budget of 'r'"),
    ]
    for bidders, budgets, estimates, sentence in bad:
        with pytest.raises(AuctionError, match=sentence):
            asyncio.run(play((VASE,), bidders, budgets, estimates=estimates))


def test_a_bidder_that_misbehaves_elsewhere_is_noted_and_the_game_goes_on() -> None:
    class Odd(RuleBidder):
        def begin(self, view: View) -> None:
            self.priorities = {"Vase": "high"}  # type: ignore[dict-item]
            raise ValueError("no plan")

        def reveal(self, items: Any) -> None:
            raise ValueError("no peeking")

        def reflect(self, log: Any) -> str:
            raise ValueError("no thoughts")

    log = asyncio.run(play((VASE,), {"o": Odd(), "r": RuleBidder(bids=1)}, 300))
    assert len(log.sales) == 1
    assert log.plans == []
    told = " ".join(n.text for n in log.notes)
    assert all(w in told for w in ("no plan", "no peeking", "no thoughts", "priority of 'Vase'"))
