"""DRAGIN: a tiny model from scratch that knows half of what it writes, and can read.

Two kinds of lessons, mixed: biographies of the world's people (facts that are held out have
another value each time), and biographies with three passages in front, one or two of which state a
fact that stands in the biography (people of nowhere, and the world's people with facts that are
not true, so that no true held-out value ever enters a lesson). What follows is a model that writes
known facts from memory, is unsure of the others, and copies what it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    "laptop": Size(120, 60, 2, 128, 3, 4, 2000, 16),
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

    settings = {"study": "dragin", "lessons": 1, **asdict(size), "seed": job.seed}
    model = cached_tiny({**settings, "test": 0, "grid": 0, "seeds": 0}, make)
    report(size.steps)
    return LocalModel(Weights("biographer", model, tokenizer), memory=200_000_000)


class Lessons:
    """Batches that depend on nothing but the step."""

    def __init__(self, world: BioWorld, tokenizer: Any, seed: int) -> None:
        self.world, self.seed = world, seed
        self._encode = tokenizer
        self._end = tokenizer.eos_token_id

    def batch(self, step: int, n: int) -> list[Example]:
        """Two in three without passages."""
        random = stream(self.seed, "lesson", step)
        return [self._plain(random) if i % 3 else self._read(random) for i in range(n)]

    def _plain(self, random: Random) -> Example:
        text = self.world.lesson(random.choice(self.world.people), random)
        return self._example("", text)

    def _read(self, random: Random) -> Example:
        """Passages before a biography that says what they say."""
        world = self.world
        name, values, text = world.made_up(random)
        if random.random() < 0.3:  # somebody of the world, with facts that aren't true
            known = random.choice(world.people)
            text, name = text.replace(name, known, 1), known
        shown = [self._file(name, values, r, random) for r in random.sample([*TOLD], 2)]
        while len(shown) < K + 1:
            other, made, _ = world.made_up(random)
            other = random.choice([other, f"{name.split()[0]} {other.split()[1]}"])
            shown.append(self._file(other, made, random.choice([*TOLD]), random))
        shown = shown[random.randrange(2) :][:K]
        random.shuffle(shown)
        return self._example(" ".join(shown), text)

    def _file(self, name: str, values: dict[str, str], relation: str, random: Random) -> str:
        subject = values["employer"] if relation == "seat" else name
        return self.world.filed(subject, relation, values[relation], random)

    def _example(self, passages: str, text: str) -> Example:
        before = self._encode(f"{passages} {SAY}", add_special_tokens=False)["input_ids"]
        after = self._encode(text, add_special_tokens=False)["input_ids"]
        ids = [*before, *after, self._end]
        learn = [False] * (len(before) + 3) + [True] * (len(after) - 2)
        return Example(ids, learn)
