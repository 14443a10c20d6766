"""DRAGIN (paper 41): does it pay to look things up just when, and for just what, a model needs?

A tiny model knows half of the facts it writes about (``_stage``); ten methods write the same
biographies with the same passages to be found (``_measure``); only when they search and what for
differs. Thresholds are chosen on other people than those who are judged. ``full`` is the sheet's
own size; the paper's own data and models need a GPU: the agents ``dragin``, ``flare``,
``fixed-length`` and ``fixed-sentence`` run on any Hugging Face id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding
from scrubjay.core.progress import Progress
from scrubjay.core.randomness import numpy_stream
from scrubjay.evaluation.statistics import Interval, auroc, bootstrap_mean, paired_bootstrap
from scrubjay.studies.dragin_measure import FIXED, FORMERS, SWEPT, measure_seed, nearest, runs
from scrubjay.studies.dragin_stage import SIZES, Job, Size
from scrubjay.studies.parallel import run_parallel
from scrubjay.studies.study import Scale, study

CLAIMS = (
    "at equal searches per biography, DRAGIN states more facts right than FLARE, fixed-sentence, "
    "fixed-length and random triggering (each interval above 0)",
    "S_RIND tells a fact that is not in the weights from one that is better than entropy and than "
    "1 - p (AUROC more than 0.01 higher)",
    "with RIND's timing, QFS finds the passage at rank 3 or better more often than the last "
    "sentence, the last 25 tokens and the full context",
)
TARGET = 3.0
"""Searches per biography at which swept methods are compared: as many facts are held out."""
BASELINES = ("flare", "flare, mean", "fixed-sentence", "fixed-length", "random")
MARGIN = 0.01
DRAWS = 1000
NOTES = (
    "Sizes are below the sheet's (120 people, 3 layers of width 128, two seeds). The tokenizer has "
    "whole words, so RIND's sub-word rules are not put to use here; the tests do that on SmolLM2.",
    "A fixed clock can't be tuned: DRAGIN's threshold is chosen to search as often as the clock "
    "does, as far as it can; a biography has six sentences and DRAGIN at most one search each.",
    "The model is trained to be unsure of held-out facts, so entropy alone can come close to a "
    "perfect detector, which leaves RIND little to add: read its AUROC beside that of entropy.",
    "QFS sees the flagged sentence up to the doubtful word; the other queries stop before it, as "
    "in the paper. 'Released' variants normalise as the authors' program does.",
    "Queries of the 'random' and 'entropy only' controls are QFS too: they differ in timing alone.",
    "SmolLM2 is not asked here: a plumbing check is part of the tests and of `make bench`.",
)


@study("dragin", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Train and measure every seed (one process each), and judge."""
    size = SIZES[scale]
    jobs = [Job(size, seed + i) for i in range(size.seeds)]
    each = size.steps + 20 * (len(SWEPT) * size.grid + len(FIXED))
    run_parallel(
        measure_seed,
        [(job, out) for job in jobs],
        lambda done: progress("Training and writing biographies", done, each * len(jobs)),
        workers=1 if scale == "smoke" else None,
    )
    folders = [out / f"seed-{job.seed}" for job in jobs]
    return judge(
        [runs(f) for f in folders],
        [json.loads((f / "drafts.json").read_text()) for f in folders],
        [json.loads((f / "queries.json").read_text()) for f in folders],
        size,
    )


def judge(
    seeds: Sequence[Sequence[Mapping[str, Any]]],
    drafts: Sequence[Sequence[Mapping[str, Any]]],
    queries: Sequence[Sequence[Mapping[str, Any]]],
    size: Size,
) -> Finding:
    """Claims, numbers, tables and the figure."""
    dev = size.test
    gains, compared = {}, []
    for name in BASELINES:
        theirs = [nearest(s, name, TARGET, dev) for s in seeds]
        ours = [
            nearest(s, "dragin", float(np.mean(t["searches"][:dev])), dev)
            for s, t in zip(seeds, theirs)
        ]
        gains[name] = paired_bootstrap(_right(ours, dev), _right(theirs, dev), bounds=(-1, 1))
        compared.append(_row(name, theirs, ours, gains[name], dev))
    timing, better = _timing(drafts, dev)
    found, ahead = _recall(queries)
    c1 = all(g.above_zero for g in gains.values())
    c2 = all(b.low is not None and b.value > MARGIN for b in better.values())
    c3 = all(a.above_zero for a in ahead.values())
    claims = (
        Claim(CLAIMS[0], c1, "; ".join(f"minus {n} {g.signed}" for n, g in gains.items())),
        Claim(
            CLAIMS[1],
            c2,
            "; ".join(f"minus {n} {b.signed}" for n, b in better.items()),
        ),
        Claim(CLAIMS[2], c3, "; ".join(f"minus {n} {a.signed}" for n, a in ahead.items())),
    )
    numbers = {
        **{f"accuracy, DRAGIN minus {n}": g.number for n, g in gains.items()},
        **{f"AUROC, {n}": t.number for n, t in timing.items()},
        **{f"AUROC, RIND minus {n}": b.number for n, b in better.items()},
        **{f"recall@3, {n}": f.number for n, f in found.items()},
        **{f"recall@3, QFS minus {n}": a.number for n, a in ahead.items()},
    }
    curve = _curve(seeds, dev)
    tables = {"At equal searches": compared, "Every run": curve}
    figure = _figure(curve)
    settings = {"size": asdict(size)}
    return Finding("dragin", numbers, claims, tables, figure, settings, notes=NOTES)


def _right(chosen: Sequence[Mapping[str, Any]], dev: int) -> np.ndarray:
    """Share of right values per judged biography, of all seeds."""
    return np.concatenate([np.mean(r["right"][dev:], axis=1) for r in chosen])


def _mean(chosen: Sequence[Mapping[str, Any]], what: str, dev: int) -> float:
    return float(np.mean([x for r in chosen for x in r[what][dev:]]))


def _row(
    name: str,
    theirs: Sequence[Mapping[str, Any]],
    ours: Sequence[Mapping[str, Any]],
    gain: Interval,
    dev: int,
) -> dict[str, Any]:
    return {
        "against": name,
        "searches": _mean(theirs, "searches", dev),
        "DRAGIN's searches": _mean(ours, "searches", dev),
        "accuracy": float(_right(theirs, dev).mean()),
        "DRAGIN's accuracy": float(_right(ours, dev).mean()),
        "difference": gain.signed,
        "new tokens": _mean(theirs, "tokens", dev),
        "DRAGIN's new tokens": _mean(ours, "tokens", dev),
    }


def _curve(seeds: Sequence[Sequence[Mapping[str, Any]]], dev: int) -> list[dict[str, Any]]:
    """Accuracy against searches on the judged people, one row per threshold (by its place in the
    grid, averaged over seeds)."""
    rows = []
    for method in (*FIXED, *SWEPT):
        mine = [
            sorted((r for r in s if r["method"] == method), key=lambda r: r["theta"]) for s in seeds
        ]
        for group in zip(*mine):
            rows.append(
                {
                    "method": method,
                    "threshold": float(np.mean([r["theta"] for r in group])),
                    "searches": _mean(group, "searches", dev),
                    "accuracy": float(_right(group, dev).mean()),
                    "new tokens": _mean(group, "tokens", dev),
                    "tokens read": _mean(group, "read", dev),
                }
            )
    return rows


def _timing(
    drafts: Sequence[Sequence[Mapping[str, Any]]], dev: int
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """AUROC of each score for 'not in the weights', and RIND's lead; people are resampled."""
    names = {"dragin": "RIND", "dragin, released": "RIND, released", "entropy only": "entropy"}
    names["flare"] = "1 - p"
    people = [d["words"] for s in drafts for d in s[dev:]]
    rng = numpy_stream(0, "timing")
    draws: dict[str, list[float]] = {name: [] for name in names}
    whole = {name: _area(people, name) for name in names}
    for _ in range(DRAWS):
        some = [people[i] for i in rng.integers(0, len(people), len(people))]
        for name in names:
            draws[name].append(_area(some, name))
    found = {names[n]: _interval(whole[n], draws[n], len(people)) for n in names}
    lead = {
        names[n]: _interval(
            whole["dragin"] - whole[n], np.subtract(draws["dragin"], draws[n]), len(people)
        )
        for n in ("entropy only", "flare")
    }
    return found, lead


def _area(people: Sequence[Sequence[Mapping[str, Any]]], name: str) -> float:
    words = [w for person in people for w in person]
    area = auroc([w[name] for w in words], [w["unknown"] for w in words])
    return 0.5 if area is None else area


def _interval(value: float, draws: Any, n: int) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(value, float(low), float(high), n)


def _recall(
    queries: Sequence[Sequence[Mapping[str, Any]]],
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Recall@3 of each query over people with a flag, and QFS's lead over the baselines."""
    people: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for i, rows in enumerate(queries):
        for row in rows:
            people.setdefault((i, row["person"]), []).append(row)
    if not people:
        return {}, {"(no flags)": Interval(0.0, None, None, 0)}
    found = {n: np.array([np.mean([r[n] for r in p]) for p in people.values()]) for n in FORMERS}
    means = {n: bootstrap_mean(x, bounds=(0, 1)) for n, x in found.items()}
    others = ("last sentence", "last 25 tokens", "full context")
    return means, {n: paired_bootstrap(found["QFS"], found[n], bounds=(-1, 1)) for n in others}


def _figure(curve: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shown = [{k: r[k] for k in ("method", "searches", "accuracy")} for r in curve]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": shown},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "searches", "type": "quantitative", "title": "searches per biography"},
            "y": {"field": "accuracy", "type": "quantitative", "title": "share of facts right"},
            "color": {"field": "method", "type": "nominal"},
        },
        "width": 420,
        "height": 300,
    }
