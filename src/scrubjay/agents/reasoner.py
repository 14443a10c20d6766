"""The Reasoner: from a search state to an answer with its rationale, and to the next query.

SIM-RAG's R (paper 72): a frozen model under two prompts. ``Reasoner`` is the protocol that the
loop, the critics and self-practice share; ``PromptedReasoner`` is any language model behind our
prompts. Departures: the first query is the question, and a small model reads only the sentences
that bear on it; critics still judge everything that was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from scrubjay.agents.focused_rag import focus
from scrubjay.agents.search_state import Round, SearchState
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.models.types import Completion, Prompt


@dataclass(frozen=True, slots=True)
class Attempt:
    """An answer, not yet accepted."""

    answer: str
    rationale: str = ""
    logprob: float | None = None
    """Mean log-probability of the answer's tokens; None where the model gives none."""
    tokens: int = 0


DRAWS = 3
"""How often a refused answer is drawn again."""


class Reasoner(Protocol):
    """Answers from a state and says what to look for next; every call goes through the session."""

    async def answer(
        self, state: SearchState, session: Session, rejected: Sequence[str] = ()
    ) -> Attempt:
        """An answer; ``rejected`` are earlier ones that the critic refused."""
        ...

    async def query(self, state: SearchState, session: Session) -> str:
        """What to look for next; never empty."""
        ...


@dataclass(frozen=True, slots=True)
class PromptedReasoner:
    """Any language model: a short answer, one sentence of rationale, one query for one thing.

    Two calls make an attempt, so that the log-probability is that of the answer alone. The defaults
    suit a model of 135M weights; a larger one reads everything (``keep=0``) and gives reasons.
    """

    temperature: float = 0.0
    """0.6 in the paper's self-practice."""
    rationale: int = 0
    """Most tokens of the rationale; 0 leaves it out. A model of 135M weights only says its answer
    again ("Derbent is a city in Derbent"), at the price of the answer; larger ones get 64."""

    keep: int = 2
    """Sentences that an answer is read from: those of all documents that bear on the question
    (``focused_rag.focus``); 0: everything, which makes a small model copy the loudest name."""

    tell: bool = False
    """Write refused answers into the prompt, which suits a large model. One of 135M weights copies
    what it is told not to say (study 72), so it isn't told: a refused answer is drawn again."""

    async def answer(
        self, state: SearchState, session: Session, rejected: Sequence[str] = ()
    ) -> Attempt:
        state = self._focused(state)
        rejected, barred = (rejected, ()) if self.tell else ((), rejected)
        text = self._text("sim_answer", state, rejected)
        said = await self._unlike(barred, text, state, session)
        answer = said.text.strip()
        mean = sum(said.logprobs) / len(said.logprobs) if said.logprobs else None
        why = ""
        if self.rationale and answer:
            text = self._text("sim_answer", state, rejected, f" {one_line(answer)}\nRationale:")
            why = (await self._line(text, self.rationale, state, session)).text.strip()
        return Attempt(answer, why, mean, said.tokens_out)

    async def query(self, state: SearchState, session: Session) -> str:
        if not state.rounds:  # nothing is known yet: no query beats the question itself
            return state.question.text
        written = await self._line(self._text("sim_query", state), 20, state, session)
        return one_line(written.text).strip('"') or state.question.text

    def _focused(self, state: SearchState) -> SearchState:
        if not self.keep or not state.passages:
            return state
        best = focus(state.question.text, state.shown, self.keep)
        # One round without a query: what was asked for on the way only leads a small reader astray.
        return replace(state, rounds=(Round("", tuple(best)),))

    async def _unlike(
        self, barred: Sequence[str], text: Prompt, state: SearchState, session: Session
    ) -> Completion:
        """The model's answer; a refused one is drawn again, and stands if that is no help."""
        refused = {answer.strip().casefold() for answer in barred}
        first = said = await self._line(text, 24, state, session)
        for draw in range(1, DRAWS + 1):
            if said.text.strip().casefold() not in refused:
                return said
            other = replace(session, seed=session.seed + draw)
            said = await self._line(text, 24, state, other, temperature=max(self.temperature, 1.0))
        return first

    async def _line(
        self,
        text: Prompt,
        most: int,
        state: SearchState,
        session: Session,
        temperature: float | None = None,
    ) -> Completion:
        return await session.generate(
            text,
            max_tokens=most,
            temperature=self.temperature if temperature is None else temperature,
            stop=("\n",),
            reading=state.shown,
        )

    def _text(
        self, name: str, state: SearchState, rejected: Sequence[str] = (), begun: str = ""
    ) -> Prompt:
        return prompt(
            name,
            question=state.question.text,
            context=state.text,
            rejected=[one_line(r) for r in rejected],
            reasons=self.rationale > 0,
            begun=begun,
        )
