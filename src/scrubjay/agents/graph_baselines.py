"""What a walk over a knowledge graph is measured against: the same walk by chance, by words or
vectors, by knowing the way; and the same facts without a walk.

    RandomGraphWalk      every edge ahead, and stopping where it may stop, equally likely
    GreedyGraphWalk      the edge whose fact is most like the question; stops if the next is less
    GraphOracle          a shortest walk to a right answer
    FlatFacts            no walk: the facts around the entities in one prompt

Source: Knowledge Solver (paper 53), sections 5 and 6 of our sheet. Beam search and personalised
PageRank over vectors are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from scrubjay.agents.graph_walk import Candidates, Walk, arrived, as_passage, heads, wander
from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS, Need
from scrubjay.agents.writing import prompt, write_answer
from scrubjay.core.nouns import Answer, Question
from scrubjay.core.randomness import stream
from scrubjay.retrieval.overlap import word_scores
from scrubjay.worlds.knowledge import Edge, KnowledgeGraph
from scrubjay.worlds.universe import Value
from scrubjay.worlds.world import World

if TYPE_CHECKING:
    from scrubjay.retrieval.types import Encoder


@dataclass(frozen=True, slots=True)
class RandomGraphWalk:
    """Chooses among exactly what a model would choose among, without looking."""

    world: World
    candidates: Candidates = field(default_factory=dict)
    shown: bool = True
    hops: int = 5
    most: int = 30
    name: str = "random-graph-walk"
    tasks: ClassVar[frozenset[str]] = QUESTIONS
    needs: ClassVar[frozenset[Need]] = frozenset()

    async def answer(self, question: Question, session: Session) -> Answer:
        goals = tuple(self.candidates.get(question.id, ()))
        draw = stream(session.seed, "random graph walk", question.id)

        async def pick(walk: Walk, edges: Sequence[Edge], can_stop: bool) -> Edge | None:
            return draw.choice([*edges, *([None] if can_stop else [])])

        linked = heads(self.world.knowledge, question)
        if not linked:
            return _guess(self.world.knowledge, goals, None, question, session)
        walk = await wander(
            Walk(self.world.knowledge, draw.choice(linked)), question, session, pick,
            named=set(linked), goals=goals if goals and self.shown else None,
            hops=self.hops, most=self.most,
        )  # fmt: skip
        return _guess(self.world.knowledge, goals, walk, question, session)


@dataclass(frozen=True, slots=True)
class GreedyGraphWalk:
    """Takes the fact most like the question, by vectors or, without an encoder, by BM25 words.

    Stopping is compared with the way on: it stops if the best fact ahead is less like the question
    than the one that led here.
    """

    world: World
    encoder: Encoder | None = None
    candidates: Candidates = field(default_factory=dict)
    shown: bool = True
    hops: int = 5
    most: int = 30
    name: str = "greedy-graph-walk"
    tasks: ClassVar[frozenset[str]] = QUESTIONS
    needs: ClassVar[frozenset[Need]] = frozenset()

    async def answer(self, question: Question, session: Session) -> Answer:
        goals = tuple(self.candidates.get(question.id, ()))
        linked = heads(self.world.knowledge, question)
        walks = []
        for head in linked:
            last = [-math.inf]

            async def pick(
                walk: Walk, edges: Sequence[Edge], can_stop: bool, last: list[float] = last
            ) -> Edge | None:
                near = self._near(question.text, edges)
                best = max(range(len(edges)), key=near.__getitem__)
                if can_stop and near[best] < last[0]:
                    return None
                last[0] = near[best]
                walk.logp += near[best]
                return edges[best]

            walk = Walk(self.world.knowledge, head)
            walks.append(
                await wander(
                    walk, question, session, pick,
                    named=set(linked), goals=goals if goals and self.shown else None,
                    hops=self.hops, most=self.most,
                )
            )  # fmt: skip

        def mean(walk: Walk) -> tuple[bool, float]:
            return walk.here in goals, walk.logp / max(1, len(walk.path))

        best = max(walks, key=mean, default=None)
        return _guess(self.world.knowledge, goals, best, question, session)

    def _near(self, question: str, edges: Sequence[Edge]) -> list[float]:
        facts = [self.world.knowledge.statement(e) for e in edges]
        if self.encoder is None:
            return word_scores(question, facts)
        import numpy as np

        asked, *said = self.encoder.encode([question, *facts])
        return [float(np.asarray(v) @ np.asarray(asked)) for v in said]


@dataclass(frozen=True, slots=True)
class GraphOracle:
    """A shortest walk from an entity of the question to a right answer; knows the answers."""

    world: World
    name: str = "graph-oracle"
    tasks: ClassVar[frozenset[str]] = QUESTIONS
    needs: ClassVar[frozenset[Need]] = frozenset()

    async def answer(self, question: Question, session: Session) -> Answer:
        graph = self.world.knowledge
        ways = [
            (head, way)
            for head in heads(graph, question)
            for goal in sorted(self.world.universe.query(question.query), key=graph.name)
            if (way := graph.shortest(head, goal))
        ]
        if not ways:
            session.note("no walk leads to an answer")
            return Answer("", session.trace)
        head, way = min(ways, key=lambda w: len(w[1]))
        walk = Walk(self.world.knowledge, head)
        for edge in way:
            walk.go(edge, session)
        return arrived(walk, session)


@dataclass(frozen=True, slots=True)
class FlatFacts:
    """The facts within ``hops`` of the question's entities, those most like it by words first, in
    one prompt, up to ``words`` words; candidates are weighed, an open answer is written."""

    world: World
    candidates: Candidates = field(default_factory=dict)
    hops: int = 2
    words: int = 200
    name: str = "flat-facts"
    tasks: ClassVar[frozenset[str]] = QUESTIONS
    needs: ClassVar[frozenset[Need]] = frozenset({"model"})

    async def answer(self, question: Question, session: Session) -> Answer:
        near = {
            e.fact: e
            for head in heads(self.world.knowledge, question)
            for node in self.world.knowledge.distances(head, self.hops - 1)
            for e in self.world.knowledge.edges(node)
            if e.forward
        }
        facts = [as_passage(self.world.knowledge, e) for e in near.values()]
        scores = word_scores(question.text, [p.text for p in facts])
        reading, room = [], self.words
        for at in sorted(range(len(facts)), key=lambda i: (-scores[i], i)):
            room -= len(facts[at].text.split())
            if room < 0:
                break
            reading.append(facts[at])
        goals = self.candidates.get(question.id, ())
        if not goals:
            return await write_answer(question, session, reading)
        asked = prompt("answer", question=question.text, passages=reading, thoughts=[])
        names = [self.world.knowledge.name(g) for g in goals]
        choice = await session.choose(asked, names, reading=reading)
        return Answer(choice.option, session.trace, citations=tuple(p.id for p in reading))


def _guess(
    graph: KnowledgeGraph,
    goals: Sequence[Value],
    walk: Walk | None,
    question: Question,
    session: Session,
) -> Answer:
    """Where the walk ended; if no candidate stands there, one at random."""
    if walk is not None and (not goals or walk.here in goals):
        return arrived(walk, session)
    draw = stream(session.seed, "guess", question.id)
    text = graph.name(draw.choice(list(goals))) if goals else ""
    return Answer(text, session.trace, path=arrived(walk, session).path if walk else ())
