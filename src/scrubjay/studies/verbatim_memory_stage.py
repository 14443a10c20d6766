"""The ground of study 52, part B: small readers of known kind, trained on texts that repeat.

    <some words> plum, cliff, drum. <some words> plum, cliff, drum.        seven in ten
    <some words> plum, cliff, drum. <some words> horse, tin, chair.        three in ten

Lists have 3 to 10 nouns and any distance, so that no fixed offset finds what comes next: that takes
a look at what stood before (which token was here last time?) and a second look at what followed it,
two layers of attention. Only second lists are learned (and a few first ones): whoever can't tell
what comes can learn no more than that it is some noun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.randomness import derive, stream
from scrubjay.models.recurrent import RecurrentSpec, build_recurrent
from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.probing.open import OpenModel
from scrubjay.probing.verbatim import VerbatimMemory
from scrubjay.studies.parallel import Report
from scrubjay.training.pretrain import Example, Schedule, train_causal
from scrubjay.worlds.vignettes import BRIDGE, CATEGORIES, PREFACE, PROMPT, TEXT

READERS = ("1 layer", "2 layers", "4 layers", "LSTM")


@dataclass(frozen=True, slots=True)
class Size:
    """Everything about scale."""

    model: str | None = "smollm2-135m"
    """Part A: a real model; ``None`` leaves it out."""
    nouns: tuple[int, ...] = (3, 5, 10)
    words: tuple[int, ...] = (20, 80, 320)
    count: int = 24
    heads: int = 10
    readers: tuple[str, ...] = READERS
    """Part B: what is trained."""
    width: int = 64
    hidden: int = 150
    """Of the LSTM: about as many weights as two layers have."""
    steps: int = 1500
    batch: int = 32
    rate: float = 4e-3
    seeds: int = 2
    told: int = 36
    """Stimuli for small readers."""


SIZES: dict[str, Size] = {
    "smoke": Size(None, (3, 4), (20,), 4, 0, ("1 layer", "LSTM"), 16, 24, 20, 8, 4e-3, 1, 4),
    "laptop": Size(),
    "full": Size(
        words=(20, 40, 80, 160, 320), count=60, width=256, hidden=600, steps=20_000, seeds=3
    ),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One small reader: trained, measured, its numbers in a file."""

    size: Size
    reader: str
    seed: int
    out: Path

    @property
    def path(self) -> Path:
        return self.out / f"{self.reader.replace(' ', '-')}-{self.seed}.json"


NOUNS = tuple(w for kind in CATEGORIES for w in kind)


@cache
def tokenizer() -> Any:
    """Whole words; the same for all readers."""
    return train_tokenizer([" ".join(NOUNS)] * 5 + [PREFACE, PROMPT, BRIDGE, *TEXT] * 3, 6000)


def train_reader(job: Job, report: Report) -> None:
    """Train and measure a reader; a killed training goes on at its checkpoint."""
    if job.path.exists():
        report(job.size.steps)
        return
    model, size = build(job), job.size

    def look(done: int, loss: float) -> bool:
        report(done)
        return False

    scratch = job.path.with_suffix(".state")
    losses = train_causal(
        model,
        lambda step: lessons(step, size.batch, job.seed),
        Schedule(size.steps, size.rate),
        checkpoint=scratch,
        look=look,
    )
    model.train(False)
    found = VerbatimMemory(
        nouns=(size.nouns[-1],),
        kinds=("arbitrary",),
        words=(20,),
        count=size.told,
        control=job.reader != "LSTM",
        seed=job.seed,
    ).measure(OpenModel(model, tokenizer()))
    weights = sum(p.numel() for p in model.parameters())
    kept = {**found.to_dict(), "loss": losses[-1], "weights": weights}
    write_atomic(job.path, dump_json(kept))
    scratch.unlink(missing_ok=True)


def build(job: Job) -> Any:
    """The untrained reader."""
    size, seed = job.size, derive(job.seed, "weights") % 2**31
    vocabulary = len(tokenizer())
    if job.reader == "LSTM":
        return build_recurrent(RecurrentSpec(vocabulary, size.width, size.hidden, seed=seed))
    layers = int(job.reader.split()[0])
    spec = TinySpec(vocabulary, size.width, layers, 4, 4 * size.width, context=512, seed=seed)
    return build_tiny(spec)


def lessons(step: int, count: int, seed: int) -> list[Example]:
    """The texts of one step."""
    random = stream(seed, "lists", step)
    return [_lesson(random) for _ in range(count)]


def _lesson(random: Random) -> Example:
    told = random.sample(NOUNS, random.randint(3, 10))
    again = told if random.random() < 0.7 else random.sample(NOUNS, len(told))
    comma = ", " if random.random() < 0.6 else " "
    filler = random.sample(_words(), random.randint(1, 24))
    parts = (
        (PREFACE if random.random() < 0.2 else "", False),
        (f"{comma.join(told)}.", random.random() < 0.2),
        (f"{' '.join(filler)}. {PROMPT if random.random() < 0.2 else ''}", False),
        (f"{comma.join(again)}.", True),
    )
    ids: list[int] = []
    learn: list[bool] = []
    for text, counts in parts:
        new = tokenizer()(text, add_special_tokens=False)["input_ids"]
        ids += new
        learn += [counts] * len(new)
    return Example(ids, learn)


@cache
def _words() -> Sequence[str]:
    """The words of the texts between lists."""
    text = " ".join((PREFACE, PROMPT, BRIDGE, *TEXT))
    return sorted({w.strip(".,:") for w in text.split()})
