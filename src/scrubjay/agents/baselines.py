"""Agents without a language model: the floor and the ceiling that every score stands between.

``MostFrequentAnswer`` and ``RandomOfType`` know nothing about the question but its relation or the
type of its answer; ``Oracle`` asks the graph of facts. They answer from the world they are built
on, so each world has its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.core.nouns import Answer, Question
from scrubjay.core.randomness import stream
from scrubjay.worlds.universe import Value
from scrubjay.worlds.world import World


@dataclass(frozen=True, slots=True)
class MostFrequentAnswer:
    """The commonest object of the question's last relation: what can be had without reading."""

    world: World
    name: str = "frequent-answer"
    tasks = QUESTIONS
    needs = frozenset[str]()
    _commonest: dict[tuple[str, bool], Value] = field(default_factory=dict, compare=False)

    async def answer(self, question: Question, session: Session) -> Answer:
        for subject, relation, obj in question.query:
            if "?answer" in (subject, obj):
                value = self._most_frequent(relation, forward=obj == "?answer")
                return Answer(self.world.names.value(value), session.trace)
        return Answer("", session.trace)

    def _most_frequent(self, relation: str, *, forward: bool) -> Value:
        key = (relation, forward)
        if key not in self._commonest:
            facts = self.world.universe.by_relation[relation]
            counts = Counter(f.object if forward else f.subject for f in facts)
            self._commonest[key] = counts.most_common(1)[0][0]
        return self._commonest[key]


@dataclass(frozen=True, slots=True)
class RandomOfType:
    """Any entity of the answer's type, each as likely."""

    world: World
    name: str = "random-answer"
    tasks = QUESTIONS
    needs = frozenset[str]()

    async def answer(self, question: Question, session: Session) -> Answer:
        names = [
            self.world.names.name(e.id)
            for e in self.world.universe.by_type.get(question.answer_type, ())
        ]
        draw = stream(session.seed, "random-answer", question.id)
        return Answer(draw.choice(names) if names else "", session.trace)


@dataclass(frozen=True, slots=True)
class Oracle:
    """Looks the question's pattern up in the graph of facts."""

    world: World
    name: str = "oracle"
    tasks = QUESTIONS
    needs = frozenset[str]()

    async def answer(self, question: Question, session: Session) -> Answer:
        found = sorted(self.world.names.value(v) for v in self.world.universe.query(question.query))
        return Answer(found[0] if found else "", session.trace)
