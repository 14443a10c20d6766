"""Clipping, advantages and returns, against hand-made numbers and plain sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.deciding.policy_gradient import advantages, returns, surrogate

NUMBERS = st.lists(st.floats(-3, 3, width=16), min_size=1, max_size=6)
SHARE = st.floats(0, 1, width=16)


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope"),
    [(1.5, 1.0, 1.2, 0.0), (0.5, -1.0, -0.8, 0.0), (1.5, -1.0, -1.5, -1.5), (1.1, 1.0, 1.1, 1.1)],
)
def test_clipping_stops_the_gradient_only_where_it_would_go_too_far(
    ratio: float, advantage: float, value: float, slope: float
) -> None:
    new = torch.tensor([math.log(ratio)], requires_grad=True)
    out = surrogate(new, torch.zeros(1), torch.tensor([advantage]), 0.2)
    out.sum().backward()
    assert out.item() == pytest.approx(value)
    assert new.grad is not None
    assert new.grad.item() == pytest.approx(slope)


@given(NUMBERS, st.integers(0, 2**20), SHARE, SHARE)
def test_advantages_are_the_weighted_sum_of_errors(
    rewards: list[float], seed: int, discount: float, trace: float
) -> None:
    values = np.random.default_rng(seed).normal(size=len(rewards)).tolist()
    last = len(rewards)
    errors = [
        rewards[t] + (discount * values[t + 1] if t + 1 < last else 0.0) - values[t]
        for t in range(last)
    ]
    expected = [
        sum((discount * trace) ** (k - t) * errors[k] for k in range(t, last)) for t in range(last)
    ]
    found = advantages(np.array(rewards), np.array(values), discount, trace)
    assert found.tolist() == pytest.approx(expected, abs=1e-9)


@given(NUMBERS, st.integers(0, 2**20), SHARE, SHARE)
def test_returns_are_the_mixture_of_all_step_returns(
    rewards: list[float], seed: int, discount: float, trace: float
) -> None:
    """TD-λ as (1 − λ) Σ λ^(n−1) G^(n), the rest of the weight on the whole return."""
    values = [*np.random.default_rng(seed).normal(size=len(rewards)).tolist(), 0.0]
    last = len(rewards)
    expected = []
    for t in range(last):
        steps = [
            sum(discount**k * rewards[t + k] for k in range(n)) + discount**n * values[t + n]
            for n in range(1, last - t + 1)
        ]
        mixed = sum((1 - trace) * trace**i * g for i, g in enumerate(steps[:-1]))
        expected.append(mixed + trace ** (len(steps) - 1) * steps[-1])
    found = returns(np.array(rewards), np.array(values[:-1]), discount, trace)
    assert found.tolist() == pytest.approx(expected, abs=1e-9)


def test_episodes_side_by_side_do_not_mix() -> None:
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 3, 5))
    together = advantages(rewards, values, 0.9, 0.7)
    assert np.allclose(together[1, 2], advantages(rewards[1, 2], values[1, 2], 0.9, 0.7))
