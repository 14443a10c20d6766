"""Budgeted search: several sources that cost, asked by a plan that practice has shown to be worth
it.

    S ~ plan                                  # a set of sources, for this question
    hits = fuse(search_i(question) for i in S while the limit holds)
    answer = read(question, hits)             # from memory alone if S is empty

The plan (``scrubjay.deciding.information.plan_search``) knows what each set of sources finds and
costs; ``practise`` measures that on questions whose answers are known. The set is drawn by the
question's id and the session's seed: the same question asks the same sources, and over many
questions the average cost is the plan's.

Source: ours; the bridge from hiring agents for information (Cacciamani, Castiglioni and Gatti 2023)
to searching.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import write_answer
from scrubjay.core.nouns import Answer, Hit, Passage, Question
from scrubjay.core.randomness import stream
from scrubjay.deciding.information.allocation import SearchPlan
from scrubjay.retrieval.fusion import reciprocal_rank_fusion
from scrubjay.retrieval.types import Retriever


@dataclass(frozen=True, slots=True)
class PaidSource:
    """A retriever, tool or searching model, and what asking it once costs.

    Raises:
        ValueError: a cost that is negative or not finite.
    """

    name: str
    retriever: Retriever
    cost: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cost) and self.cost >= 0):
            raise ValueError(f"asking '{self.name}' must cost 0 or more, not {self.cost:g}")


@dataclass(frozen=True, slots=True)
class BudgetedSearch:
    """Asks the sources of its plan and reads what they found.

    Raises:
        ValueError: a plan for other sources, or a negative limit.
    """

    sources: tuple[PaidSource, ...]
    plan: SearchPlan
    limit: float = math.inf
    """What one question may cost at most; a source that would exceed it is not asked."""
    k: int = 5
    """Passages to read."""
    name: str = "budgeted-search"
    tasks = QUESTIONS
    needs = frozenset({"model"})

    def __post_init__(self) -> None:
        asked = {number for chosen, _ in self.plan.sets for number in chosen}
        if asked - {*range(len(self.sources))}:
            raise ValueError(f"the plan asks {max(asked) + 1} sources, and there are fewer")
        if not self.limit >= 0:
            raise ValueError(f"a limit must be 0 or more, not {self.limit:g}")

    async def answer(self, question: Question, session: Session) -> Answer:
        drawn = stream(session.seed, "budgeted-search", question.id).random()
        spent, found = 0.0, []
        for source in (self.sources[i] for i in self.plan.pick(drawn)):
            if spent + source.cost > self.limit:
                session.note(f"not asked: {source.name}, it would exceed the limit")
                continue
            spent += source.cost
            session.note(f"asked {source.name} for {source.cost:g}; spent {spent:g}")
            theirs = replace(session, retriever=source.retriever)
            found.append(await theirs.search(question.text, self.k))
        return await write_answer(question, session, fused(found)[: self.k])


def fused(rankings: Sequence[Sequence[Hit]]) -> list[Passage]:
    """The passages of several searches, those that more of them rank higher first."""
    passages = {hit.passage.id: hit.passage for hits in rankings for hit in hits}
    order = reciprocal_rank_fusion([[hit.passage.id for hit in hits] for hits in rankings])
    return [passages[id] for id, _ in order]


async def practise(
    sources: Sequence[PaidSource], questions: Sequence[Question], k: int = 5
) -> list[list[float]]:
    """Per question and source, 1 where one of the k passages holds a right answer, else 0.

    This is the table that ``plan_search`` plans by.
    """
    table = []
    for question in questions:
        row = []
        for source in sources:
            hits = await source.retriever.search(question.text, k)
            row.append(float(any(_holds(hit.passage, question) for hit in hits)))
        table.append(row)
    return table


def _holds(passage: Passage, question: Question) -> bool:
    text = f"{passage.title}\n{passage.text}".casefold()
    return any(answer and answer.casefold() in text for answer in question.answers)
