"""Verbatim memory (paper 52): what of a list does a model still have, read off its surprisal?

Part A points the instrument at a real model, SmolLM2-135M or the one that SCRUBJAY_STUDY_MODEL
names: list lengths, kinds, distances, permuted queries and keys, and the heads that look back.
Part B trains small readers (one, two and four layers of attention; an LSTM of as many weights) on
texts that repeat, and asks which of them can keep an order at all (see ``_stage``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.probing.intervals import shown
from scrubjay.probing.open import load_open
from scrubjay.probing.verbatim import VerbatimMemory
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import one_thread, run_parallel
from scrubjay.studies.study import Scale, study
from scrubjay.studies.verbatim_memory_stage import SIZES, Job, train_reader

CLAIMS = (
    "the real model remembers order and identity: a repeated list is at least 10 points below a "
    "permuted one, and that below a novel one (lower ends of the intervals above 10 and 0)",
    "distance hardly matters: a doubling of the distance costs at most 5 points",
    "memory is in the attention: with queries and keys permuted a repeated list stays above 95, "
    "and taking out the heads that look back costs more than taking out as many others (intervals "
    "apart)",
    "order takes two layers: permuted minus repeated grows from one layer to two and does not "
    "shrink from there by more than 5 points, in the mean over seeds",
    "a recurrent reader with as many weights keeps less than half of the order that the two-layer "
    "transformer keeps, in the mean over seeds",
)
GAP, FLAT, NONE, SHRINK = 10.0, 5.0, 95.0, 5.0
ORDER, IDENTITY = "order: permute minus repeat", "identity: novel minus permute"
NOTES = (
    "SmolLM2 is instruction-tuned; texts are raw, without a chat template. Nouns, prefaces and "
    "texts are our own; the paper's are not copied.",
    "Part B is our own scale: 850 words, 0.1 to 0.3 million weights, texts made of lists; the "
    "paper trains on 40 million tokens of Wikipedia. These readers learned that lists come again "
    "seven times in ten, so a novel list surprises them *more* than a first one: compare "
    "conditions, not levels with 100.",
    "One layer can learn that some noun of the first list comes, but not which.",
)


@study("verbatim-memory", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Measure the real model, train and measure the readers, and judge."""
    size = SIZES[scale]
    jobs = [Job(size, r, seed + i, out) for i in range(size.seeds) for r in size.readers]
    real: dict[str, Any] | None = None
    spec = os.environ.get("SCRUBJAY_STUDY_MODEL", size.model) if size.model else None
    if spec:
        with one_thread():
            progress("the real model", 0, 1)
            real = kept(out / "real.json", lambda: _real(spec, scale, seed))
            progress("the real model", 1, 1)
    total = len(jobs) * size.steps
    workers = 1 if scale == "smoke" else None
    run_parallel(train_reader, jobs, lambda n: progress("readers", n, total), workers=workers)
    readers = {
        name: [kept(j.path, dict) for j in jobs if j.reader == name] for name in size.readers
    }
    found = judge(real, readers)
    return replace(found, settings={"size": asdict(size), "model": spec}, notes=NOTES)


def _real(spec: str, scale: str, seed: int) -> dict[str, Any]:
    size = SIZES[scale]
    look = VerbatimMemory(
        nouns=size.nouns, words=size.words, count=size.count, heads=size.heads, seed=seed
    )
    return look.measure(load_open(spec)).to_dict()


def judge(
    real: Mapping[str, Any] | None, readers: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Finding:
    """Claims, numbers, tables and the figure."""
    numbers: dict[str, Number] = {}
    tables: dict[str, list[dict[str, Any]]] = {}
    claims: list[Claim] = []
    figure = None
    if real is not None:
        found = Finding.from_dict(real)
        numbers |= found.numbers
        tables |= found.tables
        figure = found.figure
        claims += _real_claims(found.numbers)
    order = {name: _means(runs, ORDER) for name, runs in readers.items()}
    tables["Small readers"] = [_row(name, runs) for name, runs in readers.items()]
    numbers |= {f"{name}, {ORDER}": _spread(values) for name, values in order.items()}
    claims += _reader_claims({name: float(np.mean(v)) for name, v in order.items()})
    return Finding("verbatim-memory", numbers, tuple(claims), tables, figure)


def _real_claims(n: Mapping[str, Number]) -> list[Claim]:
    order, identity = n[ORDER], n[IDENTITY]
    slope = n.get("points per doubling of distance", Number(float("nan")))
    permuted = n["repeat surprisal, repeat, query and key weights permuted"]
    lesioned = {
        name: next((v for k, v in n.items() if k.endswith(f"{name} heads taken out")), None)
        for name in ("looking-back", "random")
    }
    back, others = lesioned["looking-back"], lesioned["random"]
    apart = back is not None and others is not None and (back.low or 0) > (others.high or 1e9)
    return [
        Claim(
            CLAIMS[0],
            (order.low or 0) > GAP and (identity.low or 0) > 0,
            f"permuted minus repeated {shown(order)}, novel minus permuted {shown(identity)}",
        ),
        Claim(CLAIMS[1], slope.value <= FLAT, f"{shown(slope)} points per doubling"),
        Claim(
            CLAIMS[2],
            permuted.value > NONE and apart,
            f"permuted queries and keys {shown(permuted)}; without the heads that look back "
            f"{shown(back) if back else '–'}, without others {shown(others) if others else '–'}",
        ),
    ]


def _reader_claims(order: Mapping[str, float]) -> list[Claim]:
    told = "; ".join(f"{name} {value:.1f}" for name, value in order.items())
    one, two, four, lstm = (order.get(k) for k in ("1 layer", "2 layers", "4 layers", "LSTM"))
    deeper = (
        one is not None
        and two is not None
        and two > one + GAP
        and (four is None or four > two - SHRINK)
    )
    less = lstm is not None and two is not None and lstm < two / 2
    return [Claim(CLAIMS[3], deeper, told), Claim(CLAIMS[4], less, told)]


def _means(runs: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [float(run["numbers"][key]["value"]) for run in runs]


def _spread(values: Sequence[float]) -> Number:
    """Mean over seeds, with the lowest and highest as its ends."""
    return Number(float(np.mean(values)), min(values), max(values), len(values))


def _row(name: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lesioned = "repeat surprisal, repeat, query and key weights permuted"
    row: dict[str, Any] = {"reader": name, "weights": runs[0]["weights"], "seeds": len(runs)}
    for condition in ("repeat", "permute", "novel"):
        row[condition] = float(np.mean(_means(runs, f"repeat surprisal, {condition}")))
    row["order"] = float(np.mean(_means(runs, ORDER)))
    has = lesioned in runs[0]["numbers"]
    row["permuted queries and keys"] = float(np.mean(_means(runs, lesioned))) if has else None
    return row
