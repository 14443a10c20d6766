"""From a question to an answer: one policy a file, straight-line async code against a Session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.agents.baselines import MostFrequentAnswer, Oracle, RandomOfType
    from scrubjay.agents.closed_book import ClosedBook
    from scrubjay.agents.hierarchy import HierarchyNavigator
    from scrubjay.agents.ircot import IRCoT
    from scrubjay.agents.navigate import LinkNavigator
    from scrubjay.agents.one_step_rag import OneStepRAG
    from scrubjay.agents.reading import ReadingComprehension
    from scrubjay.agents.registry import AGENTS, make_agent
    from scrubjay.agents.session import Budget, Session
    from scrubjay.agents.traversal import WrittenTraversal
    from scrubjay.agents.tree_baselines import FlatSearch, KnownPath, RandomDescent
    from scrubjay.agents.types import Agent
    from scrubjay.agents.walkers import GreedyWalker, RandomWalker, ShortestPath

__getattr__ = lazy(
    __name__,
    {
        "AGENTS": "registry",
        "Agent": "types",
        "Budget": "session",
        "ClosedBook": "closed_book",
        "FlatSearch": "tree_baselines",
        "GreedyWalker": "walkers",
        "HierarchyNavigator": "hierarchy",
        "IRCoT": "ircot",
        "KnownPath": "tree_baselines",
        "LinkNavigator": "navigate",
        "MostFrequentAnswer": "baselines",
        "OneStepRAG": "one_step_rag",
        "Oracle": "baselines",
        "RandomDescent": "tree_baselines",
        "RandomOfType": "baselines",
        "RandomWalker": "walkers",
        "ReadingComprehension": "reading",
        "Session": "session",
        "ShortestPath": "walkers",
        "WrittenTraversal": "traversal",
        "make_agent": "registry",
    },
)
__all__ = [
    "AGENTS",
    "Agent",
    "Budget",
    "ClosedBook",
    "FlatSearch",
    "GreedyWalker",
    "HierarchyNavigator",
    "IRCoT",
    "KnownPath",
    "LinkNavigator",
    "MostFrequentAnswer",
    "OneStepRAG",
    "Oracle",
    "RandomDescent",
    "RandomOfType",
    "RandomWalker",
    "ReadingComprehension",
    "Session",
    "ShortestPath",
    "WrittenTraversal",
    "make_agent",
]
