"""Where an answer came from: memory, documents, both or nowhere; computed, not asked of the model.

    signals   = p(a | q), p(a | q, P), p(a | q, P without i), the closed-book answer m,
                a's words in P, a chain of sentences in P from what was asked to a
    source    = argmax of a small calibrated classifier on the signals
    confidence= its probability that the answer is right
    citations = passages that hold the answer, lead to it, or without which it becomes less likely

    explained = await explain(question, answer, session)
    explained.answer.source, explained.answer.citations
    print("\\n".join(explained.evidence.sentences()))

What explaining costs is in ``Evidence.cost``; the answer's own trace stays what the agent did.
Measured on cases whose truth is known by construction: ``scrubjay sources measure``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from scrubjay.agents.provenance_classifier import SourceModel, default_source_model
from scrubjay.agents.provenance_signals import Signals, by_likelihood, by_sampling
from scrubjay.agents.session import Session
from scrubjay.core.errors import ModelError, ScrubjayError
from scrubjay.core.nouns import Answer, Question, Source

DROP = 0.1
"""Nats per token that an answer must lose for a passage to be cited for its influence alone."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the account rests on. ``signals`` is None for an empty answer: nothing was asked."""

    source: Source
    probabilities: dict[Source, float]
    """Of each source; the highest one is how sure the account is of itself."""
    right: float
    """Probability that the answer is right."""
    signals: Signals | None = None
    citations: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """'likelihood', 'sampling', or 'none' for an empty answer."""
        return self.signals.method if self.signals else "none"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "method": self.method,
            "source": str(self.source),
            "probabilities": {str(s): round(p, 4) for s, p in self.probabilities.items()},
            "right": round(self.right, 4),
            "citations": list(self.citations),
            "signals": None if self.signals is None else _plain(asdict(self.signals)),
        }

    def sentences(self) -> list[str]:
        """The same for a person, the verdict first."""
        if self.signals is None:
            return ["No answer was given."]
        s, held = self.signals, self.signals.support
        sure = self.probabilities[self.source]
        how = "" if s.method == "likelihood" else ", judged by asking again"
        out = [f"Source: {self.source} (sure of that to {sure:.0%}{how})."]
        agrees = "the same" if s.same else f"“{' '.join(s.recalled.split())}”"
        out.append(f"Asked without passages, the model says {agrees} (p = {s.sure:.2f}).")
        if not s.passages:
            return [*out, "It had no passages to read."]
        out.append(
            f"The answer's probability is {s.alone:.2f} without the passages, {s.given:.2f} with."
        )
        if held.sentence:
            out.append(f"{held.place} says: “{held.sentence}”")
            if held.named < 1.0:
                # The first sentence of each further passage: the others only explain more words.
                steps = {step.place: step.text for step in reversed(held.chain.said)}
                out += [
                    f"What leads there, {place}: “{steps[place]}”"
                    for place in held.chain.places
                    if place != held.place
                ]
        else:
            out.append("The answer's words stand together in no passage.")
        for id in self.citations:
            if s.drops.get(id, 0.0) >= DROP:
                out.append(f"Without {id} it loses {s.drops[id]:.1f} nats per token.")
        return out


@dataclass(frozen=True, slots=True)
class Explained:
    """An answer with ``source``, ``confidence`` and ``citations``, and what they rest on."""

    answer: Answer
    evidence: Evidence


async def explain(
    question: Question,
    answer: Answer,
    session: Session,
    *,
    weights: SourceModel | None = None,
    method: str = "",
) -> Explained:
    """Say where an answer came from, given the session it was made in.

    Args:
        weights: another classifier than the built-in one.
        method: 'likelihood' or 'sampling'; by default the first that the model can do.

    Raises:
        ModelError: the model can't be asked any more.
        ScrubjayError: the session has no model.
    """
    if session.model is None:
        raise ScrubjayError("where an answer came from is asked of a model; the session has none")
    if not answer.text.strip():
        nothing = {s: float(s is Source.NOWHERE) for s in Source}
        evidence = Evidence(Source.NOWHERE, nothing, 0.0)
    else:
        passages = list(session.passages.values())
        signals = await measure_signals(question, answer.text, passages, session, method)
        evidence = judge(signals, weights or default_source_model())
    return Explained(
        replace(
            answer,
            source=evidence.source,
            confidence=evidence.right,
            citations=evidence.citations,
        ),
        evidence,
    )


async def measure_signals(
    question: Question, answer: str, passages: list[Any], session: Session, method: str = ""
) -> Signals:
    """The signals by ``method``, or by likelihood where the model has it, else by sampling.

    Raises:
        ModelError: the model can't be asked any more.
    """
    model = session.model
    assert model is not None
    if method != "sampling":
        try:
            return await by_likelihood(question, answer, passages, model)
        except ModelError:
            # No log-probabilities of given text, or no answers any more: sampling finds out which.
            if method:
                raise
    return await by_sampling(question, answer, passages, model)


def judge(signals: Signals, weights: SourceModel) -> Evidence:
    """Source, probability of being right, and citations from signals."""
    probabilities, right = weights(signals)
    source = max(probabilities, key=probabilities.__getitem__)
    rests = cited(signals) if source in (Source.DOCUMENTS, Source.BOTH) else ()
    return Evidence(source, probabilities, right, signals, rests)


def cited(signals: Signals) -> tuple[str, ...]:
    """The passage with the sentence that says it; where that sentence doesn't name all that was
    asked about, the passages that lead to it; then those the answer leans on, most first.

    An answer in nobody's words (a paraphrase) rests on what it leans on alone."""
    held = signals.support
    best = [held.place] if held.place else []
    steps = held.chain.places if held.named < 1.0 else ()
    holding = set(held.holding)
    lean = sorted(signals.drops.items(), key=lambda d: -d[1])
    most = lean[0][1] if lean else 0.0
    others = [
        id for id, drop in lean if drop >= max(DROP, most / 2) and (id in holding or not holding)
    ]
    return tuple(dict.fromkeys([*best, *steps, *others]))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value
