"""MechGPT (paper 10): what do questions and graphs distilled from text add to a model?

An invented world's pages are distilled (``_stage``); the same model answers closed book as it is,
tuned on the raw pages, and tuned on the distilled pairs, at equal tokens; then by chunks, and by
walking the graph that was extracted. The paper reports worked examples, no numbers: every number
here is ours. The model is SmolLM2-135M, or the one named by SCRUBJAY_STUDY_MODEL; scale ``full``
has the sheet's sizes and wants a GPU.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.agents import ClosedBook, KnowledgeSolver, OneStepRAG, Session
from scrubjay.agents.distil import gather
from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.nouns import Question
from scrubjay.core.progress import Progress
from scrubjay.core.randomness import numpy_stream
from scrubjay.evaluation.graphs import score_graph
from scrubjay.evaluation.statistics import Interval, bootstrap_mean, paired_bootstrap
from scrubjay.evaluation.text import exact_match
from scrubjay.models.types import LanguageModel
from scrubjay.studies.kept import kept_async
from scrubjay.studies.mechgpt_stage import SIZES, Size, Stage
from scrubjay.studies.study import Scale, study
from scrubjay.worlds.world import World

MODEL = "smollm2-135m"
CLAIMS = (
    "Tuned on distilled pairs, a model recalls more of the written facts, asked in other words, "
    "than it did before and than tuned on the raw pages at equal tokens (both intervals above 0).",
    "Recall stays partial: facts of which no pair was written gain less than half of what written "
    "ones gain (interval above 0).",
    "On bridge questions the extracted graph beats the tuned model closed book (interval above 0) "
    "and is no worse than chunk retrieval.",
    "A second pass lowers the share of false pairs (interval above 0).",
)
NOTES = (
    "Laptop scale: one world of 100 entities, one seed of training, all weights tuned (no LoRA). "
    "The paper's own evidence is qualitative.",
    "Triples are extracted by patterns from pages in our own templates, which the patterns read "
    "almost perfectly; a text of other shapes is in tests/agents/test_distil.py.",
    "False pairs are planted: the object of some triples becomes another name of the same page. "
    "Pairs that are false because a model asked something else are not counted.",
    "The graph is walked by scoring (paper 53), which needs little of the model; chunk retrieval "
    "asks it to read three pages and to write.",
    "Not run: dialogues between agents, hypotheses, and a 13B model.",
)
Rows = dict[str, list[float]]


@study("mechgpt", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Distil, tune, ask; from earlier attempts where there are any; and judge."""
    size = SIZES[scale]
    spec = "" if scale == "smoke" else os.environ.get("SCRUBJAY_STUDY_MODEL", MODEL)
    parts = asyncio.run(_parts(size, spec, out, seed, progress))
    return judge(parts, {"size": asdict(size), "model": spec or None})


async def _parts(size: Size, spec: str, out: Path, seed: int, progress: Progress) -> dict[str, Any]:
    """Graph scores, pairs, and every way's answers; a file each."""
    stage = await Stage.make(size, seed)
    score = score_graph(stage.triples, stage.world)
    parts: dict[str, Any] = {
        "graph": {
            level: [m.precision, m.recall, m.f1]
            for level in ("nodes", "edges", "claims") for m in [getattr(score, level)]
        }
    }  # fmt: skip
    if not spec:
        return parts
    parts["pairs"] = await kept_async(
        out / "pairs.json", lambda: _pairs(stage, spec, seed, progress)
    )
    folders = _tuned(stage, size, spec, parts["pairs"]["questions"], out, progress)
    for at, (way, model) in enumerate(folders.items()):
        progress("asking", at, len(folders) + 1)
        parts[way] = await kept_async(out / f"{way}.json", lambda m=model: _closed(stage, m))  # type: ignore[misc]
    progress("asking", len(folders), len(folders) + 1)
    parts["read"] = await kept_async(out / "read.json", lambda: _reading(stage, spec, out, seed))
    return parts


async def _pairs(stage: Stage, spec: str, seed: int, progress: Progress) -> dict[str, Any]:
    """The written facts' questions, and what two passes make of spoilt triples."""
    from scrubjay.models import load_model

    model = load_model(spec)
    triples = stage.triples_of(stage.written)
    try:
        progress("distilling", 0, 2)
        pairs = await asyncio.gather(*(stage.pair(t, model, 2) for t in triples))
        progress("distilling", 1, 2)
        spoilt = [t for t in stage.spoilt(triples, seed) if t[1]]
        checked = await asyncio.gather(*(stage.pair(t, model, 2) for t, _ in spoilt))
        progress("distilling", 2, 2)
    finally:
        await model.close()
    where = {id(t): p for t, p in zip(triples, pairs)}
    is_spoilt = {(t.subject, t.relation) for t, _ in spoilt}
    sound = [where[id(t)] for t in triples if (t.subject, t.relation) not in is_spoilt]
    return {
        "questions": [[p.question, p.answer] for p in pairs],
        "by": [p.by for p in pairs],
        "false, accepted": [float(p.accepted) for p in checked],
        "true, accepted": [float(p.accepted) for p in sound],
    }


def _tuned(
    stage: Stage, size: Size, spec: str, pairs: Sequence[Sequence[str]], out: Path,
    progress: Progress,
) -> dict[str, str]:  # fmt: skip
    """The ways to answer closed book, and the model of each; equal tokens of training."""
    from scrubjay.models.weights import load_weights
    from scrubjay.training import Adaptation, adapt_model
    from scrubjay.training.adapt import windows
    from scrubjay.training.pairs import count_tokens, tune_on_pairs

    tokenizer = load_weights(spec).tokenizer
    told = [(q, a) for q, a in pairs]
    subjects = dict.fromkeys(f.subject for f in (*stage.written, *stage.held))
    texts = [stage.world.pages[s].text for s in subjects]
    raw, qa = out / "raw-model", out / "pairs-model"

    def heard(what: str) -> Callable[[int, int, float], None]:
        return lambda done, steps, loss: progress(f"tuning on {what}", done, steps)

    def how(tokens: int) -> Adaptation:
        return Adaptation(epochs=size.tokens / tokens, rate=1e-4, batch=8, half=True)

    if not raw.exists():
        per = sum(map(len, windows(tokenizer, texts, 256)))
        adapt_model(spec, texts, raw, how(per), look=heard("raw pages"))
    if not qa.exists():
        tune_on_pairs(spec, told, qa, how(count_tokens(tokenizer, told)), look=heard("pairs"))
    return {"base": spec, "raw": str(raw), "pairs tuned": str(qa)}


async def _closed(stage: Stage, spec: str) -> Rows:
    """Closed book: written, held-out and bridge questions."""
    from scrubjay.models import load_model

    model = load_model(spec)
    try:
        return {
            "written": await _right(ClosedBook(), stage.asked(stage.written), model),
            "held out": await _right(ClosedBook(), stage.asked(stage.held), model),
            "bridges": await _right(ClosedBook(), stage.bridges, model),
        }
    finally:
        await model.close()


async def _reading(stage: Stage, spec: str, out: Path, seed: int) -> Rows:
    """Bridges by chunks, by the extracted graph and by the true one."""
    from scrubjay.models import load_model
    from scrubjay.retrieval import Index, build_index

    folder = out / "pages.index"
    if not folder.exists():
        build_index(stage.passages, folder)
    model = load_model(spec)
    extracted: World = gather(stage.triples, stage.types).world
    try:
        return {
            "chunks": await _right(OneStepRAG(k=3), stage.bridges, model, Index.open(folder)),
            "graph": await _right(KnowledgeSolver(extracted, hops=3), stage.bridges, model),
            "true graph": await _right(KnowledgeSolver(stage.world, hops=3), stage.bridges, model),
        }
    finally:
        await model.close()


async def _right(
    agent: Any,
    asked: Sequence[Question],
    model: LanguageModel,
    retriever: Any = None,
) -> list[float]:
    answers = await asyncio.gather(*(agent.answer(q, Session(model, retriever)) for q in asked))
    return [exact_match(a.text, q.answers) for a, q in zip(answers, asked)]


def judge(parts: Mapping[str, Any], settings: Mapping[str, Any]) -> Finding:
    """Claims, numbers and tables."""
    graph = [
        {"level": level, "precision": p, "recall": r, "f1": f}
        for level, (p, r, f) in parts["graph"].items()
    ]
    numbers = {
        f"extracted graph, {row['level']}, {k}": Number(float(row[k]))
        for row in graph for k in ("precision", "recall")
    }  # fmt: skip
    tables: dict[str, list[dict[str, Any]]] = {"The extracted graph": graph}
    if "read" not in parts:
        claims = tuple(Claim(c, False, "no model was asked") for c in CLAIMS)
        return Finding("mechgpt", numbers, claims, tables, None, settings, notes=NOTES)
    closed = {way: parts[way] for way in ("base", "raw", "pairs tuned")}
    read, qa = parts["read"], closed["pairs tuned"]
    for way, rows in {**closed, "reading": read}.items():
        numbers |= {f"{kind}, {way}": _number(x) for kind, x in rows.items()}
    tables["Right answers"] = [
        {"way": way, "questions": kind, "right": float(np.mean(x)), "n": len(x)}
        for way, rows in {**closed, "reading": read}.items() for kind, x in rows.items()
    ]  # fmt: skip
    gains = {w: _paired(qa["written"], closed[w]["written"]) for w in ("base", "raw")}
    gained = {k: np.array(qa[k]) - np.array(closed["base"][k]) for k in ("written", "held out")}
    half = _paired(gained["written"] / 2, gained["held out"])
    over = _paired(read["graph"], qa["bridges"])
    chunks = _paired(read["graph"], read["chunks"])
    before, after, less = false_shares(parts["pairs"])
    numbers |= {"false pairs, one pass": Number(before), "false pairs, two passes": Number(after)}
    claims = (
        Claim(CLAIMS[0], all(g.above_zero for g in gains.values()), _said(gains)),
        Claim(CLAIMS[1], half.above_zero, _said({"half of written minus held out": half})),
        Claim(
            CLAIMS[2], over.above_zero and chunks.value >= 0,
            _said({"graph minus tuned": over, "graph minus chunks": chunks}),
        ),
        Claim(CLAIMS[3], less.above_zero, f"{before:.3f} → {after:.3f}; {_said({'less': less})}"),
    )  # fmt: skip
    return Finding("mechgpt", numbers, claims, tables, _figure(tables), settings, notes=NOTES)


def false_shares(pairs: Mapping[str, Sequence[float]]) -> tuple[float, float, Interval]:
    """Share of false pairs before and after the second pass, and the fall (bootstrap)."""
    false, true = (np.array(pairs[k]) for k in ("false, accepted", "true, accepted"))
    before = len(false) / max(1, len(false) + len(true))

    def after(f: np.ndarray, t: np.ndarray) -> float:
        return float(f.sum() / max(1.0, f.sum() + t.sum()))

    rng = numpy_stream(0, "false pairs")
    draws = [before - after(rng.choice(false, false.size), rng.choice(true, true.size))
             for _ in range(1000)] if false.size and true.size else [0.0]  # fmt: skip
    low, high = np.quantile(draws, [0.025, 0.975])
    now = after(false, true)
    return before, now, Interval(before - now, float(low), float(high), false.size + true.size)


def _paired(a: Any, b: Any) -> Interval:
    n = min(len(a), len(b))
    return paired_bootstrap(a[:n], b[:n], bounds=(-1, 1))


def _number(values: Sequence[float]) -> Number:
    return bootstrap_mean(values, bounds=(0, 1)).number


def _said(intervals: Mapping[str, Interval]) -> str:
    return "; ".join(f"{k} {i.signed}" for k, i in intervals.items())


def _figure(tables: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Right answers by way and kind of question."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": tables["Right answers"]},
        "mark": "bar",
        "encoding": {
            "x": {"field": "questions", "type": "nominal", "sort": None, "title": None},
            "xOffset": {"field": "way", "sort": None},
            "y": {"field": "right", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "color": {"field": "way", "type": "nominal", "sort": None},
        },
    }
