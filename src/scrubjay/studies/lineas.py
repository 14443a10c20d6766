"""LinEAS (paper 19): do maps learned end to end steer better than those fitted layer by layer?

A tiny model that reviews in one tone at a time decides the claims, over several seeds: maps are
fitted on 32 + 32 unpaired texts, and what the model writes after prompts that blame is judged by
word lists. SmolLM2 and a behaviour that matters here (guessing or deferring) stand beside it with
few steps. Scale ``full`` has the paper's 1,000 steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding
from scrubjay.core.progress import Progress
from scrubjay.evaluation.statistics import Interval, bootstrap_mean, paired_bootstrap
from scrubjay.probing.open import load_open
from scrubjay.probing.steering_effect import Effect, SteeringEffect
from scrubjay.studies.kept import kept
from scrubjay.studies.lineas_stage import SIZES, SPARSITY, STRENGTHS, Size, tiny
from scrubjay.studies.parallel import Report, run_parallel
from scrubjay.studies.study import Scale, study

CLAIMS = (
    "at the same loss on neutral texts, LinEAS leaves less of the source behaviour than linear AcT "
    "(strength swept; interval over prompts of all seeds above 0)",
    "a penalty reaches at most 5 % of coordinates with at most 10 % loss of effect, in every seed",
    "the distance that is left is smaller than linear AcT's at every site, on average over seeds, "
    "and the ratio is lowest in the last third of the layers",
    "the effect is not there with shuffled labels (interval of the difference above 0)",
)
NOTES = (
    "The verdict is that of the tiny model. SmolLM2's rows are one seed with 24 steps, which "
    "hardly move it, while the closed forms at full strength on all 60 sites break it: nobody "
    "reaches the target behaviour there.",
    "Maps stand at what attention and MLP add to the stream, not at norms, for all methods alike.",
    "Behaviour is judged on greedy continuations by word lists, true by construction. Not run: a "
    "classifier as a cross-check, toxicity files, MMLU.",
    "The penalty is the smallest of 0.1, 0.5 and 2 whose support is at most 5 % (or 2), chosen by "
    "support alone, never by effect. A first grid (0.01, 0.03, 0.1) left 80 to 98 % changed.",
)
FEW, LOST = 0.05, 0.10
Row = Mapping[str, Any]


@study("lineas", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Fit and look, a part for each seed and one for SmolLM2; judge."""
    size = SIZES[scale]
    jobs: list[tuple[Size, int | None, int, Path]] = [
        (size, seed + i, seed, out) for i in range(size.seeds)
    ]
    if size.real_fit:
        jobs.insert(0, (size, None, seed, out))
    workers = 1 if scale == "smoke" else None
    run_parallel(_job, jobs, lambda n: progress("models", n, len(jobs)), workers=workers)
    parts = [kept(_path(out, s), lambda: None) for _, s, _, _ in jobs]
    real = parts.pop(0) if size.real_fit else None
    return judge(parts, real, {"size": asdict(size), "strengths": STRENGTHS, "sparsity": SPARSITY})


def _path(out: Path, seed: int | None) -> Path:
    return out / ("smollm2.json" if seed is None else f"seed-{seed}.json")


def _job(job: tuple[Size, int | None, int, Path], report: Report) -> None:
    size, number, seed, out = job
    kept(_path(out, number), lambda: _real(size, seed) if number is None else _tiny(size, number))
    report(1)


def _tiny(size: Size, seed: int) -> dict[str, Any]:
    how = SteeringEffect(
        "tone", size.texts, size.prompts, 6, size.fit, 0.1, SPARSITY, STRENGTHS, seed=seed
    )
    return _measured(how, tiny(size, seed))


def _real(size: Size, seed: int) -> dict[str, Any]:
    how = SteeringEffect(
        "guessing", size.real_texts, 16, 8, size.real_fit, sparsity=(), strengths=(1.0,), seed=seed
    )
    return _measured(how, load_open("smollm2-135m"))


def _measured(how: SteeringEffect, model: Any) -> dict[str, Any]:
    told = how.task()
    fits = how.fit(model, told)
    found = how.effects(model, told, fits)
    return {"effects": [asdict(e) for e in found], "layers": how.layers(model, told, fits)}


def judge(parts: Sequence[Row], real: Row | None, settings: Mapping[str, Any]) -> Finding:
    """Claims, numbers and tables."""
    seeds = [_effects(p) for p in parts]
    gains = [matched(e) for e in seeds]
    gain = bootstrap_mean(np.concatenate(gains), bounds=(-1, 1))
    sparse = [chosen(e) for e in seeds]
    kept_share = [_kept(e, s) for e, s in zip(seeds, sparse, strict=True)]
    ratios = np.mean([[_ratio(r) for r in p["layers"]] for p in parts], axis=0)
    third = len(ratios) // 3
    early, late = float(ratios[:third].mean()), float(ratios[-third:].mean())
    middle = float(ratios[third:-third].mean())
    shuffled = _pooled_difference(seeds, "lineas, shuffled", "lineas")
    effect = _pooled_difference(seeds, "none", "lineas")
    claims = (
        Claim(CLAIMS[0], gain.above_zero, f"linear AcT minus LinEAS {gain.signed}"),
        Claim(
            CLAIMS[1],
            all(s.share <= FEW for s in sparse) and all(k >= 1 - LOST for k in kept_share),
            "; ".join(
                f"{s.share:.1%} changed, {k:.0%} of the effect" for s, k in zip(sparse, kept_share)
            ),
        ),
        Claim(
            CLAIMS[2],
            bool((ratios < 1).all()) and late < min(early, middle),
            f"LinEAS / linear AcT: {early:.2f} early, {middle:.2f} middle, {late:.2f} late; "
            f"highest {ratios.max():.2f}",
        ),
        Claim(
            CLAIMS[3],
            shuffled.above_zero and effect.above_zero,
            f"shuffled minus real {shuffled.signed}; effect {effect.signed}",
        ),
    )
    numbers = {
        "rate, linear AcT minus LinEAS at equal loss": gain.number,
        "rate, none minus LinEAS": effect.number,
        "rate, shuffled minus LinEAS": shuffled.number,
    }
    names = [e.method for e in seeds[0] if e.strength in (0.0, 1.0)]
    for name in names:
        numbers[f"rate, {name}"] = _interval(seeds, name, "shows").number
        numbers[f"neutral nats, {name}"] = _interval(seeds, name, "neutral").number
    rows = [_row(seeds, e.method, e.strength) for e in seeds[0]]
    tables: dict[str, list[dict[str, Any]]] = {"Tiny models": rows}
    if real is not None:
        told = _effects(real)
        tables["SmolLM2"] = [_row([told], e.method, e.strength) for e in told]
    tables["Distance left by site (LinEAS / linear AcT)"] = [
        {"site": r["site"], "ratio": float(x)}
        for r, x in zip(parts[0]["layers"], ratios, strict=True)
    ]
    return Finding("lineas", numbers, claims, tables, _figure(rows), settings, notes=NOTES)


def _ratio(row: Row) -> float:
    return float(row["lineas"] / max(row["linear act"], 1e-9))


def _effects(part: Row) -> list[Effect]:
    return [Effect(**e) for e in part["effects"]]


def matched(found: Sequence[Effect]) -> np.ndarray:
    """Per prompt: what linear AcT leaves minus what LinEAS leaves, where both curves cost as much.

    The cost is the smaller of the two at full strength; each curve is read there, its lowest point
    up to it, with straight lines between strengths.
    """
    curves = [[found[0], *(e for e in found if e.method == m)] for m in ("linear act", "lineas")]
    cost = min(max(e.loss for e in c) for c in curves)
    act, ours = (_at(c, cost) for c in curves)
    return np.asarray(act - ours)


def _at(curve: Sequence[Effect], cost: float) -> np.ndarray:
    """Per prompt, at the strength with the lowest rate whose loss is at most ``cost``."""
    best = np.array(curve[0].shows)
    for a, b in pairwise(curve):
        x, y = np.array(a.shows), np.array(b.shows)
        if b.loss <= cost:
            point = y
        elif a.loss < cost:
            point = x + (cost - a.loss) / (b.loss - a.loss) * (y - x)
        else:
            continue
        best = point if point.mean() < best.mean() else best
    return best


def chosen(found: Sequence[Effect]) -> Effect:
    """The sparse fit that the rule in the notes picks."""
    sparse = [e for e in found if e.method.startswith("lineas, sparsity") and e.strength == 1]
    return next((e for e in sparse if e.share <= FEW), sparse[-1])


def _kept(found: Sequence[Effect], sparse: Effect) -> float:
    whole = found[0].rate - _of(found, "lineas").rate
    return (found[0].rate - sparse.rate) / whole if whole > 0 else 0.0


def _of(found: Sequence[Effect], method: str, strength: float | None = None) -> Effect:
    wanted = (0.0, 1.0) if strength is None else (strength,)
    return next(e for e in found if e.method == method and e.strength in wanted)


def _pooled(seeds: Sequence[Sequence[Effect]], method: str, what: str) -> np.ndarray:
    return np.concatenate([getattr(_of(s, method), what) for s in seeds])


def _pooled_difference(seeds: Sequence[Sequence[Effect]], a: str, b: str) -> Interval:
    return paired_bootstrap(_pooled(seeds, a, "shows"), _pooled(seeds, b, "shows"), bounds=(-1, 1))


def _interval(seeds: Sequence[Sequence[Effect]], method: str, what: str) -> Interval:
    bounds = (0, 1) if what == "shows" else None
    return bootstrap_mean(_pooled(seeds, method, what), bounds=bounds)


def _row(seeds: Sequence[Sequence[Effect]], method: str, strength: float) -> dict[str, Any]:
    mean = {
        k: float(np.mean([getattr(_of(s, method, strength), k) for s in seeds]))
        for k in ("rate", "loss", "fluency", "distinct", "share")
    }
    return {"method": method, "strength": strength, **mean}


def _figure(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": list(rows)},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "loss", "type": "quantitative", "scale": {"zero": False},
                  "title": "neutral texts, nats a token"},
            "y": {"field": "rate", "type": "quantitative", "title": "source behaviour"},
            "color": {"field": "method", "type": "nominal"},
            "order": {"field": "strength"},
        },
    }  # fmt: skip
