"""Student's interval against scipy's, and against what it promises for three values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from scrubjay.evaluation.statistics import bootstrap_mean, student_mean


def test_it_is_scipys() -> None:
    x = np.array([0.3, -1.2, 0.7, 2.0])
    found = student_mean(x, level=0.9)
    low, high = stats.t.interval(0.9, 3, x.mean(), stats.sem(x))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.value, found.n) == (pytest.approx(0.45), 4)


def test_three_values_are_covered_as_promised_and_not_by_a_bootstrap() -> None:
    drawn = np.random.default_rng(0).normal(2.0, 1.0, (3000, 3))
    inside = [i.low <= 2 <= i.high for i in map(student_mean, drawn)]  # type: ignore[operator]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)
    inside = [i.low <= 2 <= i.high for i in map(bootstrap_mean, drawn[:300])]  # type: ignore[operator]
    assert np.mean(inside) == pytest.approx(0.75, abs=0.09)


def test_one_value_has_no_interval_and_none_is_refused() -> None:
    assert student_mean([3.0]).low is None
    with pytest.raises(ValueError, match="at least one value"):
        student_mean([])
