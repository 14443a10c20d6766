"""Concept depth (paper 49): do harder concepts become readable deeper in a model?

Four generated concepts, from one that a word gives away to one that takes two facts or a count, in
SmolLM2-135M or the model that SCRUBJAY_STUDY_MODEL names: probes at every second layer, of the
model as it is, with noise before the text, with coarser weights, and with fresh weights. Scale
``full`` has the sheet's sizes and is meant for larger models; smoke uses a random one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.probing.concept_depth import ConceptDepth
from scrubjay.probing.intervals import shown
from scrubjay.probing.open import OpenModel, load_open
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import one_thread
from scrubjay.studies.study import Scale, study

CLAIMS = (
    "what a word says is readable before a fact, and a fact before what takes two facts or a count "
    "(depth95 rises in this order; the intervals of the first and the last don't overlap; all are "
    "readable, their peaks above those of random labels)",
    "noise before the text and weights of 8 bits and fewer never make a concept readable earlier, "
    "and make it readable later for at least half of the concepts",
    "depth is knowledge: with fresh weights, and at the embedding, no concept reaches 95 % of its "
    "peak above chance",
)
ORDER = ("lexical", "fact", "two-hop", "parity")
AS_IT_IS = "as it is"
NOTES = (
    "Generated sets in place of the paper's nine; 200 texts a concept instead of 500 to 6,000, so "
    "an accuracy has a standard error of some 3 points, and depths are compared by intervals.",
    "The instruction stands last, so every prompt of a set ends in the same tokens and the "
    "embedding layer is at chance by construction; with the text last, depth would measure "
    "something else.",
    "A concept that is not readable has no depth: its depth95 is the place of a maximum of noise. "
    "Compare its peak with that of random labels.",
    "Groups (cities, adjectives) are never split: a city's true and false statement stand "
    "together.",
)


@dataclass(frozen=True, slots=True)
class Size:
    """Everything about scale."""

    model: str | None = "smollm2-135m"
    """``None``: a small random one."""
    items: int = 200
    every: int = 2
    bits: tuple[int, ...] = (8, 4)
    splits: int = 3


SIZES: dict[str, Size] = {
    "smoke": Size(None, 60, 2, (4,), 1),
    "laptop": Size(),
    "full": Size(items=800, every=1, bits=(8, 4, 3)),
}


@study("concept-depth", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Measure every concept in every condition, and judge."""
    size = SIZES[scale]
    spec = os.environ.get("SCRUBJAY_STUDY_MODEL", size.model) if size.model else None
    found: list[Finding] = []
    model: OpenModel | None = None

    def measured(concept: str) -> dict[str, Any]:
        nonlocal model
        model = model or (load_open(spec) if spec else _random_model(seed))
        look = ConceptDepth(
            (concept,),
            items=size.items,
            every=size.every,
            noise=True,
            bits=size.bits,
            splits=size.splits,
            seed=seed,
        )
        tell = partial(_told, progress, concept)
        return look.measure(model, progress=tell).to_dict()

    with one_thread():
        for concept in ORDER:
            kept_at = out / f"{concept}.json"
            found.append(Finding.from_dict(kept(kept_at, partial(measured, concept))))
    return replace(judge(found), settings={"size": asdict(size), "model": spec}, notes=NOTES)


def _told(progress: Progress, concept: str, what: str, done: int, total: int) -> None:
    progress(concept, done, total)


def judge(found: Sequence[Finding]) -> Finding:
    """Claims, numbers, tables and the figure from one finding per concept."""
    n: dict[str, Number] = {}
    tables: dict[str, list[dict[str, Any]]] = {"Depths": [], "Curves": []}
    for one in found:
        n |= one.numbers
        for name, rows in one.tables.items():
            tables[name] += rows
    figure = dict(found[0].figure or {})
    figure["data"] = {"values": tables["Curves"]}
    claims = (_ordered(n), _deeper(tables["Depths"]), _learned(tables["Depths"]))
    # The curves are in the figure.
    return Finding("concept-depth", n, claims, {"Depths": tables["Depths"]}, figure)


def _ordered(n: Mapping[str, Number]) -> Claim:
    depth = {c: n[f"{c}, depth95, {AS_IT_IS}"] for c in ORDER}
    readable = {
        c: (n[f"{c}, peak, {AS_IT_IS}"].low or 0) > n[f"{c}, random labels, best layer"].value
        for c in ORDER
    }
    last = max(ORDER[2:], key=lambda c: depth[c].value)
    rises = depth["lexical"].value < depth["fact"].value < depth[last].value
    apart = (depth["lexical"].high or 1) < (depth[last].low or 0)
    told = "; ".join(
        f"{c} {shown(depth[c])}{'' if readable[c] else ' (not readable)'}" for c in ORDER
    )
    return Claim(CLAIMS[0], rises and apart and all(readable.values()), told)


def _deeper(rows: Sequence[Mapping[str, Any]]) -> Claim:
    depth = {(r["concept"], r["condition"]): r["depth95"] for r in rows}
    harmed = {c for _, c in depth if c == "noise" or c.endswith("bits")}
    changes: dict[str, list[float]] = {}
    for (concept, condition), value in depth.items():
        before = depth[concept, AS_IT_IS]
        if condition in harmed and value is not None and before is not None:
            changes.setdefault(concept, []).append(value - before)
    every = [v for vs in changes.values() for v in vs]
    later = sum(any(v > 0 for v in vs) for vs in changes.values())
    never = bool(every) and min(every) >= 0
    told = "; ".join(
        f"{c} {', '.join(f'{v:+.2f}' for v in vs)}" for c, vs in changes.items()
    )  # fmt: skip
    holds = never and later >= len(changes) / 2
    return Claim(CLAIMS[1], holds, f"changes of depth95 ({', '.join(sorted(harmed))}): {told}")


def _learned(rows: Sequence[Mapping[str, Any]]) -> Claim:
    by = {(r["concept"], r["condition"]): r for r in rows}
    told, holds = [], True
    for concept in ORDER:
        trained, fresh = by[concept, AS_IT_IS], by[concept, "fresh weights"]
        need = 0.5 + 0.95 * (trained["peak"] - 0.5)
        holds = holds and fresh["peak"] < need and trained["embedding"] < need
        told.append(
            f"{concept} {trained['peak']:.2f}, fresh {fresh['peak']:.2f}, embedding "
            f"{trained['embedding']:.2f}"
        )
    return Claim(CLAIMS[2], holds, "; ".join(told))


def _random_model(seed: int) -> OpenModel:
    """Something small with the right parts, for the plumbing."""
    from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
    from scrubjay.worlds.concepts import CONCEPTS

    texts = [p for make in CONCEPTS.values() for p in make(60, seed).prompts]
    tokenizer = train_tokenizer(texts, 500)
    spec = TinySpec(len(tokenizer), 32, 4, 2, 64, context=256, seed=seed)
    return OpenModel(build_tiny(spec).train(False), tokenizer)
