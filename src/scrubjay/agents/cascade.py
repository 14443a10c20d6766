"""Cascade: answer from memory when sure, search when not.

    m, l = closed-book answer, its mean log-probability per token
    sure = sigmoid(slope * l + offset)                     # chance that m is right
    sure >= threshold:  m
    else:               search(q), read, answer

The threshold is the one that is worth most on practice worlds (``calibrate_threshold``):

    worth(t) = mean over questions of  score of memory if sure >= t, else score of reading - price

so a search has to earn its ``price``. Map and threshold are in ``cascade.json``, made by
``scrubjay sources cascade``. What was decided, and by which number, is noted in the trace.

Source: ours; a two-stage cascade is the plainest form of adaptive retrieval.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from scrubjay.agents.critics import Platt
from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import prompt, write_answer
from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.nouns import Answer, Question

FORMAT = "scrubjay-cascade-1"
UNSURE = -10.0
"""Mean log-probability that stands for an empty answer, and for one whose model gives none: it is
looked up."""


@dataclass(frozen=True, slots=True)
class Gate:
    """How sure is sure enough."""

    platt: Platt
    threshold: float
    price: float = 0.0
    """What a search had to earn, in score."""
    trained_on: str = ""

    def sure(self, logprob: float) -> float:
        """Chance that a closed-book answer of this mean log-probability is right."""
        return self.platt(max(logprob, UNSURE))

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the gate, whole or not at all.

        Raises:
            DiskError: the disk is full or not writable.
        """
        value = {
            "format": FORMAT,
            "slope": self.platt.slope,
            "offset": self.platt.offset,
            "threshold": self.threshold,
            "price": self.price,
            "trained_on": self.trained_on,
        }
        write_atomic(file, dump_json(value, indent=1) + "\n")

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Gate:
        """What ``save`` wrote.

        Raises:
            InputError: the file can't be read, or is something else.
        """
        try:
            value = json.loads(Path(file).read_text("utf-8"))
            if value["format"] != FORMAT:
                raise ValueError("it has another format")
            slope, offset, threshold, price = (
                float(value[k]) for k in ("slope", "offset", "threshold", "price")
            )
            if not all(map(math.isfinite, (slope, offset, threshold, price))):
                raise ValueError("a number in it is not finite")
            return cls(Platt(slope, offset), threshold, price, str(value["trained_on"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"holds no threshold for the cascade ({error}); make one with "
                "'scrubjay sources cascade'",
                file=file,
            ) from error


@cache
def default_gate() -> Gate:
    """The built-in gate (see ``trained_on``)."""
    file = resources.files("scrubjay.agents").joinpath("cascade.json")
    with resources.as_file(file) as path:
        return Gate.load(path)


@dataclass(frozen=True, slots=True)
class Cascade:
    """Memory first, one search if it isn't sure."""

    k: int = 5
    """Passages to read."""
    gate: Gate = field(default_factory=default_gate)
    name: str = "cascade"
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        draft, logprob = await recall(question, session)
        sure = self.gate.sure(logprob)
        stays = sure >= self.gate.threshold
        session.note(
            f"memory says {draft!r}, sure to {sure:.3f}; threshold {self.gate.threshold:.3f}: "
            f"{'answered from memory' if stays else 'searched'}"
        )
        if stays:
            return Answer(draft, session.trace, confidence=sure)
        hits = await session.search(question.text, self.k)
        return await write_answer(question, session, [hit.passage for hit in hits])


async def recall(question: Question, session: Session) -> tuple[str, float]:
    """The closed-book answer and its mean log-probability per token."""
    reply = await session.generate(
        prompt("answer", question=question.text, passages=(), thoughts=()),
        max_tokens=24,
        stop=("\n",),
    )
    text = reply.text.strip()
    if not text or not reply.logprobs:
        return text, UNSURE
    return text, sum(reply.logprobs) / len(reply.logprobs)


def calibrate_threshold(
    sure: Sequence[float], memory: Sequence[float], reading: Sequence[float], price: float
) -> float:
    """The threshold that is worth most; of equals the highest, which trusts memory least.

    Args:
        sure: per question, how sure memory is.
        memory: per question, the score of the closed-book answer.
        reading: per question, the score of the answer that was read.
        price: what a search has to earn.

    Raises:
        ValueError: there are no questions, or not as many of each.
    """
    if not sure or not len(sure) == len(memory) == len(reading):
        raise ValueError("a threshold needs questions, each with three numbers")
    # From the highest: nobody is trusted, then one question after the other (ties together).
    order = sorted(range(len(sure)), key=lambda i: -sure[i])
    worth = best = math.fsum(reading) - price * len(sure)
    threshold = math.inf
    for place, i in enumerate(order):
        worth += memory[i] - (reading[i] - price)
        last = place + 1 == len(order)
        if (last or sure[order[place + 1]] < sure[i]) and worth > best + 1e-12:
            best = worth
            threshold = sure[i] if last else (sure[i] + sure[order[place + 1]]) / 2
    return min(threshold, 1.0 + 1e-6)
