"""Paper 28: from measurements to claims, by paired intervals over the questions of all seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding
from scrubjay.core.randomness import numpy_stream
from scrubjay.evaluation.statistics import RESAMPLES, Interval, bootstrap_mean, paired_bootstrap
from scrubjay.studies.rl_hierarchical_traversal_stage import ARMS, PROMPTS

Measured = Mapping[str, Any]
CLAIMS = (
    "after equal updates, the reinforced model knows more held-out nodes than the "
    "answer-supervised one",
    "that advantage is larger on the deepest level than above it",
    "a structured prompt recovers at least half of that gap without training",
    "among questions both answer right (structured prompt), the reinforced model's paths match "
    "better",
    "the reinforced model stays closer to the start model on statements than on queries, and by "
    "more than the filler control",
    "reinforcement leaves local facts as they were: less than 0.1 nat per token either way",
)
RECOVERED, UNCHANGED = 0.5, 0.1
FEWEST = 5
"""Questions that both must answer right before their paths are compared."""


def judge(seeds: Sequence[Measured], opaque: Measured, icd: Measured | None) -> Finding:
    """Claims, numbers, tables and the figure."""
    right = {key: _pooled(seeds, key, "right") for key in seeds[0]["replies"]}
    depth = np.concatenate([m["depth"] for m in seeds])
    gain = paired_bootstrap(right["rl/plain"], right["answer/plain"], bounds=(-1, 1))
    deeper = _by_depth(right["rl/plain"] - right["answer/plain"], depth)
    recovered = _recovered(right)
    paths, both = _paths(seeds)
    asymmetry, beyond = _drifted(seeds, "closed", "per probe")
    facts = _facts(seeds, "rl")
    claims = (
        Claim(CLAIMS[0], gain.above_zero, f"RL minus answer supervision {gain.signed}"),
        Claim(CLAIMS[1], deeper.above_zero, f"deepest level minus the others {deeper.signed}"),
        Claim(
            CLAIMS[2],
            gain.above_zero and recovered.value >= RECOVERED,
            f"share of the gap recovered {recovered.signed}",
        ),
        Claim(
            CLAIMS[3],
            both >= FEWEST and paths.above_zero,
            f"difference of PMS {paths.signed} over {both} questions",
        ),
        Claim(
            CLAIMS[4],
            asymmetry.above_zero and beyond.above_zero,
            f"statements minus queries {asymmetry.signed}; more than in the filler control by "
            f"{beyond.signed}",
        ),
        Claim(CLAIMS[5], _within(facts), f"change of log p {facts.signed} nat per token"),
    )
    starting = bootstrap_mean(_flat(seeds, "pass"), bounds=(0, 1))
    vote = bootstrap_mean([x for m in seeds for x in m["vote"]["right"]], bounds=(0, 1))
    numbers = {
        "RL minus answer supervision": gain.number,
        "advantage: deepest level minus others": deeper.number,
        "gap recovered by the structured prompt": recovered.number,
        "PMS, RL minus answer supervision, both right": paths.number,
        "statements minus queries, RL": asymmetry.number,
        "statements minus queries, RL minus filler": beyond.number,
        "change of local facts by RL": facts.number,
        "start model's pass@8 on training questions": starting.number,
        "majority vote of answer-supervised samples at equal tokens": vote.number,
    }
    for other in ("trace/plain", "start/walk", "start/plain"):
        rest = paired_bootstrap(right["rl/plain"], right[other], bounds=(-1, 1))
        numbers[f"RL minus {other.replace('/', ', ')}"] = rest.number
    for kind in ("open", "wrong"):
        for raw in ("per probe", "raw per probe"):
            name = f"statements minus queries, RL, {kind} texts{', raw' * raw.startswith('raw')}"
            numbers[name] = _drifted(seeds, kind, raw)[0].number
    tables = {
        "Held-out nodes known": _accuracies(seeds, right, depth),
        "Runs that agree": _binned(seeds),
        "Similarity to the start model by layer": _layers(seeds),
        "Opaque codes": [
            {"arm": arm, "plain": float(np.mean(opaque["replies"][f"{arm}/plain"]["right"]))}
            | {"walk": float(np.mean(opaque["replies"][f"{arm}/walk"]["right"]))}
            for arm in ("start", "answer", "rl")
        ],
    }
    if icd is not None:
        tables["ICD-10-CM, prompts only"] = _asked(icd)
    return Finding("rl-hierarchical-traversal", numbers, claims, tables, _figure(seeds, right))


def _pooled(seeds: Sequence[Measured], key: str, what: str) -> np.ndarray:
    return np.concatenate([m["replies"][key][what] for m in seeds])


def _flat(seeds: Sequence[Measured], key: str) -> list[float]:
    return [x for m in seeds for x in m[key]]


def _by_depth(gain: np.ndarray, depth: np.ndarray) -> Interval:
    """Mean gain on the deepest level minus the mean above; both levels are resampled."""
    deep, rest = gain[depth == depth.max()], gain[depth < depth.max()]
    if not rest.size:
        return Interval(0.0, None, None, 0)
    rng = numpy_stream(0, "depths")
    draws = [
        rng.choice(deep, deep.size).mean() - rng.choice(rest, rest.size).mean()
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(deep.mean() - rest.mean()), float(low), float(high), gain.size)


def _recovered(right: Mapping[str, np.ndarray]) -> Interval:
    """1 − gap(structured) / gap(plain) of RL to answer supervision. Resamples without a plain gap
    have no ratio and are left out; no interval when that is more than one in twenty."""
    plain = right["rl/plain"] - right["answer/plain"]
    structured = right["rl/structured"] - right["answer/structured"]
    rng = numpy_stream(0, "recovered")
    rows = rng.integers(0, plain.size, (RESAMPLES, plain.size))
    below, above = plain[rows].mean(1), structured[rows].mean(1)
    ratios = 1 - above[below > 0] / below[below > 0]
    value = 1 - structured.mean() / plain.mean() if plain.mean() > 0 else 0.0
    if ratios.size < 0.95 * RESAMPLES:
        return Interval(float(value), None, None, plain.size)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float(value), float(low), float(high), plain.size)


def _paths(seeds: Sequence[Measured]) -> tuple[Interval, int]:
    keys = ("rl/structured", "answer/structured")
    rl, answer = (_pooled(seeds, key, "right") > 0 for key in keys)
    both = rl & answer
    if not both.any():
        return Interval(0.0, None, None, 0), 0
    a, b = (_pooled(seeds, key, "pms")[both] for key in keys)
    return paired_bootstrap(a, b, bounds=(-1, 1)), int(both.sum())


def _drifted(seeds: Sequence[Measured], kind: str, which: str) -> tuple[Interval, Interval]:
    """Statements minus queries in the RL model, and how much more that is than in filler's."""
    rl, filler = (
        np.concatenate([m["drift"][arm][kind][which] for m in seeds]) for arm in ("rl", "filler")
    )
    return bootstrap_mean(rl), paired_bootstrap(rl, filler)


def _facts(seeds: Sequence[Measured], arm: str) -> Interval:
    after, before = (np.concatenate([m["facts"][name] for m in seeds]) for name in (arm, "start"))
    return paired_bootstrap(after, before)


def _accuracies(
    seeds: Sequence[Measured], right: Mapping[str, np.ndarray], depth: np.ndarray
) -> list[dict[str, Any]]:
    rows = []
    for arm in ARMS:
        for prompt in PROMPTS:
            key = f"{arm}/{prompt}"
            levels = {f"depth {d}": float(right[key][depth == d].mean()) for d in sorted({*depth})}
            rows.append(
                {"arm": arm, "prompt": prompt, "known": float(right[key].mean()), **levels}
                | {"PMS": float(_pooled(seeds, key, "pms").mean())}
                | {"tokens": float(_pooled(seeds, key, "tokens").mean())}
                | {
                    "training questions": float(
                        np.mean([x for m in seeds for x in m["asked"][arm]])
                    )
                }
                | {"fact change": _facts(seeds, arm).value}
            )
    return rows


def _binned(seeds: Sequence[Measured]) -> list[dict[str, Any]]:
    return [
        {"arm / prompt": key} | {name: sum(m["bins"][key][name] for m in seeds) for name in bins}
        for key, bins in seeds[0]["bins"].items()
    ]


def _layers(seeds: Sequence[Measured]) -> list[dict[str, Any]]:
    rows = []
    for arm in ARMS[1:]:
        kinds = [m["drift"][arm]["closed"] for m in seeds]
        for layer in range(len(kinds[0]["queries"])):
            means = {
                name: float(np.mean([k[name][layer] for k in kinds]))
                for name in ("statements", "queries", "statements cka", "queries cka")
            }
            rows.append({"arm": arm, "layer": layer + 1, **means})
    return rows


def _asked(icd: Measured) -> list[dict[str, Any]]:
    rows = []
    for form in ("plain", "structured"):
        found = bootstrap_mean(icd[form], bounds=(0, 1))
        rows.append(
            {"model": icd["model"], "prompt": form, "right": found.value, "low": found.low}
            | {"high": found.high, "n": found.n, "tokens": icd[f"{form} tokens"]}
        )
    return rows


def _figure(seeds: Sequence[Measured], right: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Held-out nodes known, by arm, for each prompt."""
    values = []
    for arm in ARMS:
        for prompt in PROMPTS:
            found = bootstrap_mean(right[f"{arm}/{prompt}"], bounds=(0, 1))
            values.append(
                {"arm": arm, "prompt": prompt, "known": found.value}
                | {"low": found.low, "high": found.high}
            )
    x = {"field": "arm", "type": "nominal", "sort": list(ARMS), "title": None}
    offset = {"xOffset": {"field": "prompt", "sort": list(PROMPTS)}}
    color = {"color": {"field": "prompt", "type": "nominal", "sort": list(PROMPTS)}}
    y = {"type": "quantitative", "title": "held-out nodes known", "scale": {"domain": [0, 1]}}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "layer": [
            {
                "mark": "bar",
                "encoding": {"x": x, **offset, **color, "y": {"field": "known", **y}},
            },
            {
                "mark": "rule",
                "encoding": {
                    "x": x,
                    **offset,
                    "y": {"field": "low", **y},
                    "y2": {"field": "high"},
                },
            },
        ],
    }


def _within(interval: Interval) -> bool:
    return (
        interval.low is not None
        and interval.high is not None
        and interval.low > -UNCHANGED
        and interval.high < UNCHANGED
    )
