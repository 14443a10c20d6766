"""Adapt-Retrieve-Revise: a tiny drafter that is trained on other statutes and adapted to these.

    general   a tiny model from scratch on the corpora of other statute worlds: it knows how a
              judgment is written, and everyday words, but none of this world's terms
    adapted   the same model after continued training (``training.adapt``) on this world's corpus

The tokenizer has seen the words of all of them, so that both models can write every term. What
revises is another, general model (SmolLM2-135M or the one of SCRUBJAY_STUDY_MODEL) that has read
no statute at all.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scrubjay.core.nouns import Question
from scrubjay.core.randomness import derive
from scrubjay.models.local import LocalModel
from scrubjay.models.tiny import TinySpec, build_tiny, cached_tiny, train_tokenizer
from scrubjay.models.weights import Weights
from scrubjay.studies.parallel import Report
from scrubjay.studies.study import Scale
from scrubjay.training.adapt import Adaptation, continue_training
from scrubjay.worlds.statutes import StatuteWorld, ask

OTHERS = 8
"""Other worlds that the general model reads."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything, a seed."""

    seeds: int
    codes: int
    articles: int
    judgments: int
    cases: int
    general: float
    """Passes over the other worlds' corpora."""
    adapt: float
    """Passes over this world's."""
    width: int = 128
    layers: int = 3
    gap: float = 0.5
    """Of the cases that are revised."""
    sweep: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    k: int = 3
    revise: bool = True
    """Ask the general model; False (smoke): only the reviser without a model."""


SIZES: dict[Scale, Size] = {
    "smoke": Size(1, 2, 4, 2, 6, 0.5, 2, width=32, layers=1, sweep=(0.5,), revise=False),
    "laptop": Size(4, 6, 20, 6, 60, 1.0, 12),
    "full": Size(5, 8, 40, 6, 400, 2.0, 8, width=192, layers=4),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One seed: a world, a tokenizer, two drafters."""

    size: Size
    seed: int

    @property
    def world(self) -> StatuteWorld:
        return StatuteWorld(self.size.codes, self.size.articles, seed=derive(self.seed, "own"))

    @property
    def others(self) -> list[StatuteWorld]:
        size = self.size
        seeds = [derive(self.seed, "other", i) for i in range(OTHERS)]
        return [StatuteWorld(size.codes, size.articles, seed=s) for s in seeds]


def drafters(job: Job, report: Report) -> tuple[LocalModel, LocalModel]:
    """The general and the adapted drafter; from the cache if they were trained before."""
    size, own = job.size, job.world.corpus(job.size.judgments)
    read = [text for world in job.others for text in world.corpus(size.judgments)]
    tokenizer = train_tokenizer([*read, *own], 4000)
    spec = TinySpec(
        len(tokenizer),
        size.width,
        size.layers,
        4,
        size.width * 5 // 2,
        context=192,
        seed=derive(job.seed, "weights") % 2**31,
    )
    seed = derive(job.seed, "order") % 2**31
    first = Adaptation(size.general, 2e-3, 16, 160, seed)
    second = Adaptation(size.adapt, 1e-3, 16, 160, seed)
    steps = [0]

    def look(done: int, loss: float) -> bool:
        report(steps[0] + done)
        return False

    def general(scratch: Path) -> Any:
        model = build_tiny(spec)
        continue_training(model, tokenizer, read, first, checkpoint=scratch / "state", look=look)
        return model

    def adapted(scratch: Path) -> Any:
        model = cached_tiny(settings, general)
        continue_training(model, tokenizer, own, second, checkpoint=scratch / "state", look=look)
        return model

    made = ("codes", "articles", "judgments", "general", "width", "layers")
    settings = {"study": "adapt-retrieve-revise", "version": 1, "seed": job.seed}
    settings |= {k: v for k, v in asdict(size).items() if k in made}
    base = cached_tiny(settings, general)
    steps[0] = first.schedule(len(read)).steps
    tuned = cached_tiny({**settings, "adapt": size.adapt}, adapted)
    report(steps[0] + second.schedule(len(own)).steps)
    names = ("general drafter", "adapted drafter")
    general_model, adapted_model = (
        LocalModel(Weights(name, m, tokenizer), memory=200_000_000)
        for name, m in zip(names, (base, tuned))
    )
    return general_model, adapted_model


def steps(size: Size) -> int:
    """Training steps of a seed, for progress."""
    texts = size.codes * size.articles * (1 + size.judgments)
    return round((OTHERS * size.general + size.adapt) * texts / 16)


def as_judgment(question: Question) -> str:
    """The request for a draft, as the drafter has read it."""
    return ask(question.text)
