"""Paper 63's models: a base that is right half the time, and what is tuned from it.

boxes      scenes of other objects, answered right
sums       "3 plus 4 equals" → 7 (modulo 10)
shuffled   scenes of other objects, answered by another object of the scene
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch

from scrubjay.core.randomness import stream
from scrubjay.probing.box_prompts import accuracy, box_prompts
from scrubjay.probing.open import OpenModel
from scrubjay.probing.planted_boxes import PlantedBoxes, boxes_model
from scrubjay.worlds.boxes import LETTERS, OBJECTS, Boxes

DIGITS = tuple(map(str, range(10)))


@dataclass(frozen=True, slots=True)
class Stage:
    """Sizes of the base, and how it is tuned."""

    boxes: int = 4
    heads: int = 4
    half: float = 0.6
    """The accuracy that the base is to have, about."""
    sharpness: float = 8.0
    steps: int = 40
    batch: int = 16
    rate: float = 1e-4

    def task(self, seed: int) -> Boxes:
        """The scenes that are measured."""
        return Boxes(self.boxes, self._objects[0::2], self._letters, seed)

    def lessons(self, seed: int) -> Boxes:
        """The scenes that are learned from: no object in common."""
        return Boxes(self.boxes, self._objects[1::2], self._letters, seed)

    @property
    def _objects(self) -> tuple[str, ...]:
        return OBJECTS[: 2 * (2 * self.boxes + 4)]

    @property
    def _letters(self) -> tuple[str, ...]:
        return LETTERS[: 2 * self.boxes + 2]


def halfway(stage: Stage, seed: int, rounds: int = 7) -> tuple[PlantedBoxes, float]:
    """A planted model with so much noise that it is right about half the time (bisection, on scenes
    of their own), and the noise."""
    extra = (*stage.lessons(seed).objects, *DIGITS, "plus", "equals")

    def make(noise: float) -> PlantedBoxes:
        return boxes_model(
            stage.task(seed),
            heads=stage.heads,
            extra=extra,
            sharpness=stage.sharpness,
            noise=noise,
            seed=seed,
        )

    scenes = stage.task(seed).scenes(100, "noise")
    low, high = 0.0, 0.04
    for _ in range(rounds):
        noise = (low + high) / 2
        made = make(noise)
        if accuracy(made.open.model, box_prompts(made.open.tokenizer, scenes)) > stage.half:
            low = noise
        else:
            high = noise
    return make(low), low


def tuned(stage: Stage, base: OpenModel, kind: str, seed: int) -> Any:
    """A copy of the base, trained on one kind of lesson: the last token's loss, Adam."""
    model = copy.deepcopy(base.model).requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=stage.rate)
    random = stream(seed, "lessons", kind)
    lessons = stage.lessons(seed)
    for step in range(stage.steps):
        texts, answers = _lessons(lessons, kind, stage.batch, random, step)
        ids = torch.tensor(base.tokenizer(texts)["input_ids"])
        wanted = torch.tensor([base.tokenizer(a)["input_ids"][0] for a in answers])
        logits = model(input_ids=ids, use_cache=False).logits[:, -1]
        loss = torch.nn.functional.cross_entropy(logits, wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.eval().requires_grad_(False)


def _lessons(
    lessons: Boxes, kind: str, count: int, random: Random, step: int
) -> tuple[list[str], Sequence[str]]:
    if kind == "sums":
        pairs = [(random.randrange(10), random.randrange(10)) for _ in range(count)]
        return [f"{a} plus {b} equals" for a, b in pairs], [str((a + b) % 10) for a, b in pairs]
    scenes = lessons.scenes(count, "lessons", kind, step)
    answers = [s.answer for s in scenes]
    if kind == "shuffled":
        answers = [random.choice([o for o in s.objects if o != s.answer]) for s in scenes]
    return [s.prompt for s in scenes], answers
