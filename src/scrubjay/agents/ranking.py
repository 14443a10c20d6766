"""Ranking: the model weighs every candidate answer instead of writing one.

    rank(c) by Σ_t log p(c_t | question, passages, c_<t)     over all c of the answer's type

The end of the line is part of c, or 'Guinea' would always beat 'Guinea-Bissau'.

Small models say little with a generated name; where the right one stands among all names of its
type says much more (hits@1 and MRR). Source: SynthWorlds, part 2 of the study in our sheet.
"""

from __future__ import annotations

from dataclasses import dataclass

from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Answer, Question
from scrubjay.core.randomness import stream
from scrubjay.worlds.world import World


@dataclass(frozen=True, slots=True)
class Ranking:
    """Takes the likeliest candidate: all entities of the answer's type, right ones included.

    Where there are more than ``most`` of a type, the others are drawn with a stream named by the
    question, so that a world and its twins weigh the same entities.
    """

    world: World
    reading: bool = False
    """Whether the gold documents are given."""
    most: int = 50
    name: str = "closed-book-ranking"
    tasks = QUESTIONS
    needs = frozenset({"model"})

    async def answer(self, question: Question, session: Session) -> Answer:
        passages = session.read(question.gold) if self.reading else []
        candidates = self._candidates(question)
        if not candidates:
            return Answer("", session.trace)
        scored = await session.score(
            prompt("answer", question=question.text, passages=passages, thoughts=[]),
            [f" {c}\n" for c in candidates],
            reading=passages,
        )
        best = max(scored, key=lambda s: s.total)
        return Answer(best.text.strip(), session.trace, citations=tuple(p.id for p in passages))

    def _candidates(self, question: Question) -> list[str]:
        names = self.world.names
        right = set(question.answers)
        entities = [e.id for e in self.world.universe.by_type.get(question.answer_type, ())]
        wrong = [e for e in entities if names.name(e) not in right]
        draw = stream(0, "candidates", question.id)
        draw.shuffle(wrong)
        kept = {*wrong[: self.most - 1], *(e for e in entities if names.name(e) in right)}
        return [names.name(e) for e in entities if e in kept]


def reading_ranking(world: World) -> Ranking:
    """Ranking with the gold documents given."""
    return Ranking(world, reading=True, name="reading-ranking")
