"""What ``scrubjay sources`` trains and measures on: worlds, halves, cases; all answers kept.

    practice   real, its unknown facts, twins 101 and 102, two random universes, closed book
    test       real, twins 0, 1, 2 (the five cases only)

Both of single facts and, where ``multihop`` questions are looked through for known ones, of facts
that are split over documents (``sources_chains``).

Folder: ``known-<task>.jsonl`` (what the model knows), ``<part>-<method>.jsonl`` (answers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.core.nouns import Question
from scrubjay.core.progress import Progress
from scrubjay.evaluation.sources import SourceCase, source_cases
from scrubjay.evaluation.sources_chains import chain_cases
from scrubjay.evaluation.sources_known import Knowledge, known_questions
from scrubjay.evaluation.sources_measure import PRACTICE_TWINS, TEST_TWINS, in_test
from scrubjay.evaluation.sources_rows import SourceRow, source_rows
from scrubjay.models.types import LanguageModel
from scrubjay.worlds.items import Item, render
from scrubjay.worlds.tasks import sample
from scrubjay.worlds.world import World, load_world

REAL_CASES, TWIN_CASES = ("memory", "both", "conflict"), ("documents", "neither")
RANDOM = ("random:200", "random:300")
"""Universes of invented things, for practice; seeds 11 and 12."""
CHAINS, CHAINS_READ = 0.6, 2
"""Multi-hop answers for every single fact (they cost twice as much); and for every one of these, as
many from documents alone, since few of them are read right."""
METHODS = ("", "likelihood", "sampling")


@dataclass(frozen=True, slots=True)
class SourcesPlan:
    """What to answer."""

    model: str = "smollm2-135m"
    world: str = "atlas"
    questions: int = 2400
    """Single facts in which to look for known ones."""
    multihop: int = 4000
    """The same of multi-hop questions; 0: single facts only."""
    each: int = 40
    method: str = ""
    part: str = "test"
    """'practice' or 'test'."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Half:
    """What the model knows of the subjects of one part, and what not."""

    known: tuple[Question, ...]
    unknown: tuple[Question, ...]
    known_chains: tuple[Item, ...] = ()
    unknown_chains: tuple[Item, ...] = ()


async def collect(plan: SourcesPlan, folder: Path, progress: Progress) -> list[SourceRow]:
    """The answers of the plan, with their signals; what the folder holds isn't asked again.

    Raises:
        ScrubjayError: an unknown method or world, a model that can't be asked or knows nothing of
            the world, a folder of another model.
    """
    from scrubjay.models import load_model

    if plan.method not in METHODS:
        raise InputError(f"the method is likelihood or sampling, not '{plan.method}'")
    world = load_world(plan.world)
    model = load_model(plan.model)
    try:
        await model.check()
        half = await _half(plan, world, model, folder, progress)
        make = test_cases if plan.part == "test" else practice_cases
        file = folder / f"{plan.part}-{plan.method or 'default'}.jsonl"
        what = f"{plan.part} {plan.method}".strip()
        return await source_rows(
            make(world, half, plan.each),
            model,
            file,
            method=plan.method,
            progress=partial(progress, what),
        )
    finally:
        await model.close()


def test_cases(world: World, half: Half, each: int) -> list[SourceCase]:
    """The five cases: ``each`` of every real one, as many of every twin one over the twins."""
    twins = [world.twin(seed) for seed in TEST_TWINS]
    cases = source_cases(world, twins[0], half.known, each, cases=REAL_CASES)
    deep = round(CHAINS * each)
    chains = chain_cases(world, twins[0], half.known_chains, deep, cases=REAL_CASES)
    part, deep = (max(1, round(n / len(twins))) for n in (each, deep))
    # Twins are asked about everything, not only about what happens to be known of the real world.
    asked = [*half.known, *half.unknown]
    asked_chains = [*half.known_chains, *half.unknown_chains]
    for seed, twin in zip(TEST_TWINS, twins):
        cases += source_cases(world, twin, asked, part, cases=TWIN_CASES, seed=seed)
        for case, n in (("documents", CHAINS_READ * deep), ("neither", deep)):
            chains += chain_cases(world, twin, asked_chains, n, cases=(case,), seed=seed)
    return _half_focused(cases) + chains


test_cases.__test__ = False  # type: ignore[attr-defined]


def practice_cases(world: World, half: Half, each: int) -> list[SourceCase]:
    """The same of the other half and other twins; besides, unknown real facts, random universes,
    and closed-book answers."""
    some, deep = each // 2, round(CHAINS * each)
    cases = source_cases(world, world, half.known, each, cases=REAL_CASES, seed=1)
    cases += source_cases(
        world, world, half.known, some, unknown=half.unknown, cases=TWIN_CASES, seed=1
    )
    chains = chain_cases(world, world, half.known_chains, deep, cases=REAL_CASES, seed=1)
    chains += chain_cases(
        world, world, (), deep // 2, unknown=half.unknown_chains, cases=TWIN_CASES, seed=1
    )
    asked = [*half.known, *half.unknown]
    asked_chains = [*half.known_chains, *half.unknown_chains]
    for seed in PRACTICE_TWINS:
        twin = world.twin(seed)
        cases += source_cases(world, twin, asked, some, cases=TWIN_CASES, seed=seed)
        for case, n in (("documents", CHAINS_READ * deep // 2), ("neither", deep // 2)):
            chains += chain_cases(world, twin, asked_chains, n, cases=(case,), seed=seed)
    for seed, spec in enumerate(RANDOM, 11):
        invented = load_world(spec, seed=seed)
        recall = invented.questions("recall", 4 * each, seed)
        cases += source_cases(invented, invented, recall, each // 4, cases=TWIN_CASES, seed=seed)
        if chains:
            items = sample("multihop", invented.universe, invented.marked, 4 * each, seed)
            chains += chain_cases(invented, invented, items, each // 4, cases=TWIN_CASES, seed=seed)
    closed = _closed_book(cases, world, half, each)
    closed += [replace(c, passages=()) for c in chains if c.case in ("memory", "neither")][:deep]
    return _half_focused(cases) + chains + closed


def _half_focused(cases: Sequence[SourceCase]) -> list[SourceCase]:
    """Every other one is read as ``ask`` reads: sources must be told whatever the reader. Chains
    are read whole: a few sentences of them would not hold together."""
    return [replace(c, focused=i % 2 == 1) for i, c in enumerate(cases)]


def _closed_book(
    cases: Sequence[SourceCase], world: World, half: Half, each: int
) -> list[SourceCase]:
    """Answers without passages: known facts come from memory, all others from nowhere."""
    known = source_cases(world, world, half.known, 2 * each, cases=("memory",), seed=2)
    unknown = source_cases(
        world, world, half.known, each, unknown=half.unknown, cases=("neither",), seed=2
    )
    invented = [c for c in cases if c.case == "neither" and c.world != world.name][:each]
    return [replace(c, passages=()) for c in (*known, *unknown, *invented)]


async def _half(
    plan: SourcesPlan, world: World, model: LanguageModel, folder: Path, progress: Progress
) -> Half:
    """What the model knows of the part's subjects; verdicts are kept in the folder."""

    async def known(task: str, asked: Sequence[Question]) -> Knowledge:
        found = await known_questions(
            world,
            asked,
            model,
            file=folder / f"known-{task}.jsonl",
            progress=partial(progress, f"what the model knows: {task}"),
        )
        mine = [[q for q in qs if in_test(q) is wanted] for qs in (found.known, found.unknown)]
        return Knowledge(*map(tuple, mine))

    wanted = plan.part == "test"
    facts = await known("recall", world.questions("recall", plan.questions, 0))
    if not facts.known:
        raise InputError(
            f"{plan.model} knows no fact of {plan.world} well enough to build cases of; "
            "ask more questions, or take another world"
        )
    if not plan.multihop:
        return Half(facts.known, facts.unknown)
    items = sample("multihop", world.universe, world.marked, plan.multihop, 0)
    chains = await known("multihop", [render(item, world.names) for item in items])
    by_id = {item.id: item for item in items}
    return Half(
        facts.known,
        facts.unknown,
        tuple(by_id[q.id] for q in chains.known),
        tuple(by_id[q.id] for q in chains.unknown),
    )
