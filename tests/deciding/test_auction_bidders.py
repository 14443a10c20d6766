"""Bidders and what is read out of logs: planted structure, the trueskill package as oracle."""

from __future__ import annotations

import asyncio
import random
from itertools import product
from typing import Any

import pytest
import trueskill
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import ScrubjayError, UnknownName
from scrubjay.deciding.auctions import (
    AuctionError,
    AuctionLog,
    Bidder,
    Clairvoyant,
    Estimates,
    Forgetful,
    GreedyBidder,
    Item,
    LearningBidder,
    Rating,
    RuleBidder,
    Sale,
    ShadowPricePlanner,
    TrueSkillLadder,
    bradley_terry,
    item_set,
    make_bidder,
    play,
    rate,
)
from scrubjay.deciding.auctions.game import Lot
from scrubjay.deciding.auctions.learners import prices_to_beat, profit_with
from scrubjay.deciding.auctions.log import Planned, Refused, Round
from scrubjay.deciding.auctions.measures import (
    curse_rate,
    engagement,
    failure_rate,
    fidelity,
    increment_histogram,
    increments,
    niche,
    priority_changes,
    spearman,
    withdrawal_rate,
)
from scrubjay.deciding.auctions.planner import shadow_price
from scrubjay.deciding.bandits.experts import Hedge
from scrubjay.deciding.bandits.thompson import ThompsonBeta


def games(bidders: dict[str, Bidder], n: int, budget: int, **how: Any) -> list[AuctionLog]:
    async def all_() -> list[AuctionLog]:
        logs = []
        for g in range(n):
            log = await play(item_set("standard", seed=g), bidders, budget, seed=g, **how)
            for name, bidder in bidders.items():
                bidder.learn(name, log)
            logs.append(log)
        return logs

    return asyncio.run(all_())


# --- rules and planners ---


def test_rule_bidder_bids_the_least_at_most_k_times() -> None:
    item = (Item("Vase", 100, 1000),)
    log = asyncio.run(play(item, {"k4": RuleBidder(), "k9": RuleBidder(bids=9)}, 1000))
    mine = [r.answers["k4"] for r in log.rounds if r.answers.get("k4") is not None]
    assert len(mine) <= 4
    assert log.sales[0].winner == "k9"


def test_greedy_stops_at_its_share_of_the_estimate() -> None:
    item = (Item("Vase", 100, 200),)
    low, high = GreedyBidder(shade=0.7), GreedyBidder(shade=0.9)
    log = asyncio.run(play(item, {"low": low, "high": high}, 1000, estimates=Estimates(0.0)))
    assert log.sales[0].winner == "high"
    assert log.sales[0].price in (140, 150)


def test_shadow_price_by_hand() -> None:
    # returns 1, 0.5, 0.25: the money runs out at the second
    assert shadow_price([200, 150, 125], [100, 100, 100], 150) == 0.5
    assert shadow_price([200, 150, 125], [100, 100, 100], 300) == 0.0
    assert shadow_price([200, 150, 125], [100, 100, 100], 50) == 1.0
    assert shadow_price([90], [100], 10) == 0.0  # nothing is worth its price


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 30)), min_size=1, max_size=7),
    st.integers(0, 150),
)
@settings(max_examples=80, deadline=None)
def test_the_shadow_price_is_the_dual_of_the_knapsack(
    items: list[tuple[int, int]], money: int
) -> None:
    """No set that can be paid earns more than the dual bound λ m + Σ max(0, w − (1 + λ) p)."""
    worth, price = zip(*items)
    lam = shadow_price(worth, price, money)
    bound = lam * money + sum(max(0.0, w - (1 + lam) * p) for w, p in items)
    best = max(
        sum((w - p) * x for (w, p), x in zip(items, chosen))
        for chosen in product((0, 1), repeat=len(items))
        if sum(p * x for (_, p), x in zip(items, chosen)) <= money
    )
    assert best <= bound + 1e-9
    # … and λ is the least such price up to one item: the fractional optimum attains the bound
    fractional, left = 0.0, float(money)
    for w, p in sorted(items, key=lambda i: (i[1] - i[0]) / i[1]):
        if w > p and left > 0:
            share = min(1.0, left / p)
            fractional, left = fractional + share * (w - p), left - share * p
    assert fractional == pytest.approx(bound)


def test_a_planner_that_learns_the_bias_does_not_pay_too_much() -> None:
    """All estimates are 30 % too high: whoever believes them buys above the value."""
    bidders: dict[str, Bidder] = {
        "learns": ShadowPricePlanner(),
        "believes": ShadowPricePlanner(learns_bias=False),
        "greedy": GreedyBidder(),
    }
    logs = games(bidders, 25, 60_000, estimates=Estimates(0.3))
    later = [s for log in logs for s in log.sales[1:]]  # before a sale there is nothing to learn
    cursed = {b: sum(s.price > (s.value or 0) for s in later if s.winner == b) for b in bidders}
    assert cursed["learns"] == 0 < cursed["believes"]
    profit = {b: sum(log.profit(b) for log in logs) for b in bidders}
    assert profit["learns"] > max(profit["believes"], profit["greedy"])


def test_a_static_plan_is_never_made_again_and_no_plan_has_no_priorities() -> None:
    bidders: dict[str, Bidder] = {
        p: ShadowPricePlanner(plan=p) for p in ("none", "static", "adaptive")
    }  # type: ignore[arg-type]
    (log,) = games(bidders, 1, 20_000)
    plans = {b: [p.priorities for p in log.plans if p.bidder == b] for b in bidders}
    assert plans["none"] == []
    assert set(plans["adaptive"][0].values()) <= {1, 2, 3}
    assert [len(p) for p in plans["adaptive"]] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1]


def test_who_counts_items_buys_the_cheap_ones() -> None:
    bidders: dict[str, Bidder] = {
        "items": ShadowPricePlanner(goal="items"),
        "profit": ShadowPricePlanner(),
        "rule": RuleBidder(),
    }
    logs = games(bidders, 30, 20_000)
    assert (niche(logs, "items") or 0) < (niche(logs, "profit") or 0)


def test_oracle_and_forgetful() -> None:
    bidders: dict[str, Bidder] = {
        "oracle": Clairvoyant(),
        "plain": ShadowPricePlanner(learns_bias=False),
        "forgets": Forgetful(mind=ShadowPricePlanner(learns_bias=False), errs=1.0),
    }
    logs = games(bidders, 25, 40_000, estimates=Estimates(0.1, 0.3))
    profit = {b: sum(log.profit(b) for log in logs) for b in bidders}
    assert profit["oracle"] > profit["plain"]
    assert curse_rate(logs, "oracle") == 0.0
    thinks = bidders["forgets"]
    assert isinstance(thinks, Forgetful)
    assert thinks._thinks == 40_000  # it never subtracted anything


# --- learners ---


def test_what_would_have_been_by_hand() -> None:
    items = (Item("A", 100, 200), Item("B", 100, 200))
    log = AuctionLog(
        items, {"me": 250, "x": 250}, {"me": {"A": 200, "B": 200}, "x": {}}, seed=1,
        rounds=[
            Round(0, {"me": 100, "x": 110}), Round(0, {"me": None}),
            Round(1, {"me": 100, "x": None}),
        ],
        sales=[Sale(Lot("A", 100), "x", 110, 200), Sale(Lot("B", 100), "me", 100, 200)],
    )  # fmt: skip
    assert prices_to_beat("me", log) == [120, 100]
    prices = prices_to_beat("me", log)
    assert profit_with(0.55, "me", log, prices) == 100  # up to 110: B only
    assert profit_with(0.6, "me", log, prices) == 180  # up to 120: both
    assert profit_with(0.4, "me", log, prices) == 0
    log.budgets = {"me": 130, "x": 250}
    assert profit_with(1.0, "me", log, prices) == 80  # A, then the money is gone


@pytest.mark.parametrize("bandit", [ThompsonBeta(), Hedge()])
def test_a_learner_finds_the_share_that_pays(bandit: Any) -> None:
    """Against two who go up to 80 % of the value, 70 % wins nothing and 90 % all."""
    bidders: dict[str, Bidder] = {
        "learner": LearningBidder(bandit, shades=(0.6, 0.7, 0.9), games=100),
        "other": GreedyBidder(shade=0.8),
        "another": GreedyBidder(shade=0.8),
    }
    logs = games(bidders, 100, 60_000, estimates=Estimates(0.0))
    won = [log.profit("learner") > 0 for log in logs]
    assert sum(won[-30:]) >= 24


# --- ratings ---


def test_trueskill_is_the_package_s() -> None:
    reference, draw = trueskill.TrueSkill(), random.Random(1)
    for _ in range(60):
        n = draw.randint(2, 6)
        before = [Rating(draw.uniform(5, 45), draw.uniform(1, 9)) for _ in range(n)]
        points = [draw.randint(0, 3) for _ in range(n)]
        ladder = TrueSkillLadder(ratings={str(i): r for i, r in enumerate(before)})
        ladder.game({str(i): float(s) for i, s in enumerate(points)})
        groups = [(reference.create_rating(r.mu, r.sigma),) for r in before]
        for i, (wanted,) in enumerate(reference.rate(groups, ranks=[-s for s in points])):
            got = ladder.rating(str(i))
            assert got.mu == pytest.approx(wanted.mu, abs=1e-4)
            assert got.sigma == pytest.approx(wanted.sigma, abs=1e-4)


def test_ratings_find_a_planted_order_and_survive_upsets() -> None:
    draw = random.Random(3)
    skill = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.0}
    played = [{p: s + draw.gauss(0, 1) for p, s in skill.items()} for _ in range(200)]
    rated, strengths = rate(played), bradley_terry(played)
    assert sorted(rated, key=lambda p: -rated[p].mu) == list("abcd")
    assert sorted(strengths, key=lambda p: -strengths[p]) == list("abcd")
    ladder = TrueSkillLadder(ratings={"z": Rating(0, 0.5), "y": Rating(400, 0.5)})
    ladder.game({"z": 1.0, "y": 0.0})
    assert all(r.sigma > 0 and abs(r.mu) < 1e4 for r in ladder.ratings.values())
    with pytest.raises(AuctionError, match="finite"):
        ladder.game({"z": float("nan"), "y": 1.0})


# --- measures ---


def planted() -> AuctionLog:
    items = (Item("A", 100, 200), Item("B", 100, 200), Item("C", 200, 400))
    return AuctionLog(
        items, {"me": 900, "x": 900}, {"me": {}, "x": {}},
        rounds=[
            Round(0, {"me": 100, "x": 110}), Round(0, {"me": 165}), Round(0, {"x": 240}),
            Round(0, {"me": None}), Round(1, {"me": None, "x": 100}),
            Round(2, {"me": 200, "x": None}),
        ],
        refused=[Refused(0, "me", "1", "low")],
        sales=[
            Sale(Lot("A", 100), "x", 240, 200), Sale(Lot("B", 100), "x", 100, 200),
            Sale(Lot("C", 200), "me", 200, 400),
        ],
        plans=[Planned(0, "me", {"A": 3, "B": 1, "C": 2}), Planned(1, "me", {"B": 1, "C": 3})],
    )  # fmt: skip


def test_measures_by_hand() -> None:
    log = planted()
    assert (log.profit("me"), log.profit("x"), log.money("x")) == (200, 60, 560)
    assert curse_rate([log], "x") == 0.5
    assert curse_rate([log], "me") == 0.0
    assert failure_rate([log], "me") == 1 / 4
    assert withdrawal_rate([log], "me") == pytest.approx(1 / 3)
    assert engagement([log], "me") == 1.0
    assert increments([log], "me") == pytest.approx([0.5])
    assert increments([log], "x") == pytest.approx([75 / 165])
    assert sum(increment_histogram([log], "x").values()) == 1
    assert niche([log], "x") == 100
    rho = fidelity([log], "me")
    assert rho["r1,n"] == pytest.approx([1.0])  # 3, 1, 2 against 2, 0, 1 bids
    assert rho["r1,x"] == pytest.approx([0.0])
    assert rho["rj,x"] == pytest.approx([0.5])  # 3, 1, 3 against 0, 0, 1
    assert priority_changes([log], "me") == [{"sold": 1, "change": 0.5, "size": 0.5}]
    assert fidelity([log], "x") == {"r1,n": [], "r1,x": [], "rj,n": [], "rj,x": []}
    assert spearman([3, 3, 3], [1, 2, 3]) is None
    assert curse_rate([], "me") is None


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12))
@settings(max_examples=40, deadline=None)
def test_spearman_is_scipy_s(pairs: list[tuple[int, int]]) -> None:
    from scipy.stats import rankdata

    x, y = zip(*pairs)
    ours = spearman(x, y)
    a, b = rankdata(x), rankdata(y)
    if a.std() == 0 or b.std() == 0:
        assert ours is None
    else:
        import numpy as np

        assert ours == pytest.approx(np.corrcoef(a, b)[0, 1])


# --- names ---


def test_names_make_bidders() -> None:
    made = make_bidder("static+bias+items")
    assert isinstance(made, ShadowPricePlanner)
    assert (made.plan, made.learns_bias, made.goal) == ("static", True, "items")
    assert isinstance(make_bidder("rule:8"), RuleBidder)
    assert isinstance(make_bidder("exp3:30"), LearningBidder)
    for spec, error in (
        ("rool", UnknownName), ("rule:x", AuctionError), ("rule:0", AuctionError),
        ("greedy:nan", AuctionError), ("adaptive+bais", AuctionError), ("static:3", AuctionError),
        ("lm:", ScrubjayError), ("lm:nothing-here|adaptive", ScrubjayError),
        ("exp3:0", AuctionError),
    ):  # fmt: skip
        with pytest.raises(error):
            make_bidder(spec)
