"""Records of random orders by brute force; ranks by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.deciding.bo.curves import area, chart, expected_records, harmonic, mean_ranks, records
from scrubjay.deciding.bo.tasks import OptimiseError


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(1, 6))
def test_expected_records_are_the_mean_over_all_orders(values: list[int], trials: int) -> None:
    trials = min(trials, len(values))
    counts = []
    for order in permutations(values):
        best, found = -1, 0
        for value in order[:trials]:
            if value > best:
                best, found = value, found + 1
        counts.append(found)
    assert expected_records(np.array(values, float), trials) == pytest.approx(np.mean(counts))


@given(st.integers(1, 60), st.integers(0, 40))
def test_without_ties_it_is_the_harmonic_number(trials: int, more: int) -> None:
    assert expected_records(np.arange(trials + more, dtype=float), trials) == pytest.approx(
        harmonic(trials)
    )


def test_records_and_area_by_hand() -> None:
    regret = np.array([[0.5, 0.5, 0.2, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert records(regret).tolist() == [3, 1]
    assert area(regret).tolist() == pytest.approx([0.3, 1.0])


def test_ranks_share_ties() -> None:
    found = mean_ranks(
        {
            "a": np.array([[0.5, 0.1], [0.2, 0.0]]),
            "b": np.array([[0.5, 0.3], [0.1, 0.0]]),
            "c": np.array([[0.9, 0.2], [0.3, 0.4]]),
        }
    )
    assert {k: v.tolist() for k, v in found.items()} == {
        "a": [1.75, 1.25],
        "b": [1.25, 2.25],
        "c": [3.0, 2.5],
    }


def test_a_chart_holds_every_trial_within_its_interval() -> None:
    regret = np.random.default_rng(0).random((30, 4))
    rows = chart({"x": regret})["data"]["values"]
    assert [r["trial"] for r in rows] == [1, 2, 3, 4]
    assert all(r["low"] < r["regret"] < r["high"] for r in rows)


def test_more_trials_than_candidates_are_refused() -> None:
    with pytest.raises(OptimiseError, match="can't be made"):
        expected_records(np.zeros(3), 4)
