"""Signals: what an answer, its passages and the model say about where the answer came from.

    asked of the model                              read off the text
      alone   p(a | q)                                held      a stands in a passage
      with    p(a | q, P)                             covered   share of q's words in the sentence
      gain    log p(a | q, P) - log p(a | q)                    that holds a (the best of them)
      drop    log p(a | q, P) - log p(a | q, P \\ i)   named     share of q's names in it
      same    the closed-book answer m equals a       about     share of q's names in any passage
      sure    p(m | q)                                chain     share of q's words in sentences that
                                                                hang together and end in a

Logarithms are means per token and everything is a share, a difference or a yes or no: no signal
knows a name, a world or a model's scale, so weights that were learned in one world hold in another.
Of a multi-hop answer no single sentence holds much of the question, and its likelihood hangs on no
single passage; the chain is for these (``provenance_chain``). Tried in vain: the sum of the drops,
and the likelihood under a question that asks for nothing.

An endpoint that gives no log-probabilities is asked again and again instead: a probability becomes
the share of samples that agree (``by_sampling``), and there is no leave-one-out.

Source: ours. The counterfactuals (with, without, leave one out) are the usual ones of context
attribution; they are asked of the plain reader (``prompts/answer``), not of the agent's own chain
of prompts, so that one set of weights serves every agent.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from scrubjay.agents.provenance_support import Support, support, weighed
from scrubjay.agents.provenance_words import overlap, same_words
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt, write_answer
from scrubjay.core.nouns import Passage, Question
from scrubjay.core.trace import Cost
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.models.seam import seam
from scrubjay.models.types import LanguageModel, Prompt
from scrubjay.models.types import Scored as ScoredText

NAMES = (
    "alone", "alone_log", "with", "with_log", "gain", "drop", "same", "overlap", "sure", "sure_log",
    "held", "in_question", "covered", "named", "about", "relation", "covered_gap", "backed",
    "backed_same", "held_same", "chain", "chain_named", "chain_gap", "chain_length", "chain_same",
)  # fmt: skip
"""The numbers of ``Signals.row``, in order."""
SAMPLES = 6
"""Times an endpoint is asked again, with and without the passages."""
FLOOR = -8.0
"""Least mean log-probability: below it, less likely says nothing more."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What was found out about one answer."""

    method: str
    """'likelihood' or 'sampling'."""
    recalled: str
    """What the model says to the question alone."""
    same: bool
    sure: float
    sure_log: float
    alone: float
    alone_log: float
    given: float = 0.0
    """p(a | q, P): the signal called 'with'."""
    given_log: float = 0.0
    overlap: float = 0.0
    """F1 of the words of ``recalled`` and of the answer."""
    drops: dict[str, float] = field(default_factory=dict)
    """Per passage that holds the answer or leads to it (each, if none does): what the answer's mean
    log-probability loses without it."""
    passages: tuple[str, ...] = ()
    support: Support = field(default_factory=Support)
    cost: Cost = field(default_factory=Cost)

    @property
    def row(self) -> list[float]:
        """The numbers called ``NAMES``; without passages those about them are 0."""
        s, held, same = self.support, float(bool(self.support.holding)), float(self.same)
        read = bool(self.passages)
        backed = held * s.named * s.covered
        return [
            self.alone,
            self.alone_log,
            self.given,
            self.given_log,
            self.given_log - self.alone_log if read else 0.0,
            max(self.drops.values(), default=0.0),
            same,
            self.overlap,
            self.sure,
            self.sure_log,
            held,
            float(s.in_question),
            s.covered,
            s.named,
            s.about,
            s.relation,
            s.best - s.covered if read else 0.0,
            backed,
            backed * same,
            held * same,
            s.chain.covered,
            s.chain.named,
            s.chain.gap,
            len(s.chain.places) / len(self.passages) if read else 0.0,
            s.chain.covered * s.chain.named * same,
        ]


async def by_likelihood(
    question: Question, answer: str, passages: Sequence[Passage], model: LanguageModel
) -> Signals:
    """The signals of a model that scores given text.

    Raises:
        ModelError: it doesn't, or can't be asked any more.
    """
    session = Session(model)
    passages = weighed(question.text, answer, passages)
    recalled = (await write_answer(question, session, ())).text
    wanted = (answer, recalled) if recalled.strip() else (answer,)
    held = support(question.text, answer, passages)
    # What neither holds the answer nor leads to it can't be what it rests on: that saves calls.
    bearing = {*held.chain.places, *held.holding} or {p.id for p in passages}
    left = [p for p in passages if p.id in bearing] if len(passages) > 1 else []
    sets = [(), *([passages] if passages else [])]
    sets += [[p for p in passages if p is not out] for out in left]
    scored = await asyncio.gather(
        *(_score(session, _ask(question, read), wanted[: 1 if i else 2], read)
          for i, read in enumerate(sets))
    )  # fmt: skip
    bare, own = scored[0][0], scored[0][-1]
    full = scored[1][0] if passages else bare
    # Without its only passage an answer stands alone.
    without = [s[0] for s in scored[2:]] if len(passages) > 1 else [bare]
    left = left or list(passages)
    return Signals(
        "likelihood",
        recalled,
        same_words(recalled, answer),
        math.exp(max(own.total, -50.0)) if recalled.strip() else 0.0,
        _floor(own.mean) if recalled.strip() else FLOOR,
        math.exp(max(bare.total, -50.0)),
        _floor(bare.mean),
        math.exp(max(full.total, -50.0)) if passages else 0.0,
        _floor(full.mean) if passages else 0.0,
        overlap(recalled, answer),
        {p.id: _floor(full.mean) - _floor(w.mean) for p, w in zip(left, without)},
        tuple(p.id for p in passages),
        held,
        session.spent,
    )


async def by_sampling(
    question: Question, answer: str, passages: Sequence[Passage], model: LanguageModel
) -> Signals:
    """The same from nothing but written answers: shares of ``SAMPLES`` that agree.

    Raises:
        ModelError: the model can't be asked any more.
    """
    passages = weighed(question.text, answer, passages)
    session = Session(model)
    recalled = (await write_answer(question, session, ())).text
    sets: list[Sequence[Passage]] = [(), *([passages] if passages else [])]
    asked = [(Session(model, seed=i + 1), read) for read in sets for i in range(SAMPLES)]
    said = await asyncio.gather(*(_sample(s, question, read) for s, read in asked))
    memory, reading = said[:SAMPLES], said[SAMPLES:]
    alone, given = _share(answer, memory), _share(answer, reading)
    sure = _share(recalled, memory) if recalled.strip() else 0.0
    return Signals(
        "sampling",
        recalled,
        same_words(recalled, answer),
        sure,
        _smooth(sure),
        alone,
        _smooth(alone),
        given,
        _smooth(given) if passages else 0.0,
        overlap(recalled, answer),
        {},
        tuple(p.id for p in passages),
        support(question.text, answer, passages),
        sum((s.spent for s, _ in asked), session.spent),
    )


def _ask(question: Question, passages: Sequence[Passage]) -> Prompt:
    return prompt("answer", question=question.text, passages=passages, thoughts=())


async def _score(
    session: Session, text: Prompt, answers: Sequence[str], reading: Sequence[Passage]
) -> list[ScoredText]:
    return await session.score(text, [seam(text, one_line(a)) for a in answers], reading=reading)


async def _sample(session: Session, question: Question, passages: Sequence[Passage]) -> str:
    reply = await session.generate(
        _ask(question, passages),
        max_tokens=24,
        temperature=0.7,
        stop=("\n",),
        reading=passages,
    )
    return reply.text


def _floor(value: float) -> float:
    return max(value, FLOOR)


def _share(answer: str, said: Sequence[str]) -> float:
    return sum(same_words(answer, s) for s in said) / len(said) if said else 0.0


def _smooth(share: float) -> float:
    """Logarithm of a share that is never 0 or 1 (add a half to both sides)."""
    return math.log((share * SAMPLES + 0.5) / (SAMPLES + 1))
