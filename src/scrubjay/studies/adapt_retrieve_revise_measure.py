"""Adapt-Retrieve-Revise: one seed's recall of every key, and the answers of every pipeline.

Everything is asked through the public agents; what a pipeline lacks is what its fields switch off.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scrubjay.agents.adapt_retrieve_revise import AdaptRetrieveRevise, DraftOnly
from scrubjay.agents.closed_book import ClosedBook
from scrubjay.agents.revisers import ChoosingReviser, CopyBest, Revision
from scrubjay.agents.session import Session
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.nouns import Passage, Question
from scrubjay.core.randomness import stream
from scrubjay.models.types import LanguageModel
from scrubjay.retrieval import Index, build_index, load_encoder
from scrubjay.retrieval.index import Mode
from scrubjay.studies.adapt_retrieve_revise_stage import Job, as_judgment, drafters
from scrubjay.studies.parallel import Report
from scrubjay.worlds.statutes import StatuteWorld, cited

DEPTH = 5
KEYS = ("query", "general draft", "adapted draft", "another's draft", "clause")
"""What searches; 'another's draft' is the floor, the right clause without its number the top."""
MODES: tuple[Mode, ...] = ("vector", "text")
FULL, DRAFT, QUERY = "draft, look up, revise", "draft", "query, revise"
SECOND, ITSELF = "two rounds", "the drafter revises"


@dataclass(frozen=True, slots=True)
class FirstHit:
    """The rule that looks at nothing: quote what was found first."""

    async def revise(
        self, question: Question, draft: str, evidence: Sequence[Passage], session: Session
    ) -> Revision:
        best = evidence[0]
        return Revision(f"{best.title}: {best.text}", (best.id,))


@dataclass(frozen=True, slots=True)
class Itself:
    """The adapted drafter, with the evidence in front of what it otherwise is asked."""

    model: LanguageModel

    async def revise(
        self, question: Question, draft: str, evidence: Sequence[Passage], session: Session
    ) -> Revision:
        read = " ".join(f"{p.title} : {p.text}" for p in evidence)
        reply = await session.with_model(self.model).generate(
            f"{read} {as_judgment(question)}", max_tokens=48, stop=("\n",), reading=evidence
        )
        return Revision(reply.text.strip() or draft, tuple(p.id for p in evidence))


def measure_seed(work: tuple[Job, Path, str], report: Report) -> None:
    """Everything about one seed, kept in ``seed-<n>.json``."""
    job, folder, spec = work
    path = folder / f"seed-{job.seed}.json"
    if path.exists():
        return
    general, adapted = drafters(job, report)
    place, encoder = folder / f"statutes-{job.seed}.index", load_encoder()
    build_index(job.world.passages, place, encoder=encoder)
    indices = {m: Index.open(place, encoder=encoder, mode=m) for m in MODES}
    recall = asyncio.run(_recalls(job, indices, general, adapted))
    answers = asyncio.run(_answers(job, indices["vector"], general, adapted, spec))
    write_atomic(path, dump_json({"recall": recall, "answers": answers}))


def load(folder: Path, seed: int) -> dict[str, Any]:
    """What ``measure_seed`` kept."""
    kept: dict[str, Any] = json.loads((folder / f"seed-{seed}.json").read_text("utf-8"))
    return kept


async def _recalls(
    job: Job, indices: Mapping[Mode, Index], general: LanguageModel, adapted: LanguageModel
) -> list[dict[str, Any]]:
    """Per gap, index and key: the rank of the gold article of every case (DEPTH: not found)."""
    rows = []
    for gap in sorted({job.size.gap, *job.size.sweep}):
        asked = job.world.questions(job.size.cases, gap)
        keys = await _keys(job.world, asked, general, adapted)
        for mode, index in indices.items():
            for name in KEYS:
                found = await asyncio.gather(*(index.search(key, DEPTH) for key in keys[name]))
                ranks = [_rank(q, [h.passage.id for h in hits]) for q, hits in zip(asked, found)]
                rows.append({"gap": gap, "index": mode, "key": name, "ranks": ranks})
    return rows


async def _keys(
    world: StatuteWorld, asked: Sequence[Question], general: LanguageModel, adapted: LanguageModel
) -> dict[str, list[str]]:
    drafts = {}
    for name, model in (("general draft", general), ("adapted draft", adapted)):
        agent = DraftOnly(model, ask=as_judgment)
        told = await asyncio.gather(*(agent.answer(q, Session()) for q in asked))
        drafts[name] = [a.text or q.text for a, q in zip(told, asked)]
    clauses = {p.id: p.text for p in world.passages}
    others = [*drafts["adapted draft"]]
    stream(world.seed, "others").shuffle(others)
    return {
        **drafts,
        "query": [q.text for q in asked],
        "another's draft": others,
        "clause": [clauses[q.gold[0]] for q in asked],
    }


def _rank(question: Question, found: Sequence[str]) -> int:
    with suppress(ValueError):
        return found.index(question.gold[0])
    return DEPTH


def pipelines(job: Job, general: LanguageModel, adapted: LanguageModel) -> dict[str, Any]:
    """The pipelines by name; those that ask the general reviser only where the size has one."""

    def arr(drafter: LanguageModel, reviser: Any, **fields: Any) -> AdaptRetrieveRevise:
        return AdaptRetrieveRevise(drafter, reviser, job.size.k, ask=as_judgment, **fields)

    choosing = ChoosingReviser()
    without = {
        DRAFT: DraftOnly(adapted, ask=as_judgment),
        "general draft": DraftOnly(general, ask=as_judgment),
        "draft, look up, first hit": arr(adapted, FirstHit()),
        "draft, look up, copy best": arr(adapted, CopyBest()),
        "query, first hit": arr(adapted, FirstHit(), key="query"),
        ITSELF: arr(adapted, Itself(adapted)),
    }
    if not job.size.revise:
        return without
    return without | {
        "reviser alone": ClosedBook(),
        QUERY: arr(adapted, choosing, key="query", show_draft=False),
        FULL: arr(adapted, choosing),
        "draft hidden": arr(adapted, choosing, show_draft=False),
        SECOND: arr(adapted, choosing, rounds=2),
        "general draft, look up, revise": arr(general, choosing),
    }


async def _answers(
    job: Job, index: Index, general: LanguageModel, adapted: LanguageModel, spec: str
) -> dict[str, list[dict[str, Any]]]:
    """Per pipeline: what every answer cites, and what it cost."""
    from scrubjay.models import load_model

    asked = job.world.questions(job.size.cases, job.size.gap)
    titles = {p.title for p in job.world.passages}
    model = load_model(spec) if job.size.revise else None
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, agent in pipelines(job, general, adapted).items():
        told = await asyncio.gather(*(agent.answer(q, Session(model, index)) for q in asked))
        rows[name] = [_judged(q, a.text, titles, a.trace.cost.tokens) for q, a in zip(asked, told)]
    if model is not None:
        await model.close()
    return rows


def _judged(question: Question, text: str, titles: set[str], tokens: int) -> dict[str, Any]:
    said, right = cited(text), cited(question.answers[0])
    known = said is not None and f"Article {said[0]} of the {said[1]} Code" in titles
    return {
        "number": float(said == right),
        "code": float(said is not None and right is not None and said[1] == right[1]),
        "unsupported": float(said is not None and not known),
        "tokens": tokens,
    }
