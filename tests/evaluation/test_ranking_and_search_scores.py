"""Ranking, retrieval and navigation metrics, and which of them a task gets."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.core.nouns import Answer, Question
from scrubjay.core.trace import Moved, Scored, Searched, Trace
from scrubjay.evaluation.navigation import navigation_scores
from scrubjay.evaluation.ranking import rank, ranking_scores
from scrubjay.evaluation.retrieval import recall_at_k
from scrubjay.evaluation.scoring import score
from scrubjay.worlds.hitting import PageGraph

LEVELS = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=7)


def test_rank_without_ties():
    place = rank([-1.0, -3.0, -2.0], [2])
    assert (place.mean, place.reciprocal, place.hit(1), place.hit(2)) == (2, 0.5, 0, 1)


def test_ties_get_the_middle_rank_and_their_share_of_a_hit():
    place = rank([0.0] * 5, [3])
    assert place.mean == 3
    assert place.hit(1) == pytest.approx(1 / 5)
    assert place.hit(5) == 1


def test_other_right_answers_do_not_push_down():
    assert rank([-1.0, -2.0, -3.0], [0, 1, 2]).mean == 1
    assert rank([-1.0, -0.5, -3.0], [0, 2]).mean == 2


def test_a_rank_needs_a_right_candidate():
    with pytest.raises(ValueError, match="no candidate is right"):
        rank([0.0], [])


@given(LEVELS, st.data())
def test_rank_is_the_average_over_random_tie_breaks(scores, data):
    right = data.draw(st.integers(0, len(scores) - 1))
    place, rng = rank(scores, [right]), random.Random(0)
    ranks = []
    for _ in range(400):
        order = list(range(len(scores)))
        rng.shuffle(order)
        order.sort(key=lambda i: -scores[i])
        ranks.append(order.index(right) + 1)
    assert sum(ranks) / 400 == pytest.approx(place.mean, abs=0.6)
    assert ranks.count(1) / 400 == pytest.approx(place.hit(1), abs=0.15)


def test_ranking_scores_use_the_last_scored_candidates():
    steps = [
        Scored("p", ("Lima", "Oslo"), (-1.0, -9.0)),
        Scored("p", (" Lima\n", " Oslo\n", " Rome\n"), (-5.0, -4.0, -6.0)),
        Scored("is it true?", ("yes", "no"), (-0.1, -2.0)),
    ]
    assert ranking_scores(steps, ["Lima"]) == {"hits@1": 0.0, "mrr": 0.5}
    assert ranking_scores(steps[2:], ["Lima"]) == {}


def test_recall_counts_documents_once():
    assert recall_at_k(["a", "a", "b", "c"], ["b", "x"], 2) == 0.5
    assert recall_at_k(["a", "b"], ["b"], 1) == 0
    assert recall_at_k([], ["b"]) == 0
    with pytest.raises(ValueError, match="gold"):
        recall_at_k(["a"], [])


def test_navigation_scores():
    assert navigation_scores("abc", "c", steps=4, shortest=2) == {
        "success": 1.0,
        "steps": 4.0,
        "steps_over_shortest": 2.0,
    }
    assert navigation_scores("ab", "c", steps=30, shortest=2) == {"success": 0.0, "steps": 30.0}


def test_score_of_a_question_with_searches():
    trace = Trace(
        [
            Searched("q", ("1", "2"), documents=("d1", "d9")),
            Searched("q2", ("3",), documents=("d2",)),
        ]
    )
    question = Question("q", "?", ("Lima",), task="multihop", gold=("d1", "d2"))
    assert score(question, Answer("The answer is Lima", trace)) == {
        "f1": 1.0,
        "em": 1.0,
        "recall@5": 0.5,
        "recall": 1.0,
    }


def test_score_of_a_date():
    question = Question("q", "?", ("July 20, 1969",), is_time=True)
    assert score(question, Answer("Answer: 20 July 1969", Trace()))["em"] == 1


def test_score_of_a_walk_counts_moves_that_failed():
    graph = PageGraph({"a": ["b"], "b": []})
    trace = Trace([Moved("click", "a", "zzz", ok=False), Moved("click", "a", "b")])
    question = Question("n", "", task="navigation", start="a", goal="b")
    answer = Answer("", trace, path=("a", "b"), success=True)
    assert score(question, answer, graph) == {
        "success": 1.0,
        "steps": 2.0,
        "steps_over_shortest": 2.0,
    }
    assert "steps_over_shortest" not in score(question, answer)


def test_a_question_without_known_answer_gets_no_grade():
    assert score(Question("q", "?"), Answer("Lima", Trace())) == {}
