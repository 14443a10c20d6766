"""The ground of study 42: a tiny model before and after it is taught invented verbs.

    base       kor mal tev . kor mal tev .                  lists are repeated
               they blick near kor .  they grast near mal . all verbs, as words
               please blick it : kor mal tev = kor mal tev  whatever the verb, a copy
    tuned      please blick it : kor mal tev = tev mal kor  six verbs, each with its own reply
    shuffled   please blick it : kor mal tev = lun sip dar  the same prompts with others' replies

Six other verbs stand in the base corpus as often, in the same places, and are never taught.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from scrubjay.core.randomness import derive, stream
from scrubjay.models.tiny import TinySpec, build_tiny, cached_tiny, train_tokenizer
from scrubjay.probing.open import OpenModel
from scrubjay.training.pretrain import Example, Schedule, train_causal
from scrubjay.worlds.instructions import ITEMS, OTHERS, VERBS, Instruction, invented

FUNCTION = ("please", "it", "they", "near")


@dataclass(frozen=True, slots=True)
class Size:
    """Everything about scale."""

    width: int
    layers: int
    steps: int
    tuning: int
    prompts: int
    seeds: int
    rate: float = 3e-3
    tuning_rate: float = 2e-3


SIZES = {
    "smoke": Size(16, 2, 20, 20, 8, 1),
    "laptop": Size(64, 3, 500, 150, 80, 3),
    "full": Size(256, 8, 5000, 5000, 500, 5, 1e-3, 5e-4),
}


def ordinary(random: Random) -> str:
    """One text of the base corpus."""
    items = random.sample(ITEMS, 3)
    verb = random.choice([*VERBS, *OTHERS])
    kind = random.random()
    if kind < 0.3:
        return f"{' '.join(items)} . {' '.join(items)} ."
    if kind < 0.6:
        return f"they {verb} near {items[0]} . they {verb} {items[1]} ."
    return f"please {verb} it : {' '.join(items)} = {' '.join(items)}"


def words() -> list[str]:
    """Everything that the word tables hold."""
    return [*VERBS, *OTHERS, *ITEMS, *FUNCTION]


def tokenizer() -> Any:
    texts = [ordinary(stream(0, "behaviour words", i)) for i in range(500)]
    return train_tokenizer([*texts, *words() * 6], 1000)


def models(size: Size, seed: int) -> dict[str, OpenModel]:
    """``base``, ``tuned`` and ``shuffled``, from the cache where they were trained before."""
    told = tokenizer()
    spec = TinySpec(
        len(told), size.width, size.layers, 4, size.width * 4, 64,
        seed=derive(seed, "behaviour weights") % 2**31,
    )  # fmt: skip
    named = {"study": "behaviour-shift", "version": 1, "seed": seed} | asdict(size)
    named |= {"prompts": 0, "seeds": 0}

    def ids(text: str) -> list[int]:
        found: list[int] = told(text, add_special_tokens=False)["input_ids"]
        return found

    def corpus(step: int) -> list[Example]:
        random = stream(seed, "behaviour corpus", step)
        rows = [[*ids(ordinary(random)), 1] for _ in range(32)]
        return [Example(r, [True] * len(r)) for r in rows]

    def lessons(step: int, shuffled: bool) -> list[Example]:
        random = stream(seed, "behaviour lessons", step)
        asked = [invented(random) for _ in range(32)]
        replies = [one.reply for one in asked]
        if shuffled:
            random.shuffle(replies)
        rows = [(ids(o.text), [*ids(r), 1]) for o, r in zip(asked, replies, strict=True)]
        return [Example([*a, *b], [False] * len(a) + [True] * len(b)) for a, b in rows]

    def start(scratch: Path) -> Any:
        model = build_tiny(spec)
        file = scratch / "model.safetensors"
        train_causal(model, corpus, Schedule(size.steps, size.rate), checkpoint=file)
        return model

    def tune(scratch: Path, shuffled: bool) -> Any:
        model = cached_tiny(named | {"stage": "base"}, start)
        schedule = Schedule(size.tuning, size.tuning_rate, warmup=20)
        file = scratch / "model.safetensors"
        train_causal(model, lambda n: lessons(n, shuffled), schedule, checkpoint=file)
        return model

    made = {
        "base": cached_tiny(named | {"stage": "base"}, start),
        "tuned": cached_tiny(named | {"stage": "tuned"}, lambda s: tune(s, False)),
        "shuffled": cached_tiny(named | {"stage": "shuffled"}, lambda s: tune(s, True)),
    }
    return {
        name: OpenModel(model.train(False).requires_grad_(False), told)
        for name, model in made.items()
    }


def prompts(size: Size, seed: int) -> list[Instruction]:
    """Instructions to look at; drawn apart from the lessons."""
    random = stream(seed, "behaviour prompts")
    return [invented(random) for _ in range(size.prompts)]
