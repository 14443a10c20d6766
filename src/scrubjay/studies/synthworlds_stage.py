"""The stage of SynthWorlds, part 1: sizes, worlds, questions and tokenizer; everything but models.

Every universe has three invented maps of names, made the same way. The tokenizer and the reading
lessons treat them alike: a name is a word the reader has met, in other worlds and other parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

from scrubjay.core.randomness import derive
from scrubjay.models.tiny import settings_hash, train_tokenizer
from scrubjay.studies.study import Scale
from scrubjay.studies.synthworlds_lessons import ReadingLessons, Shelf, Voice, name_pool
from scrubjay.training.pretrain import Schedule
from scrubjay.worlds.items import Item
from scrubjay.worlds.tasks import sample
from scrubjay.worlds.universe import NUMBER, TIME, Universe, Value
from scrubjay.worlds.world import World, load_world

MAPS = ("A", "B", "C")
"""Three invented maps of each universe. A is made known; B in the swap control; C never."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything; ``steps`` are optimiser steps."""

    entities: int
    universes: int
    seeds: int
    others: int
    """Universes that reading is learned on (two more are held out to measure it)."""
    vocabulary: int
    width: int
    layers: int
    reader: Schedule
    known: Schedule
    """At most; ends when ``enough`` of the world's questions are answered closed book."""
    enough: float
    batch: int
    recall: int
    multihop: int


SIZES: dict[Scale, Size] = {
    "smoke": Size(
        60, 1, 1, 2, 1200, 32, 1, Schedule(8, warmup=2), Schedule(8, warmup=2), 0.95, 4, 20, 12
    ),
    "laptop": Size(
        300, 3, 2, 8, 6000, 128, 3, Schedule(4000, 3e-3), Schedule(1600, 2e-3), 0.95, 12, 240, 240
    ),
    "full": Size(
        300, 5, 3, 40, 8000, 256, 6, Schedule(20000, 1e-3), Schedule(6000, 1e-3), 0.98, 48, 419, 600
    ),
}


@dataclass(frozen=True)
class Stage:
    """The worlds, the questions and the tokenizer: everything but the models."""

    size: Size
    seed: int

    @cached_property
    def worlds(self) -> list[dict[str, World]]:
        """Per universe, its worlds by map."""
        made = []
        for number in range(self.size.universes):
            seed = derive(self.seed, "universe", number) % 2**31
            origin = load_world(f"random:{self.size.entities}", seed=seed)
            made.append({m: origin.twin(k + 1, tokens=_letters) for k, m in enumerate(MAPS)})
        return made

    @cached_property
    def voice(self) -> Voice:
        """A tokenizer that knows the words of pages and questions of all maps alike."""
        texts = [p.text for maps in self.worlds for w in maps.values() for p in w.documents()]
        for maps in self.worlds:
            texts += [q.text for q in maps["A"].questions("recall", 10_000)]
            texts += [q.text for q in maps["A"].questions("multihop", self.size.multihop)]
        return Voice(train_tokenizer(texts, self.size.vocabulary))

    def lessons(self, held_out: bool = False) -> ReadingLessons:
        """Reading of other universes, under the names of our maps dealt out at random."""
        first, count = (self.size.others, 2) if held_out else (0, self.size.others)
        seeds = [derive(self.seed, "other", n) % 2**31 for n in range(first, first + count)]
        spec = f"random:{self.size.entities}"
        shelves = [Shelf.of(load_world(spec, seed=s), s, self.size.multihop) for s in seeds]
        pool = name_pool((w.universe, w.names) for maps in self.worlds for w in maps.values())
        return ReadingLessons(self.voice, shelves, pool, derive(self.seed, "lessons", held_out))

    @cached_property
    def reading(self) -> ReadingLessons:
        return self.lessons()

    @cached_property
    def held_out(self) -> ReadingLessons:
        return self.lessons(held_out=True)

    @cached_property
    def items(self) -> list[dict[str, list[Item]]]:
        """Per universe and task, the questions that are measured; of three hops at most."""
        wanted = {"recall": self.size.recall, "multihop": self.size.multihop}
        return [
            {task: self._sample(maps["A"], task, n) for task, n in wanted.items()}
            for maps in self.worlds
        ]

    def _sample(self, world: World, task: str, n: int) -> list[Item]:
        drawn = sample(task, world.universe, world.marked, n, self.seed)
        return [item for item in drawn if len(item.gold) <= 3]

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What trained models depend on."""
        return {**asdict(self.size), "seed": self.seed, "told": self._told}

    @cached_property
    def _told(self) -> str:
        hashes = [w.hash for maps in self.worlds for w in maps.values()]
        hashes += [shelf.universe.hash for shelf in self.reading.shelves]
        return settings_hash({"worlds": hashes, "tokenizer": self.voice.fingerprint})


@lru_cache(maxsize=1)
def stage(size: Size, seed: int) -> Stage:
    """The stage, built once a process."""
    return Stage(size, seed)


def candidates(universe: Universe, item: Item) -> list[Value]:
    """All entities of the answer's type; for dates and numbers, all that answer this relation."""
    if item.answer_type not in (TIME, NUMBER):
        return [e.id for e in universe.by_type[item.answer_type]]
    relation = next(r for _, r, o in item.pattern if o == "?answer")
    return list(dict.fromkeys(f.object for f in universe.by_relation[relation]))


def _letters(texts: Sequence[str]) -> list[int]:
    """Invented names are as long as the ones they replace, counted in letters."""
    return [len(text) for text in texts]
