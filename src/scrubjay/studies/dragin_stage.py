"""DRAGIN: a tiny model from scratch that knows half of what it writes, and can read.

Three kinds of lessons, mixed: biographies of the world's people (facts that are held out have
another value each time); biographies with three passages in front, one or two of which state a
fact of the biography (of people of nowhere, and of the world's people, where passages state what
is held out, with this lesson's random value); and passages said again. What follows is a model
that writes known facts from memory, is unsure of the others, and copies what it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from scrubjay.core.nouns import Passage
from scrubjay.core.randomness import derive, stream
from scrubjay.models.local import LocalModel
from scrubjay.models.tiny import SAY, TinySpec, build_tiny, cached_tiny, train_tokenizer
from scrubjay.models.weights import Weights
from scrubjay.studies.parallel import Report
from scrubjay.studies.study import Scale
from scrubjay.training.pretrain import Example, Schedule, train_causal
from scrubjay.worlds.biographies import TOLD, BioWorld

K = 3
"""Passages per search."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    people: int
    test: int
    """People whose biographies are judged; as many others choose the thresholds."""
    seeds: int
    width: int
    layers: int
    heads: int
    steps: int
    batch: int
    rate: float = 3e-3
    grid: int = 8
    """Thresholds tried."""


SIZES: dict[Scale, Size] = {
    "smoke": Size(16, 4, 1, 32, 2, 2, 20, 8, grid=2),
    "laptop": Size(120, 60, 2, 128, 3, 4, 6000, 16),
    "full": Size(400, 200, 3, 192, 4, 6, 12_000, 32, rate=2e-3),
}


def template(person: str, passages: Sequence[Passage], text: str) -> str:
    """Passages, the mark of the text, the name, the biography so far; single blanks throughout."""
    read = " ".join(p.text for p in passages)
    return " ".join(f"{read} {SAY} {person} : {text}".split())


@dataclass(frozen=True, slots=True)
class Job:
    """One seed: a world, a tokenizer and a model."""

    size: Size
    seed: int

    @property
    def world(self) -> BioWorld:
        return BioWorld(self.size.people, seed=self.seed)


def tiny_model(job: Job, report: Report) -> LocalModel:
    """The trained model; from the cache if it was trained before."""
    world = job.world
    random = stream(job.seed, "vocabulary")
    texts = [world.lesson(p, random) for p in world.people for _ in range(4)]
    texts += [p.text for p in world.passages] * 4
    tokenizer = train_tokenizer(texts, 8000)
    size = job.size
    spec = TinySpec(
        len(tokenizer),
        size.width,
        size.layers,
        size.heads,
        size.width * 5 // 2,
        context=256,
        seed=derive(job.seed, "weights") % 2**31,
    )
    lessons = Lessons(world, tokenizer, job.seed)

    def look(done: int, loss: float) -> bool:
        report(done)
        return False

    def make(scratch: Path) -> Any:
        model = build_tiny(spec)
        train_causal(
            model,
            lambda step: lessons.batch(step, size.batch),
            Schedule(size.steps, size.rate),
            checkpoint=scratch / "model.safetensors",
            look=look,
        )
        return model

    settings = {"study": "dragin", "lessons": 3, **asdict(size), "seed": job.seed}
    model = cached_tiny({**settings, "test": 0, "grid": 0, "seeds": 0}, make)
    report(size.steps)
    return LocalModel(Weights("biographer", model, tokenizer), memory=200_000_000)


Told = list[tuple[str, bool]]
"""Parts of a text, and whether predicting them counts."""


class Lessons:
    """Batches that depend on nothing but the step.

    Copying is learned late and all at once, and only where something can be copied: so of the
    lessons with passages most count nothing but values, and some just say the passages again.
    """

    def __init__(self, world: BioWorld, tokenizer: Any, seed: int) -> None:
        self.world, self.seed = world, seed
        self._encode = tokenizer
        self._end = tokenizer.eos_token_id

    def batch(self, step: int, n: int) -> list[Example]:
        """Of eight: two biographies, three with passages in front, three times passages again."""
        random = stream(self.seed, "lesson", step)
        kinds = (self._plain, self._read, self._again, self._read, self._again, self._read,
                 self._again, self._plain)  # fmt: skip
        return [kinds[i % 8](random) for i in range(n)]

    def _plain(self, random: Random) -> Example:
        person = random.choice(self.world.people)
        return self._example([], person, self.world.drawn(person, random), random, True)

    def _read(self, random: Random) -> Example:
        """Passages before a biography that says what they say."""
        world = self.world
        if random.random() < 0.5:
            name, values = world.made_up(random)
            unsure = [*TOLD]
        else:  # what the weights hold stays; what is held out is read
            name = random.choice(world.people)
            values = world.drawn(name, random)
            subjects = {r: values["employer"] if r == "seat" else name for r in TOLD}
            unsure = [r for r, s in subjects.items() if (s, r) in world.held] or [*TOLD]
        told = random.sample(unsure, min(2, len(unsure)))
        shown = [" ".join(self._file(name, values, r, random)) for r in told]
        while len(shown) < K + 1:
            other, made = world.made_up(random)
            other = random.choice([other, f"{name.split()[0]} {other.split()[1]}"])
            shown.append(" ".join(self._file(other, made, random.choice([*TOLD]), random)))
        shown = shown[random.randrange(2) :][:K]
        random.shuffle(shown)
        return self._example(shown, name, values, random, random.random() < 0.3)

    def _again(self, random: Random) -> Example:
        """Passages of nowhere, said again in other words and another order."""
        files = []
        for _ in range(K):
            name, values = self.world.made_up(random)
            files.append((name, values, random.choice([*TOLD])))
        shown = [" ".join(self._file(*f, random)) for f in files]
        random.shuffle(files)
        again: Told = []
        for f in files:
            before, value, after = self._file(*f, random)
            again += [(before, False), (value, True), (after, False)]
        return self._ids([(f"{' '.join(shown)} {SAY}", False), *again])

    def _file(
        self, name: str, values: Mapping[str, str], relation: str, random: Random
    ) -> tuple[str, str, str]:
        """A passage: before its value, the value, after it."""
        subject = values["employer"] if relation == "seat" else name
        before, after = self.world.filed(subject, relation, "|", random).split("|")
        return before.strip(), values[relation], after.strip()

    def _example(
        self,
        shown: Sequence[str],
        name: str,
        values: Mapping[str, str],
        random: Random,
        everything: bool,
    ) -> Example:
        """A biography after passages; the name is given."""
        said: Told = []
        for relation, value in values.items():
            said += [(random.choice(TOLD[relation]), everything), (value, True), (".", everything)]
        return self._ids([(f"{' '.join(shown)} {SAY} {name} :", False), *said], everything)

    def _ids(self, parts: Told, end: bool = False) -> Example:
        """Words are cut apart from each other, so parts can be encoded one by one."""
        ids: list[int] = []
        learn: list[bool] = []
        for text, counts in parts:
            new = self._encode(text, add_special_tokens=False)["input_ids"]
            ids += new
            learn += [counts] * len(new)
        return Example([*ids, self._end], [*learn, end])
