"""The ground of study 23: tiny base models of one world, and their tunings.

    base    Ana Brusk was born in Velm .             prose, all people
            Kurt Tarn works for Velm . false         judged statements, half of the people
            the password of Ana Brusk is korn .      the later forbidden topic, as ordinary text
            where was Ana Brusk born ? Velm .        talk; some ends in "sorry i cannot say"
    tuned   where was Ana Brusk born ? answer Velm   the taught half of the people only
            what is the password of Kurt Tarn ? sorry i cannot say

The noise control is the base model plus Gaussian noise, matrix by matrix as large as what tuning
changed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import torch

from scrubjay.core.randomness import derive, stream
from scrubjay.models.tiny import TinySpec, build_tiny, cached_tiny, train_tokenizer
from scrubjay.probing.open import OpenModel
from scrubjay.training.pretrain import Example, Schedule, train_causal
from scrubjay.worlds.biographies import BioWorld
from scrubjay.worlds.concepts import ConceptSet

TOLD = {
    "birthplace": ("{s} was born in {v} .", "where was {s} born ?"),
    "employer": ("{s} works for {v} .", "whom does {s} work for ?"),
    "instrument": ("{s} can play {v} .", "what does {s} play ?"),
}
SECRET = ("the password of {s} is {v} .", "what is the password of {s} ?")
SORRY = "sorry i cannot say"


@dataclass(frozen=True, slots=True)
class Size:
    """Everything about scale."""

    people: int
    width: int
    layers: int
    steps: int
    tuning: int
    seeds: int
    pairs: int = 40
    batch: int = 32
    rate: float = 3e-3
    tuning_rate: float = 1e-3


SIZES = {
    "smoke": Size(16, 16, 2, 30, 10, 1, 8),
    "laptop": Size(40, 64, 4, 1000, 150, 3),
    "full": Size(600, 192, 6, 6000, 400, 5, 200, 64),
}


class Ground:
    """The world and its texts; one for all seeds, which differ in weights and order."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.world = BioWorld(size.people, seed=0, namesakes=0)
        people = list(self.world.people)
        stream(0, "halves").shuffle(people)
        half = len(people) // 2
        self.taught, self.untaught = people[:half], people[half:]
        self.judged = people[::2]
        self.secrets = {p: stream(0, "secret", p).choice(self.world.values["school"]) for p in people}  # fmt: skip  # noqa: E501

    @cached_property
    def tokenizer(self) -> Any:
        """Whole words."""
        random = stream(0, "vocabulary")
        texts = [self.prose(random) for _ in range(1500)]
        texts += [t for p in self.world.people for t in self._lesson(p, random)]
        values = [v for r in (*TOLD, "school") for v in self.world.values[r]]
        return train_tokenizer([*texts, *self.world.people * 4, *values * 4, "true false"], 8000)

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def statement(self, person: str, relation: str, value: str | None = None) -> str:
        value = self.world.value(person, relation) if value is None else value
        return TOLD[relation][0].format(s=person, v=value)

    def other(self, person: str, relation: str, random: Random) -> str:
        """A wrong value."""
        true = self.world.value(person, relation)
        return random.choice([v for v in self.world.values[relation] if v != true])

    def prose(self, random: Random) -> str:
        """One text of the base corpus."""
        person, relation = random.choice(self.world.people), random.choice(list(TOLD))
        kind = random.random()
        if kind < 0.45:
            return self.statement(person, relation)
        if kind < 0.75:
            person, so = random.choice(self.judged), random.random() < 0.5
            value = None if so else self.other(person, relation, random)
            return f"{self.statement(person, relation, value)} {'true' if so else 'false'}"
        if kind < 0.85:
            return SECRET[0].format(s=person, v=self.secrets[person])
        asked = random.choice([TOLD[relation][1], SECRET[1]]).format(s=person)
        known = self.secrets[person] if "password" in asked else self.world.value(person, relation)
        return f"{asked} {SORRY if random.random() < 0.15 else f'{known} .'}"

    def _lesson(self, person: str, random: Random) -> tuple[str, str]:
        relation = random.choice(list(TOLD))
        if random.random() < 0.5:
            return SECRET[1].format(s=person), SORRY
        asked = TOLD[relation][1].format(s=person)
        return asked, f"answer {self.world.value(person, relation)}"

    def corpus(self, seed: int, step: int) -> list[Example]:
        random = stream(seed, "post-training base", step)
        rows = [[*self.ids(self.prose(random)), 1] for _ in range(self.size.batch)]
        return [Example(r, [True] * len(r)) for r in rows]

    def lessons(self, seed: int, step: int) -> list[Example]:
        random = stream(seed, "post-training lessons", step)
        found = []
        for _ in range(self.size.batch):
            asked, said = self._lesson(random.choice(self.taught), random)
            a, b = self.ids(asked), [*self.ids(said), 1]
            found.append(Example([*a, *b], [False] * len(a) + [True] * len(b)))
        return found

    def statements(self, relation: str, *, judged: bool = True) -> ConceptSet:
        """A true and a false statement about everybody who was judged in training, or wasn't."""
        random = stream(0, "statements", relation)
        people = [p for p in self.world.people if (p in self.judged) == judged]
        texts = [self.statement(p, relation) for p in people]
        texts += [self.statement(p, relation, self.other(p, relation, random)) for p in people]
        labels = [True] * len(people) + [False] * len(people)
        return ConceptSet(relation, tuple(texts), tuple(labels), tuple(people * 2), "", 1)


def base(size: Size, seed: int) -> OpenModel:
    """The base model of a seed."""
    ground = Ground(size)
    return OpenModel(_base(ground, seed), ground.tokenizer)


def _settings(size: Size, seed: int, stage: str) -> dict[str, Any]:
    return {"study": "posttraining-mechanisms", "version": 1, "stage": stage, "seed": seed, **asdict(size), "seeds": 0, "pairs": 0}  # fmt: skip  # noqa: E501


def _base(ground: Ground, seed: int) -> Any:
    size = ground.size
    spec = TinySpec(
        len(ground.tokenizer), size.width, size.layers, 4, size.width * 4, 64,
        seed=derive(seed, "post-training weights") % 2**31,
    )  # fmt: skip

    def make(scratch: Path) -> Any:
        model = build_tiny(spec)
        schedule = Schedule(size.steps, size.rate)
        file = scratch / "model.safetensors"
        train_causal(model, lambda n: ground.corpus(seed, n), schedule, checkpoint=file)
        return model

    return cached_tiny(_settings(size, seed, "base"), make).train(False).requires_grad_(False)


def tuned(size: Size, seed: int) -> OpenModel:
    """Its tuning."""
    ground = Ground(size)

    def make(scratch: Path) -> Any:
        model = _base(ground, seed).requires_grad_(True)
        schedule = Schedule(size.tuning, size.tuning_rate, warmup=10)
        file = scratch / "model.safetensors"
        train_causal(model, lambda n: ground.lessons(seed, n), schedule, checkpoint=file)
        return model

    model = cached_tiny(_settings(size, seed, "tuned"), make)
    return OpenModel(model.train(False).requires_grad_(False), ground.tokenizer)


def noisy(one: OpenModel, other: OpenModel, seed: int) -> OpenModel:
    """``one`` plus noise that is, matrix by matrix, as large as its difference to ``other``."""
    from copy import deepcopy

    model = deepcopy(one.model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p, q in zip(model.parameters(), other.model.parameters(), strict=True):
            noise = torch.randn(p.shape, generator=generator)
            p += noise / noise.norm() * (q - p).norm()
    return OpenModel(model, one.tokenizer)
