"""A literature whose citations are known: dated papers, what they are about, whom they cite.

    paper = name + facets (task, method, data, gain) + a number;  abstract: one wording a facet
    w(old | new) = 4·[same task] + 2·[same task and method] + [same task and data],   0 if none
    references(new) = 4 to 10 earlier papers, drawn with weights w, without repetition

Each facet has wordings that share no content word, so that relevance by words and by meaning come
apart. Names of systems are invented per seed. A paper's related work is one sentence a reference
(``says``), true to the reference's abstract; ``planted`` breaks such sentences in known ways.

Source: LitLLMs (arXiv 2412.15249) evaluates on real papers newer than the model; this replaces them
where no network is. Departures from our sheet: 20 tasks with three wordings, not 40 with five; 4 to
10 references.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scrubjay.core.nouns import Passage
from scrubjay.core.randomness import stream
from scrubjay.worlds.literature_facets import ASIDES, DATA, GAINS, METHODS, TASKS

Kind = Literal["right", "shuffled", "number", "name", "opposite"]
KINDS: tuple[Kind, ...] = ("right", "shuffled", "number", "name", "opposite")
"""What was done to a sentence with its citation: nothing; another paper cited; its number, its
system's name, or the direction of its result altered. Half of the right and shuffled ones hold
neither name nor number."""

_ONSETS, _VOWELS, _CODAS = (
    [
        "b",
        "d",
        "f",
        "g",
        "k",
        "l",
        "m",
        "n",
        "p",
        "r",
        "s",
        "t",
        "v",
        "z",
        "br",
        "dr",
        "kr",
        "st",
        "tr",
        "vl",
    ],
    "aeiou",
    "lmnrsk",
)


@dataclass(frozen=True, slots=True)
class Facets:
    """Positions in the tables of ``literature_facets``."""

    task: int
    method: int
    data: int
    gain: int


@dataclass(frozen=True, slots=True)
class Paper:
    """An invented paper with its truth."""

    id: str
    name: str
    """Of the system it presents."""
    title: str
    abstract: str
    date: datetime.date
    facets: Facets
    percent: str
    references: tuple[str, ...] = ()
    """Ids of the papers it cites."""

    def passage(self) -> Passage:
        """As something to be found and cited; the date is in ``meta``."""
        return Passage(self.id, self.abstract, self.title, meta={"date": self.date.isoformat()})

    def says(self, rng: random.Random, *, named: bool = True) -> str:
        """A sentence about this paper, in wordings of its own; with its name and number, or one
        that only what it is about can place."""
        f = self.facets
        what = f"{rng.choice(METHODS[f.method])} to {rng.choice(TASKS[f.task])}"
        if not named:
            return f"Others apply {what} with {rng.choice(DATA[f.data])}"
        return f"{self.name} applies {what} and {GAINS[f.gain][0]} by {self.percent} percent"


@dataclass(frozen=True, slots=True)
class Planted:
    """A sentence, the paper it cites, and what was done to it."""

    sentence: str
    paper: Paper
    kind: Kind


@dataclass(frozen=True, slots=True)
class LiteratureWorld:
    """All papers by date, oldest first."""

    papers: tuple[Paper, ...]
    seed: int

    @classmethod
    def make(cls, seed: int, n: int = 600, *, start: int = 2015, years: int = 8) -> LiteratureWorld:
        """``n`` papers, evenly spread over ``years`` from the first of January ``start``.

        Raises:
            ValueError: fewer than one paper.
        """
        if n < 1:
            raise ValueError("a literature needs at least one paper")
        rng, names = stream(seed, "literature"), _names(seed, n)
        days = years * 365
        papers: list[Paper] = []
        for i, name in enumerate(names):
            date = datetime.date(start, 1, 1) + datetime.timedelta(days=i * days // n)
            papers.append(_paper(f"p{i:04d}", name, date, papers, rng))
        return cls(tuple(papers), seed)

    def by_id(self, name: str) -> Paper:
        """Raises: KeyError: no such paper."""
        return self.papers[{p.id: i for i, p in enumerate(self.papers)}[name]]

    def split(self, cutoff: datetime.date) -> tuple[list[Paper], list[Paper]]:
        """Papers before the cut-off, and the others: those to ask with."""
        old = [p for p in self.papers if p.date < cutoff]
        return old, list(self.papers[len(old) :])

    def planted(self, papers: Sequence[Paper], kinds: Sequence[Kind] = KINDS) -> list[Planted]:
        """For each paper one sentence of every kind."""
        return [
            _plant(p, kind, self, stream(self.seed, "planted", p.id))
            for p in papers
            for kind in kinds
        ]


def word_overlap(a: str, b: str) -> float:
    """Share of the content words (over three letters) of ``a`` that stand in ``b``."""
    x, y = ({w.strip(".,:") for w in t.lower().split() if len(w) > 3} for t in (a, b))
    return len(x & y) / len(x) if x else 0.0


def _paper(
    name: str, system: str, date: datetime.date, earlier: Sequence[Paper], rng: random.Random
) -> Paper:
    f = Facets(*(rng.randrange(len(table)) for table in (TASKS, METHODS, DATA, GAINS)))
    task, method, data = (
        rng.choice(table[i]) for table, i in ((TASKS, f.task), (METHODS, f.method), (DATA, f.data))
    )
    percent = f"{rng.randint(2, 48)}.{rng.randint(1, 9)}"
    abstract = (
        f"We present {system}, a system for {task}. "
        f"It builds on {method} and is trained on {data}. "
        f"Compared with earlier systems, {system} {GAINS[f.gain][0]} by {percent} percent. "
        f"{rng.choice(ASIDES)}"
    )
    title = f"{system}: {task} with {method}"
    cited = _draw([(p.id, _weight(f, p.facets)) for p in earlier], rng.randint(4, 10), rng)
    return Paper(name, system, title, abstract, date, f, percent, cited)


def _weight(new: Facets, old: Facets) -> float:
    if new.task != old.task:
        return 0.0
    return 4.0 + 2.0 * (new.method == old.method) + (new.data == old.data)


def _draw(weighted: list[tuple[str, float]], n: int, rng: random.Random) -> tuple[str, ...]:
    """Up to ``n`` names without repetition (Efraimidis and Spirakis: the largest u^(1/w))."""
    keyed = sorted(((rng.random() ** (1 / w), i) for i, w in weighted if w > 0), reverse=True)
    return tuple(sorted(i for _, i in keyed[:n]))


def _plant(paper: Paper, kind: Kind, world: LiteratureWorld, rng: random.Random) -> Planted:
    open_to_all = kind in ("right", "shuffled") and rng.random() < 0.5
    sentence = paper.says(rng, named=not open_to_all)
    if kind == "shuffled":
        other = rng.choice([p for p in world.papers if p.facets.task != paper.facets.task])
        return Planted(sentence, other, kind)
    if kind == "number":
        sentence = sentence.replace(paper.percent, f"{float(paper.percent) + 11.1:.1f}")
    if kind == "name":
        other = rng.choice([p for p in world.papers if p.id != paper.id])
        sentence = sentence.replace(paper.name, other.name)
    if kind == "opposite":
        sentence = sentence.replace(*GAINS[paper.facets.gain])
    return Planted(sentence, paper, kind)


def _names(seed: int, n: int) -> list[str]:
    """``n`` different invented names."""
    rng, names = stream(seed, "literature", "names"), dict[str, None]()
    while len(names) < n:
        syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.choice((2, 3)))]
        names[("".join(syllables) + rng.choice(_CODAS)).capitalize()] = None
    return list(names)
