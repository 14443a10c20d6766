"""What study 21 stands on: worlds of dated papers, an index of the old ones, new ones to ask with.

``SimulatedJudge`` writes debates as a strong model would, with a known share of invented quotes
that coincide with bad scores to a known degree: that shows when checking quotes can help.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scrubjay.core.nouns import Hit, Passage
from scrubjay.core.randomness import stream
from scrubjay.models.types import Completion, Prompt
from scrubjay.retrieval import Index, build_index
from scrubjay.worlds.literature import LiteratureWorld, Paper


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything, a seed."""

    seeds: int
    papers: int
    asked: int
    """New papers for retrieval and the simulated judge."""
    model_asked: int
    """Of these: ranked by the language model."""
    candidates: int
    """Candidates it ranks."""
    written: int
    """Of these: written about."""
    planted: int
    """Papers with planted sentences."""
    lifted: int
    """Of these: judged with the model too."""
    budget: int = 50


SIZES = {
    "smoke": Size(1, 120, 6, 0, 6, 0, 10, 0, budget=20),
    "laptop": Size(3, 800, 60, 10, 16, 8, 60, 20),
    "full": Size(3, 3000, 500, 500, 100, 100, 300, 300, budget=100),
}


@dataclass(slots=True)
class Stage:
    """A world with its index."""

    world: LiteratureWorld
    old: dict[str, Paper]
    asked: list[Paper]
    words: Index
    meaning: Index

    @classmethod
    def make(cls, size: Size, seed: int, folder: Path, encoder: Any) -> Stage:
        """The last ``asked`` papers ask; only papers before the first of them are indexed."""
        world = LiteratureWorld.make(seed, size.papers)
        old, new = world.split(world.papers[-size.asked].date)
        place = folder / f"papers-{seed}.index"
        build_index([p.passage() for p in old], place, encoder=encoder)
        known = {p.id: p for p in old}
        asked = [p for p in new if any(i in known for i in p.references)]
        words = Index.open(place, mode="text")
        return cls(world, known, asked, words, Index.open(place, encoder=encoder, mode="vector"))

    def gold(self, paper: Paper) -> set[str]:
        """What it cites, of what can be found."""
        return {i for i in paper.references if i in self.old}

    @property
    def library(self) -> list[Passage]:
        return [p.passage() for p in self.old.values()]


@dataclass(slots=True)
class SimulatedJudge:
    """Writes debates about the candidates in a prompt. It is right on a candidate with probability
    ``accuracy``; a quote is invented with probability ``invents`` if right, and with
    ``invents + coupling · (1 − invents)`` if wrong. Draws depend on the candidate, not on turns."""

    gold: set[str]
    papers: Sequence[Passage]
    accuracy: float = 0.75
    invents: float = 0.2
    coupling: float = 0.5
    seed: int = 0
    name: str = "simulated-judge"

    async def generate(self, prompt: Prompt, **options: Any) -> Completion:
        text = prompt if isinstance(prompt, str) else "\n".join(m.content for m in prompt)
        titles = re.findall(r"^\[(\d+)\] (.*)$", text, re.MULTILINE)
        by_title = {p.title: p for p in self.papers}
        return Completion("\n".join(self._block(n, by_title[title]) for n, title in titles))

    def _block(self, number: str, paper: Passage) -> str:
        rng = stream(self.seed, "judge", paper.id)
        right = rng.random() < self.accuracy
        wanted = (paper.id in self.gold) == right
        score = rng.randint(55, 100) if wanted else rng.randint(0, 45)
        share = self.invents if right else self.invents + self.coupling * (1 - self.invents)
        quote = self._quote(paper, rng.random() < share)
        return (
            f'<paper {number}><for>"{quote}"</for><against>"{paper.text.split(". ")[-1]}"</against>'
            f"<score>{score}</score></paper>"
        )

    def _quote(self, paper: Passage, invented: bool) -> str:
        first = paper.text.split(". ")[0]
        return "It settles the very question of the new paper" if invented else first


def shuffled(hits: Sequence[Hit], rng: random.Random) -> list[str]:
    """The ids in a random order."""
    ids = [h.passage.id for h in hits]
    rng.shuffle(ids)
    return ids
