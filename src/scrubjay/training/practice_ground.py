"""Practice in whole worlds: an index, recall and multi-hop questions, and self-practice on them.

    for each world:  index its documents;  half recall, half multi-hop questions;  self_practice

Depths are mixed on purpose: where every question needs as many hops, a critic that only counts the
rounds would look perfect (SIM-RAG's sheet, pitfalls). Everything lies in one folder, so that killed
practice goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scrubjay.agents.reasoner import PromptedReasoner, Reasoner
from scrubjay.agents.session import Session
from scrubjay.core.errors import InputError
from scrubjay.core.nouns import Question
from scrubjay.core.progress import Progress, silent
from scrubjay.training.practice import Practice, PracticeRow, self_practice
from scrubjay.worlds.world import World, load_world

if TYPE_CHECKING:
    from scrubjay.models.types import LanguageModel
    from scrubjay.retrieval.index import Index


async def practise_worlds(
    worlds: Mapping[str, World],
    model: LanguageModel | None,
    questions: int,
    folder: Path,
    *,
    reasoner: Reasoner | None = None,
    practice: Practice | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> list[PracticeRow]:
    """Rows of all worlds, ``questions`` of them in each; what ``folder`` holds isn't made again.

    Raises:
        InputError: a world has no questions.
        RunMismatch: the folder holds the practice of other questions, models or settings.
        DiskError: the folder can't be written.
    """
    rows: list[PracticeRow] = []
    for name, world in worlds.items():
        asked = mixed_questions(world, questions, seed)
        index = await asyncio.to_thread(_index, world, folder / "index" / world.hash[:16])
        rows += await self_practice(
            reasoner or PromptedReasoner(),
            asked,
            lambda _, found=index: Session(model, found),
            folder / f"{name}.jsonl",
            world=name,
            practice=practice or Practice(),
            progress=partial(progress, f"practice, {name}"),
        )
    return rows


def practice_worlds(specs: Sequence[str], seed: int = 0) -> dict[str, World]:
    """The worlds that ``specs`` name; the i-th random one is that of ``seed + i``.

    Raises:
        InputError: none is named.
        UnknownName, InputError: as ``load_world``.
    """
    if not specs:
        raise InputError("practice needs at least one world")
    worlds = [load_world(spec, seed=seed + i) for i, spec in enumerate(specs)]
    return {f"{i}-{world.name}": world for i, world in enumerate(worlds)}


def mixed_questions(world: World, n: int, seed: int = 0) -> list[Question]:
    """``n`` questions, recall and multi-hop in turn, as far as the world has them.

    Raises:
        InputError: the world has none.
    """
    recall = world.questions("recall", (n + 1) // 2, seed)
    hops = world.questions("multihop", n // 2, seed)
    if not recall and not hops:
        raise InputError(f"the world {world.name} is too small to ask questions about")
    return [*recall, *hops]


def _index(world: World, folder: Path) -> Index:
    from scrubjay.retrieval import Index, build_index

    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        build_index(world.documents(), folder)
    return Index.open(folder, mode="text")
