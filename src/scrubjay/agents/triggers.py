"""When to look something up while writing: triggers look at a draft and flag the doubtful words.

``RIND`` has a file of its own (``agents.rind``). Here are the paper's baselines and the controls:

    LowProbability   FLARE: an unlikely token in the next sentence
    EveryN           after every n tokens              EverySentence   after every sentence
    RandomRate       by lot                            OracleTrigger   where the weights lack a fact
    Never            the model's own chain of thought
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal, Protocol

import numpy as np

from scrubjay.agents.draft import Draft
from scrubjay.core.errors import ScrubjayError
from scrubjay.models.types import Want
from scrubjay.models.words import Word

Lookahead = Literal["draft", "sentence"]


@dataclass(frozen=True, slots=True)
class Flag:
    """Where a draft is doubtful: the sentence (characters) that is thrown away, and its words."""

    sentence: tuple[int, int]
    words: tuple[int, ...] = ()
    """Flagged words, by their index in the draft."""
    token: int | None = None
    """The token that raised the flag."""


class Trigger(Protocol):
    """Decides when to look something up."""

    @property
    def want(self) -> frozenset[Want]:
        """What the draft must show."""
        ...

    @property
    def drafts(self) -> bool:
        """Whether it needs a draft; one that doesn't fires before every piece of text."""
        ...

    @property
    def lookahead(self) -> Lookahead:
        """What is kept of a draft that raises no flag."""
        ...

    def find(self, draft: Draft, random: Random) -> Flag | None:
        """The first doubtful sentence, or None. ``random`` is the question's own stream."""
        ...

    def scores(self, draft: Draft) -> list[float]:
        """How doubtful each word of the draft is, on the trigger's own scale."""
        ...


@dataclass(frozen=True, slots=True)
class LowProbability:
    """FLARE (Jiang et al. 2023): some token of the next sentence has p < θ.

    ``average``: DRAGIN's own FLARE instead: the first sentence of the draft whose mean of 1 − p is
    above θ (theirs 0.06 to 0.4), and all of a draft without one is kept.
    """

    theta: float = 0.8
    average: bool = False
    want: ClassVar[frozenset[Want]] = frozenset({"entropy"})
    drafts: ClassVar[bool] = True

    @property
    def lookahead(self) -> Lookahead:
        return "draft" if self.average else "sentence"

    def find(self, draft: Draft, random: Random) -> Flag | None:
        p = probabilities(draft)
        for sentence in draft.sentences if self.average else draft.sentences[:1]:
            tokens = draft.tokens_within(sentence)
            if self.average:
                doubtful = float(np.mean(1 - p[tokens])) > self.theta
            else:
                doubtful = bool((p[tokens] < self.theta).any())
            if doubtful:
                low = [i for i, w in enumerate(draft.words) if _within(w, sentence)]
                worst = min(tokens, key=lambda t: p[t])
                return Flag(sentence, tuple(low), worst)
        return None

    def scores(self, draft: Draft) -> list[float]:
        return largest(draft, 1 - probabilities(draft))


@dataclass(frozen=True, slots=True)
class EveryN:
    """Fixed-length: look something up before every ``n`` tokens."""

    n: int = 16
    want: ClassVar[frozenset[Want]] = frozenset()
    drafts: ClassVar[bool] = False
    lookahead: ClassVar[Lookahead] = "draft"

    def find(self, draft: Draft, random: Random) -> Flag | None:
        return Flag((0, 0))

    def scores(self, draft: Draft) -> list[float]:
        return []


@dataclass(frozen=True, slots=True)
class EverySentence:
    """Fixed-sentence (IRCoT's rule): look something up before every sentence."""

    want: ClassVar[frozenset[Want]] = frozenset()
    drafts: ClassVar[bool] = False
    lookahead: ClassVar[Lookahead] = "draft"

    def find(self, draft: Draft, random: Random) -> Flag | None:
        return Flag((0, 0))

    def scores(self, draft: Draft) -> list[float]:
        return []


@dataclass(frozen=True, slots=True)
class RandomRate:
    """Control: each sentence of a draft is flagged with chance ``rate``, and one of its content
    words with it."""

    rate: float = 0.5
    want: ClassVar[frozenset[Want]] = frozenset()
    drafts: ClassVar[bool] = True
    lookahead: ClassVar[Lookahead] = "draft"

    def find(self, draft: Draft, random: Random) -> Flag | None:
        for sentence in draft.sentences:
            if random.random() < self.rate:
                inside = [
                    i
                    for i, (w, c) in enumerate(zip(draft.words, draft.content))
                    if c and _within(w, sentence)
                ]
                word = random.choice(inside) if inside else None
                if word is None:
                    return Flag(sentence)
                return Flag(sentence, (word,), draft.words[word].first)
        return None

    def scores(self, draft: Draft) -> list[float]:
        return []


@dataclass(frozen=True, slots=True)
class OracleTrigger:
    """Ceiling: ``unknown(sentence, question)`` says whether the weights lack what it states."""

    unknown: Callable[[str, str], bool]
    want: ClassVar[frozenset[Want]] = frozenset()
    drafts: ClassVar[bool] = True
    lookahead: ClassVar[Lookahead] = "draft"

    def find(self, draft: Draft, random: Random) -> Flag | None:
        for start, end in draft.sentences:
            if self.unknown(draft.text[start:end], draft.question):
                inside = [i for i, w in enumerate(draft.words) if start <= w.start < end]
                last = inside[-1:]
                return Flag((start, end), tuple(last), draft.words[last[0]].first if last else None)
        return None

    def scores(self, draft: Draft) -> list[float]:
        return []


@dataclass(frozen=True, slots=True)
class Never:
    """No look-ups: the model's own chain of thought."""

    want: ClassVar[frozenset[Want]] = frozenset()
    drafts: ClassVar[bool] = True
    lookahead: ClassVar[Lookahead] = "draft"

    def find(self, draft: Draft, random: Random) -> Flag | None:
        return None

    def scores(self, draft: Draft) -> list[float]:
        return []


def probabilities(draft: Draft) -> np.ndarray:
    """p of each token.

    Raises:
        ScrubjayError: the model gives no log-probabilities.
    """
    if len(draft.logprobs) != len(draft.pieces):
        raise ScrubjayError(
            "this agent decides by the probability of each token, and the model gives none; use "
            "fixed-sentence, which needs nothing but text"
        )
    return np.exp(np.array(draft.logprobs, dtype=np.float64))


def seen(attention: np.ndarray | None) -> np.ndarray:
    """The attention, where there is one.

    Raises:
        ScrubjayError: the model shows none.
    """
    if attention is None:
        raise ScrubjayError(WHITE_BOX)
    return attention


WHITE_BOX = (
    "dragin looks inside the model while it writes (attention and entropy of each token) and needs "
    "a white-box model that runs here, such as smollm2-135m or a local folder; with an endpoint "
    "use flare, if it gives log-probabilities, or fixed-sentence"
)


def _within(word: Word, span: tuple[int, int]) -> bool:
    return span[0] <= word.start < span[1]


def largest(draft: Draft, tokens: np.ndarray) -> list[float]:
    """A word's score is the largest of its tokens'."""
    return [float(tokens[w.first : w.last].max()) for w in draft.words]


def first_above(draft: Draft, scores: Sequence[float], theta: float) -> Flag | None:
    """All words above θ in the first sentence that has one."""
    for sentence in draft.sentences:
        above = [i for i, w in enumerate(draft.words) if scores[i] > theta and _within(w, sentence)]
        if above:
            return Flag(sentence, tuple(above), draft.words[above[0]].first)
    return None
