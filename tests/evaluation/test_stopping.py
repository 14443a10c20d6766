"""Stop rules by hand, curves between them, and intervals that respect questions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from scrubjay.core.randomness import numpy_stream
from scrubjay.evaluation import Curve, Walk, curve_gain, oracle_stop, stop_scores, sufficiency
from scrubjay.evaluation.stopping import RESAMPLES

SPOILED = Walk((False, True, False), (0.1, 0.4, 0.9))
KNOWN = Walk((True, True, True), (0.8, 0.2, 0.3))
NEVER = Walk((False, False, False), (0.6, 0.1, 0.1))


def test_by_hand() -> None:
    got = stop_scores([SPOILED, KNOWN, NEVER], 0.5)
    assert (got.exact, got.searches) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert got.over_confidence == pytest.approx(2 / 3)  # SPOILED at 2, NEVER at 0
    assert got.over_retrieval == pytest.approx(1 / 3)  # SPOILED's right answer was refused
    assert got.regret == pytest.approx(1 / 3)
    assert got.extra_searches == pytest.approx((1 + 0 - 2) / 3)


def test_an_answer_that_stands_because_rounds_are_over_was_not_accepted() -> None:
    assert stop_scores([Walk((False, False), (0.1, 0.1))], 0.5).over_confidence == 0


WALKS = st.integers(1, 4).flatmap(
    lambda n: st.lists(
        st.builds(
            Walk,
            st.lists(st.booleans(), min_size=n, max_size=n).map(tuple),
            st.lists(st.floats(0, 1), min_size=n, max_size=n).map(tuple),
        ),
        min_size=1,
        max_size=12,
    )
)


@given(WALKS, st.floats(0, 1))
def test_no_rule_beats_the_oracle(walks: list[Walk], threshold: float) -> None:
    got = stop_scores(walks, threshold)
    assert got.regret >= 0
    assert got.exact + got.regret == pytest.approx(
        sum(w.right[oracle_stop(w)] for w in walks) / len(walks)
    )


@given(WALKS)
def test_curves_hold_every_rule_and_searches_grow(walks: list[Walk]) -> None:
    points = Curve(walks).points()
    searches = [s for s, _ in points]
    assert searches == sorted(searches)
    for threshold in (0.25, 0.5):
        got = stop_scores(walks, threshold)
        assert any(abs(s - got.searches) + abs(e - got.exact) < 1e-9 for s, e in points)


def test_a_perfect_critic_lies_above_fixed_rounds_and_a_blind_one_does_not() -> None:
    rights = [(True, True, False), (False, True, True), (False, False, True)] * 20
    perfect = [Walk(r, tuple(map(float, r))) for r in rights]
    blind = [Walk(r, (0.5, 0.5, 0.5)) for r in rights]
    fixed = Curve.fixed(perfect)
    assert fixed.points() == [
        (0, pytest.approx(1 / 3)),
        (1, pytest.approx(2 / 3)),
        (2, pytest.approx(2 / 3)),
    ]
    gain = curve_gain(Curve(perfect), fixed, 60, [0.5, 1.0])
    assert gain.low is not None
    assert gain.low > 0.1
    assert curve_gain(Curve(blind), fixed, 60, [0.5, 1.0]).value <= 0


def test_sufficiency_by_hand_and_wider_intervals_for_grouped_rows() -> None:
    p, right = [0.9, 0.8, 0.3, 0.6] * 10, [True, True, False, False] * 10
    flat = [0.0] * 40
    apart = sufficiency(p, right, flat, [str(i) for i in range(40)])
    assert apart.accuracy.value == 0.75
    assert (apart.majority, apart.auroc.value, apart.baseline) == (0.5, 1.0, 0.5)
    together = sufficiency(p, right, flat, [str(i % 4) for i in range(40)])
    assert together.accuracy.n == 4
    width = [(i.high or 0) - (i.low or 0) for i in (apart.accuracy, together.accuracy)]
    assert width[1] > width[0]


def test_intervals_are_those_of_the_rows_that_were_drawn() -> None:
    """Nine questions of three rows, with ties; some draws have one label only."""
    random = np.random.default_rng(5)
    right = np.repeat(random.random(9) < 0.2, 3)
    p, base = (np.round(right * 0.3 + random.random(27) * 0.7, 1) for _ in range(2))
    told = sufficiency(p.tolist(), right.tolist(), base.tolist(), [str(i // 3) for i in range(27)])
    areas, leads, hits = [], [], []
    for draw in numpy_stream(0, "resampled groups").integers(0, 9, (RESAMPLES, 9)):
        rows = (3 * draw[:, None] + np.arange(3)).ravel()
        hits.append(np.mean((p[rows] >= 0.5) == right[rows]))
        if 0 < right[rows].sum() < 27:
            area, other = (roc_auc_score(right[rows], x[rows]) for x in (p, base))
            areas.append(area)
            leads.append(area - other)
    assert 0 < len(areas) < RESAMPLES
    for interval, values in (
        (told.auroc, areas),
        (told.over_baseline, leads),
        (told.accuracy, hits),
    ):
        limits = np.quantile(values, [0.025, 0.975])
        assert (interval.low, interval.high) == pytest.approx(tuple(limits))
    assert told.baseline == pytest.approx(roc_auc_score(right, base))


def test_sufficiency_refuses_one_label_and_odd_lengths() -> None:
    with pytest.raises(ValueError, match="right and wrong"):
        sufficiency([0.5], [True], [0.0], ["a"])
    with pytest.raises(ValueError, match="equally many"):
        sufficiency([0.5], [True, False], [0.0], ["a"])
