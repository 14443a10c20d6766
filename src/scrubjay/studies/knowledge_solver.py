"""Knowledge Solver (paper 53): can a model walk a knowledge graph by itself?

Four-choice questions of one to three hops over invented universes (see ``_stage``); the same model
answers closed book, from the facts laid flat, and by walking; walkers without a model go beside it
(``_measure``). Real and invented names are compared on the atlas and its twin. The model is
SmolLM2-135M, or the one named by the variable SCRUBJAY_STUDY_MODEL; scale ``full`` has the sheet's
sizes and is meant for a 7B model or an endpoint.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.evaluation.statistics import Interval, bootstrap_mean, paired_bootstrap
from scrubjay.studies.kept import kept_async
from scrubjay.studies.knowledge_solver_measure import AROUND, FREE, METHODS, measure
from scrubjay.studies.knowledge_solver_stage import SIZES, Size, made, questions
from scrubjay.studies.study import Scale, study

MODEL = "smollm2-135m"
CLAIMS = (
    "Walking the graph answers more questions right than the same model closed book and than the "
    "same model with the facts laid flat (both paired intervals above 0).",
    "The model's choices reach the right candidate more often than random walking and than walking "
    "to the fact nearest to the question by embedding (both intervals above 0).",
    "The gain over closed book is larger with invented names than with real ones (interval of the "
    "difference above 0).",
    "The graph is used: with the objects of every relation dealt out anew, the same walk answers "
    "fewer questions right (interval above 0).",
)
NOTES = (
    "Laptop scale is below the sheet's: 18 questions a universe, 24 over the atlas.",
    "Not run: fine-tuning on walks and its transfer (the paper's second variant), CommonsenseQA, "
    "OpenbookQA and MedQA with their graphs, and the one-step RAG baseline of the sheet.",
    "'ksl' scores what the question asks for (a relation's words said from the question's entity) "
    "and is ours; 'paper's dialogue' scores the listed facts, from one random entity, as the paper "
    "lets the model choose. All walkers see the candidates and stop on the first they meet, save "
    "'blind', which is told them only after its walk.",
    "Questions use other phrasings than the graph's own words, but phrasings of one author; the "
    "prompt's wording was chosen on another universe (random:120, seed 0).",
    "Closed book over invented names is chance; so is what random walking adds to it.",
)
Rows = list[dict[str, Any]]


@study("knowledge-solver", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Measure every method in every world, from earlier attempts where there are any; judge."""
    size = SIZES[scale]
    worlds, around = asyncio.run(_rows(size, scale, out, seed, progress))
    name = os.environ.get("SCRUBJAY_STUDY_MODEL", MODEL) if scale != "smoke" else None
    return judge(worlds, around, {"size": asdict(size), "model": name})


async def _rows(
    size: Size, scale: Scale, out: Path, seed: int, progress: Progress
) -> tuple[list[dict[str, Rows]], dict[str, dict[str, Rows]]]:
    """Per universe and method; and with real and invented names."""
    from scrubjay.models import load_model
    from scrubjay.retrieval.encoders import load_encoder

    # At smoke scale a language model is too slow: the methods without one show the plumbing.
    methods = FREE if scale == "smoke" else METHODS
    model = None if scale == "smoke" else load_model(os.environ.get("SCRUBJAY_STUDY_MODEL", MODEL))
    jobs = [(f"random:{size.entities}", seed + 100 + i, m) for i in range(size.universes)
            for m in methods]  # fmt: skip
    jobs += [(s, seed, m) for s in ("atlas", "atlas twin") for m in AROUND] if size.atlas else []
    done: dict[tuple[str, int, str], Rows] = {}
    encoder = load_encoder() if scale != "smoke" else None

    async def walked(spec: str, seed: int, method: str, each: int) -> Rows:
        world = made(spec, seed)
        asked = questions(world, each, seed)
        return await measure(method, world, asked, model, encoder, seed)

    try:
        for at, (spec, number, method) in enumerate(jobs):
            progress("walks", at, len(jobs))
            path = out / f"{spec}-{number}-{method}.json".replace(" ", "_").replace(":", "-")
            each = size.atlas if spec.startswith("atlas") else size.each
            work = partial(walked, spec, number, method, each)
            done[spec, number, method] = await kept_async(path, work)
        progress("walks", len(jobs), len(jobs))
    finally:
        if model is not None:
            await model.close()
    seeds = dict.fromkeys(n for s, n, _ in done if s.startswith("random"))
    worlds = [{m: rows for (s, k, m), rows in done.items() if k == n and s.startswith("random")}
              for n in seeds]  # fmt: skip
    names = {s: {m: rows for (t, _, m), rows in done.items() if t == s}
             for s in ("atlas", "atlas twin") if size.atlas}  # fmt: skip
    return worlds, names


def judge(
    worlds: Sequence[Mapping[str, Rows]],
    around: Mapping[str, Mapping[str, Rows]],
    settings: Mapping[str, Any],
) -> Finding:
    """Claims, numbers, tables and the figure."""
    methods = list(worlds[0])
    right = {m: _pool(worlds, m, "right") for m in methods}

    def gain(over: str, what: str = "ksl") -> Interval | None:
        if what not in right or over not in right:
            return None
        return paired_bootstrap(right[what], right[over], bounds=(-1, 1))

    gains = {m: gain(m) for m in methods if m != "ksl"}
    names, difference = _names(around)
    claims = (
        _claim(0, {m: gains.get(m) for m in ("closed book", "flat facts")}),
        _claim(1, {m: gains.get(m) for m in ("random", "greedy")}),
        _claim(2, {"gain with invented names minus gain with real ones": difference}),
        _claim(3, {"ksl, permuted graph": gains.get("ksl, permuted graph")}),
    )
    numbers = {f"accuracy, {m}": _number(r) for m, r in right.items()}
    numbers |= {f"accuracy, {k}": n for k, n in names.items()}
    numbers |= {
        f"accuracy, ksl minus {m}": Number(g.value, g.low, g.high, g.n)
        for m, g in gains.items() if g is not None
    }  # fmt: skip
    table = [_line(m, worlds) for m in methods]
    by_hops = [
        {"method": m, **{f"{h} hops": _share(worlds, m, h) for h in (1, 2, 3)}} for m in methods
    ]
    tables = {"Four choices over invented universes": table, "Accuracy by hops": by_hops}
    return Finding(
        "knowledge-solver", numbers, claims, tables, _figure(by_hops), settings, notes=NOTES
    )


def _names(
    around: Mapping[str, Mapping[str, Rows]],
) -> tuple[dict[str, Number], Interval | None]:
    if not around:
        return {}, None
    right = {
        (s, m): np.array([r["right"] for r in rows]) for s, by in around.items()
        for m, rows in by.items()
    }  # fmt: skip
    numbers = {f"{m}, {s}": _number(x) for (s, m), x in right.items()}
    gains = [right[s, "ksl"] - right[s, "closed book"] for s in ("atlas twin", "atlas")]
    return numbers, paired_bootstrap(*gains, bounds=(-2, 2))


def _claim(number: int, gains: Mapping[str, Interval | None]) -> Claim:
    known = {m: g for m, g in gains.items() if g is not None}
    if len(known) < len(gains):
        return Claim(CLAIMS[number], False, "no model was asked")
    holds = all(g.low is not None and g.low > 0 for g in known.values())
    return Claim(CLAIMS[number], holds, "; ".join(f"{m} {g.signed}" for m, g in known.items()))


def _line(method: str, worlds: Sequence[Mapping[str, Rows]]) -> dict[str, Any]:
    row: dict[str, Any] = {"method": method}
    for what in ("right", "reached", "own way", "calls", "tokens"):
        row[what] = float(_pool(worlds, method, what).mean())
    row["right, even candidates"] = _mean(
        [r["right"] for w in worlds for r in w[method] if r["even"]]
    )
    return row


def _share(worlds: Sequence[Mapping[str, Rows]], method: str, hops: int) -> float | None:
    return _mean([r["right"] for w in worlds for r in w[method] if r["hops"] == hops])


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _pool(worlds: Sequence[Mapping[str, Rows]], method: str, what: str) -> np.ndarray:
    return np.array([r[what] for w in worlds for r in w[method]], dtype=float)


def _number(values: np.ndarray) -> Number:
    return bootstrap_mean(values, bounds=(0, 1)).number


def _figure(by_hops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Accuracy by method and number of hops; chance is a quarter."""
    values = [
        {"method": r["method"], "hops": h, "accuracy": r[f"{h} hops"]}
        for r in by_hops for h in (1, 2, 3)
    ]  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "hops", "type": "ordinal"},
            "y": {"field": "accuracy", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "color": {"field": "method", "type": "nominal", "sort": None},
        },
    }
