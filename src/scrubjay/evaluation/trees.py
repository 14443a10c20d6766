"""How far down the right way does an agent of a tree come, and at what price?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scrubjay.agents.session import Session
from scrubjay.agents.types import Agent
from scrubjay.core.nouns import Answer, Question
from scrubjay.core.progress import Progress
from scrubjay.evaluation.paths import levels_right, path_matching
from scrubjay.evaluation.statistics import Interval, bootstrap_mean

TOGETHER = 32
"""Questions under way at once."""


@dataclass(frozen=True, slots=True)
class TreeScore:
    """Means over questions; each question's path is held against its ``gold``."""

    agent: str
    exact: Interval
    """Share answered with the very node."""
    levels: tuple[float, ...]
    """Share of the questions that have a first, second, … level, right down to that level."""
    pms: float
    """Path matching score."""
    calls: float
    searches: float
    tokens: float
    seconds: float
    """Time on the clock over questions: what runs at once shares the machine."""


def tree_score(
    agent: str, questions: Sequence[Question], answers: Sequence[Answer], seconds: float
) -> TreeScore:
    """Score the answers to questions of a tree.

    Raises:
        ValueError: no questions, or not one answer for each.
    """
    if not questions or len(questions) != len(answers):
        raise ValueError("a score needs questions, and an answer to each")
    n = len(questions)
    right = [levels_right(a.path, q.gold) for q, a in zip(questions, answers)]
    deepest = max(len(q.gold) for q in questions)
    levels = []
    for level in range(1, deepest + 1):
        deep = [r for r, q in zip(right, questions) if len(q.gold) >= level]
        levels.append(sum(r >= level for r in deep) / len(deep))
    costs = [a.trace.cost for a in answers]
    return TreeScore(
        agent,
        bootstrap_mean([float(a.text in q.answers) for q, a in zip(questions, answers)]),
        tuple(levels),
        sum(path_matching(a.path, q.gold).pms for q, a in zip(questions, answers)) / n,
        sum(c.calls for c in costs) / n,
        sum(c.searches for c in costs) / n,
        sum(c.tokens for c in costs) / n,
        seconds / n,
    )


async def measure_tree_agent(
    agent: Agent,
    questions: Sequence[Question],
    session: Callable[[], Session],
    progress: Progress | None = None,
) -> TreeScore:
    """Ask an agent all questions, each in a session of its own, and score what it says."""
    answers: list[Answer] = []
    began = time.perf_counter()
    for start in range(0, len(questions), TOGETHER):
        part = questions[start : start + TOGETHER]
        answers += await asyncio.gather(*(agent.answer(q, session()) for q in part))
        if progress is not None:
            progress(agent.name, len(answers), len(questions))
    return tree_score(agent.name, questions, answers, time.perf_counter() - began)
