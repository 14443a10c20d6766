import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.retrieval import reciprocal_rank_fusion

rankings = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), max_size=4)


def test_the_formula_by_hand():
    fused = dict(reciprocal_rank_fusion([["a", "b", "c"], ["c", "a"]], k=60))
    assert fused["a"] == pytest.approx(1 / 61 + 1 / 62)
    assert fused["b"] == pytest.approx(1 / 62)
    assert fused["c"] == pytest.approx(1 / 63 + 1 / 61)


def test_ties_go_by_id():
    assert [i for i, _ in reciprocal_rank_fusion([["z", "a"], ["a", "z"]])] == ["a", "z"]


@given(rankings)
def test_the_order_of_rankings_does_not_matter(some):
    fused = reciprocal_rank_fusion(some)
    assert fused == reciprocal_rank_fusion(some[::-1])
    assert {i for i, _ in fused} == {i for ranking in some for i in ranking}
    assert [s for _, s in fused] == sorted((s for _, s in fused), reverse=True)
