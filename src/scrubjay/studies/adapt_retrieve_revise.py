"""Adapt-Retrieve-Revise (paper 56): do adapted drafts find what questions can't, and does revising
them beat both the draft and looking up by the question?

Invented statutes, cases in everyday words, a tiny drafter adapted to the statutes' corpus, and a
general reviser that never read them (``_stage``); keys and pipelines are measured by ``_measure``.
The reviser is SmolLM2-135M, or the model that SCRUBJAY_STUDY_MODEL names. ``full`` is the sheet's
number of articles and cases. The paper's own data and models need a GPU: ``scrubjay train adapt``
and the agent ``adapt-retrieve-revise`` run on any Llama-like model and any endpoint.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding
from scrubjay.core.progress import Progress
from scrubjay.evaluation.statistics import Interval, bootstrap_mean, paired_bootstrap
from scrubjay.studies.adapt_retrieve_revise_measure import (
    DEPTH,
    DRAFT,
    FULL,
    ITSELF,
    KEYS,
    MODES,
    QUERY,
    SECOND,
    load,
    measure_seed,
)
from scrubjay.studies.adapt_retrieve_revise_stage import SIZES, Job, Size, steps
from scrubjay.studies.parallel import run_parallel
from scrubjay.studies.study import Scale, study

CLAIMS = (
    "at the middle gap, the adapted draft finds the gold article more often than the query does, "
    "at every k up to 5 (each interval above 0; vector index)",
    "it is adaptation that does it: drafts of the model before adaptation find it no more often "
    "than the query, at any k up to 5",
    "draft, look up, revise cites the right article more often than the adapted draft alone and "
    "than the reviser with what the query finds (both intervals above 0)",
    "the small drafter can't revise: with evidence in front of it, it cites the right article no "
    "more often than in its draft (the interval holds 0 or lies below)",
    "a second round changes the share of right articles by at most 1 point",
)
MODEL = "smollm2-135m"
Seeds = Sequence[dict[str, Any]]
NOTES = (
    "Size of the sheet: 12 codes of 40 articles, 400 cases, 3 worlds; here 6 of 20, and fewer "
    "cases in more worlds. There are 8 everyday settings, so at most 8 codes.",
    "Terms of art are invented words, so no encoder can bridge the gap; with real legal language "
    "the query would do better and the draft's lead would be smaller.",
    "The gap, the passes over the texts and all sizes were chosen on a world of seed 100, which is "
    "not among those measured.",
    "The reviser only chooses among what was found and quotes it, so it can't invent an article; "
    "read it beside 'copy best' and 'first hit', rules without a model.",
    "The drafter's tokenizer has seen this world's words before adaptation; the weights have not.",
    "'The drafter revises' was never trained to read evidence, as in the paper, whose small model "
    "was not trained to revise either.",
)


@study("adapt-retrieve-revise", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Train and measure every seed (one process each), and judge."""
    size = SIZES[scale]
    spec = os.environ.get("SCRUBJAY_STUDY_MODEL", MODEL)
    jobs = [Job(size, seed + i) for i in range(size.seeds)]
    run_parallel(
        measure_seed,
        [(job, out, spec) for job in jobs],
        lambda done: progress("Adapting drafters", done, steps(size) * len(jobs)),
        workers=1 if scale == "smoke" else None,
    )
    found = judge([load(out, job.seed) for job in jobs], size)
    reviser = spec if size.revise else None
    settings = {"size": asdict(size), "reviser": reviser}
    return Finding(
        found.name, found.numbers, found.claims, found.tables, found.figure, settings, notes=NOTES
    )


def judge(seeds: Seeds, size: Size) -> Finding:
    """Claims, numbers, tables and the figure; where nobody revised, the three last claims fail."""
    lead = {k: _ahead(seeds, size, "adapted draft", k) for k in range(1, DEPTH + 1)}
    before = {k: _ahead(seeds, size, "general draft", k) for k in range(1, DEPTH + 1)}
    itself = _minus(seeds, ITSELF, DRAFT)
    claims = [
        Claim(CLAIMS[0], all(x.above_zero for x in lead.values()), _at_k(lead)),
        Claim(CLAIMS[1], all(x.value <= 0 for x in before.values()), _at_k(before)),
        Claim(CLAIMS[2], False, "nobody revised"),
        Claim(CLAIMS[3], not itself.above_zero, f"revised minus draft {itself.signed}"),
        Claim(CLAIMS[4], False, "nobody revised"),
    ]
    numbers = {f"recall@{k}, adapted draft minus query": x.number for k, x in lead.items()}
    numbers |= {f"recall@{k}, general draft minus query": x.number for k, x in before.items()}
    numbers |= {f"right article, {name}": _share(seeds, name).number for name in _names(seeds)}
    if FULL in seeds[0]["answers"]:
        draft, query = _minus(seeds, FULL, DRAFT), _minus(seeds, FULL, QUERY)
        second = _minus(seeds, SECOND, FULL)
        told = f"minus draft {draft.signed}; minus {QUERY} {query.signed}"
        claims[2] = Claim(CLAIMS[2], draft.above_zero and query.above_zero, told)
        claims[4] = Claim(CLAIMS[4], abs(second.value) <= 0.01, f"change {second.signed}")
        rules = ("draft, look up, copy best", "draft, look up, first hit", "draft hidden")
        gains = {name: _minus(seeds, FULL, name) for name in (DRAFT, QUERY, *rules)}
        numbers |= {f"right article, full minus {n}": x.number for n, x in gains.items()}
    keys = _key_rows(seeds)
    tables = {"Keys": keys, "Pipelines": _pipeline_rows(seeds)}
    return Finding("adapt-retrieve-revise", numbers, tuple(claims), tables, _figure(keys))


def _names(seeds: Seeds) -> list[str]:
    return list(seeds[0]["answers"])


def _hits(seeds: Seeds, gap: float, mode: str, key: str, k: int) -> np.ndarray:
    rows = [r for s in seeds for r in s["recall"]]
    ours = [r["ranks"] for r in rows if (r["gap"], r["index"], r["key"]) == (gap, mode, key)]
    return (np.concatenate(ours) < k).astype(float)


def _ahead(seeds: Seeds, size: Size, key: str, k: int) -> Interval:
    ours, theirs = (_hits(seeds, size.gap, "vector", name, k) for name in (key, "query"))
    return paired_bootstrap(ours, theirs, bounds=(-1, 1))


def _right(seeds: Seeds, name: str, what: str = "number") -> np.ndarray:
    return np.array([row[what] for s in seeds for row in s["answers"][name]])


def _share(seeds: Seeds, name: str) -> Interval:
    return bootstrap_mean(_right(seeds, name), bounds=(0, 1))


def _minus(seeds: Seeds, ours: str, theirs: str) -> Interval:
    return paired_bootstrap(_right(seeds, ours), _right(seeds, theirs), bounds=(-1, 1))


def _key_rows(seeds: Seeds) -> list[dict[str, Any]]:
    gaps = sorted({r["gap"] for r in seeds[0]["recall"]})
    return [
        {"gap": gap, "index": mode, "key": key}
        | {f"recall@{k}": float(_hits(seeds, gap, mode, key, k).mean()) for k in (1, 3, DEPTH)}
        for mode in MODES
        for gap in gaps
        for key in KEYS
    ]


def _pipeline_rows(seeds: Seeds) -> list[dict[str, Any]]:
    """Shares, and which way the right article went between the adapted draft and the answer."""
    draft, rows = _right(seeds, DRAFT), []
    for name in _names(seeds):
        right = _right(seeds, name)
        rows.append(
            {
                "pipeline": name,
                "right article": float(right.mean()),
                "right code": float(_right(seeds, name, "code").mean()),
                "cites what is not there": float(_right(seeds, name, "unsupported").mean()),
                "put right": int(((right == 1) & (draft == 0)).sum()),
                "broken": int(((right == 0) & (draft == 1)).sum()),
                "tokens": float(_right(seeds, name, "tokens").mean()),
            }
        )
    return rows


def _at_k(found: dict[int, Interval]) -> str:
    return "; ".join(f"k={k} {x.signed}" for k, x in found.items())


def _figure(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": [r for r in rows if r["index"] == "vector"]},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "gap", "type": "quantitative", "title": "told in everyday words"},
            "y": {"field": "recall@1", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "color": {"field": "key", "type": "nominal", "title": "what searches"},
        },
    }
