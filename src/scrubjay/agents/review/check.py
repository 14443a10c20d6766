"""Does the cited abstract support the sentence?

    words    share of the sentence's content words that stand in title or abstract (by stem)
    numbers  share of its numbers that do;    names  share of its capitalised words that do
    lift     lp(sentence | title, abstract) − lp(sentence | nothing), mean log-probability a token
    p        σ(w · features + b),  w and b fitted on planted cases;  supported iff p ≥ threshold
             and, whatever p is, every number and every name stands there

Planted cases (``worlds.literature``): right citations, and the same with another paper, another
number or another name. Source: LitLLMs (arXiv 2412.15249) asks people whether a sentence says what
is not in the abstracts; this is what a machine can check of that. Limits: words and lift can't
read. A direction reversed ("raises" for "lowers"), a wrong relation between right names, or a
negation passes; the study measures how often.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scrubjay.agents.review.words import BEGINNINGS, UNSAID
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Passage
from scrubjay.models.prompting.untrusted import one_line

FEATURES = ("words", "numbers", "names", "lift")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[^\W\d_]{3,}")
_MARKER = re.compile(r"\[(\d{1,4})\]")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the check says of a sentence and the paper it cites."""

    supported: bool
    probability: float
    reasons: tuple[str, ...] = ()
    """Why not: numbers and names that don't stand there, or few of the words."""
    features: tuple[float, ...] = ()
    """In the order of ``FEATURES``; without a model, no lift."""


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """Judges sentences. The default weights were fitted by ``fit`` on planted cases of the
    literature worlds 100 to 102 (``studies.litllms.calibrate``), without a model.

    Attributes:
        weights: one for each feature in use: three, or four with the model's lift.
    """

    weights: tuple[float, ...] = (4.914, 6.315, 5.738)
    bias: float = -12.704
    threshold: float = 0.526

    @property
    def uses_model(self) -> bool:
        return len(self.weights) == len(FEATURES)

    async def judge(self, session: Session, sentence: str, paper: Passage) -> Judgement:
        """Whether ``paper`` supports ``sentence``; asks the model only if the weights use it."""
        features = list(coverage(sentence, paper))
        if self.uses_model:
            features.append(await lift(session, sentence, paper))
        return self.weigh(sentence, paper, features)

    def weigh(self, sentence: str, paper: Passage, features: Sequence[float]) -> Judgement:
        """The judgement from known features."""
        p = _sigmoid(sum(w * x for w, x in zip(self.weights, features)) + self.bias)
        reasons = [f"the number {n} is not in it" for n in missing_numbers(sentence, paper)]
        reasons += [f"the name {n} is not in it" for n in missing_names(sentence, paper)]
        if p < self.threshold and not reasons:
            reasons.append(f"{features[0]:.0%} of the words are in it")
        return Judgement(not reasons, p, tuple(reasons), tuple(features))

    @classmethod
    def fit(cls, rows: Sequence[Sequence[float]], right: Sequence[bool]) -> CitationCheck:
        """Logistic regression (Newton steps, a ridge of 1 on the weights) of ``right`` on features;
        the threshold is the one of the best balanced accuracy on the same cases.

        Raises:
            ValueError: not both kinds of cases.
        """
        import numpy as np

        x, y = np.asarray(rows, dtype=float), np.asarray(right, dtype=float)
        if y.min() == y.max():
            raise ValueError("a check is fitted on supported and unsupported sentences")
        x1 = np.column_stack([x, np.ones(len(x))])
        ridge = np.diag([1.0] * x.shape[1] + [1e-6])
        w = np.zeros(x1.shape[1])
        for _ in range(50):
            p = 1 / (1 + np.exp(-np.clip(x1 @ w, -30, 30)))
            hessian = x1.T @ (x1 * (p * (1 - p))[:, None]) + ridge
            w = w - np.linalg.solve(hessian, x1.T @ (p - y) + ridge @ w)
        p = 1 / (1 + np.exp(-np.clip(x1 @ w, -30, 30)))
        cuts = np.unique(p)
        gains = [(p[y == 1] >= c).mean() + (p[y == 0] < c).mean() for c in cuts]
        best = int(np.argmax(gains))
        # Halfway to the next lower value: a case just like the last good one must not fail.
        cut = float(cuts[best] if best == 0 else (cuts[best] + cuts[best - 1]) / 2)
        return cls(tuple(round(float(v), 3) for v in w[:-1]), round(float(w[-1]), 3), round(cut, 3))


def coverage(sentence: str, paper: Passage) -> tuple[float, float, float]:
    """Shares of content words, numbers and names of the sentence that stand in the paper; 1 where
    there are none, but 0 for the words of an empty sentence."""
    said, source = stems(sentence), stems(_all(paper))
    numbers, names = _numbers(sentence), _names(sentence)
    words = sum(w in source for w in said) / len(said) if said else 0.0
    return (
        words,
        1 - len(missing_numbers(sentence, paper)) / max(1, len(numbers)),
        1 - len(missing_names(sentence, paper)) / max(1, len(names)),
    )


def missing_numbers(sentence: str, paper: Passage) -> list[str]:
    """Numbers of the sentence that don't stand in the paper."""
    there = set(_numbers(_all(paper)))
    return [n for n in _numbers(sentence) if n not in there]


def missing_names(sentence: str, paper: Passage) -> list[str]:
    """Capitalised words that don't stand in the paper, in any case or with another ending. A first
    word counts too (it is where a system's name mostly stands), save the usual beginnings."""
    there = {w.casefold() for w in _WORD.findall(_all(paper))}
    parts = stems(_all(paper))
    return [n for n in _names(sentence) if n.casefold() not in there and _stem(n) not in parts]


async def lift(session: Session, sentence: str, paper: Passage) -> float:
    """How much likelier the model finds the sentence after reading the paper, in nats a token."""
    text = f" {one_line(sentence)}"
    given = await session.score(prompt("review_sentence", paper=paper), [text], reading=[paper])
    bare = Passage("none", "", "Untitled")
    alone = await session.score(prompt("review_sentence", paper=bare), [text])
    return given[0].mean - alone[0].mean


@dataclass(frozen=True, slots=True)
class CitationReport:
    """The markers of a text, against the papers there are and those that should be cited."""

    cited: tuple[int, ...]
    missing: tuple[int, ...]
    invented: tuple[int, ...]
    """Numbers that no paper has."""
    bare: int
    """Sentences without a marker."""

    @property
    def bad(self) -> int:
        return len(self.missing) + len(self.invented)


def citation_report(text: str, papers: int, wanted: Sequence[int] | None = None) -> CitationReport:
    """Count the markers [n] of ``text``; ``wanted`` is all papers by default."""
    from scrubjay.agents.review.quotes import sentences

    marks = list(dict.fromkeys(int(n) for n in _MARKER.findall(text)))
    should = range(1, papers + 1) if wanted is None else wanted
    return CitationReport(
        tuple(n for n in marks if 1 <= n <= papers),
        tuple(n for n in should if n not in marks),
        tuple(n for n in marks if not 1 <= n <= papers),
        sum(not _MARKER.search(s) for s in sentences(text)),
    )


def _all(paper: Passage) -> str:
    return f"{paper.title}. {paper.text}"


def _numbers(text: str) -> list[str]:
    return [n.replace(",", "").rstrip(".") for n in _NUMBER.findall(_MARKER.sub("", text))]


def _names(text: str) -> list[str]:
    """Capitalised words, without the few that only begin a sentence."""
    return [w for w in _WORD.findall(text) if w[0].isupper() and w.casefold() not in BEGINNINGS]


def stems(text: str) -> Counter[str]:
    """Content words by stem, counted."""
    return Counter(_stem(w) for w in _WORD.findall(text) if w.casefold() not in UNSAID)


def _stem(word: str) -> str:
    """The word without a usual ending: "hides" and "hiding" match, "hidden" does not."""
    word = word.casefold()
    for ending in ("ations", "ation", "ated", "ates", "ate", "ings", "ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))
