"""Answers to source cases, with their signals: made once, used to train and to measure.

    rows = await source_rows(cases, model, "rows.jsonl")    # what the file holds isn't redone

A row holds what the reader answered to a case, the true source if the case tells it, and the
signals of ``agents.provenance``; weights come later, so that the same rows judge any weights.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from scrubjay.agents.provenance import cited, measure_signals
from scrubjay.agents.provenance_classifier import kind
from scrubjay.agents.provenance_signals import NAMES
from scrubjay.agents.writing import write_answer
from scrubjay.core.errors import RunMismatch
from scrubjay.core.files import JsonLines, dump_json
from scrubjay.core.progress import Count, silent
from scrubjay.evaluation.sources import SourceCase
from scrubjay.evaluation.sources_known import is_right
from scrubjay.models.types import LanguageModel

CHUNK = 32


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One answered case."""

    key: str
    case: str
    world: str
    question: str
    """Its id; worlds share it."""
    group: str
    answer: str
    truth: str
    """The source by construction; empty if the case doesn't tell it for this answer."""
    right: bool
    """Whether the answer is the fact of its world."""
    head: str
    """Which head of a ``SourceModel`` is for it."""
    signals: tuple[float, ...]
    cited: tuple[str, ...]
    """What would be cited if the answer came from documents."""
    gold: tuple[str, ...]
    recalled: str
    task: str = "recall"
    """'recall' (single facts) or 'multihop'."""


async def source_rows(
    cases: Sequence[SourceCase],
    model: LanguageModel,
    file: str | os.PathLike[str],
    *,
    method: str = "",
    progress: Count = silent,
) -> list[SourceRow]:
    """The rows of all cases, in their order; those in ``file`` are taken from there.

    Raises:
        RunMismatch: the file holds rows of another model, method or set of signals.
        InputError: the file is damaged.
        ModelError: the model can't be asked any more; finished chunks are in the file.
    """
    lines = JsonLines(file)
    head = {"model": model.name, "method": method, "signals": list(NAMES)}
    held = lines.read()
    if held and held[0] != head:
        raise RunMismatch(
            f"{file} holds answers of another model, method or version than {model.name}, "
            f"'{method or 'any'}' and this one; name another folder, or remove it"
        )
    if not held:
        lines.append([head])
    done = {row["key"]: _row(row) for row in held[1:]}
    keys = [_key(case) for case in cases]
    for begin in range(0, len(cases), CHUNK):
        part = [c for c, k in zip(cases[begin:], keys[begin : begin + CHUNK]) if k not in done]
        model.settle()
        made = await asyncio.gather(*(_answered(case, model, method) for case in part))
        lines.append([asdict(row) for row in made])
        done |= {row.key: row for row in made}
        progress(min(begin + CHUNK, len(cases)), len(cases))
    return [done[key] for key in keys]


async def _answered(case: SourceCase, model: LanguageModel, method: str) -> SourceRow:
    session = case.session(model)
    passages = session.read([p.id for p in case.passages])
    answer = (await write_answer(case.question, session, case.shown(passages))).text
    truth, signals = case.source(answer), None
    if answer.strip():
        signals = await measure_signals(case.question, answer, passages, session, method)
    return SourceRow(
        _key(case),
        case.case,
        case.world,
        case.question.id,
        case.question.group,
        answer,
        str(truth or ""),
        is_right(answer, case.question),
        kind(signals) if signals else "",
        tuple(round(v, 6) for v in signals.row) if signals else (),
        cited(signals) if signals else (),
        case.gold,
        signals.recalled if signals else "",
        case.question.task,
    )


def _key(case: SourceCase) -> str:
    """Names a case by everything that is shown to the model."""
    shown = [case.case, case.world, case.question.text, [[p.id, p.text] for p in case.passages]]
    shown += ["focused"] if case.focused else []
    return hashlib.sha256(dump_json(shown).encode()).hexdigest()[:20]


def _row(value: dict[str, Any]) -> SourceRow:
    known = {f.name for f in fields(SourceRow)}
    given: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in value.items() if k in known
    }
    return SourceRow(**given)
