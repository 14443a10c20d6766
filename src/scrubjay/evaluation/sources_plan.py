"""What ``scrubjay sources`` trains and measures on: worlds, halves, cases; all answers kept.

    practice   real, its unknown facts, twins 101 and 102, two random universes, closed book
    test       real, twins 0, 1, 2 (the five cases only)

Folder: ``known.json`` (which questions the model knows) and ``<part>-<method>.jsonl`` (answers).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.nouns import Question
from scrubjay.evaluation.sources import Knowledge, SourceCase, known_questions, source_cases
from scrubjay.evaluation.sources_measure import PRACTICE_TWINS, TEST_TWINS, in_test
from scrubjay.evaluation.sources_rows import SourceRow, source_rows
from scrubjay.models.types import LanguageModel
from scrubjay.worlds.world import World, load_world

REAL_CASES, TWIN_CASES = ("memory", "both", "conflict"), ("documents", "neither")
RANDOM = ("random:200", "random:300")
"""Universes of invented things, for practice; seeds 11 and 12."""
METHODS = ("", "likelihood", "sampling")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class SourcesPlan:
    """What to answer."""

    model: str = "smollm2-135m"
    world: str = "atlas"
    questions: int = 2400
    each: int = 40
    method: str = ""
    part: str = "test"
    """'practice' or 'test'."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


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
        knowledge = await _knowledge(plan, world, model, folder, progress)
        wanted = plan.part == "test"
        half = Knowledge(
            tuple(q for q in knowledge.known if in_test(q) is wanted),
            tuple(q for q in knowledge.unknown if in_test(q) is wanted),
        )
        if not half.known:
            raise InputError(
                f"{plan.model} knows no fact of {plan.world} well enough to build cases of; "
                "ask more questions, or take another world"
            )
        cases = test_cases(world, half, plan.each) if wanted else practice_cases(world, half, plan)
        # Every other one is read as ``ask`` reads: sources must be told whatever the reader.
        cases = [replace(c, focused=i % 2 == 1) for i, c in enumerate(cases)]
        file = folder / f"{plan.part}-{plan.method or 'default'}.jsonl"
        what = f"{plan.part} {plan.method}".strip()
        return await source_rows(
            cases, model, file, method=plan.method, progress=partial(progress, what)
        )
    finally:
        await model.close()


def test_cases(world: World, half: Knowledge, each: int) -> list[SourceCase]:
    """The five cases: ``each`` of every real one, as many of every twin one over the twins."""
    twins = [world.twin(seed) for seed in TEST_TWINS]
    cases = source_cases(world, twins[0], half.known, each, cases=REAL_CASES)
    part = max(1, round(each / len(twins)))
    # Twins are asked about everything, not only about what happens to be known of the real world.
    asked = [*half.known, *half.unknown]
    for seed, twin in zip(TEST_TWINS, twins):
        cases += source_cases(world, twin, asked, part, cases=TWIN_CASES, seed=seed)
    return cases


test_cases.__test__ = False  # type: ignore[attr-defined]


def practice_cases(world: World, half: Knowledge, plan: SourcesPlan) -> list[SourceCase]:
    """The same of the other half and other twins; besides, unknown real facts, random universes,
    and closed-book answers."""
    each = plan.each
    cases = source_cases(world, world, half.known, each, cases=REAL_CASES, seed=1)
    cases += source_cases(
        world, world, half.known, each // 2, unknown=half.unknown, cases=TWIN_CASES, seed=1
    )
    asked = [*half.known, *half.unknown]
    for seed in PRACTICE_TWINS:
        twin = world.twin(seed)
        cases += source_cases(world, twin, asked, each // 2, cases=TWIN_CASES, seed=seed)
    for seed, spec in enumerate(RANDOM, 11):
        invented = load_world(spec, seed=seed)
        recall = invented.questions("recall", 4 * each, seed)
        cases += source_cases(invented, invented, recall, each // 4, cases=TWIN_CASES, seed=seed)
    return cases + _closed_book(cases, world, half, each)


def _closed_book(
    cases: Sequence[SourceCase], world: World, half: Knowledge, each: int
) -> list[SourceCase]:
    """Answers without passages: known facts come from memory, all others from nowhere."""
    known = source_cases(world, world, half.known, 2 * each, cases=("memory",), seed=2)
    unknown = source_cases(
        world, world, half.known, each, unknown=half.unknown, cases=("neither",), seed=2
    )
    invented = [c for c in cases if c.case == "neither" and c.world != world.name][:each]
    return [replace(c, passages=()) for c in (*known, *unknown, *invented)]


async def _knowledge(
    plan: SourcesPlan, world: World, model: LanguageModel, folder: Path, progress: Progress
) -> Knowledge:
    """What the model knows, from the folder if it was found out before."""
    asked = world.questions("recall", plan.questions, 0)
    file = folder / "known.json"
    of = {"model": model.name, "facts": world.hash, "questions": plan.questions}
    by_id = {q.id: q for q in asked}
    if file.exists():
        try:
            held = json.loads(file.read_text("utf-8"))
            if held["of"] == of:
                return Knowledge(
                    tuple(by_id[i] for i in held["known"]),
                    tuple(by_id[i] for i in held["unknown"]),
                )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"can't be read ({error}); remove it", file=file) from error
        raise InputError(
            f"was made for {held['of']}, not {of}; name another folder with --runs", file=file
        )
    knowledge = await known_questions(
        world, asked, model, progress=partial(progress, "what the model knows")
    )
    ids: dict[str, Any] = {"known": _ids(knowledge.known), "unknown": _ids(knowledge.unknown)}
    write_atomic(file, dump_json({"of": of, **ids}) + "\n")
    return knowledge


def _ids(questions: Sequence[Question]) -> list[str]:
    return [q.id for q in questions]
