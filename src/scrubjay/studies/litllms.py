"""LitLLMs (paper 21): can models find, order and cite related work?

Literatures are generated, so that relevance and truth are known: new papers ask, older ones are the
library (see ``_stage``). Sources, orders, quotes, plans and the check of citations are measured
apart (``_measure``) and judged (``_judge``). The language model is SmolLM2-135M, or the one named
by the variable SCRUBJAY_STUDY_MODEL. Scale ``full`` is the sheet's 3,000 papers and 500 questions.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.agents.review.check import CitationCheck, coverage
from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.studies.kept import kept_async
from scrubjay.studies.litllms_judge import CLAIMS, judge
from scrubjay.studies.litllms_measure import (
    measure_gate,
    measure_orders,
    measure_sources,
    measure_support,
    measure_writing,
)
from scrubjay.studies.litllms_stage import SIZES, Size, Stage
from scrubjay.studies.study import Scale, study
from scrubjay.worlds.literature import LiteratureWorld

if TYPE_CHECKING:
    from scrubjay.models.types import LanguageModel

MODEL = "smollm2-135m"
FITTED_ON = (100, 101, 102)
NOTES = (
    "Laptop scale is below the sheet's: 800 papers and 60 questions a world, a budget of 50; the "
    "language model ranks 10 questions of 16 candidates and writes 8 texts a world.",
    "Not run: the tiny model trained from scratch on plans, and its closed-book citation recall "
    "before and after the cut-off (the weights control). The system names are invented, so the "
    "language model can't have seen them.",
    "The simulated judge shows when a check of quotes can help; it is no evidence that a real "
    "model's invented quotes coincide with its bad scores.",
    "'Unsupported' counts references without a true sentence of their own, by the world's truth, "
    "not by the check that the grounded writer uses. A text that repeats the plan cites everything "
    "and supports nothing: read 'bad' and 'unsupported' together.",
    "The grounded writer's numbers are put by the program: it can't invent markers.",
    "Planted sentences come from the same generator (other seeds) as those the check was fitted "
    "on: areas on sentences of real models will be lower.",
)


@study("litllms", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Measure every world, from earlier attempts where there are any, and judge."""
    size = SIZES[scale]
    worlds = asyncio.run(_worlds(size, scale, out, seed, progress))
    name = os.environ.get("SCRUBJAY_STUDY_MODEL", MODEL)
    settings = {"size": asdict(size), "model": name if size.model_asked else None}
    return replace(judge(worlds), settings=settings, notes=NOTES)


async def _worlds(
    size: Size, scale: Scale, out: Path, seed: int, progress: Progress
) -> list[dict[str, Any]]:
    from scrubjay.models import load_model
    from scrubjay.retrieval.encoders import load_encoder

    spec = os.environ.get("SCRUBJAY_STUDY_MODEL", MODEL)
    model = load_model(spec) if size.model_asked else None
    try:
        encoder, worlds = load_encoder(), []
        for i in range(size.seeds):
            progress("worlds", i, size.seeds)
            stage = Stage.make(size, seed + i, out, encoder)
            worlds.append(
                {"writing": {}}
                | {
                    name: await kept_async(out / f"{name}-{seed + i}.json", work)
                    for name, work in _work(stage, size, model, progress).items()
                }
            )
        progress("worlds", size.seeds, size.seeds)
        return worlds
    finally:
        if model is not None:
            await model.close()


def _work(
    stage: Stage, size: Size, model: LanguageModel | None, progress: Progress
) -> dict[str, Callable[[], Awaitable[Any]]]:
    """What is measured in a world."""
    parts = {
        "sources": lambda: measure_sources(stage, size, model),
        "gate": lambda: measure_gate(stage, size),
        "orders": lambda: measure_orders(stage, size, model, progress),
        "support": lambda: measure_support(stage, size, model),
    }
    return parts | ({"writing": lambda: measure_writing(stage, size, model)} if model else {})


def calibrate(seeds: tuple[int, ...] = FITTED_ON) -> CitationCheck:
    """The check without a model, fitted on planted sentences: the defaults of ``CitationCheck``."""
    rows, right = [], []
    for seed in seeds:
        world = LiteratureWorld.make(seed, 300)
        for case in world.planted(world.papers[-100:], ("right", "shuffled", "number", "name")):
            rows.append(coverage(case.sentence, case.paper.passage()))
            right.append(case.kind == "right")
    return CitationCheck.fit(rows, right)
