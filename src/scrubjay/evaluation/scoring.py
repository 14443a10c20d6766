"""One call that scores an answer by the metrics of its task."""

from __future__ import annotations

from scrubjay.core.nouns import Answer, Question
from scrubjay.evaluation.navigation import moves_made, navigation_scores
from scrubjay.evaluation.ranking import ranking_scores
from scrubjay.evaluation.retrieval import retrieval_scores
from scrubjay.evaluation.text import exact_match, extract, f1
from scrubjay.evaluation.times import score_time
from scrubjay.worlds.hitting import PageGraph

UNBOUNDED = frozenset({"steps", "steps_over_shortest"})
"""Metrics that are counts or ratios (lower is better); all others lie in [0, 1]."""


def main_metric(task: str) -> str:
    """The metric a task is judged by."""
    return "success" if task == "navigation" else "f1"


def score(question: Question, answer: Answer, graph: PageGraph | None = None) -> dict[str, float]:
    """All metrics that apply.

    Navigation: ``success``, ``steps``, ``steps_over_shortest`` (``graph`` tells the shortest path).
    Everything else: ``f1``, ``em``; ``hits@1``, ``mrr`` if candidates were scored; ``recall@5``,
    ``recall`` if there was a search. A question without known answers gets no ``f1`` and ``em``.
    """
    if question.goal:
        shortest = None
        if graph is not None and question.start in graph and question.goal in graph:
            shortest = graph.shortest(question.start, question.goal)
        steps = moves_made(answer.trace, answer.path)
        return navigation_scores(answer.path, question.goal, steps=steps, shortest=shortest)
    scores = retrieval_scores(answer.trace, question.gold)
    if question.answers:
        said = extract(answer.text)
        if question.is_time:
            scores["f1"], scores["em"] = score_time(said, question.answers)
        else:
            scores["f1"] = f1(said, question.answers)
            scores["em"] = exact_match(said, question.answers)
        scores |= ranking_scores(answer.trace, question.answers)
    return scores
