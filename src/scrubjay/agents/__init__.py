"""From a question to an answer: one policy a file, straight-line async code against a Session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.agents.baselines import MostFrequentAnswer, Oracle, RandomOfType
    from scrubjay.agents.closed_book import ClosedBook
    from scrubjay.agents.ircot import IRCoT
    from scrubjay.agents.navigate import LinkNavigator
    from scrubjay.agents.one_step_rag import OneStepRAG
    from scrubjay.agents.reading import ReadingComprehension
    from scrubjay.agents.registry import AGENTS, make_agent
    from scrubjay.agents.session import Budget, Session
    from scrubjay.agents.types import Agent
    from scrubjay.agents.walkers import GreedyWalker, RandomWalker, ShortestPath

__getattr__ = lazy(
    __name__,
    {
        "AGENTS": "registry",
        "Agent": "types",
        "Budget": "session",
        "ClosedBook": "closed_book",
        "GreedyWalker": "walkers",
        "IRCoT": "ircot",
        "LinkNavigator": "navigate",
        "MostFrequentAnswer": "baselines",
        "OneStepRAG": "one_step_rag",
        "Oracle": "baselines",
        "RandomOfType": "baselines",
        "RandomWalker": "walkers",
        "ReadingComprehension": "reading",
        "Session": "session",
        "ShortestPath": "walkers",
        "make_agent": "registry",
    },
)
__all__ = [
    "AGENTS",
    "Agent",
    "Budget",
    "ClosedBook",
    "GreedyWalker",
    "IRCoT",
    "LinkNavigator",
    "MostFrequentAnswer",
    "OneStepRAG",
    "Oracle",
    "RandomOfType",
    "RandomWalker",
    "ReadingComprehension",
    "Session",
    "ShortestPath",
    "make_agent",
]
