"""Bandits against plain per-step references, closed forms and proven bounds."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.deciding.bandits import (
    KLUCB,
    UCB1,
    AdversarialTable,
    AgainstCopy,
    Doubling,
    EpsilonGreedy,
    Exp3,
    Exp3P,
    Exp4,
    ExploreFirst,
    Greedy,
    Hedge,
    IIDArms,
    Lanes,
    Setting,
    SingleBandit,
    SuccessiveElimination,
    ThompsonBeta,
    ThompsonNormal,
    UCBTuned,
    Uniform,
    WeightedMajority,
    fit_slope,
    hard_pair,
    lai_robbins,
    race,
    swap_table,
)
from scrubjay.deciding.bandits.bayes import BayesOptimal, tractable
from scrubjay.deciding.bandits.lanes import pick
from scrubjay.deciding.bandits.registry import BANDITS, make_bandit
from scrubjay.deciding.bandits.thompson import Gammas

EVERYONE = [make_bandit(name) for name in BANDITS]


def tractable_for(bandit: Any, arms: int, horizon: int) -> bool:
    """The optimum by dynamic programming is for few arms and rounds; it refuses others itself."""
    return not isinstance(bandit, BayesOptimal) or tractable(arms, horizon)


def plain_ucb1(table: np.ndarray, alpha: float) -> list[int]:
    """UCB1 as the book tells it, one step after another."""
    horizon, arms = table.shape
    pulls, sums, played = [0] * arms, [0.0] * arms, []
    for t in range(horizon):
        if t < arms:
            arm = t
        else:
            bound = [
                sums[a] / pulls[a] + math.sqrt(alpha * math.log(horizon) / pulls[a])
                for a in range(arms)
            ]
            arm = bound.index(max(bound))
        pulls[arm] += 1
        sums[arm] += table[t, arm]
        played.append(arm)
    return played


def plain_elimination(table: np.ndarray) -> list[int]:
    horizon, arms = table.shape
    active, pulls, sums, played = list(range(arms)), [0] * arms, [0.0] * arms, []
    while len(played) < horizon:
        for arm in active:
            if len(played) < horizon:
                sums[arm] += table[len(played), arm]
                pulls[arm] += 1
                played.append(arm)
        if len({pulls[a] for a in active}) > 1:
            break
        mean = {a: sums[a] / pulls[a] for a in active}
        radius = math.sqrt(2 * math.log(horizon) / pulls[active[0]])
        active = [a for a in active if mean[a] + radius >= max(mean.values()) - radius]
    return played


def follow(bandit, table: np.ndarray, seed: int = 0) -> list[int]:
    single, played = SingleBandit(bandit, table.shape[1], len(table), seed), []
    for row in table:
        arm = single.select()
        single.update(arm, row[arm])
        played.append(arm)
    return played


@pytest.mark.parametrize("alpha", [2.0, 0.3])
def test_ucb1_plays_what_a_plain_loop_plays(alpha: float) -> None:
    for seed in range(5):
        table = np.random.default_rng(seed).random((400, 4)) * [0.5, 0.7, 0.9, 1.0]
        assert follow(UCB1(alpha), table) == plain_ucb1(table, alpha)


def test_elimination_plays_what_a_plain_loop_plays() -> None:
    for seed in range(5):
        table = np.random.default_rng(seed).random((900, 4)) * [0.1, 0.3, 0.9, 1.0]
        played = follow(SuccessiveElimination(), table)
        assert played == plain_elimination(table)
        assert played[-1] >= 2  # the two bad arms are out


def test_exp3_has_the_probabilities_of_a_plain_loop() -> None:
    arms, horizon, epsilon = 5, 300, 0.07
    rng = random.Random(1)
    bandit, lanes = Exp3(epsilon=epsilon), Lanes(0, 1, "exp3")
    bandit.begin(Setting(arms, horizon), lanes)
    weights = [1.0] * arms
    for _ in range(horizon):
        chosen = int(bandit.select()[0])
        total = sum(weights)
        share = [w / total for w in weights]
        assert bandit.probabilities()[0] == pytest.approx(share)
        reward = rng.random()
        bandit.update(np.array([chosen]), np.array([reward]))
        weights[chosen] *= (1 - epsilon) ** ((1 - reward) / share[chosen])


def test_exp4_with_one_expert_per_arm_is_exp3() -> None:
    arms, runs = 4, 6
    everyone = Exp4(lambda _: np.tile(np.arange(arms), (runs, 1)), arms, epsilon=0.1, name="exp3")
    one, other = Exp3(epsilon=0.1), everyone
    for bandit in (one, other):
        bandit.begin(Setting(arms, 200), Lanes(3, runs, "same"))
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = one.select(), other.select()
        assert (a == b).all()
        reward = rng.random(runs)
        one.update(a, reward)
        other.update(b, reward)
    assert one.weights.logs == pytest.approx(other.weights.logs)


def test_hedge_and_its_bound_on_every_sequence_tried() -> None:
    horizon, arms = 200, 5
    rng = np.random.default_rng(2)
    tables = [rng.random((horizon, arms)), (rng.random((horizon, arms)) < 0.3) * 1.0]
    tables.append(np.repeat(np.eye(arms), horizon // arms, axis=0))
    for table in tables:
        curve = race(AdversarialTable(table), [Hedge()], horizon, 100)["hedge"]
        assert curve.bound is not None
        assert curve.mean[-1] <= curve.bound[-1]
        assert (curve.mean <= curve.bound + 1e-9).all()


def test_thompson_agrees_with_a_plain_sampler() -> None:
    """Same posterior in, same choice law out: chance of each arm for fixed counts."""
    shapes = np.array([[4.0, 2.0, 1.0], [3.0, 1.0, 1.0]])
    runs = 300
    gammas = Gammas(np.tile(shapes, (runs, 1, 1)), Lanes(0, runs, "g"))
    ours = np.concatenate([gammas.draw() for _ in range(100)])
    beta = ours[:, 0] / (ours[:, 0] + ours[:, 1])
    rng = np.random.default_rng(1)
    plain = rng.beta(*shapes, size=(len(beta), 3))
    from scipy.stats import ks_2samp

    for arm in range(3):
        assert ks_2samp(beta[:, arm], plain[:, arm]).pvalue > 1e-3
    counts = [np.bincount(x.argmax(axis=1), minlength=3) / len(x) for x in (beta, plain)]
    assert counts[0] == pytest.approx(counts[1], abs=0.012)


def test_thompson_regret_matches_a_plain_loop() -> None:
    means, horizon, runs = [0.3, 0.6], 150, 150
    ours = race(IIDArms(means), [ThompsonBeta()], horizon, runs)["thompson"]
    plain = []
    for run in range(runs):
        rng = random.Random(run)
        counts, lost = [[1, 1], [1, 1]], 0.0
        for _ in range(horizon):
            arm = max((0, 1), key=lambda a: rng.betavariate(*counts[a]))
            lost += max(means) - means[arm]
            counts[arm][rng.random() >= means[arm]] += 1
        plain.append(lost)
    error = math.hypot(np.std(plain), np.std(ours.regret[:, -1])) / math.sqrt(runs)
    assert abs(np.mean(plain) - ours.mean[-1]) < 4 * error


@pytest.mark.parametrize("bandit", EVERYONE, ids=lambda b: b.name)
def test_chunks_and_company_change_no_number(bandit) -> None:
    arms, rounds = IIDArms([0.2, 0.5, 0.7]), 150 if tractable_for(bandit, 3, 150) else 6
    whole = race(arms, [bandit], rounds, 9, seed=5)[bandit.name]
    chunked = race(arms, [bandit, *([UCB1(name="other")])], rounds, 9, seed=5, chunk=4)[bandit.name]
    assert (whole.regret == chunked.regret).all()
    other = race(arms, [bandit], rounds, 9, seed=6)[bandit.name]
    if bandit.name not in ("explore-first", "successive-elimination"):  # too early to differ
        assert (whole.regret != other.regret).any()


@pytest.mark.parametrize("bandit", EVERYONE, ids=lambda b: b.name)
def test_one_arm_and_short_horizons_are_fine(bandit) -> None:
    assert race(IIDArms([0.4]), [bandit], 20, 3)[bandit.name].mean[-1] == 0
    assert 0 <= race(IIDArms([0.4, 0.6, 0.5]), [bandit], 2, 3)[bandit.name].mean[-1] <= 0.4 + 1e-9


@pytest.mark.parametrize("bandit", EVERYONE, ids=lambda b: b.name)
def test_rewards_that_are_no_numbers_are_refused(bandit) -> None:
    bandit.begin(Setting(2, 10), Lanes(0, 3))
    arms = bandit.select()
    bad = np.array([0.1, np.nan, 0.2])
    with pytest.raises(ValueError, match="finite number"):
        bandit.update(arms, bad, np.stack([bad, bad], axis=1))


def test_learners_beat_chance_and_stay_below_their_bounds() -> None:
    arms = IIDArms([0.5, 0.4, 0.3, 0.2])
    bandits = [
        UCB1(),
        UCBTuned(),
        KLUCB(),
        SuccessiveElimination(),
        ThompsonBeta(),
        Exp3(),
        Exp3P(),
    ]
    bandits += [ThompsonNormal(), ExploreFirst(), EpsilonGreedy(), Uniform(), Greedy()]
    curves = race(arms, bandits, 1500, 40)
    chance = curves["uniform"].mean[-1]
    assert chance == pytest.approx(1500 * 0.15, rel=0.03)
    for name, curve in curves.items():
        assert name == "uniform" or curve.mean[-1] < chance
        if curve.bound is not None:
            assert (curve.mean <= curve.bound + 1e-9).all()
    assert curves["thompson"].mean[-1] < curves["ucb1"].mean[-1] < curves["exp3p"].mean[-1]


def test_nobody_gets_below_the_lower_bound_in_the_long_run() -> None:
    arms = IIDArms([0.9, 0.8])
    curve = race(arms, [KLUCB()], 4000, 20)["kl-ucb"]
    least = lai_robbins(arms, curve.rounds)
    growth = curve.mean[-1] - curve.mean[curve.rounds >= 1000][0]
    assert growth > 0.5 * (least[-1] - least[curve.rounds >= 1000][0])


def test_hard_pair_costs_everybody_the_order_of_sqrt_t() -> None:
    horizon = 2500
    for bandit in (UCB1(), ThompsonBeta(), Exp3()):
        lost = race(hard_pair(horizon), [bandit], horizon, 100)[bandit.name].mean[-1]
        assert 0.1 * math.sqrt(2 * horizon) < lost < 2 * math.sqrt(2 * horizon)


def test_an_adversary_with_a_copy_breaks_ucb1_and_not_exp3() -> None:
    curves = race(AgainstCopy(UCB1(), 2), [UCB1(), Exp3()], 2000, 20)
    assert curves["ucb1"].mean[-1] >= 999  # it never gets anything
    assert curves["exp3"].bound is not None
    assert curves["exp3"].mean[-1] < curves["exp3"].bound[-1]


def test_swapping_arms_are_followed_by_exp3() -> None:
    curves = race(AdversarialTable(swap_table(2000)), [Exp3(), Hedge()], 2000, 40)
    for curve in curves.values():
        assert curve.mean[-1] < curve.bound[-1]


def test_majority_vote_makes_at_most_log_k_mistakes_with_a_perfect_expert() -> None:
    experts, rng = 32, np.random.default_rng(0)
    bandit = WeightedMajority(epsilon=1.0)
    bandit.begin(Setting(experts, 300), Lanes(0, 20))
    mistakes = np.zeros(20)
    for _ in range(300):
        truth = rng.integers(0, 2, 20)
        votes = rng.integers(0, 2, (20, experts))
        votes[:, 7] = truth
        said = bandit.select(votes)
        mistakes += said != truth
        bandit.update(said, (said == truth) * 1.0, truth)
    assert mistakes.max() <= math.log2(experts)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0, 0.999999))
def test_pick_never_takes_what_has_no_chance(weights: list[float], u: float) -> None:
    if sum(weights) <= 1e-300:
        return
    found = int(pick(np.array([weights]), np.array([u]))[0])
    assert weights[found] > 0
    assert sum(weights[:found]) <= u * sum(weights) + 1e-9


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_plays_are_arms_whatever_the_rewards(arms: int, horizon: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for bandit in EVERYONE:
        if not tractable_for(bandit, arms, horizon):
            continue
        bandit.begin(Setting(arms, horizon), Lanes(seed, 4))
        for _ in range(horizon):
            chosen = bandit.select()
            assert chosen.shape == (4,)
            assert ((chosen >= 0) & (chosen < arms)).all()
            rewards = rng.integers(0, 2, (4, arms)).astype(float)
            bandit.update(chosen, rewards[np.arange(4), chosen], rewards)


def test_slope_of_a_planted_power() -> None:
    rounds = np.array([10, 100, 1000, 10_000])
    regret = 3 * rounds**0.66 * np.linspace(0.9, 1.1, 30)[:, None]
    found = fit_slope(rounds, regret)
    assert found.value == pytest.approx(0.66)
    assert found.low <= 0.66 + 1e-9
    assert found.high >= 0.66 - 1e-9


def test_doubling_costs_a_constant_factor() -> None:
    table = np.random.default_rng(0).random((1500, 4)) * [0.2, 0.4, 0.6, 1.0]
    curves = race(AdversarialTable(table), [Exp3(), Doubling(Exp3())], 1500, 40)
    known, unknown = curves["exp3"], curves["doubling-exp3"]
    assert known.mean[-1] < unknown.mean[-1] < 3.42 * known.bound[-1]
    assert unknown.mean[-1] < 0.8 * 1500 * 0.225  # and less than blind choice


def wrong_arm(arm: float) -> None:
    bandit = SingleBandit(UCB1(), 2, 10)
    bandit.select()
    bandit.update(arm, 0.5)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: IIDArms([]), "at least one arm"),
        (lambda: IIDArms([0.2, 1.2]), r"lie in \[0, 1\], not at 1.2"),
        (lambda: IIDArms([float("nan")], "gaussian"), "finite number"),
        (lambda: EpsilonGreedy(1.5), "probability"),
        (lambda: UCB1(alpha=0), "above 0"),
        (lambda: Exp3(gamma=1.0), "exploration"),
        (lambda: Hedge(epsilon=1.0), "between 0 and 1"),
        (lambda: AdversarialTable([[0.2, 2.0]]), r"\[0, 1\]"),
        (lambda: race(IIDArms([0.1]), [], 10), "at least one algorithm"),
        (lambda: race(IIDArms([0.1]), [UCB1(), UCB1()], 10), "one name"),
        (lambda: race(IIDArms([0.1]), [UCB1()], 0), "at least one round"),
        (lambda: race(IIDArms([0.1]), [UCB1()], 10, runs=0), "at least one run"),
        (lambda: race(IIDArms([3.0, 5.0], "gaussian"), [Exp3()], 50), r"EXP3 needs rewards in"),
        (lambda: SingleBandit(UCB1(), 0, 10), "at least one arm"),
        (lambda: SingleBandit(UCB1(), 2, 10).update(0, 0.5), "before learning"),
        (lambda: wrong_arm(2), "arm 2 was not selected"),
        (lambda: wrong_arm(0.5), "arm 0.5 was not selected"),
        (lambda: race(IIDArms([0.1]), [UCB1()], 10, chunk=0), "chunk"),
        (lambda: Doubling(UCB1(), 0), "first phase"),
    ],
)
def test_mistakes_are_one_clear_sentence(make, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_mabwiser_plays_ucb1_alike() -> None:
    """The peer's UCB1 uses log t and no initial round; on a clear instance both find the arm."""
    mabwiser = pytest.importorskip("mabwiser.mab")
    means, lost = np.array([0.2, 0.8]), []
    for run in range(5):
        rng = np.random.default_rng(run)
        peer = mabwiser.MAB([0, 1], mabwiser.LearningPolicy.UCB1(alpha=1.0), seed=run)
        peer.fit([0, 1], [0, 1])
        total = 0.0
        for _ in range(200):
            arm = peer.predict()
            peer.partial_fit([arm], [int(rng.random() < means[arm])])
            total += 0.8 - means[arm]
        lost.append(total)
    ours = race(IIDArms(means), [UCB1(alpha=0.5, anytime=True)], 200, 50)["ucb1"]
    assert ours.mean[-1] < 30
    assert np.mean(lost) < 30
