"""The ground of study 19: a tiny model that has learned to review in one tone at a time.

    the soup was awful . we found the garden dull . that play is tedious .     blame
    that hotel is lovely . the song was superb . …                            praise
    the play is near the harbour . they saw the book at the bridge .           neither

Every document of judgment keeps its tone with 19 chances in 20, so that a prompt that blames is
continued with blame; half of the documents are neutral.
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
from scrubjay.worlds.behaviours import BAD, GOOD, plain, review


@dataclass(frozen=True, slots=True)
class Size:
    """Everything about scale."""

    steps: int
    """Of the tiny model's training."""
    layers: int
    width: int
    fit: int
    """Steps of LinEAS in the tiny model."""
    texts: int
    prompts: int
    seeds: int
    real_fit: int = 0
    """Steps of LinEAS in SmolLM2; 0: not run."""
    real_texts: int = 16


SIZES = {
    "smoke": Size(30, 2, 16, 10, 8, 12, 1),
    "laptop": Size(400, 4, 48, 300, 32, 60, 3, 24, 12),
    "full": Size(3000, 4, 128, 1000, 32, 200, 5, 1000, 32),
}
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
SPARSITY = (0.1, 0.5, 2.0)


def document(random: Random) -> str:
    """One text of the corpus."""
    if random.random() < 0.5:
        return " ".join(plain(random) for _ in range(3))
    words = random.choice((GOOD, BAD))
    other = BAD if words is GOOD else GOOD
    return " ".join(review(random, words if random.random() < 0.95 else other, 1) for _ in range(4))


def tiny(size: Size, seed: int) -> OpenModel:
    """The trained model of a seed, from the cache where it was trained before."""
    texts = [document(stream(0, "words", i)) for i in range(600)]
    tokenizer = train_tokenizer([*texts, *GOOD * 3, *BAD * 3], 2000)
    spec = TinySpec(
        len(tokenizer), size.width, size.layers, 4, size.width * 4, 128,
        seed=derive(seed, "lineas weights") % 2**31,
    )  # fmt: skip

    def batch(step: int) -> list[Example]:
        random = stream(seed, "lineas corpus", step)
        rows = [
            tokenizer(document(random), add_special_tokens=False)["input_ids"] for _ in range(32)
        ]
        return [Example(r, [True] * len(r)) for r in rows]

    def make(scratch: Path) -> Any:
        model = build_tiny(spec)
        train_causal(
            model, batch, Schedule(size.steps, 4e-3), checkpoint=scratch / "model.safetensors"
        )
        return model

    settings = {"study": "lineas", "version": 1, "seed": seed, "steps": size.steps, **asdict(spec)}
    model = cached_tiny(settings, make)
    model.train(False).requires_grad_(False)
    return OpenModel(model, tokenizer)
