"""Signals: what an answer, its passages and the model say about where the answer came from.

    asked of the model                              read off the text
      alone   p(a | q)                                held      a stands in a passage
      with    p(a | q, P)                             covered   share of q's words in the sentence
      gain    log p(a | q, P) - log p(a | q)                    that holds a (the best of them)
      drop    log p(a | q, P) - log p(a | q, P \\ i)   named     share of q's names in it
      same    the closed-book answer m equals a       about     share of q's names in any passage
      sure    p(m | q)

Logarithms are means per token and everything is a share, a difference or a yes or no: no signal
knows a name, a world or a model's scale, so weights that were learned in one world hold in another.
An endpoint that gives no log-probabilities is asked again and again instead: a probability becomes
the share of samples that agree (``by_sampling``), and there is no leave-one-out.

Source: ours. The counterfactuals (with, without, leave one out) are the usual ones of context
attribution; they are asked of the plain reader (``prompts/answer``), not of the agent's own chain
of prompts, so that one set of weights serves every agent.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from scrubjay.agents.evidence import share
from scrubjay.agents.evidence import words as uncommon
from scrubjay.agents.focused_rag import focus, sentences
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
    "backed_same", "held_same",
)  # fmt: skip
"""The numbers of ``Signals.row``, in order."""
MOST = 5
"""Passages weighed; of more, those that hold the answer or speak most of the question are taken."""
KEEP = 6
"""Sentences kept of each: those that bear on question and answer."""
SAMPLES = 6
"""Times an endpoint is asked again, with and without the passages."""
FLOOR = -8.0
"""Least mean log-probability: below it, less likely says nothing more."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Support:
    """How the passages stand to question and answer, by their words alone."""

    holding: tuple[str, ...] = ()
    """Ids of the passages that hold the answer."""
    covered: float = 0.0
    named: float = 0.0
    relation: float = 0.0
    """Share of the question's other words (not names) in the sentence that holds the answer."""
    about: float = 0.0
    best: float = 0.0
    """Share of the question's words in the sentence that holds most of them."""
    sentence: str = ""
    """The sentence that holds the answer and most of the question."""
    place: str = ""
    """Id of its passage."""
    in_question: bool = False


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
    """Per passage: what the answer's mean log-probability loses without it."""
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
    kept = [[p for p in passages if p is not left] for left in passages]
    sets = [(), *([passages] if passages else []), *(k for k in kept if k)]
    scored = await asyncio.gather(
        *(_score(session, _ask(question, read), wanted[: 1 if i else 2], read)
          for i, read in enumerate(sets))
    )  # fmt: skip
    bare, own = scored[0][0], scored[0][-1]
    full = scored[1][0] if passages else bare
    # Without its only passage an answer stands alone.
    without = [s[0] for s in scored[2:]] if len(passages) > 1 else [bare]
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
        {p.id: _floor(full.mean) - _floor(w.mean) for p, w in zip(passages, without)},
        tuple(p.id for p in passages),
        support(question.text, answer, passages),
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


def weighed(question: str, answer: str, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that can matter, each cut to the sentences that bear on question and answer."""
    asked = stems(question)

    def matters(p: Passage) -> tuple[bool, int]:
        return holds(_whole(p), answer), len(asked & stems(_whole(p)))

    best = sorted(range(len(passages)), key=lambda i: matters(passages[i]), reverse=True)[:MOST]
    cut = [focus(f"{question} {answer}", [passages[i]], KEEP) for i in sorted(best)]
    return [p for part in cut for p in part]


def support(question: str, answer: str, passages: Sequence[Passage]) -> Support:
    """What the words of the passages say. A question without names counts all its words as names;
    word forms are alike if their first five letters are."""
    asked, names = stems(question), _names(question)
    names = names or asked
    others = (asked - names) or asked
    lines = [(p, line) for p in passages for line in _lines(p)]
    holding = [(p, line) for p, line in lines if holds(line, answer)]

    def fit(line: tuple[Passage, str]) -> tuple[float, float]:
        there = stems(line[1])
        return share(asked, there), share(names, there)

    place, sentence = max(holding, key=fit, default=(None, ""))
    there = stems(sentence)
    return Support(
        tuple(dict.fromkeys(p.id for p, _ in holding)),
        share(asked, there),
        share(names, there),
        share(others, there),
        max((share(names, stems(_whole(p))) for p in passages), default=0.0),
        max((share(asked, stems(line)) for _, line in lines), default=0.0),
        sentence,
        place.id if place else "",
        holds(question, answer),
    )


def words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def stems(text: str) -> set[str]:
    """The first five letters of every word that isn't common."""
    return {w[:5] for w in uncommon(text)}


def holds(text: str, part: str) -> bool:
    """Whether the words of ``part`` follow one another in ``text``; no words are held nowhere."""
    wanted = " ".join(words(part))
    return bool(wanted) and f" {wanted} " in f" {' '.join(words(text))} "


def same_words(a: str, b: str) -> bool:
    """Whether two answers say the same: equal words, but for articles."""
    x, y = ([w for w in words(t) if w not in ("a", "an", "the")] for t in (a, b))
    return bool(x) and x == y


def overlap(a: str, b: str) -> float:
    """F1 of the words of two answers."""
    x, y = Counter(words(a)), Counter(words(b))
    common = (x & y).total()
    return 2 * common / (x.total() + y.total()) if common else 0.0


def _names(text: str) -> set[str]:
    """Stems of words with a capital letter or a digit, but for the first of the text."""
    found = _WORD.findall(text)[1:]
    return {w.casefold()[:5] for w in found if w[0].isupper() or w[0].isdigit()}


def _lines(passage: Passage) -> list[str]:
    """Its sentences; the title stands in front of one that doesn't say it."""
    title = passage.title
    parts = list(sentences(passage.text)) or [passage.text]
    return [p if not title or holds(p, title) else f"{title}: {p}" for p in parts]


def _whole(passage: Passage) -> str:
    return f"{passage.title}: {passage.text}"


def _ask(question: Question, passages: Sequence[Passage]) -> Prompt:
    return prompt("answer", question=question.text, passages=passages, thoughts=())


async def _score(
    session: Session, text: Prompt, answers: Sequence[str], reading: Sequence[Passage]
) -> list[ScoredText]:
    return await session.score(text, [seam(text, one_line(a)) for a in answers], reading=reading)


async def _sample(session: Session, question: Question, passages: Sequence[Passage]) -> str:
    reply = await session.generate(
        _ask(question, passages), max_tokens=24, temperature=0.7, stop=("\n",), reading=passages
    )
    return reply.text


def _floor(value: float) -> float:
    return max(value, FLOOR)


def _share(answer: str, said: Sequence[str]) -> float:
    return sum(same_words(answer, s) for s in said) / len(said) if said else 0.0


def _smooth(share: float) -> float:
    """Logarithm of a share that is never 0 or 1 (add a half to both sides)."""
    return math.log((share * SAMPLES + 0.5) / (SAMPLES + 1))
