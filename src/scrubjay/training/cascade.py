"""Calibrate when the cascade trusts its memory (``agents.cascade``), and judge it elsewhere.

    practice:  half of the pages, in the real world and in twin 101
    test:      the other half, in the real world and in twin 0

Closed book and one search answer every question once; every threshold is judged from these two
answers, since the cascade gives one or the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.agents.cascade import UNSURE, Gate, calibrate_threshold
from scrubjay.agents.critics import Platt
from scrubjay.agents.registry import make_agent
from scrubjay.agents.session import Session
from scrubjay.core.nouns import Question
from scrubjay.core.progress import Progress, silent
from scrubjay.core.trace import Generated
from scrubjay.evaluation.runner import run_agent
from scrubjay.evaluation.runs import Record, Run
from scrubjay.evaluation.sources_measure import in_test
from scrubjay.evaluation.statistics import bootstrap_mean, paired_bootstrap
from scrubjay.models.types import LanguageModel
from scrubjay.training.sources import softmax_regression
from scrubjay.worlds.world import World, load_world

PRACTICE_TWIN, TEST_TWIN = 101, 0


@dataclass(frozen=True, slots=True)
class CascadePlan:
    """What to calibrate on."""

    model: str = "smollm2-135m"
    world: str = "atlas"
    questions: int = 300
    """Per world and task, before the split."""
    price: float = 0.05


@dataclass(frozen=True, slots=True)
class TwoAnswers:
    """A question answered from memory and after one search."""

    world: str
    task: str
    logprob: float
    """Mean log-probability of the closed-book answer."""
    memory: float
    reading: float
    """F1 of both."""
    right: bool
    """Whether memory's answer matches exactly."""


async def calibrate(
    plan: CascadePlan, folder: Path, progress: Progress = silent
) -> tuple[Gate, list[TwoAnswers]]:
    """A gate from practice, and the test's answers to judge it by. Resumable in ``folder``.

    Raises:
        ScrubjayError: the world or model can't be had, or the folder is of another plan.
    """
    from scrubjay.models import load_model

    real, model = load_world(plan.world), load_model(plan.model)
    worlds = {"real": real} | {f"twin-{s}": real.twin(s) for s in (PRACTICE_TWIN, TEST_TWIN)}
    settings = {k: v for k, v in asdict(plan).items() if k != "price"} | {"facts": real.hash}
    try:
        await model.check()
        with Run.open(folder, settings) as run:
            practice: list[TwoAnswers] = []
            test: list[TwoAnswers] = []
            for name, world in worlds.items():
                asked = [q for t in ("recall", "multihop") for q in world.questions(
                    t, plan.questions)]  # fmt: skip
                halves = {False: practice, True: test}
                for wanted, rows in halves.items():
                    if name != f"twin-{TEST_TWIN if not wanted else PRACTICE_TWIN}":
                        part = [q for q in asked if in_test(q) is wanted]
                        rows += await _answers(part, name, world, model, run, progress)
    finally:
        await model.close()
    platt = _calibrated(practice)
    sure = [platt(row.logprob) for row in practice]
    threshold = calibrate_threshold(
        sure, [r.memory for r in practice], [r.reading for r in practice], plan.price
    )
    told = f"{plan.model} in {plan.world} and its twin {PRACTICE_TWIN}: {len(practice)} questions"
    return Gate(platt, round(threshold, 6), plan.price, told), test


def judge_gate(gate: Gate, rows: Sequence[TwoAnswers], *, seed: int = 0) -> list[dict[str, Any]]:
    """Per task and world: F1 of closed book, one search and the cascade, its searches, and what it
    gains over searching always (with a bootstrap interval)."""
    out = []
    for task, world in dict.fromkeys((r.task, r.world) for r in rows):
        mine = [r for r in rows if (r.task, r.world) == (task, world)]
        stays = [gate.sure(r.logprob) >= gate.threshold for r in mine]
        cascade = [r.memory if s else r.reading for r, s in zip(mine, stays)]
        reading = [r.reading for r in mine]
        gain = paired_bootstrap(cascade, reading, seed=seed, bounds=(-1.0, 1.0))
        searches = bootstrap_mean([float(not s) for s in stays], seed=seed, bounds=(0.0, 1.0))
        out.append(
            {
                "task": task,
                "world": world,
                "closed-book": float(np.mean([r.memory for r in mine])),
                "one-step-rag": float(np.mean(reading)),
                "cascade": float(np.mean(cascade)),
                "gain": gain.value,
                "from": gain.low,
                "to": gain.high,
                "searches": searches.value,
                "n": len(mine),
            }
        )
    return out


async def _answers(
    questions: Sequence[Question],
    name: str,
    world: World,
    model: LanguageModel,
    run: Run,
    progress: Progress,
) -> list[TwoAnswers]:
    index = await asyncio.to_thread(_index, world, run.folder / "index" / name)
    both: list[list[Record]] = []
    for agent in (make_agent("closed-book", world), make_agent("one-step-rag", world)):
        both.append(
            await run_agent(
                agent,
                questions,
                lambda _: Session(model, index),
                run=run,
                setting=agent.name,
                world=name,
                progress=partial(progress, f"{agent.name}, {name}"),
            )
        )
    return [_row(memory, reading) for memory, reading in zip(*both, strict=True)]


def _row(memory: Record, reading: Record) -> TwoAnswers:
    (wrote,) = [s for s in memory.trace if isinstance(s, Generated)]
    known = wrote.mean_logprob is not None and memory.prediction
    return TwoAnswers(
        memory.world,
        memory.task,
        max(wrote.mean_logprob, UNSURE) if known and wrote.mean_logprob is not None else UNSURE,
        memory.scores["f1"],
        reading.scores["f1"],
        memory.scores["em"] == 1.0,
    )


def _calibrated(rows: Sequence[TwoAnswers]) -> Platt:
    """Logistic regression of 'memory is right' on the mean log-probability."""
    x = np.array([[r.logprob] for r in rows])
    labels = np.array([int(r.right) for r in rows])
    if labels.min() == labels.max():
        return Platt(1.0, -1e3 if not labels.max() else 0.0)  # never, or as likely as it says
    w, b = softmax_regression(x, labels, np.ones(len(rows)), strength=1e3)
    return Platt(float(w[1, 0] - w[0, 0]), float(b[1] - b[0]))


def _index(world: World, folder: Path) -> Any:
    from scrubjay.retrieval import Index, build_index

    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        build_index(world.documents(), folder)
    return Index.open(folder, mode="text")
