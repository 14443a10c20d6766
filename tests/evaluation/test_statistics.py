"""Bootstrap intervals against closed forms, coverage and scipy; AUROC against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from scrubjay.evaluation.statistics import (
    auroc,
    bootstrap_mean,
    brier,
    calibration_error,
    paired_bootstrap,
)


def planted(effect, n, seed, noise=0.3):
    rng = np.random.default_rng(seed)
    item = rng.uniform(0, 1, n)  # hard and easy items, shared by both sides
    return item + effect + noise * rng.standard_normal(n), item + noise * rng.standard_normal(n)


def test_interval_is_the_normal_one_for_many_items():
    a, b = planted(0.2, 2000, 0)
    got, d = paired_bootstrap(a, b), a - b
    half = 1.96 * d.std(ddof=1) / math.sqrt(d.size)
    assert got.value == pytest.approx(d.mean())
    assert got.low == pytest.approx(d.mean() - half, abs=0.1 * half)
    assert got.high == pytest.approx(d.mean() + half, abs=0.1 * half)


def test_interval_agrees_with_scipy():
    values = np.random.default_rng(1).exponential(size=150)
    got = bootstrap_mean(values)
    peer = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=2000, rng=np.random.default_rng(2)
    ).confidence_interval
    width = peer.high - peer.low
    assert got.low == pytest.approx(peer.low, abs=0.1 * width)
    assert got.high == pytest.approx(peer.high, abs=0.1 * width)


def test_intervals_cover_the_planted_effect_as_often_as_they_say():
    covered = 0
    for seed in range(300):
        got = paired_bootstrap(*planted(0.1, 80, seed))
        covered += got.low <= 0.1 <= got.high
    # 95 % nominal; a binomial with n = 300 stays within these limits in 99.9 % of cases.
    assert 0.90 <= covered / 300 <= 0.99


def test_pairing_takes_the_difficulty_of_items_out():
    a, b = planted(0.1, 200, 5, noise=0.02)
    paired = paired_bootstrap(a, b)
    alone = bootstrap_mean(a)
    assert (paired.high - paired.low) < 0.2 * (alone.high - alone.low)


def test_twins_are_averaged_per_item():
    real = np.array([1.0, 0.0, 1.0, 1.0])
    twins = np.array([[0, 0, 1.0], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
    got = paired_bootstrap(real, twins)
    assert got == bootstrap_mean(real - twins.mean(axis=1))
    assert got.n == 4


def test_swapping_sides_turns_the_sign():
    a, b = planted(0.2, 60, 3)
    one, other = paired_bootstrap(a, b), paired_bootstrap(b, a)
    assert one.value == -other.value
    assert one.excludes_zero
    assert other.excludes_zero
    # The resamples are the same, so the interval is mirrored.
    assert one.low == pytest.approx(-other.high)


def test_the_same_seed_gives_the_same_interval_and_another_one_does_not():
    values = np.arange(30.0)
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_large_samples_are_resampled_in_parts_without_a_seam():
    values = np.random.default_rng(0).normal(size=30_000)
    got = bootstrap_mean(values, resamples=300)
    half = 1.96 * values.std() / math.sqrt(values.size)
    assert got.high - got.low == pytest.approx(2 * half, rel=0.25)


@pytest.mark.parametrize("n", [1, 20, 120])
def test_equal_values_give_the_exact_bound_and_no_false_certainty(n):
    got = bootstrap_mean([0.0] * n, bounds=(-1, 1))
    # If a share p of items differed, n draws would all miss it with chance (1 - p)^n = 2.5 %.
    assert got.high == pytest.approx(1 - 0.025 ** (1 / n))
    assert got.low == -got.high
    assert not got.excludes_zero
    top = bootstrap_mean([1.0] * n, bounds=(-1, 1))
    assert top.high == 1
    assert top.low < 1


def test_one_value_without_bounds_has_no_interval():
    got = bootstrap_mean([3.0])
    assert (got.value, got.low, got.high, got.n) == (3.0, None, None, 1)
    assert not got.excludes_zero


def test_nothing_and_unequal_sides_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_mean([])
    with pytest.raises(ValueError, match="2 and 1"):
        paired_bootstrap([1, 2], [1])


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30).filter(
        lambda pairs: len({p for _, p in pairs}) == 2
    )
)
def test_auroc_agrees_with_scikit_learn_also_with_ties(pairs):
    scores, positive = [s / 4 for s, _ in pairs], [p for _, p in pairs]
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def test_auroc_needs_both_kinds():
    assert auroc([0.1, 0.2], [True, True]) is None


def test_calibration():
    # Bin 0.9-1.0 holds two answers (mean 0.95, half right), bin 0.1-0.2 one wrong answer of 0.1.
    assert calibration_error([0.9, 1.0, 0.1], [1, 0, 0]) == pytest.approx(
        (2 * abs(0.95 - 0.5) + 1 * 0.1) / 3
    )
    assert calibration_error([1.0, 0.0], [1, 0]) == 0
    assert brier([1.0, 0.5], [0, 1]) == pytest.approx((1 + 0.25) / 2)
