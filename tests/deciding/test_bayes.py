"""Players who know the prior, against closed forms, plain trees and each other."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest

from scrubjay.deciding.bandits import IIDArms, Lanes, Setting, ThompsonNormal, race
from scrubjay.deciding.bandits.bayes import BayesOptimal, GreedyBeta, GreedyNormal, optimal_values
from scrubjay.deciding.bandits.types import Bandit


def fed(bandit: Bandit, arms: int, rounds: list[tuple[int, float]], lanes: int = 1) -> Bandit:
    bandit.begin(Setting(arms, 20), Lanes(0, lanes))
    for arm, reward in rounds:
        bandit.update(np.full(lanes, arm), np.full(lanes, float(reward)))
    return bandit


def test_greedy_plays_the_posterior_mean_by_hand() -> None:
    # prior N(0, 1), noise 0.5: one reward of 1 gives 1/(1 + 0.25) = 0.8;
    # two of 0.9 give 1.8/(2 + 0.25) = 0.8 too, two of 0.91 more.
    even = fed(GreedyNormal(1, 0.5), 3, [(0, 1.0), (1, 0.9), (1, 0.9)], lanes=2000)
    chosen = np.bincount(even.select(), minlength=3)
    assert chosen[2] == 0
    assert chosen[0] / 2000 == pytest.approx(0.5, abs=0.04)
    more = fed(GreedyNormal(1, 0.5), 3, [(0, 1.0), (1, 0.91), (1, 0.91)])
    assert more.select()[0] == 1
    # an arm below the prior mean loses to one that was never tried
    assert fed(GreedyNormal(1, 0.5), 2, [(0, -0.01)]).select()[0] == 1
    # 1 of 1 is (1 + 1)/(2 + 1) = 2/3, 3 of 4 is 4/6
    even = fed(GreedyBeta(), 2, [(0, 1), (1, 1), (1, 1), (1, 1), (1, 0)], lanes=2000)
    assert even.select().mean() == pytest.approx(0.5, abs=0.04)
    assert fed(GreedyBeta(), 2, [(0, 0)]).select()[0] == 1


def test_thompson_draws_from_the_closed_form_posterior() -> None:
    """Two arms, one pulled: the other is chosen with chance Phi of the difference."""
    from scipy.stats import norm

    lanes = 10_000
    player = fed(ThompsonNormal(1, 0.5), 2, [(0, 0.7), (0, 0.2)], lanes=lanes)
    mean, variance = (0.7 + 0.2) / (2 + 0.25), 1 / (1 + 2 / 0.25)
    expected = norm.cdf(-mean / np.sqrt(1 + variance))
    assert player.select().mean() == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(lanes))


def test_the_optimum_is_what_a_plain_tree_finds() -> None:
    @lru_cache
    def tree(state: tuple[tuple[int, int], ...], left: int) -> Fraction:
        if not left:
            return Fraction(0)
        found = []
        for arm, (s, f) in enumerate(state):
            p = Fraction(1 + s, 2 + s + f)
            won = (*state[:arm], (s + 1, f), *state[arm + 1 :])
            lost = (*state[:arm], (s, f + 1), *state[arm + 1 :])
            found.append(p * (1 + tree(won, left - 1)) + (1 - p) * tree(lost, left - 1))
        return max(found)

    for arms, horizon in ((1, 4), (2, 1), (2, 2), (2, 7), (3, 4)):
        value = optimal_values(arms, horizon)[(0,) * (2 * arms)]
        assert value == pytest.approx(float(tree(((0, 0),) * arms, horizon)))
    # by hand: after a win stay (1/2 · 2/3), after a loss change (1/2 · 1/2)
    assert optimal_values(2, 2)[0, 0, 0, 0] == pytest.approx(1 / 2 + 1 / 3 + 1 / 4)


def test_all_policies_of_three_rounds_are_no_better() -> None:
    """Brute force over every deterministic policy of horizon 3: first arm, then by history."""
    best = 0.0
    histories = [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1)]
    for code in range(2 ** len(histories)):
        policy = {h: code >> i & 1 for i, h in enumerate(histories)}

        def worth(history: tuple[int, ...], counts: tuple[int, ...], plan: dict) -> float:
            if len(history) == 3:
                return 0.0
            arm = plan[history]
            s, f = counts[2 * arm : 2 * arm + 2]
            p = (1 + s) / (2 + s + f)
            won, lost = list(counts), list(counts)
            won[2 * arm] += 1
            lost[2 * arm + 1] += 1
            return p * (1 + worth((*history, 1), tuple(won), plan)) + (1 - p) * worth(
                (*history, 0), tuple(lost), plan
            )

        best = max(best, worth((), (0, 0, 0, 0), policy))
    assert optimal_values(2, 3)[0, 0, 0, 0] == pytest.approx(best)


def test_playing_the_optimum_brings_its_value_and_more_than_greed() -> None:
    horizon, lanes = 12, 10_000
    means = np.random.default_rng(0).random((lanes, 2))
    gains = {}
    for player in (BayesOptimal(), GreedyBeta()):
        player.begin(Setting(2, horizon), Lanes(1, lanes))
        luck, total = np.random.default_rng(1), np.zeros(lanes)
        for _ in range(horizon):
            arms = player.select()
            reward = (luck.random((lanes, 2)) < means)[np.arange(lanes), arms].astype(float)
            player.update(arms, reward)
            total += reward
        gains[player.name] = total.mean()
    expected = optimal_values(2, horizon)[0, 0, 0, 0]
    assert gains["bayes-optimal"] == pytest.approx(expected, abs=0.12)
    assert gains["greedy-beta"] < gains["bayes-optimal"]


def test_they_race_like_any_bandit() -> None:
    curves = race(IIDArms([0.2, 0.8]), [BayesOptimal(), GreedyBeta()], 20, runs=50)
    assert curves["bayes-optimal"].last.value < 0.3 * 20


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (lambda: optimal_values(3, 60), "too many states"),
        (lambda: fed(BayesOptimal(), 2, [(0, 0.5)]), "0 and 1 only"),
        (lambda: fed(BayesOptimal(), 2, [(0, 1.0)] * 21), "says nothing of later"),
        (lambda: fed(GreedyNormal(), 2, [(0, float("nan"))]), "finite number"),
        (lambda: fed(GreedyBeta(), 2, [(0, 2.0)]), r"in \[0, 1\]"),
        (lambda: GreedyNormal(noise=0), "above 0"),
        (lambda: GreedyBeta(prior=-1), "above 0"),
    ],
)
def test_bad_input_is_refused(work, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=says):
        work()
