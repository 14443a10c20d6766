"""The main job: run agents in the real world and its twins, and say what memory was worth.

    worlds:    real, twin-0, twin-1, …       (same facts, same questions, other names)
    settings:  agents, plus the controls that always run (frequent answer, oracle, walkers)
    run:       every answer of every setting in every world, appended as it comes
    tables:    score in the real world, in the twins, and the gap between them

Everything is derived from ``Plan``; the same plan in the same folder goes on where it stopped and
ends with the same bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.agents.registry import make_agent
from scrubjay.agents.session import Session
from scrubjay.agents.types import Agent
from scrubjay.core.errors import InputError, UnknownName
from scrubjay.core.nouns import Question
from scrubjay.core.progress import Progress, silent
from scrubjay.evaluation.gap import GapRow, reduction_table, write_tables
from scrubjay.evaluation.reading import read_gap
from scrubjay.evaluation.report import write_report
from scrubjay.evaluation.runner import run_agent
from scrubjay.evaluation.runs import Run
from scrubjay.models.prompting.prompts import list_prompts
from scrubjay.worlds import World, load_world
from scrubjay.worlds.hitting import PageGraph
from scrubjay.worlds.tasks import TASKS

if TYPE_CHECKING:
    from scrubjay.models.types import LanguageModel
    from scrubjay.retrieval.types import Encoder, Retriever


CONTROLS = ("frequent-answer", "oracle", "random-walker", "shortest-path")
"""Floor and ceiling; they cost nothing and run with every plan."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. Two runs with equal plans give equal tables."""

    world: str = "atlas"
    model: str = "smollm2-135m"
    settings: tuple[str, ...] = ("closed-book", "one-step-rag", "ircot", "reading")
    tasks: tuple[str, ...] = ("recall", "multihop")
    questions: int = 100
    """Per task."""
    twins: int = 1
    encoder: str = ""
    """Empty: search by words (BM25) only."""
    seed: int = 0
    sources: bool = False
    """Say of every answer where it came from (costs some ten calls of the model each)."""

    def check(self) -> None:
        """Refuse what can't be run, before anything is built.

        Raises:
            UnknownName, InputError: with one sentence.
        """
        for task in self.tasks:
            if task not in TASKS:
                raise UnknownName("task", task, TASKS)
        if not self.tasks or not self.settings:
            raise InputError("a measurement needs at least one setting and one task")
        if self.questions < 1 or self.twins < 1:
            raise InputError("a measurement needs at least one question and one twin")


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out, and where it lies."""

    rows: Sequence[GapRow]
    reading: str
    report: Path


def measure(plan: Plan, out: Path, progress: Progress = silent) -> Measured:
    """Run the plan in the folder ``out`` (or go on with it) and write tables and report.

    Raises:
        ScrubjayError: bad names, a model that can't be asked, a folder of another plan, a full
            disk.
    """
    from scrubjay.models import load_model

    plan.check()
    real = load_world(plan.world, seed=plan.seed)
    needs = {need for agent in _agents(plan, real, None) for need in agent.needs}
    model = load_model(plan.model) if "model" in needs else None
    if model is not None:
        asyncio.run(model.check())
    # Everything that can be refused is refused by now: nothing is left behind by a mistake.
    with Run.open(out, run_settings(plan, real)) as run:
        worlds = {"real": real}
        for i in range(plan.twins):
            progress("Inventing twins", i, plan.twins)
            worlds[f"twin-{i}"] = real.twin(plan.seed + i)
        progress("Inventing twins", plan.twins, plan.twins)
        asyncio.run(_run_all(plan, worlds, model, run, out, progress))
        return _finish(run, worlds)


def run_settings(plan: Plan, real: World) -> dict[str, Any]:
    """Everything that decides the results: the plan, the facts and the wording of the prompts."""
    wording = "".join(prompt.text for prompt in list_prompts())
    digest = hashlib.sha256(wording.encode()).hexdigest()[:16]
    settings = asdict(plan)
    if not plan.sources:
        del settings["sources"]  # so that runs from before there was this choice go on
    return {**settings, "facts": real.hash, "prompts": digest}


async def _run_all(
    plan: Plan,
    worlds: Mapping[str, World],
    model: LanguageModel | None,
    run: Run,
    out: Path,
    progress: Progress,
) -> None:
    encoder = _encoder(plan)
    try:
        for key, world in worlds.items():
            agents = _agents(plan, world, encoder)
            retriever: Retriever | None = None
            if any("retriever" in a.needs for a in agents):
                retriever = _index(world, out / "index" / key, encoder, key, progress)
            questions = _questions(plan, world)
            graph = PageGraph.from_pages(world.pages)

            session = partial(_session, model, retriever, world, graph)
            for agent in agents:
                await run_agent(
                    agent,
                    [q for q in questions if q.task in agent.tasks],
                    session,
                    run=run,
                    setting=agent.name,
                    world=key,
                    seed=plan.seed,
                    sources=plan.sources,
                    progress=partial(progress, f"{agent.name}, {key}"),
                )
    finally:
        if model is not None:
            await model.close()


def _session(
    model: LanguageModel | None,
    retriever: Retriever | None,
    world: World,
    graph: PageGraph,
    question: Question,
) -> Session:
    return Session(model, retriever, world.pages, graph)


def _agents(plan: Plan, world: World, encoder: Encoder | None) -> list[Agent]:
    """The agents of the plan and the controls that fit its tasks, each once."""
    names = dict.fromkeys((*plan.settings, *CONTROLS))
    made = [make_agent(name, world, encoder) for name in names]
    fitting = [a for a in made if a.tasks & set(plan.tasks)]
    asked = {a.name for a in fitting} & set(plan.settings)
    if not asked:
        raise InputError(
            f"none of the settings {', '.join(plan.settings)} fits the tasks "
            f"{', '.join(plan.tasks)}"
        )
    return fitting


def _questions(plan: Plan, world: World) -> list[Question]:
    return [q for t in plan.tasks for q in world.questions(t, plan.questions, plan.seed)]


def _encoder(plan: Plan) -> Encoder | None:
    from scrubjay.retrieval import load_encoder

    return load_encoder(plan.encoder) if plan.encoder else None


def _index(
    world: World, folder: Path, encoder: Encoder | None, key: str, progress: Progress
) -> Retriever:
    """The world's index, built if it isn't there (a build is whole or not at all)."""
    from scrubjay.retrieval import Index, build_index

    if not folder.exists():
        build_index(
            world.documents(),
            folder,
            encoder=encoder,
            progress=partial(progress, f"Indexing {key}"),
        )
    return Index.open(folder, encoder=encoder)


def report_run(folder: Path) -> Path:
    """Write the tables and the page of a finished run again.

    Raises:
        InputError: the folder holds no run.
    """
    run = Run.load(folder)
    settings = run.settings
    real = load_world(settings["world"], seed=settings["seed"])
    twins = {f"twin-{i}": real.twin(settings["seed"] + i) for i in range(settings["twins"])}
    return _finish(run, {"real": real, **twins}).report


def _finish(run: Run, worlds: Mapping[str, World]) -> Measured:
    rows = write_tables(run)
    real, twin = worlds["real"], worlds["twin-0"]
    pages = [(real.pages[i], twin.pages[i]) for i in _shown(run)]
    titles = {key: {i: p.title for i, p in w.pages.items()} for key, w in worlds.items()}
    reading = read_gap(rows, reduction_table(run.records()))
    return Measured(rows, reading, write_report(run.folder, pages=pages, titles=titles))


def _shown(run: Run, most: int = 6) -> list[str]:
    """Documents to show side by side: those that answers rested on most often."""
    from collections import Counter

    cited = Counter(c for r in run.records() if r.setting == "reading" for c in r.citations)
    return [i for i, _ in sorted(cited.items(), key=lambda x: (-x[1], x[0]))[:most]]
