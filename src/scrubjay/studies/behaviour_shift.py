"""Behaviour shift (paper 42): how does instruction tuning change what a model attends to and knows?

A tiny model learns a language and is then taught six invented verbs (``_stage``); importance of the
instruction, relations of heads and concepts of feed-forward layers are compared before and after,
beside a tuning on the same prompts with others' replies (``_measure``). Scale ``full`` is larger;
the instruments take any pair of models with one tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.core.randomness import numpy_stream
from scrubjay.evaluation.statistics import Interval, bootstrap_mean, paired_bootstrap
from scrubjay.studies.behaviour_shift_measure import measure_seed
from scrubjay.studies.behaviour_shift_stage import SIZES, Size
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import Report, run_parallel
from scrubjay.studies.study import Scale, study
from scrubjay.worlds.instructions import OTHERS, VERBS

CLAIMS = (
    "the instruction's score is higher where the tuned model followed it than where it didn't, at "
    "one length of response, and more so than without the density (interval above 0)",
    "it is higher after tuning than before, on the same prompts and the same responses, and higher "
    "than after tuning on shuffled replies (both intervals above 0)",
    "heads' relations of the taught verbs grow more than those of the other verbs (interval above "
    "0)",
    "labels of feed-forward concepts move less than kinds of related words",
)
FEWEST = 5
NOTES = (
    "Replies have three tokens in every model, so that no density is larger for length alone.",
    "150 steps of tuning leave prompts that aren't followed. A first run with 500 steps followed "
    "all of them, so that the first claim could not be judged; there the score fell after tuning "
    "(0.27 to 0.19, minus base -0.085), and the taught verbs lost relations (-57).",
    "The base copies the list whatever the verb, and so follows the one verb that copies.",
    "Words belong together by PPMI in the base corpus, with the threshold at the mean of cosines "
    "(38 words are too few for 1.96 standard deviations).",
    "Embeddings are tied: input and output tables are the same.",
    "Not run: LLaMA and Vicuna, LIMA and MT-Bench prompts, positions in long prompts, SmolLM2.",
)
Part = Mapping[str, Any]


@study("behaviour-shift", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Train and measure every seed, and judge."""
    size = SIZES[scale]
    jobs = [(size, seed + i, out) for i in range(size.seeds)]
    workers = 1 if scale == "smoke" else None
    run_parallel(_job, jobs, lambda n: progress("seeds", n, len(jobs)), workers=workers)
    parts = [kept(_path(out, s), lambda: None) for _, s, _ in jobs]
    return judge(parts, {"size": asdict(size)})


def _path(out: Path, seed: int) -> Path:
    return out / f"seed-{seed}.json"


def _job(job: tuple[Size, int, Path], report: Report) -> None:
    size, seed, out = job
    kept(_path(out, seed), lambda: measure_seed(size, seed))
    report(1)


def judge(parts: Sequence[Part], settings: Mapping[str, Any]) -> Finding:
    """Claims, numbers and tables; intervals resample prompts, or verbs, of all seeds."""
    followed, raw = (_by_followed(parts, key) for key in ("own", "own raw"))
    tuned = _paired(parts, "tuned", "base", "common")
    over = _paired(parts, "tuned", "shuffled", "common")
    gains = {name: _gains(parts, name) for name in ("tuned", "shuffled")}
    moved = {kind: float(np.mean([_moved(p[kind]) for p in parts])) for kind in ("relations", "concepts")}  # fmt: skip  # noqa: E501
    claims = (
        Claim(
            CLAIMS[0],
            followed is not None
            and raw is not None
            and followed.above_zero
            and followed.value > raw.value,
            "too few were not followed" if followed is None or raw is None
            else f"density {followed.signed}, without {raw.signed}",
        ),
        Claim(
            CLAIMS[1],
            tuned.above_zero and over.above_zero,
            f"tuned minus base {tuned.signed}, minus shuffled {over.signed}",
        ),
        Claim(
            CLAIMS[2],
            gains["tuned"].above_zero,
            f"taught minus other verbs, gain in relations {gains['tuned'].signed}; after shuffled "
            f"replies {gains['shuffled'].signed}",
        ),
        Claim(
            CLAIMS[3],
            moved["concepts"] < moved["relations"],
            f"total variation: concepts {moved['concepts']:.3f}, relations "
            f"{moved['relations']:.3f}",
        ),
    )  # fmt: skip
    numbers: dict[str, Number] = {
        "score, tuned minus base": tuned.number,
        "score, tuned minus shuffled": over.number,
        "gain of taught over other verbs": gains["tuned"].number,
        "gain of taught over other verbs, shuffled": gains["shuffled"].number,
        **{f"moved, {k}": Number(v, n=len(parts)) for k, v in moved.items()},
    }
    if followed is not None and raw is not None:
        numbers["score, followed minus not"] = followed.number
        numbers["score without density, followed minus not"] = raw.number
    names = list(parts[0]["scores"])
    for name in names:
        numbers[f"followed, {name}"] = _mean(parts, name, "followed", bounds=(0, 1)).number
        numbers[f"score, {name}"] = _mean(parts, name, "common").number
    keys = ("common", "common beside", "common raw", "common logprob", "first")
    tables = {
        "Models": [
            {"model": n, "followed": numbers[f"followed, {n}"].value}
            | {k: _mean(parts, n, k).value for k in keys}
            for n in names
        ],
        "Relations of verbs by layer": _layers(parts),
    }
    return Finding(
        "behaviour-shift", numbers, claims, tables, _figure(parts), settings, notes=NOTES
    )


def _values(parts: Sequence[Part], name: str, key: str) -> np.ndarray:
    return np.array([r[key] for p in parts for r in p["scores"][name] if r[key] is not None], float)


def _mean(
    parts: Sequence[Part], name: str, key: str, bounds: tuple[float, float] | None = None
) -> Interval:
    return bootstrap_mean(_values(parts, name, key), bounds=bounds)


def _paired(parts: Sequence[Part], a: str, b: str, key: str) -> Interval:
    return paired_bootstrap(_values(parts, a, key), _values(parts, b, key))


def _by_followed(parts: Sequence[Part], key: str) -> Interval | None:
    """Tuned model: followed minus not, bootstrap within each group; None with too few of one."""
    rows = [r for p in parts for r in p["scores"]["tuned"] if r[key] is not None]
    yes, no = (np.array([r[key] for r in rows if r["followed"] == f]) for f in (True, False))
    if min(len(yes), len(no)) < FEWEST:
        return None
    random = numpy_stream(0, "followed")
    draws = [
        random.choice(yes, len(yes)).mean() - random.choice(no, len(no)).mean() for _ in range(2000)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(yes.mean() - no.mean()), float(low), float(high), len(rows))


def _gains(parts: Sequence[Part], name: str) -> Interval:
    """Per seed and pair of verbs: what the taught one gained minus what the other gained."""
    found = []
    for p in parts:
        gain = {v: sum(x) - sum(p["verbs"]["base"][v]) for v, x in p["verbs"][name].items()}
        found += [gain[a] - gain[b] for a, b in zip(VERBS, OTHERS, strict=True)]
    return bootstrap_mean(found)


def _moved(kinds: Mapping[str, Mapping[str, int]]) -> float:
    """Total variation of the shares of kinds, base to tuned."""
    names = {n for k in ("base", "tuned") for n in kinds[k]}
    base, tuned = (np.array([kinds[k].get(n, 0) for n in sorted(names)], float) for k in ("base", "tuned"))  # fmt: skip  # noqa: E501
    return float(np.abs(base / max(base.sum(), 1) - tuned / max(tuned.sum(), 1)).sum() / 2)


def _layers(parts: Sequence[Part]) -> list[dict[str, Any]]:
    layers = len(next(iter(parts[0]["verbs"]["base"].values())))
    return [
        {
            "layer": n,
            **{
                f"{kind}, {model}": float(
                    np.mean([p["verbs"][model][v][n] for p in parts for v in group])
                )
                for kind, group in (("taught", VERBS), ("others", OTHERS))
                for model in ("base", "tuned", "shuffled")
            },
        }
        for n in range(layers)
    ]


def _figure(parts: Sequence[Part]) -> dict[str, Any]:
    values = [
        {"model": name, "followed": "followed" if r["followed"] else "not", "score": r["common"]}
        for p in parts for name, rows in p["scores"].items() for r in rows
    ]  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": "boxplot",
        "encoding": {
            "x": {"field": "model", "type": "nominal", "sort": None},
            "xOffset": {"field": "followed"},
            "y": {"field": "score", "type": "quantitative", "title": "instruction score"},
            "color": {"field": "followed", "type": "nominal"},
        },
    }
