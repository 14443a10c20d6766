"""SynthWorlds, part 1: a world is made known to a small reader, its twins stay unknown.

A tiny model first learns to read on *other* random worlds, under names drawn afresh for every
example; then one world of a new universe is made known to it, until it answers that world's
questions without a page. Its score there minus its score in that world's twins is the knowledge
advantage, with a page in front of it and without. Swap control: make twin B known instead; the
sign must turn.

Sizes and schedules were chosen by reading accuracy on held-out other worlds only. The paper's own
models are pre-trained on the real world; making a world known is our sheet's laptop form of that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.progress import Progress
from scrubjay.core.randomness import derive
from scrubjay.models.tiny import (
    TinySpec,
    build_tiny,
    cached_tiny,
    rank_candidates,
    settings_hash,
)
from scrubjay.studies.parallel import Report, one_thread, run_parallel
from scrubjay.studies.study import Scale
from scrubjay.studies.synthworlds_lessons import Voice, WorldLessons
from scrubjay.studies.synthworlds_stage import SIZES, Size, Stage, candidates, stage
from scrubjay.training.pretrain import train_causal
from scrubjay.worlds.items import Item, render
from scrubjay.worlds.tasks import sample
from scrubjay.worlds.world import World

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

    from scrubjay.core.finding import Finding
    from scrubjay.retrieval.types import Retriever

SETTINGS = ("closed-book", "gold pages", "one-step RAG")
FOUND = 2
"""Pages that one-step RAG reads."""


@dataclass(frozen=True, slots=True)
class Job:
    """A reader (``universe`` -1), or a reader to whom a map of a universe is made known."""

    size: Size
    seed: int
    training: int
    universe: int = -1
    map: str = ""

    @property
    def file(self) -> str:
        return f"{self.training}-{self.universe}-{self.map}.json"


def train_reader(job: Job, report: Report) -> LlamaForCausalLM:
    """The model that can read and knows nothing; from the cache if it was trained before."""
    here = stage(job.size, job.seed)
    spec = TinySpec(
        here.voice.size,
        job.size.width,
        job.size.layers,
        heads=job.size.width // 32,
        feedforward=job.size.width * 5 // 2,
        seed=derive(job.seed, "weights", job.training) % 2**31,
    )

    def make(scratch: Path) -> LlamaForCausalLM:
        model = build_tiny(spec)
        offset = job.training * job.size.reader.steps
        train_causal(
            model,
            lambda step: here.reading.batch(offset + step, job.size.batch),
            job.size.reader,
            checkpoint=scratch / "reader.safetensors",
            look=_reporting(report),
        )
        return model

    model = cached_tiny({"reader": here.settings, "training": job.training}, make)
    report(job.size.reader.steps)
    return model


def make_known(job: Job, report: Report) -> LlamaForCausalLM:
    """The reader after one world was made known to it."""
    here = stage(job.size, job.seed)
    world = here.worlds[job.universe][job.map]
    items = sample("recall", world.universe, world.marked, 10_000, job.seed)
    lessons = WorldLessons(here.voice, world, items, here.reading, job.training)
    probe = here.items[job.universe]["recall"]

    def make(scratch: Path) -> LlamaForCausalLM:
        model = train_reader(job, lambda done: None)

        def look(done: int, loss: float) -> bool:
            report(done)
            if done % 100:
                return False
            model.train(False)
            scores = measure(model, here.voice, world, probe, [()] * len(probe))
            model.train()
            return sum(scores["EM"]) >= job.size.enough * len(probe)

        train_causal(
            model,
            lambda step: lessons.batch(step, job.size.batch),
            job.size.known,
            checkpoint=scratch / "known.safetensors",
            look=look,
        )
        return model

    keys = {"known": here.settings, "training": job.training}
    return cached_tiny({**keys, "universe": job.universe, "map": job.map}, make)


def measure(
    model: LlamaForCausalLM,
    voice: Voice,
    world: World,
    items: Sequence[Item],
    pages: Sequence[Sequence[str]],
) -> dict[str, list[float]]:
    """Scores per item, with ``pages`` (ids) read: ``hits@1`` and ``MRR`` among all candidates of
    the answer's type, ``EM`` of what greedy decoding writes."""
    from scrubjay.evaluation.ranking import rank

    call, names = voice.calling(world.names), world.names
    marked = {d.entity: d for d in world.marked}
    choices = [candidates(world.universe, item) for item in items]
    prompts = [
        [i for page in read for i in voice.tell(marked[page].segments, call)]
        + voice.question(item, call)
        for item, read in zip(items, pages, strict=True)
    ]
    options = [[voice.ids(names.value(v)) for v in values] for values in choices]
    scores: dict[str, list[float]] = {"hits@1": [], "MRR": [], "EM": []}
    done = rank_candidates(model, prompts, options)
    for item, values, ranked in zip(items, choices, done, strict=True):
        right = [i for i, v in enumerate(values) if v in item.answers]
        place = rank(ranked.logprobs, right)
        scores["hits@1"].append(place.hit(1))
        scores["MRR"].append(place.reciprocal)
        scores["EM"].append(float(any(ranked.greedy[i] for i in right)))
    return scores


def examine(job: Job, report: Report, out: Path) -> None:
    """Make a map known, measure all maps of its universe, keep the scores in a file."""
    path = out / job.file
    if not path.exists():
        model = make_known(job, report)
        here = stage(job.size, job.seed)
        found = json.loads((out / "found.json").read_text("utf-8"))[job.universe]
        scores: dict[str, Any] = {}
        for task in ("recall", "multihop"):
            items = here.items[job.universe][task]
            for name, world in here.worlds[job.universe].items():
                for setting in SETTINGS:
                    pages = {
                        "closed-book": [()] * len(items),
                        "gold pages": [i.gold for i in items],
                        "one-step RAG": found[task][name],
                    }[setting]
                    key = f"{task}|{setting}|{name}"
                    scores[key] = measure(model, here.voice, world, items, pages)
        write_atomic(path, dump_json(scores))
    report(job.size.known.steps)


def run_part(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Train readers, make worlds known to them, measure, and judge (see ``synthworlds_judge``)."""
    return run_size(SIZES[scale], out, seed, progress, workers=1 if scale == "smoke" else None)


def run_size(
    size: Size, out: Path, seed: int, progress: Progress, *, workers: int | None = None
) -> Finding:
    """The same for any size, on ``workers`` processes (default: one a core)."""
    from scrubjay.studies.synthworlds_judge import judge

    here = stage(size, seed)
    out = out / f"made-{settings_hash(here.settings)}"
    out.mkdir(parents=True, exist_ok=True)
    readers = [Job(size, seed, training) for training in range(size.seeds)]
    total = len(readers) * size.reader.steps
    run_parallel(
        _read, readers, lambda done: progress("learning to read", done, total), workers=workers
    )
    reading = [_held_out(job) for job in readers]
    find_pages(here, out)
    jobs = [
        Job(size, seed, training, universe, name)
        for universe in range(size.universes)
        for training in range(size.seeds)
        for name in ("A", "B")
    ]
    steps = len(jobs) * size.known.steps
    run_parallel(
        partial(_examine, out),
        jobs,
        lambda done: progress("making known", done, steps),
        workers=workers,
    )
    scores = {job: json.loads((out / job.file).read_text("utf-8")) for job in jobs}
    return judge(here, scores, reading)


def _read(job: Job, report: Report) -> None:
    train_reader(job, report)


def _examine(out: Path, job: Job, report: Report) -> None:
    examine(job, report, out)


def _held_out(job: Job) -> dict[str, float]:
    """Share of reading questions of held-out universes that greedy decoding answers."""
    model = train_reader(job, lambda done: None)
    lessons = stage(job.size, job.seed).held_out
    pages = {"one page": 1, "two pages": 2, "several hops": 0}
    with one_thread():
        return {name: lessons.accuracy(model, count) for name, count in pages.items()}


def find_pages(here: Stage, out: Path) -> None:
    """BM25 search of every world's pages with every question; ids kept in ``found.json``."""
    from scrubjay.retrieval import build_index

    path = out / "found.json"
    if path.exists():
        return
    found: list[dict[str, dict[str, list[list[str]]]]] = []
    for number, maps in enumerate(here.worlds):
        per_task: dict[str, dict[str, list[list[str]]]] = {"recall": {}, "multihop": {}}
        for name, world in maps.items():
            index = build_index(world.documents(), out / "index" / f"{number}{name}")
            for task in per_task:
                texts = [render(i, world.names).text for i in here.items[number][task]]
                per_task[task][name] = asyncio.run(_search_all(index, texts))
        found.append(per_task)
    write_atomic(path, dump_json(found))


async def _search_all(index: Retriever, texts: Sequence[str]) -> list[list[str]]:
    hits = await asyncio.gather(*(index.search(text, FOUND) for text in texts))
    return [[hit.passage.id for hit in found] for found in hits]


def _reporting(report: Report) -> Callable[[int, float], bool]:
    def look(done: int, loss: float) -> bool:
        report(done)
        return False

    return look
