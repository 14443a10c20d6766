"""SynthWorlds, part 2: a truly real map. What SmolLM2 knows of the atlas, and what reading adds.

The embedded model answers the same questions about real countries, cities and elements and about
their invented twins: closed book, with the gold pages, after one search, after searches between
thoughts; and it walks from page to page with and without the pages' text. Answers are scored as
written (F1) and by ranking candidates (hits@1), which says more about a model of this size.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.nouns import Question
from scrubjay.core.progress import Progress
from scrubjay.evaluation.gap import GapRow, gap_difference, reduction_table
from scrubjay.evaluation.measure import Plan, measure, run_settings
from scrubjay.evaluation.retrieval import recall_at_k
from scrubjay.evaluation.runs import Record, Run
from scrubjay.evaluation.statistics import Interval, bootstrap_mean
from scrubjay.models.tiny import settings_hash
from scrubjay.studies.study import Scale
from scrubjay.worlds import World, load_world

ENCODER = "all-minilm-l6-v2"
SETTINGS = (
    *("closed-book", "one-step-rag", "ircot", "reading"),
    *("closed-book-ranking", "reading-ranking"),
)
WALKS = ("links-only", "content-links")
QUESTIONS = ("recall", "multihop")


@dataclass(frozen=True, slots=True)
class Plans:
    """Questions and walks have plans of their own: a walk costs thirty choices."""

    questions: Plan
    walks: Plan | None = None


PLANS: Mapping[Scale, Plans] = {
    "smoke": Plans(Plan("random:150", settings=("closed-book", "reading"), questions=4)),
    "laptop": Plans(
        Plan(settings=SETTINGS, tasks=QUESTIONS, questions=56),
        Plan(settings=WALKS, tasks=("navigation",), questions=20),
    ),
    "full": Plans(
        Plan(settings=SETTINGS, tasks=QUESTIONS, questions=1200, twins=5),
        Plan(settings=WALKS, tasks=("navigation",), questions=1000, twins=5),
    ),
}
MARGIN, LEFT, DEPTH = 0.03, 0.25, 5
CLAIMS = (
    "SmolLM2 closed book on single facts: the gap excludes 0, and the twin is no more than 3 "
    "points above the frequent answer",
    "with the gold pages, less than a quarter of that gap is left",
    "one-step RAG leaves more of the gap than IRCoT does",
    "walking with the pages' text leaves less of a gap than walking by links only",
    "a pre-trained encoder finds the gold page more often in the real world than in the twin, BM25 "
    "equally often",
)


def run_part(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Measure by the plan of the scale and judge what it covers."""
    plans = PLANS[scale]
    rows, records = _measured(plans.questions, out / "questions", seed, progress)
    if plans.walks is not None:
        more, walked = _measured(plans.walks, out / "walks", seed, progress)
        rows, records = [*rows, *more], [*records, *walked]
    cells = {(r.setting, r.task, r.metric): r for r in rows}
    numbers = {
        f"{r.setting}, {r.task}, {r.metric}: gap": Number(r.gap, r.low, r.high, r.n) for r in rows
    }
    claims = [_memory(cells), _reading(cells)]
    if scale != "smoke":
        searches = search_recall(replace(plans.questions, seed=seed), out / "search", progress)
        claims += [_looking_up(records), _walking(records), _finding(searches)]
        numbers |= {f"recall@{DEPTH} gap, {m}": _number(i) for m, i in searches.items()}
    return Finding(
        "synthworlds",
        numbers,
        tuple(claims),
        {
            "gap": [r.as_dict() for r in rows],
            "reduction": [r.as_dict() for r in reduction_table(records)],
        },
        _figure(rows),
        {k: v for k, v in asdict(plans).items() if v},
        notes=(
            "At laptop scale one twin stands for all (our sheet asks for five); 'full' has five.",
            "Pages are written from templates, so both worlds' sentences are equally simple.",
            "IRCoT needs a model that reasons in sentences; 135M parameters are few for that.",
        ),
    )


def _measured(
    plan: Plan, folder: Path, seed: int, progress: Progress
) -> tuple[Sequence[GapRow], Sequence[Record]]:
    plan = replace(plan, seed=seed)
    settings = run_settings(plan, load_world(plan.world, seed=seed))
    folder = folder.with_name(f"{folder.name}-{settings_hash(settings)}")
    rows = measure(plan, folder, progress).rows
    return rows, Run.load(folder).records()


def search_recall(plan: Plan, out: Path, progress: Progress) -> dict[str, Interval]:
    """Per way of searching: recall@5 of the gold pages, real minus twin, over recall questions and
    multi-hop questions together."""
    real = load_world(plan.world, seed=plan.seed)
    twins = [real.twin(plan.seed + i) for i in range(plan.twins)]
    found = {}
    for mode in ("text", "vector"):
        a, *others = (_recalls(plan, w, out, mode, progress) for w in (real, *twins))
        gaps = [x - sum(column) / len(column) for x, *column in zip(a, *others)]
        found[mode] = bootstrap_mean(gaps, seed=plan.seed, bounds=(-1, 1))
    return found


def _recalls(plan: Plan, world: World, folder: Path, mode: str, progress: Progress) -> list[float]:
    from scrubjay.retrieval import Index, build_index, load_encoder

    questions = [q for t in ("recall", "multihop") for q in world.questions(t, 240, plan.seed)]
    encoder = load_encoder(ENCODER)
    place = folder / world.hash[:16]
    if not place.exists():
        told = partial(progress, f"encoding {world.name}")
        build_index(world.documents(), place, encoder=encoder, progress=told)
    index = Index.open(place, encoder=encoder, mode=mode)  # type: ignore[arg-type]
    return asyncio.run(_search_all(index, questions))


async def _search_all(index: Any, questions: Sequence[Question]) -> list[float]:
    hits = await asyncio.gather(*(index.search(q.text, DEPTH) for q in questions))
    return [
        recall_at_k([h.passage.document for h in found], q.gold)
        for found, q in zip(hits, questions)
    ]


Cells = Mapping[tuple[str, str, str], GapRow]


def _memory(cells: Cells) -> Claim:
    closed = cells["closed-book", "recall", "f1"]
    frequent = cells["frequent-answer", "recall", "f1"]
    holds = (closed.low or 0) > 0 and closed.twin <= frequent.twin + MARGIN
    return Claim(
        CLAIMS[0],
        holds,
        f"KA {_text(closed)}; twin {closed.twin:.3f}, frequent answer {frequent.twin:.3f}",
    )


def _reading(cells: Cells) -> Claim:
    closed, reading = cells["closed-book", "recall", "f1"], cells["reading", "recall", "f1"]
    holds = abs(reading.gap) < LEFT * closed.gap
    return Claim(CLAIMS[1], holds, f"KA {_text(reading)} against {_text(closed)} closed book")


def _looking_up(records: Sequence[Record]) -> Claim:
    parts = {
        task: gap_difference(records, task, "f1", "one-step-rag", "ircot")
        for task in ("recall", "multihop")
    }
    return _compared(CLAIMS[2], parts, "KA of one-step RAG minus KA of IRCoT")


def _walking(records: Sequence[Record]) -> Claim:
    parts = {
        "navigation": gap_difference(
            records, "navigation", "success", "links-only", "content-links"
        )
    }
    return _compared(CLAIMS[3], parts, "KA by links only minus KA with content")


def _compared(text: str, parts: Mapping[str, Interval | None], what: str) -> Claim:
    """Holds if a difference is above 0 with its whole interval, in any part, and below in none."""
    known = {k: i for k, i in parts.items() if i is not None}
    above = any(i.low is not None and i.low > 0 for i in known.values())
    below = any(i.high is not None and i.high < 0 for i in known.values())
    return Claim(
        text, above and not below, "; ".join(f"{what}, {k}: {_text(i)}" for k, i in known.items())
    )


def _finding(searches: Mapping[str, Interval]) -> Claim:
    vector, text = searches["vector"], searches["text"]
    holds = (vector.low or 0) > 0 and not text.excludes_zero
    return Claim(CLAIMS[4], holds, f"encoder {_text(vector)}, BM25 {_text(text)}")


def _figure(rows: Sequence[GapRow]) -> dict[str, Any]:
    """Bars per setting, real beside twin, by the main metric of each task."""
    main = {"recall": "f1", "multihop": "f1", "navigation": "success"}
    values = [
        {"setting": r.setting, "task": r.task, "world": w, "score": score}
        for r in rows
        if r.metric == main.get(r.task)
        for w, score in (("real", r.real), ("twin", r.twin))
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": "SmolLM2-135M on the atlas and its twins",
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "column": {"field": "task", "type": "nominal", "sort": list(main)},
            "x": {"field": "setting", "type": "nominal", "sort": None, "title": None},
            "xOffset": {"field": "world"},
            "y": {"field": "score", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "color": {"field": "world", "type": "nominal"},
        },
        "resolve": {"scale": {"x": "independent"}},
    }


def _number(interval: Interval) -> Number:
    return Number(interval.value, interval.low, interval.high, interval.n)


def _text(row: GapRow | Interval) -> str:
    value = row.gap if isinstance(row, GapRow) else row.value
    if row.low is None or row.high is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{row.low:.3f}, {row.high:.3f}]"
