"""SIM-RAG: answer, let a critic judge, and search again only if the answer is refused.

    s = (q, [])                                        # round 0: the weights alone
    for t in 0..T:
        (a, r) = Reasoner.answer(s, rejected)
        if Critic(s, a, r) >= threshold or t == T:  return a
        rejected += a
        s += (query, the k best new documents of search(query))

A search is made only once an answer was refused, so every search that is counted was used. At the
last round the answer stands, whatever the critic says; the critic's probability is the answer's
confidence. What was refused goes back to the Reasoner (the released prompts show only the growing
context; feeding back is the abstract's "in-context reinforcement"), which tells the model or bars
the answer (``PromptedReasoner.tell``); ``feedback`` turns it off.

Source: SIM-RAG (paper 72), section 3: T = 4, two documents a round.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from scrubjay.agents.critics import Critic, LogProbCritic
from scrubjay.agents.reasoner import Attempt, PromptedReasoner, Reasoner
from scrubjay.agents.search_state import SearchState
from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.core.nouns import Answer, Question

CRITIC_FILE = "SCRUBJAY_CRITIC"
"""Environment variable: the critic that the registered agent ``sim-rag`` uses, if it is not to be
the built-in one."""


@dataclass(frozen=True, slots=True)
class StopRule:
    """Accept at this probability, or when ``max_rounds`` searches were made."""

    critic: Critic = field(default_factory=LogProbCritic)
    threshold: float = 0.5
    max_rounds: int = 4

    async def judge(self, state: SearchState, attempt: Attempt, session: Session) -> float:
        """The critic's probability, noted in the trace."""
        probability = await self.critic.score(state, attempt, session)
        session.note(
            f"round {len(state.rounds)}: {self.critic.name} gives {attempt.answer!r} "
            f"{probability:.3f}, threshold {self.threshold:.3f}"
        )
        return probability

    def stops(self, state: SearchState, probability: float) -> bool:
        return probability >= self.threshold or len(state.rounds) >= self.max_rounds


@dataclass(frozen=True, slots=True)
class MultiRoundRAG:
    """Answers, judges, searches on."""

    reasoner: Reasoner = field(default_factory=PromptedReasoner)
    rule: StopRule = field(default_factory=StopRule)
    k: int = 2
    """New documents a round."""
    feedback: bool = True
    """Hand the Reasoner what was refused."""
    name: str = "sim-rag"
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        state = SearchState(question)
        rejected: list[str] = []
        while True:
            shown = tuple(dict.fromkeys(rejected)) if self.feedback else ()
            attempt = await self.reasoner.answer(state, session, shown)
            probability = await self.rule.judge(state, attempt, session)
            if self.rule.stops(state, probability):
                return Answer(
                    attempt.answer,
                    session.trace,
                    confidence=probability,
                    citations=tuple(p.id for p in state.passages),
                )
            if attempt.answer:
                rejected.append(attempt.answer)
            state = await search_on(state, self.reasoner, session, self.k)


async def search_on(
    state: SearchState, reasoner: Reasoner, session: Session, k: int
) -> SearchState:
    """The state after one more query and search. Documents seen before are passed over."""
    query = await reasoner.query(state, session)
    hits = await session.search(query, k + len(state.seen))
    return state.then(query, hits, k)


def sim_rag() -> MultiRoundRAG:
    """The registered agent, with the critic that ``$SCRUBJAY_CRITIC`` names, or the built-in one.

    A critic knows one model's practice, the built-in one that of SmolLM2-135M: for another model
    train one with ``scrubjay train critic``.

    Raises:
        InputError: the file is not a critic.
    """
    from scrubjay.agents.encoder_critic import EncoderCritic, default_critic

    file = os.environ.get(CRITIC_FILE)
    return MultiRoundRAG(rule=StopRule(EncoderCritic.load(file) if file else default_critic()))
