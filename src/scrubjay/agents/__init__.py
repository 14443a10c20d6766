"""From a question to an answer: one policy a file, straight-line async code against a Session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.agents.adapt_retrieve_revise import AdaptRetrieveRevise, DraftOnly
    from scrubjay.agents.baselines import MostFrequentAnswer, Oracle, RandomOfType
    from scrubjay.agents.budgeted_search import BudgetedSearch, PaidSource
    from scrubjay.agents.cascade import Cascade
    from scrubjay.agents.closed_book import ClosedBook
    from scrubjay.agents.critics import Critic, LogProbCritic, OracleCritic, SelfCritic
    from scrubjay.agents.dynamic_rag import DynamicRAG
    from scrubjay.agents.encoder_critic import EncoderCritic
    from scrubjay.agents.graph_baselines import (
        FlatFacts,
        GraphOracle,
        GreedyGraphWalk,
        RandomGraphWalk,
    )
    from scrubjay.agents.hierarchy import HierarchyNavigator
    from scrubjay.agents.ircot import IRCoT
    from scrubjay.agents.knowledge_solver import KnowledgeSolver
    from scrubjay.agents.multilingual import MultilingualRAG
    from scrubjay.agents.navigate import LinkNavigator
    from scrubjay.agents.one_step_rag import OneStepRAG
    from scrubjay.agents.reading import ReadingComprehension
    from scrubjay.agents.reasoner import PromptedReasoner, Reasoner
    from scrubjay.agents.registry import AGENTS, make_agent
    from scrubjay.agents.search_state import SearchState
    from scrubjay.agents.self_ask import SelfAsk
    from scrubjay.agents.session import Budget, Session
    from scrubjay.agents.sim_rag import MultiRoundRAG, StopRule
    from scrubjay.agents.tags import TagAgent, TagFormat
    from scrubjay.agents.traversal import WrittenTraversal
    from scrubjay.agents.tree_baselines import FlatSearch, KnownPath, RandomDescent
    from scrubjay.agents.types import Agent
    from scrubjay.agents.walkers import GreedyWalker, RandomWalker, ShortestPath

__getattr__ = lazy(
    __name__,
    {
        "AGENTS": "registry",
        "AdaptRetrieveRevise": "adapt_retrieve_revise",
        "DraftOnly": "adapt_retrieve_revise",
        "Agent": "types",
        "Budget": "session",
        "BudgetedSearch": "budgeted_search",
        "Cascade": "cascade",
        "ClosedBook": "closed_book",
        "Critic": "critics",
        "DynamicRAG": "dynamic_rag",
        "EncoderCritic": "encoder_critic",
        "FlatFacts": "graph_baselines",
        "FlatSearch": "tree_baselines",
        "GraphOracle": "graph_baselines",
        "GreedyGraphWalk": "graph_baselines",
        "GreedyWalker": "walkers",
        "HierarchyNavigator": "hierarchy",
        "IRCoT": "ircot",
        "KnowledgeSolver": "knowledge_solver",
        "KnownPath": "tree_baselines",
        "LinkNavigator": "navigate",
        "LogProbCritic": "critics",
        "MostFrequentAnswer": "baselines",
        "MultiRoundRAG": "sim_rag",
        "MultilingualRAG": "multilingual",
        "OneStepRAG": "one_step_rag",
        "Oracle": "baselines",
        "OracleCritic": "critics",
        "PaidSource": "budgeted_search",
        "PromptedReasoner": "reasoner",
        "RandomDescent": "tree_baselines",
        "RandomGraphWalk": "graph_baselines",
        "RandomOfType": "baselines",
        "RandomWalker": "walkers",
        "ReadingComprehension": "reading",
        "Reasoner": "reasoner",
        "SearchState": "search_state",
        "SelfAsk": "self_ask",
        "SelfCritic": "critics",
        "Session": "session",
        "ShortestPath": "walkers",
        "StopRule": "sim_rag",
        "TagAgent": "tags",
        "TagFormat": "tags",
        "WrittenTraversal": "traversal",
        "make_agent": "registry",
    },
)
__all__ = [
    "AGENTS",
    "AdaptRetrieveRevise",
    "Agent",
    "Budget",
    "BudgetedSearch",
    "Cascade",
    "ClosedBook",
    "Critic",
    "DraftOnly",
    "DynamicRAG",
    "EncoderCritic",
    "FlatFacts",
    "FlatSearch",
    "GraphOracle",
    "GreedyGraphWalk",
    "GreedyWalker",
    "HierarchyNavigator",
    "IRCoT",
    "KnowledgeSolver",
    "KnownPath",
    "LinkNavigator",
    "LogProbCritic",
    "MostFrequentAnswer",
    "MultiRoundRAG",
    "MultilingualRAG",
    "OneStepRAG",
    "Oracle",
    "OracleCritic",
    "PaidSource",
    "PromptedReasoner",
    "RandomDescent",
    "RandomGraphWalk",
    "RandomOfType",
    "RandomWalker",
    "ReadingComprehension",
    "Reasoner",
    "SearchState",
    "SelfAsk",
    "SelfCritic",
    "Session",
    "ShortestPath",
    "StopRule",
    "TagAgent",
    "TagFormat",
    "WrittenTraversal",
    "make_agent",
]
