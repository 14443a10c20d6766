"""Reading lessons: pages of other worlds under names drawn afresh for every single example.

A reader that only ever meets a name in one example can't remember anything about it; what it can
learn is to find the answer on the page. The same token-level telling also gives the lessons of one
world, under its own names, from which facts can be remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from scrubjay.core.randomness import stream
from scrubjay.models.tiny import ASK, END, SAY
from scrubjay.training.pretrain import Example
from scrubjay.worlds.documents import MarkedDocument, Ref, Segment
from scrubjay.worlds.items import Item
from scrubjay.worlds.names import NameMap
from scrubjay.worlds.tasks import sample
from scrubjay.worlds.universe import Quantity, Timestamp, Universe, Value

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from scrubjay.worlds.world import World

Ids = tuple[int, ...]
Call = Callable[[Ref], Ids]
"""How a mention is written, in token ids."""


class Voice:
    """Tells segments, questions and answers as token ids; pieces of text are tokenised once."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, Ids] = {}
        self.end, self.ask, self.say = (tokenizer.get_vocab()[t] for t in (END, ASK, SAY))

    @property
    def size(self) -> int:
        """Number of token ids."""
        return len(self._tokenizer)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the tokenizer."""
        return sha256(self._tokenizer.backend_tokenizer.to_str().encode()).hexdigest()

    def ids(self, text: str) -> Ids:
        """Token ids of a piece of text that begins and ends at a word's edge."""
        if text not in self._known:
            self._known[text] = tuple(self._tokenizer.encode(text, add_special_tokens=False))
        return self._known[text]

    def tell(self, segments: Iterable[Segment], call: Call) -> list[int]:
        return [i for s in segments for i in (self.ids(s) if isinstance(s, str) else call(s))]

    def question(self, item: Item, call: Call) -> list[int]:
        return [self.ask, *self.tell(item.query, call), self.say]

    def calling(self, names: NameMap) -> Call:
        """Mentions as a world writes them."""
        return lambda ref: self.ids(names.mention(ref))


@dataclass(frozen=True)
class Shelf:
    """One other universe, its pages by owner and its questions by the pages they need."""

    universe: Universe
    pages: Mapping[str, MarkedDocument]
    single: Mapping[str, Sequence[Item]]
    """One-hop items by the page that answers them."""
    several: Sequence[Item]
    """Two- and three-hop items."""

    @classmethod
    def of(cls, world: World, seed: int, hops: int) -> Shelf:
        pages = {d.entity: d for d in world.marked}
        single: defaultdict[str, list[Item]] = defaultdict(list)
        for item in sample("recall", world.universe, world.marked, 10_000, seed):
            single[item.gold[0]].append(item)
        several = (
            [
                item
                for item in sample("multihop", world.universe, world.marked, hops, seed)
                if len(item.gold) <= 3
            ]
            if hops
            else []
        )
        return cls(world.universe, pages, dict(single), several)

    @cached_property
    def owners(self) -> list[str]:
        return sorted(self.single)


class FreshNames:
    """A new name for every entity, date and number, drawn for one example."""

    def __init__(
        self, voice: Voice, pool: Mapping[str, Sequence[str]], universe: Universe, rng: Random
    ) -> None:
        self._voice, self._pool, self._universe, self._rng = voice, pool, universe, rng
        self._drawn: dict[Value, Ids] = {}
        self._used: set[str] = set()

    def __call__(self, ref: Ref) -> Ids:
        return self.value(ref.value)

    def knows(self, value: Value) -> bool:
        """Whether the name was drawn, hence told, before."""
        return value in self._drawn

    def value(self, value: Value) -> Ids:
        if value not in self._drawn:
            self._drawn[value] = self._voice.ids(self._draw(value))
        return self._drawn[value]

    def _draw(self, value: Value) -> str:
        rng = self._rng
        if isinstance(value, Timestamp):
            year = value.year + rng.randint(-200, 60)
            month, day = value.month and rng.randint(1, 12), value.day and rng.randint(1, 28)
            return str(Timestamp(year, month, day))
        if isinstance(value, Quantity):
            return str(Quantity(round(value.value * rng.uniform(0.3, 3)), value.unit))
        names = self._pool[self._universe.entities[value].type]
        while True:
            name = rng.choice(names)
            if name not in self._used:
                self._used.add(name)
                return name


@dataclass(frozen=True)
class ReadingLessons:
    """Batches of reading: pages of other universes, then questions about them."""

    voice: Voice
    shelves: Sequence[Shelf]
    pool: Mapping[str, Sequence[str]]
    """Names by entity type."""
    seed: int
    hops: float = 0.25
    """Share of examples with a question of several hops."""

    def batch(self, step: int, size: int, pages: Sequence[int] = (1, 1, 2, 3)) -> list[Example]:
        """``size`` examples of about the same length; a function of the step alone."""
        rng = stream(self.seed, "reading", step)
        if rng.random() < self.hops:
            return [self._several(rng) for _ in range(size * 2 // 3)]
        count = rng.choice(pages)
        return [self._single(rng, count) for _ in range(max(1, size * 2 // (1 + count)))]

    def _single(self, rng: Random, count: int) -> Example:
        shelf = rng.choice(self.shelves)
        owners = rng.sample(shelf.owners, count)
        items = [i for o in owners for i in shelf.single[o]]
        return self._lesson(rng, shelf, owners, rng.sample(items, min(4, len(items))))

    def _several(self, rng: Random) -> Example:
        shelf = rng.choice(self.shelves)
        item = rng.choice(shelf.several)
        owners = rng.sample(item.gold, len(item.gold))
        extra = [i for o in owners for i in shelf.single.get(o, ())]
        asked = [item, *rng.sample(extra, min(3, len(extra)))]
        return self._lesson(rng, shelf, owners, rng.sample(asked, len(asked)))

    def accuracy(self, model: LlamaForCausalLM, pages: int, lessons: int = 60) -> float:
        """Share of the questions of ``lessons`` examples with so many pages (0: several hops) that
        greedy decoding answers right."""
        right = asked = 0
        for number in range(lessons):
            rng = stream(self.seed, "accuracy", pages, number)
            ids = list((self._single(rng, pages) if pages else self._several(rng)).ids)
            hits = [t == p for t, p in zip(ids[1:], greedy(model, ids), strict=False)]
            for start in (i for i, t in enumerate(ids) if t == self.voice.say):
                right += all(hits[start : ids.index(self.voice.end, start)])
                asked += 1
        return right / asked

    def _lesson(
        self, rng: Random, shelf: Shelf, owners: Sequence[str], items: Sequence[Item]
    ) -> Example:
        names = FreshNames(self.voice, self.pool, shelf.universe, rng)
        lesson = _Lesson(self.voice, names)
        for owner in owners:
            lesson.tell(shelf.pages[owner].segments)
        for item in items:
            lesson.add([self.voice.ask], False)
            lesson.tell(item.query)
            lesson.add([self.voice.say], False)
            lesson.add([*names.value(rng.choice(item.answers)), self.voice.end], True)
        return Example(lesson.ids, lesson.learn)


class _Lesson:
    """An example as it grows. What can be known is learned: answers, and names told before; a name
    at its first mention, or which sentence comes next, is chance."""

    def __init__(self, voice: Voice, names: FreshNames) -> None:
        self._voice, self._names = voice, names
        self.ids: list[int] = []
        self.learn: list[bool] = []

    def add(self, ids: Sequence[int], learn: bool) -> None:
        self.ids += ids
        self.learn += [learn] * len(ids)

    def tell(self, segments: Iterable[Segment]) -> None:
        for segment in segments:
            if isinstance(segment, Ref):
                known = self._names.knows(segment.value)
                self.add(self._names(segment), known)
            else:
                self.add(self._voice.ids(segment), False)


def greedy(model: LlamaForCausalLM, ids: Sequence[int]) -> list[int]:
    """The most likely token after each of ``ids``."""
    import torch

    with torch.inference_mode():
        best: list[int] = model(torch.tensor([list(ids)])).logits[0].argmax(-1).tolist()
        return best


def name_pool(worlds: Iterable[tuple[Universe, NameMap]]) -> dict[str, list[str]]:
    """Every name of some worlds by entity type, each once."""
    pool: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for universe, names in worlds:
        for entity in universe.entities.values():
            pool[entity.type][names.name(entity.id)] = None
    return {type: list(names) for type, names in pool.items()}


@dataclass(frozen=True)
class WorldLessons:
    """Batches that make one world known: its pages, its one-hop questions without a page, and
    reading lessons from other worlds, so that reading isn't forgotten."""

    voice: Voice
    world: World
    items: Sequence[Item]
    reading: ReadingLessons
    seed: int

    def batch(self, step: int, size: int) -> list[Example]:
        """Reading, pages, questions and questions again take turns."""
        rng = stream(self.seed, "world", self.world.name, step)
        if step % 4 == 0:
            return self.reading.batch(step, size)
        if step % 4 == 1:
            return [self._page(rng.choice(self.world.marked)) for _ in range(2 * size)]
        return [self._closed_book(rng, rng.choice(self.items)) for _ in range(4 * size)]

    def _page(self, page: MarkedDocument) -> Example:
        ids = self.voice.tell(page.segments, self.voice.calling(self.world.names))
        return Example([*ids, self.voice.end], [True] * (len(ids) + 1))

    def _closed_book(self, rng: Random, item: Item) -> Example:
        names = self.world.names
        asked = self.voice.question(item, self.voice.calling(names))
        said = [*self.voice.ids(names.value(rng.choice(item.answers))), self.voice.end]
        return Example([*asked, *said], [False] * len(asked) + [True] * len(said))
