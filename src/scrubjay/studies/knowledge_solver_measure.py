"""What study 53 measures: who reaches the right one of four, over the same graph."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from scrubjay.agents import (
    FlatFacts,
    GraphOracle,
    GreedyGraphWalk,
    KnowledgeSolver,
    RandomGraphWalk,
    Session,
)
from scrubjay.agents.graph_walk import Candidates
from scrubjay.agents.types import Agent
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Answer, Question
from scrubjay.models.types import LanguageModel
from scrubjay.retrieval.types import Encoder
from scrubjay.studies.knowledge_solver_stage import Asked
from scrubjay.worlds.world import World

HOPS = 3
DRAWS = 20
"""Random walks a question; their mean is its score."""
FREE = ("random", "greedy", "oracle")
"""Methods without a language model."""
METHODS = (
    "closed book", "flat facts", "ksl", "ksl, blind", "ksl, paper's dialogue",
    "ksl, permuted graph", *FREE,
)  # fmt: skip
AROUND = ("closed book", "ksl")
"""Methods that are measured with real and with invented names."""


class ClosedChoice:
    """Weighs the candidates without looking anything up."""

    name = "closed-choice"
    tasks = frozenset({"recall", "multihop"})
    needs = frozenset({"model"})

    def __init__(self, world: World, candidates: Candidates) -> None:
        self._world, self._candidates = world, candidates

    async def answer(self, question: Question, session: Session) -> Answer:
        names = [self._world.names.value(c) for c in self._candidates[question.id]]
        asked = prompt("answer", question=question.text, passages=[], thoughts=[])
        return Answer((await session.choose(asked, names)).option, session.trace)


def make(method: str, world: World, asked: Sequence[Asked], encoder: Encoder | None) -> Agent:
    """The agent of a method; every one is told the same four candidates."""
    goals: Candidates = {a.question.id: a.candidates for a in asked}
    permuted = world.knowledge.permuted(1)
    agents: dict[str, Any] = {
        "closed book": lambda: ClosedChoice(world, goals),
        "flat facts": lambda: FlatFacts(world, goals, hops=HOPS),
        "ksl": lambda: KnowledgeSolver(world, goals, hops=HOPS),
        "ksl, blind": lambda: KnowledgeSolver(world, goals, shown=False, hops=HOPS),
        "ksl, paper's dialogue": lambda: KnowledgeSolver(
            world, goals, weigh="choose", hops=HOPS, start="random"
        ),
        "ksl, permuted graph": lambda: KnowledgeSolver(world, goals, hops=HOPS, graph=permuted),
        "random": lambda: RandomGraphWalk(world, goals, hops=HOPS),
        "greedy": lambda: GreedyGraphWalk(world, encoder, goals, hops=HOPS),
        "oracle": lambda: GraphOracle(world),
    }
    agent: Agent = agents[method]()
    return agent


async def measure(
    method: str,
    world: World,
    asked: Sequence[Asked],
    model: LanguageModel | None,
    encoder: Encoder | None,
    seed: int,
) -> list[dict[str, Any]]:
    """A row per question: right, reached, on the question's own way, calls and tokens."""
    agent = make(method, world, asked, encoder)
    draws = DRAWS if method == "random" else 1

    async def one(item: Asked) -> dict[str, Any]:
        rows = [
            _row(item, await agent.answer(item.question, Session(model, seed=seed + d)))
            for d in range(draws)
        ]
        return {k: sum(r[k] for r in rows) / draws for k in rows[0]}

    rows = await asyncio.gather(*(one(a) for a in asked))
    if model is not None:
        model.settle()
    return list(rows)


def _row(item: Asked, answer: Answer) -> dict[str, float]:
    cost = answer.trace.cost
    return {
        "right": float(answer.text == item.question.answers[0]),
        "reached": float(bool(answer.path) and answer.path[-1] in item.candidates),
        "own way": float(answer.path == item.chain),
        "hops": item.hops,
        "even": float(item.even),
        "calls": cost.calls,
        "tokens": cost.tokens,
    }
