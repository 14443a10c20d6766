"""Adapt-Retrieve-Revise: a model that knows the domain drafts, the draft searches, another revises.

    d  = drafter(q)                        # weights: right words, details often wrong
    Ev = the k best passages for d         # world: found by what an answer looks like
    r  = reviser(q, d, Ev)                 # context: details put right
    optional rounds: d <- r, again

A question and the passage that answers it may share no word; a draft shares the passage's words
even where it is wrong. The drafter may be a small model after continued training on the domain's
text (``training.adapt``), the reviser a general one: both are recorded and counted in one session.
A long draft searches sentence by sentence, and the rankings are fused by reciprocal rank; an empty
one searches with the question, and the trace says so.

Source: Adapt-Retrieve-Revise (paper 56), section 3. Departures: the drafter is asked for a sentence
"as a reference book would say it" instead of a clause of law; a draft beyond the encoder's limit is
cut into sentences (the paper's limit never bites).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from scrubjay.agents.focused_rag import sentences
from scrubjay.agents.revisers import Reviser, WritingReviser
from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import prompt
from scrubjay.core.errors import ScrubjayError
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.models.types import LanguageModel, Prompt
from scrubjay.retrieval.fusion import reciprocal_rank_fusion

Key = Literal["draft", "query", "both"]
DRAFTER_FILE = "SCRUBJAY_DRAFTER"
"""Environment variable: the model that drafts for the registered agent, as ``--model`` takes it."""
MOST_KEYS = 4
"""Sentences of a draft that search."""


def ask_for_statement(question: Question) -> Prompt:
    """The default request for a draft."""
    return prompt("arr_draft", question=question.text)


@dataclass(frozen=True, slots=True)
class AdaptRetrieveRevise:
    """Drafts, searches with the draft, revises."""

    drafter: LanguageModel | None = None
    """None: the session's own model drafts, too."""
    reviser: Reviser = field(default_factory=WritingReviser)
    k: int = 3
    """Passages to revise with; 0: no evidence, the baseline 'revise without looking'."""
    key: Key = "draft"
    """What searches: the draft, the question ('query'), or both, fused."""
    rounds: int = 1
    show_draft: bool = True
    """Let the reviser see the draft; False: the draft only searches."""
    ask: Callable[[Question], Prompt] = ask_for_statement
    """How a draft is asked for."""
    max_tokens: int = 48
    name: str = "adapt-retrieve-revise"
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.k < 0:
            raise ScrubjayError(
                f"at least one round and no fewer than 0 passages, not {self.rounds} and {self.k}"
            )

    async def answer(self, question: Question, session: Session) -> Answer:
        draft, cited = await self.draft(question, session), tuple[str, ...]()
        for number in range(1, self.rounds + 1):
            evidence = await self.evidence(question, draft, session)
            shown = draft if self.show_draft else ""
            revision = await self.reviser.revise(question, shown, evidence, session)
            kept = "kept" if revision.text == draft else "changed"
            session.note(f"round {number}: draft {draft!r} {kept}, now {revision.text!r}")
            draft, cited = revision.text, revision.cited
        return Answer(draft, session.trace, citations=cited)

    async def draft(self, question: Question, session: Session) -> str:
        """The drafter's answer, on one line."""
        reply = await session.with_model(self.drafter).generate(
            self.ask(question), max_tokens=self.max_tokens, stop=("\n",)
        )
        return " ".join(reply.text.split())

    async def evidence(self, question: Question, draft: str, session: Session) -> list[Passage]:
        """The ``k`` best passages for the key."""
        if not self.k:
            return []
        keys = list(dict.fromkeys(sentences(draft)))[:MOST_KEYS] if self.key != "query" else []
        if not keys and self.key != "query":
            session.note("the draft is empty: searching with the question")
        if not keys or self.key == "both":
            keys.append(question.text)
        rankings = [[h.passage for h in await session.search(key, self.k)] for key in keys]
        known = {p.id: p for ranking in rankings for p in ranking}
        fused = reciprocal_rank_fusion([[p.id for p in ranking] for ranking in rankings])
        return [known[name] for name, _ in fused[: self.k]]


@dataclass(frozen=True, slots=True)
class DraftOnly:
    """The draft is the answer: what revision has to beat."""

    drafter: LanguageModel | None = None
    ask: Callable[[Question], Prompt] = ask_for_statement
    name: str = "draft-only"
    tasks = QUESTIONS
    needs = frozenset({"model"})

    async def answer(self, question: Question, session: Session) -> Answer:
        drafting = AdaptRetrieveRevise(self.drafter, ask=self.ask)
        return Answer(await drafting.draft(question, session), session.trace)


def adapt_retrieve_revise() -> AdaptRetrieveRevise:
    """The registered agent: the model that ``$SCRUBJAY_DRAFTER`` names drafts, if it names one.

    Raises:
        UnknownName, ModelError: there is no such model.
    """
    from scrubjay.models import load_model

    spec = os.environ.get(DRAFTER_FILE)
    return AdaptRetrieveRevise(load_model(spec) if spec else None)
