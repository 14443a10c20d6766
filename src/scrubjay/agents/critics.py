"""Critics: how likely is it that this answer, from this state, is right?

    Critic.score(state, attempt) -> probability in [0, 1]

What a critic may see: question text, context, answer, rationale, log-probability. ``OracleCritic``
alone looks at the gold answers: it is the upper bound of every stopping rule, not a method.
``EncoderCritic``, the one that is trained, has its own file.

Source: SIM-RAG (paper 72), section 5; the prior correction is its section 7.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from scrubjay.agents.reasoner import Attempt
from scrubjay.agents.search_state import SearchState
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt
from scrubjay.models.prompting.untrusted import one_line


class Critic(Protocol):
    """Judges an attempt."""

    @property
    def name(self) -> str: ...

    async def score(self, state: SearchState, attempt: Attempt, session: Session) -> float:
        """Probability in [0, 1] that the answer is right."""
        ...


@dataclass(frozen=True, slots=True)
class Platt:
    """``p = sigmoid(slope * score + offset)``: the map from a score to a calibrated probability."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, score: float) -> float:
        return sigmoid(self.slope * score + self.offset)


@dataclass(frozen=True, slots=True)
class LogProbCritic:
    """The answer's mean log-probability; uncalibrated, its geometric mean probability."""

    platt: Platt | None = None
    name: str = "log-probability"

    async def score(self, state: SearchState, attempt: Attempt, session: Session) -> float:
        if not attempt.answer or attempt.logprob is None:
            return 0.0
        return self.platt(attempt.logprob) if self.platt else math.exp(attempt.logprob)


@dataclass(frozen=True, slots=True)
class SelfCritic:
    """The Reasoner's own model, asked whether its answer should be accepted (by ``choose``)."""

    name: str = "self-critique"

    async def score(self, state: SearchState, attempt: Attempt, session: Session) -> float:
        text = prompt(
            "sim_judge",
            question=state.question.text,
            context=state.text,
            answer=one_line(attempt.answer),
            rationale=one_line(attempt.rationale),
        )
        choice = await session.choose(text, ("Yes", "No"), reading=state.shown)
        return choice.probabilities[0]


@dataclass(frozen=True, slots=True)
class OracleCritic:
    """Accepts exactly the right answers. Knows the truth: an upper bound, never a method."""

    right: Callable[[str, Sequence[str]], float]
    """(answer, right answers) -> 1 or 0: ``evaluation.exact_match``."""
    name: str = "oracle"

    async def score(self, state: SearchState, attempt: Attempt, session: Session) -> float:
        return self.right(attempt.answer, state.question.answers)


def sigmoid(x: float) -> float:
    """``1 / (1 + e^-x)`` without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def logit(p: float) -> float:
    """The inverse of ``sigmoid``; 0 and 1 are moved in by 1e-6."""
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def correct_prior(probability: float, trained: float, used: float) -> float:
    """A probability learned where a share ``trained`` was right, for use where ``used`` is.

        logit' = logit + logit(used) - logit(trained)

    Raises:
        ValueError: a share is not strictly between 0 and 1.
    """
    if not (0 < trained < 1 and 0 < used < 1):
        raise ValueError(f"shares must lie between 0 and 1, not {trained} and {used}")
    return sigmoid(logit(probability) + logit(used) - logit(trained))
