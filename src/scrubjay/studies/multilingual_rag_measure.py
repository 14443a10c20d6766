"""Multilingual RAG: ranks of the gold page for every kind of query, and the answers of the agent.

The agent answers without gate and guard; what each of them would have declined is recorded beside
the answer, so that all four combinations are judged on the same answers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from scrubjay.agents.closed_book import ClosedBook
from scrubjay.agents.multilingual import MultilingualRAG
from scrubjay.agents.session import Session
from scrubjay.agents.support import evidence, supported, tokens
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.core.randomness import stream
from scrubjay.evaluation.text import exact_match
from scrubjay.models.languages import WordDetector
from scrubjay.models.types import LanguageModel
from scrubjay.retrieval import Index
from scrubjay.retrieval.glossary import Glossary
from scrubjay.retrieval.index import Mode
from scrubjay.studies.multilingual_rag_stage import QUERIES, READ, Job, mistyped, query
from scrubjay.studies.parallel import Report

DEPTH = 5
K = 3
QUOTING, READING = ("direct", "translated"), ("reading", "closed book")
"""Pipelines without and with the language model."""


def measure_world(work: tuple[Job, Path, str], report: Report) -> None:
    """Everything about one world, kept in ``<label>.json``."""
    job, folder, spec = work
    path = folder / f"{job.label}.json"
    if path.exists():
        return
    indices = job.indices(folder)
    report(1)
    found = asyncio.run(_ranks(job, indices))
    found += asyncio.run(_typos(job, indices))
    report(2)
    told = asyncio.run(_told(job, indices["hybrid"], spec))
    detect, heard = WordDetector(), []
    for language in job.world.languages:
        heard += [float(detect(q.text).code == language) for q in job.questions(language)]
    write_atomic(path, dump_json({"ranks": found, "answers": told, "detected": heard}))
    report(3)


def load(folder: Path, label: str) -> dict[str, Any]:
    """What ``measure_world`` kept."""
    kept: dict[str, Any] = json.loads((folder / f"{label}.json").read_text("utf-8"))
    return kept


async def _ranks(job: Job, indices: Mapping[Mode, Index]) -> list[dict[str, Any]]:
    """Per index, language and kind of query: the rank of the gold page of answerable questions."""
    rows = []
    for language in job.world.languages:
        asked = job.answerable(language)
        english = job.answerable("en")
        for how in QUERIES if language != "en" else ("direct",):
            keys = [query(job, how, q, e, language) for q, e in zip(asked, english)]
            for mode, index in indices.items():
                ranks = await _search(index, keys, asked)
                row = {"index": mode, "language": language, "query": how}
                rows.append({**row, "typos": 0.0, "ranks": ranks})
    return rows


async def _typos(job: Job, indices: Mapping[Mode, Index]) -> list[dict[str, Any]]:
    """The same for English questions with typing errors."""
    asked = job.answerable("en")
    rows = []
    for share in job.size.typos:
        random = stream(job.twin or 0, "typos", share)
        keys = [mistyped(q.text, share, random) for q in asked]
        for mode, index in indices.items():
            ranks = await _search(index, keys, asked)
            row = {"index": mode, "language": "en", "query": "typos"}
            rows.append({**row, "typos": share, "ranks": ranks})
    return rows


async def _search(index: Index, keys: Sequence[str], asked: Sequence[Question]) -> list[int]:
    found = await asyncio.gather(*(index.search(key, DEPTH) for key in keys))
    return [_rank(q.gold[0], [h.passage.id for h in hits]) for q, hits in zip(asked, found)]


def _rank(gold: str, found: Sequence[str]) -> int:
    with suppress(ValueError):
        return found.index(gold)
    return DEPTH


async def _told(job: Job, index: Index, spec: str) -> list[dict[str, Any]]:
    """Every answer of every pipeline, judged."""
    from scrubjay.models import load_model

    model = load_model(spec) if job.size.read else None
    rows: list[dict[str, Any]] = []
    for language in job.world.languages:
        names = QUOTING if language != "en" else QUOTING[1:]
        read = model is not None and language in READ
        for how in (*names, *(READING if read else ())):
            n = job.size.read if how in READING else job.size.asked
            rows += await _pipeline(job, how, language, n, model, index)
    if model is not None:
        await model.close()
    return rows


async def _pipeline(
    job: Job, how: str, language: str, n: int, model: LanguageModel | None, index: Index
) -> list[dict[str, Any]]:
    """'direct' asks as the user does, names and all; 'translated' and 'reading' are the agent."""
    crossing = MultilingualRAG(job.glossary, route="translate", k=K, guard=False, writer="quote")
    plain = MultilingualRAG(
        Glossary(), _Nothing(), route="direct", k=K, guard=False, writer="quote"
    )
    agents: Mapping[str, Any] = {
        "direct": plain,
        "translated": crossing,
        "reading": replace(crossing, writer="glossary"),
        "closed book": ClosedBook(),
    }
    asked, english = job.questions(language)[:n], job.questions("en")[:n]
    sessions = [Session(model, index) for _ in asked]
    told = await asyncio.gather(*(agents[how].answer(q, s) for q, s in zip(asked, sessions)))
    return [
        {"pipeline": how, "language": language, "position": i}
        | _judged(job, language, q, e, answer, list(session.passages.values()))
        for i, (q, e, answer, session) in enumerate(zip(asked, english, told, sessions))
    ]


class _Nothing:
    """Translates nothing."""

    async def translate(self, text: str, language: str, session: Session) -> str:
        return text


def _judged(
    job: Job,
    language: str,
    question: Question,
    english: Question,
    answer: Answer,
    seen: Sequence[Passage],
) -> dict[str, Any]:
    """What an answer is worth, and what gate and guard see of it."""
    read = [p for p in seen if p.id in answer.citations]
    asked = job.glossary.translate(question.text, language)
    back = job.glossary.translate(answer.text, language, words=False)
    (subject, _, _) = english.query[0]
    named = set(tokens(job.world.world.names.name(subject)))
    answers = [set(tokens(a)) for a in english.answers]
    words = [set(tokens(f"{p.title} {p.text}")) for p in read]
    local, foreign = exact_match(answer.text, question.answers), exact_match(back, english.answers)
    return {
        "right": local,
        "right in any language": max(local, foreign),
        "backed": float(any(named <= w and any(a <= w for a in answers) for w in words)),
        "evidence": evidence(asked, read),
        "guard": float(supported(back, read)),
    }
