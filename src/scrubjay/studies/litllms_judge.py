"""From what study 21 measured to its verdict. Intervals are paired bootstraps over papers, pooled
over the worlds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.agents.review.check import CitationCheck
from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.randomness import numpy_stream
from scrubjay.evaluation.statistics import auroc, bootstrap_mean, paired_bootstrap
from scrubjay.studies.litllms_measure import COUPLINGS
from scrubjay.worlds.literature import KINDS

CLAIMS = (
    "At equal budget, keywords and embeddings together recall at least 10 % more than the better "
    "one alone.",
    "A re-ranker that quotes its evidence reaches 1.5 times the normalised recall@5 of the order "
    "in which candidates were found.",
    "Refusing invented quotes does not lower normalised recall@5 of a simulated judge.",
    "A plan in the prompt lowers missing and invented citations by at least 15 %.",
    "The check of citations ranks right ones above those with another paper, number or name "
    "(area under the curve at least 0.9 for each), in worlds it was not fitted on.",
)
HARM = 0.02
"""A gate that costs less than this is taken not to hurt."""
Measured = Mapping[str, Any]


def judge(worlds: Sequence[Measured]) -> Finding:
    """The finding of all worlds."""
    claims = [_sources(worlds), _orders(worlds), _gate(worlds), _writing(worlds)]
    support, claim = _support(worlds)
    numbers = {
        f"recall, {k}": _number(_pool(worlds, "sources", k)) for k in _keys(worlds, "sources")
    }
    for part, label in (("orders", "nrecall@5"), ("gate", "gate"), ("writing", "writing")):
        for key in _keys(worlds, part):
            numbers[f"{label}, {key}"] = _number(_pool(worlds, part, key))
    numbers |= support
    tables = {
        "Recall at the budget": _table(worlds, "sources", "source"),
        "Normalised recall@5 of the same candidates": _table(worlds, "orders", "order"),
        "Quotes refused (on) or not (off), by coupling": _table(worlds, "gate", "coupling/gate"),
        "Writing": _table(worlds, "writing", "way/measure"),
    }
    figure = _figure(worlds)
    return Finding("litllms", numbers, (*claims, claim), tables, figure)


def _sources(worlds: Sequence[Measured]) -> Claim:
    hybrid, words, near = (
        _pool(worlds, "sources", k) for k in ("hybrid, counted", "words, counted", "meaning")
    )
    better = words if words.mean() > near.mean() else near
    gain = paired_bootstrap(hybrid, better, bounds=(-1, 1))
    ratio = hybrid.mean() / better.mean() if better.mean() else 0.0
    return Claim(
        CLAIMS[0],
        bool(ratio >= 1.1 and gain.above_zero),
        f"hybrid {hybrid.mean():.3f}, words {words.mean():.3f}, embeddings {near.mean():.3f}: "
        f"ratio {ratio:.2f}, gain {gain.signed}",
    )


def _orders(worlds: Sequence[Measured]) -> Claim:
    found = _pool(worlds, "orders", "found")
    keys = [k for k in _keys(worlds, "orders") if k.startswith("debate")]
    if not keys:
        return Claim(CLAIMS[1], False, "no model was asked")
    pools = {k: _pool(worlds, "orders", k) for k in keys}
    best = max(keys, key=lambda k: pools[k].mean())
    gain = paired_bootstrap(pools[best], found, bounds=(-1, 1))
    ratio = pools[best].mean() / found.mean() if found.mean() else 0.0
    return Claim(
        CLAIMS[1],
        bool(ratio >= 1.5 and gain.above_zero),
        f"best: {best} {pools[best].mean():.3f}, found {found.mean():.3f}: ratio {ratio:.2f}, gain "
        f"{gain.signed}",
    )


def _gate(worlds: Sequence[Measured]) -> Claim:
    gains = {
        c: paired_bootstrap(
            _pool(worlds, "gate", f"{c}/on"), _pool(worlds, "gate", f"{c}/off"), bounds=(-1, 1)
        )
        for c in COUPLINGS
    }
    holds = all(g.low is not None and g.low > -HARM for g in gains.values())
    return Claim(CLAIMS[2], holds, "; ".join(f"coupling {c}: {g.signed}" for c, g in gains.items()))


def _writing(worlds: Sequence[Measured]) -> Claim:
    if "vanilla/bad" not in _keys(worlds, "writing"):
        return Claim(CLAIMS[3], False, "no model was asked")
    vanilla, plan, grounded = (
        _pool(worlds, "writing", f"{w}/bad") for w in ("vanilla", "plan", "grounded")
    )
    less = paired_bootstrap(vanilla, plan)
    share = less.value / vanilla.mean() if vanilla.mean() else 0.0
    true = {w: _pool(worlds, "writing", f"{w}/unsupported").mean() for w in ("vanilla", "plan")}
    return Claim(
        CLAIMS[3],
        bool(share >= 0.15 and less.above_zero),
        f"bad markers a text: vanilla {vanilla.mean():.2f}, plan {plan.mean():.2f} ({share:.0%} "
        f"less, {less.signed}), grounded {grounded.mean():.2f}; references without a true "
        f"sentence: vanilla {true['vanilla']:.2f}, plan {true['plan']:.2f}, grounded "
        f"{_pool(worlds, 'writing', 'grounded/unsupported').mean():.2f}",
    )


def _support(worlds: Sequence[Measured]) -> tuple[dict[str, Number], Claim]:
    """AUROC by kind: the check that ships (words alone), and one with the model's lift, fitted on
    the other worlds."""
    numbers: dict[str, Number] = {}
    kinds = [k for m in worlds for k in m["support"]["kinds"]]
    rows = [r for m in worlds for r in m["support"]["rows"]]
    check = CitationCheck()
    plain = [_score(check, r[:3]) for r in rows]
    areas: dict[str, float] = {}
    for kind in KINDS[1:]:
        area = _auroc(plain, kinds, kind)
        areas[kind] = area.value
        numbers[f"AUROC, words, {kind}"] = area
    if len(worlds) > 1 and any(len(r) == 4 for r in rows):
        scored, of = _with_lift(worlds)
        for kind in KINDS[1:]:
            numbers[f"AUROC, words and lift, {kind}"] = _auroc(scored, of, kind)
            few = [(_score(check, r[:3]), k) for r, k in zip(rows, kinds) if len(r) == 4]
            numbers[f"AUROC, words, same few, {kind}"] = _auroc(
                [s for s, _ in few], [k for _, k in few], kind
            )
    holds = all(areas[k] >= 0.9 for k in ("shuffled", "number", "name"))
    text = ", ".join(f"{k} {a:.3f}" for k, a in areas.items())
    return numbers, Claim(CLAIMS[4], holds, f"{text} (opposite: the limit, not part of the claim)")


def _with_lift(worlds: Sequence[Measured]) -> tuple[list[float], list[str]]:
    scores: list[float] = []
    of: list[str] = []
    for held in range(len(worlds)):
        train = [
            (r, k)
            for i, m in enumerate(worlds)
            for r, k in zip(m["support"]["rows"], m["support"]["kinds"])
            if i != held and len(r) == 4 and k != "opposite"
        ]
        check = CitationCheck.fit([r for r, _ in train], [k == "right" for _, k in train])
        for r, k in zip(worlds[held]["support"]["rows"], worlds[held]["support"]["kinds"]):
            if len(r) == 4:
                scores.append(_score(check, r))
                of.append(k)
    return scores, of


def _score(check: CitationCheck, row: Sequence[float]) -> float:
    """Log-odds: probabilities near 1 would tie."""
    return sum(w * x for w, x in zip(check.weights, row)) + check.bias


def _auroc(scores: Sequence[float], kinds: Sequence[str], kind: str) -> Number:
    """Right against one kind, with a bootstrap interval over sentences."""
    good = np.array([s for s, k in zip(scores, kinds) if k == "right"])
    bad = np.array([s for s, k in zip(scores, kinds) if k == kind])
    labels = [True] * len(good) + [False] * len(bad)
    value = auroc([*good, *bad], labels)
    rng = numpy_stream(0, "auroc")
    draws = [
        auroc([*rng.choice(good, good.size), *rng.choice(bad, bad.size)], labels)
        for _ in range(500)
    ]
    low, high = np.quantile(np.array(draws, dtype=float), [0.025, 0.975])
    return Number(float(value or 0.0), float(low), float(high), len(labels))


def _keys(worlds: Sequence[Measured], part: str) -> list[str]:
    return list(dict.fromkeys(k for m in worlds for k in m[part]))


def _pool(worlds: Sequence[Measured], part: str, key: str) -> np.ndarray:
    return np.concatenate([np.asarray(m[part].get(key, []), dtype=float) for m in worlds])


def _table(worlds: Sequence[Measured], part: str, name: str) -> list[dict[str, Any]]:
    rows = []
    for key in _keys(worlds, part):
        found = bootstrap_mean(_pool(worlds, part, key))
        rows.append(
            {name: key, "mean": found.value, "low": found.low, "high": found.high, "n": found.n}
        )
    return rows


def _figure(worlds: Sequence[Measured]) -> dict[str, Any]:
    """Recall by source."""
    x = {"field": "source", "type": "nominal", "sort": None, "title": None}
    y = {"type": "quantitative", "title": "recall at the budget", "scale": {"domain": [0, 1]}}
    ends = {"y": {"field": "low", **y}, "y2": {"field": "high"}}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": _table(worlds, "sources", "source")},
        "layer": [
            {"mark": "bar", "encoding": {"x": x, "y": {"field": "mean", **y}}},
            {"mark": "rule", "encoding": {"x": x, **ends}},
        ],
    }


def _number(values: np.ndarray) -> Number:
    return bootstrap_mean(values).number
