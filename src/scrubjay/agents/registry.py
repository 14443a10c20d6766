"""Agents by name, as ``--settings`` takes them; other packages add to ``scrubjay.agents``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.agents.types import Agent
from scrubjay.core.errors import ScrubjayError
from scrubjay.core.registry import Registry

if TYPE_CHECKING:
    from scrubjay.retrieval.types import Encoder
    from scrubjay.worlds.world import World

AGENTS = Registry(
    "agent",
    closed_book="scrubjay.agents.closed_book:ClosedBook",
    reading="scrubjay.agents.reading:ReadingComprehension",
    one_step_rag="scrubjay.agents.one_step_rag:OneStepRAG",
    focused_rag="scrubjay.agents.focused_rag:FocusedRAG",
    adapt_retrieve_revise="scrubjay.agents.adapt_retrieve_revise:adapt_retrieve_revise",
    multilingual_rag="scrubjay.agents.multilingual:multilingual_rag",
    ircot="scrubjay.agents.ircot:IRCoT",
    cascade="scrubjay.agents.cascade:Cascade",
    dragin="scrubjay.agents.dynamic_rag:dragin",
    flare="scrubjay.agents.dynamic_rag:flare",
    fixed_length="scrubjay.agents.dynamic_rag:fixed_length",
    fixed_sentence="scrubjay.agents.dynamic_rag:fixed_sentence",
    closed_book_ranking="scrubjay.agents.ranking:Ranking",
    reading_ranking="scrubjay.agents.ranking:reading_ranking",
    links_only="scrubjay.agents.navigate:links_only",
    content_links="scrubjay.agents.navigate:content_links",
    frequent_answer="scrubjay.agents.baselines:MostFrequentAnswer",
    random_answer="scrubjay.agents.baselines:RandomOfType",
    oracle="scrubjay.agents.baselines:Oracle",
    random_walker="scrubjay.agents.walkers:RandomWalker",
    greedy_walker="scrubjay.agents.walkers:GreedyWalker",
    shortest_path="scrubjay.agents.walkers:ShortestPath",
    self_ask="scrubjay.agents.self_ask:SelfAsk",
    search_r1="scrubjay.agents.tags:search_r1",
    ikea="scrubjay.agents.tags:ikea",
    inforage="scrubjay.agents.tags:inforage",
    zerosearch="scrubjay.agents.tags:zerosearch",
    sim_rag="scrubjay.agents.sim_rag:sim_rag",
    knowledge_solver="scrubjay.agents.knowledge_solver:KnowledgeSolver",
    random_graph_walk="scrubjay.agents.graph_baselines:RandomGraphWalk",
    greedy_graph_walk="scrubjay.agents.graph_baselines:GreedyGraphWalk",
    graph_oracle="scrubjay.agents.graph_baselines:GraphOracle",
    flat_facts="scrubjay.agents.graph_baselines:FlatFacts",
)


def make_agent(name: str, world: World | None, encoder: Encoder | None = None) -> Agent:
    """The agent called ``name``, for questions of ``world`` (None: about a user's own documents).

    An agent that must know the world or an encoder takes them as ``world`` and ``encoder``.

    Raises:
        UnknownName: nobody registered that name; the message lists the known ones.
        ScrubjayError: it has to know a world, and there is none.
    """
    factory = AGENTS.get(name)
    known = {"world": world, "encoder": encoder}
    wanted = _parameters(factory)
    if world is None and "world" in wanted:
        raise ScrubjayError(
            f"the agent '{name}' has to know a world and can't answer from documents alone; "
            "try one-step-rag"
        )
    agent: Agent = factory(**{k: v for k, v in known.items() if k in wanted})
    return agent


def _parameters(factory: object) -> set[str]:
    import inspect

    return set(inspect.signature(factory).parameters)  # type: ignore[arg-type]
