"""Path scores by hand, and against the definition of a common subsequence."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.evaluation import answer_bins, levels_right, path_matching


@pytest.mark.parametrize(
    ("pred", "gold", "f1", "css", "pms"),
    [
        ("abcd", "abcd", 1, 1, 1),
        ("abx", "abcd", 4 / 7, 2 / 4, 2 * (4 / 7) * 0.5 / (4 / 7 + 0.5)),
        ("dcba", "abcd", 1, 1 / 4, 0.4),
        ("aab", "ab", 1, 2 / 3, 0.8),
        ("", "ab", 0, 0, 0),
        ("xy", "ab", 0, 0, 0),
    ],
)
def test_by_hand(pred: str, gold: str, f1: float, css: float, pms: float) -> None:
    found = path_matching(pred, gold)
    assert (found.f1, found.css, found.pms) == pytest.approx((f1, css, pms))


def test_without_a_true_path_there_is_no_score() -> None:
    with pytest.raises(ValueError, match="no true path"):
        path_matching("ab", "")


@given(st.text("abc", max_size=6), st.text("abc", min_size=1, max_size=6))
def test_the_order_kept_is_the_longest_common_subsequence(pred: str, gold: str) -> None:
    parts = {c for n in range(len(pred) + 1) for c in combinations(pred, n)}
    longest = max(len(c) for n in range(len(gold) + 1) for c in combinations(gold, n) if c in parts)
    found = path_matching(pred, gold)
    assert found.css * max(len(pred), len(gold)) == pytest.approx(longest)
    assert 0 <= found.pms <= max(found.f1, found.css)


def test_levels_until_the_ways_part() -> None:
    assert [levels_right(p, "abc") for p in ("abc", "abx", "xbc", "ab", "")] == [3, 2, 0, 2, 0]


def test_answers_fall_into_four_bins() -> None:
    runs = [(1, 1, 1, 0, 0), (1, 1, 0, 1, 0), (1, 1, 0, 0, 0), (1, 0, 1, 0, 0)]
    assert answer_bins([[bool(x) for x in run] for run in runs]) == {
        "all correct": 1,
        "majority correct": 1,
        "majority incorrect": 2,  # the third, half right, and the fourth
        "all incorrect": 1,
    }
    with pytest.raises(ValueError, match="same questions"):
        answer_bins([[True], [True, False]])
