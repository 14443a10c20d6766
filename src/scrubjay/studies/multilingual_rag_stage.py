"""Multilingual RAG: atlas or twin in English, asked in seven languages, a quarter unanswerable.

The index holds the pages of all countries and regions, those that the questions are
about, and some more cities; the pages of every fourth question are left out, so that its answer
should be "not found". Names cross by the world's own table: what it holds is right by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from scrubjay.core.nouns import Passage, Question
from scrubjay.core.randomness import stream
from scrubjay.retrieval import Index, build_index, load_encoder
from scrubjay.retrieval.glossary import Glossary, terms
from scrubjay.retrieval.index import Mode
from scrubjay.studies.study import Scale
from scrubjay.worlds import load_world
from scrubjay.worlds.multilingual import MultilingualWorld

MODES: tuple[Mode, ...] = ("vector", "text", "hybrid")
QUERIES = (
    "direct",
    "names only",
    "words only",
    "half the names",
    "translated",
    "wrong language",
    "oracle",
)
"""How a question becomes a query. 'half the names': translated, but every second name is unknown.
'oracle': the same question as the world asks it in English; 'wrong language': translated as if it
were in the next language of the list."""
READ = ("de", "en", "fr")
"""Languages in which the language model is asked."""
UNANSWERABLE = 4
"""The page of every fourth question is left out (and with it all questions about that page)."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    twins: int
    asked: int
    """Questions a language for the queries."""
    read: int
    """Of these: answered by the language model, in ``READ``."""
    cities: int
    """Cities that are in the index, besides those asked about."""
    typos: tuple[float, ...] = (0.0, 0.3, 0.6)
    """Share of words with a typing error."""
    whole: tuple[str, ...] = ("country-", "region-")
    """What is in the index to the last page."""
    real: bool = True


SIZES: dict[Scale, Size] = {
    "smoke": Size(1, 12, 0, 20, (0.0, 0.6), whole=(), real=False),
    "laptop": Size(2, 80, 16, 400),
    "full": Size(3, 200, 200, 3000),
}


@dataclass(frozen=True)
class Job:
    """One world: the real one or a twin."""

    size: Size
    twin: int | None

    @property
    def label(self) -> str:
        return "real" if self.twin is None else f"twin {self.twin}"

    @cached_property
    def world(self) -> MultilingualWorld:
        real = load_world("atlas")
        return MultilingualWorld(real if self.twin is None else real.twin(self.twin))

    @cached_property
    def glossary(self) -> Glossary:
        world = self.world
        return Glossary({code: world.names(code) for code in world.languages[1:]})

    @cached_property
    def half(self) -> Glossary:
        """The glossary without every second name."""
        names = self.glossary.names
        return Glossary({code: dict(sorted(told.items())[::2]) for code, told in names.items()})

    def questions(self, language: str) -> list[Question]:
        """The same in every language."""
        return self.world.questions(language, self.size.asked)

    @cached_property
    def gone(self) -> frozenset[str]:
        """Pages that are left out."""
        asked = self.questions("en")[UNANSWERABLE - 1 :: UNANSWERABLE]
        return frozenset(q.gold[0] for q in asked)

    def answerable(self, language: str) -> list[Question]:
        """The questions whose page is there."""
        return [q for q in self.questions(language) if q.gold[0] not in self.gone]

    @cached_property
    def pages(self) -> list[Passage]:
        """What is indexed."""
        told = self.world.world
        kept = {q.gold[0] for q in self.answerable("en")}
        others = [p for p in told.documents() if p.id.startswith("city-") and p.id not in kept]
        few = {p.id for p in stream(0, "cities").sample(others, self.size.cities)}
        return [
            p
            for p in told.documents()
            if p.id not in self.gone
            and (p.id in kept or p.id in few or p.id.startswith(self.size.whole))
        ]

    def indices(self, folder: Path) -> dict[Mode, Index]:
        """By words, by vectors, by both."""
        place, encoder = folder / f"pages-{self.label.replace(' ', '-')}.index", load_encoder()
        if not place.exists():
            build_index(self.pages, place, encoder=encoder)
        return {mode: Index.open(place, encoder=encoder, mode=mode) for mode in MODES}


def query(job: Job, how: str, question: Question, english: Question, language: str) -> str:
    """The query that a question becomes."""
    if language == "en" or how == "direct":
        return question.text
    glossary, text = job.glossary, question.text
    others = list(job.world.languages[1:])
    following = others[(others.index(language) + 1) % len(others)]
    made = {
        "names only": lambda: glossary.translate(text, language, words=False),
        "words only": lambda: Glossary({}, terms()).translate(text, language),
        "half the names": lambda: job.half.translate(text, language),
        "translated": lambda: glossary.translate(text, language),
        "wrong language": lambda: glossary.translate(text, following),
        "oracle": lambda: english.text,
    }
    return made[how]() or text


def mistyped(text: str, share: float, random: Random) -> str:
    """Two neighbouring letters inside a word change places, in this share of words of 4 or more."""
    return " ".join(_swap(w, random) if random.random() < share else w for w in text.split())


def _swap(word: str, random: Random) -> str:
    letters: Sequence[int] = [i for i in range(1, len(word) - 1) if word[i : i + 2].isalpha()]
    if len(word) < 4 or not letters:
        return word
    i = random.choice(letters)
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
