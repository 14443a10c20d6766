"""Knowledge Solver: the language model walks the knowledge graph, and the walk is the explanation.

    V_q  = entities the question names;   V_a = its candidates, if it has any
    for each head h in V_q (or one drawn at random):
        repeat ≤ hops:  options = facts at h that lead to a node not visited yet
                        e = the model's choice among options, or "arrived"
                        stop if "arrived", or if e is in V_a;   h = e
    answer = where the likeliest walk ended (no candidate reached: the model picks one)

``weigh`` says how the model chooses:

- ``"choose"``, the paper's dialogue: question, goals and the steps so far, then the facts at hand;
  every listed fact is scored as what comes next, by its mean log-probability per token.
- ``"thing"``, for small models: what does the question ask for?  With d(path) the path said from
  its head alone ("the birthplace of the author of X"), scored with the end of its line,

      p(step) ∝ P(d(path + step) | question),       p(arrived) ∝ P(d(path) | question)

  A model too small to plan can still tell whether a thing fits a question, and whether it leaves
  anything of it out. If a relation leads to several nodes, they are chosen among as above.
- ``"both"``, the best three of these by P(d | question) · P(question | d): leaves less out on long
  ways. (P(question | d) alone walks on and on: a longer thing explains any question.)

Source: Knowledge Solver (paper 53), zero-shot, section 3.2 of our sheet; its wording was not seen.
Ours: options are scored, never parsed, so no invented node can enter the path; "arrived" (the
paper's questions always have candidates); ``"thing"`` and ``"both"``; five hops; lists of facts
beyond the last two are dropped from the dialogue; all heads by default, the likeliest walk wins.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from scrubjay.agents.graph_walk import Candidates, Walk, arrived, as_passage, heads, wander
from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS, Need
from scrubjay.agents.writing import prompt, write_answer
from scrubjay.core.nouns import Answer, Question
from scrubjay.core.randomness import stream
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.worlds.knowledge import Edge, KnowledgeGraph
from scrubjay.worlds.universe import Value
from scrubjay.worlds.world import World

ARRIVED = "Arrived at"
LISTS = 2
"""Earlier lists of facts that stay in the dialogue."""
FINALISTS = 3
"""Things that are weighed both ways."""


@dataclass(frozen=True, slots=True)
class KnowledgeSolver:
    """Walks the facts of ``world`` from the entities of the question to its answer.

    ``answer.path`` holds the nodes on the way, ``answer.citations`` the facts between them,
    ``answer.confidence`` the probability of its choices.
    """

    world: World
    candidates: Candidates = field(default_factory=dict)
    weigh: Literal["thing", "both", "choose"] = "both"
    start: Literal["all", "random"] = "all"
    shown: bool = True
    """Whether candidates are told while walking; if not, only the answer must be one of them."""
    hops: int = 5
    most: int = 30
    """Facts offered at once."""
    graph: KnowledgeGraph | None = None
    """Another graph than the world's own: for controls."""
    name: str = "knowledge-solver"
    tasks: ClassVar[frozenset[str]] = QUESTIONS
    needs: ClassVar[frozenset[Need]] = frozenset({"model"})

    async def answer(self, question: Question, session: Session) -> Answer:
        graph = self.graph or self.world.knowledge
        linked = heads(graph, question)
        goals = tuple(self.candidates.get(question.id, ()))
        session.note("linked: " + "; ".join(graph.name(e) for e in linked))
        if not linked:
            session.note("no entity of the graph is named: answered closed book")
            return await self._closed_book(question, goals, graph, session)
        if self.start == "random" and len(linked) > 1:
            linked = (stream(session.seed, "head", question.id).choice(linked),)
        walks = [
            await self._walk(Walk(graph, head), question, goals, set(linked), session)
            for head in linked
        ]
        best = max(walks, key=lambda w: (not goals or w.here in goals, w.logp))
        sure = math.exp(best.logp)
        if goals and best.here not in goals:
            picked = await self._pick(best, question, goals, session)
            said = arrived(best, session)
            return Answer(picked, session.trace, citations=said.citations, path=said.path)
        return arrived(best, session, min(1.0, sure))

    async def _walk(
        self,
        walk: Walk,
        question: Question,
        goals: Sequence[Value],
        named: set[str],
        session: Session,
    ) -> Walk:
        weigh = self._by_choice if self.weigh == "choose" else self._by_thing

        async def pick(walk: Walk, edges: Sequence[Edge], can_stop: bool) -> Edge | None:
            return await weigh(walk, edges, question, goals, can_stop, session)

        shown = goals if goals and self.shown else None
        return await wander(
            walk, question, session, pick,
            named=named, goals=shown, hops=self.hops, most=self.most,
        )  # fmt: skip

    async def _by_thing(
        self,
        walk: Walk,
        edges: Sequence[Edge],
        question: Question,
        goals: Sequence[Value],
        can_stop: bool,
        session: Session,
    ) -> Edge | None:
        """The relation whose thing the question asks for likeliest, then one of its neighbours."""
        ways: dict[tuple[str, bool], list[Edge]] = {}
        for edge in edges:
            ways.setdefault(edge.way, []).append(edge)
        groups = list(ways.values())
        things = [walk.description(group[0]) for group in groups]
        if can_stop:
            things.append(walk.description())
        asked = one_line(question.text)
        # With its line's end a thing is whole: else a beginning would beat what it begins.
        scored = await session.score(
            prompt("graph_thing", question=asked), [f" {t}\n" for t in things]
        )
        logps = [s.total for s in scored]
        ranked = sorted(range(len(logps)), key=lambda i: -logps[i])
        if self.weigh == "both":
            ranked = ranked[:FINALISTS]
            back = await asyncio.gather(
                *(
                    session.score(prompt("graph_question", thing=things[i]), [f" {asked}"])
                    for i in ranked
                )
            )
            for i, said in zip(ranked, back):
                logps[i] += said[0].total
            logps = [logps[i] if i in ranked else -math.inf for i in range(len(logps))]
        best = max(ranked, key=logps.__getitem__)
        walk.logp += logps[best] - _log_sum(logps)
        if best == len(groups):
            return None
        near = groups[best]
        if self.shown and goals and (hits := [e for e in near if e.target in goals]):
            near = hits
        if len(near) == 1:
            return near[0]
        return await self._by_choice(walk, near, question, goals, False, session)

    async def _by_choice(
        self,
        walk: Walk,
        edges: Sequence[Edge],
        question: Question,
        goals: Sequence[Value],
        can_stop: bool,
        session: Session,
    ) -> Edge | None:
        """The fact that the dialogue goes on with."""
        graph = walk.graph
        reading = [as_passage(graph, e) for e in edges]
        facts = [p.text for p in reading]
        stop = f"{ARRIVED} {one_line(graph.name(walk.here))}."
        choice = await session.choose(
            prompt(
                "graph_step",
                question=one_line(question.text),
                goals=self._goals(graph, goals),
                turns=self._turns(walk, question),
                at=one_line(graph.name(walk.here)),
                facts=" | ".join(facts),
                stop="" if goals and self.shown else ARRIVED,
            ),
            [*facts, stop] if can_stop else facts,
            reading=[*walk.facts(), *reading],
        )
        walk.logp += math.log(max(choice.probabilities[choice.index], 1e-9))
        return None if choice.index == len(edges) else edges[choice.index]

    def _turns(self, walk: Walk, question: Question) -> list[dict[str, str]]:
        """The dialogue so far: every choice, and the facts of the last turns it was made among."""
        graph, turns = walk.graph, []
        for at, edge in enumerate(walk.path):
            listed = ""
            if at >= len(walk.path) - LISTS:
                before = Walk(graph, walk.head, list(walk.path[:at]))
                before.seen |= {e.target for e in before.path}
                around = [*before.ahead(question.text, self.most)]
                around += [] if edge in around else [edge]
                listed = " | ".join(one_line(graph.statement(e)) for e in around)
            said = one_line(graph.statement(edge))
            turns.append({"at": one_line(graph.name(edge.origin)), "facts": listed, "next": said})
        return turns

    def _goals(self, graph: KnowledgeGraph, goals: Sequence[Value]) -> str:
        return "; ".join(one_line(graph.name(g)) for g in goals) if self.shown else ""

    async def _pick(
        self, walk: Walk, question: Question, goals: Sequence[Value], session: Session
    ) -> str:
        """No candidate was reached: the one the model takes, with the walk's facts to read."""
        facts = walk.facts()
        names = [walk.graph.name(g) for g in goals]
        asked = prompt("answer", question=question.text, passages=facts, thoughts=[])
        return (await session.choose(asked, names, reading=facts)).option

    async def _closed_book(
        self, question: Question, goals: Sequence[Value], graph: KnowledgeGraph, session: Session
    ) -> Answer:
        if not goals:
            return await write_answer(question, session, [])
        asked = prompt("answer", question=question.text, passages=[], thoughts=[])
        choice = await session.choose(asked, [graph.name(g) for g in goals])
        return Answer(choice.option, session.trace)


def _log_sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(x - top) for x in logs))
