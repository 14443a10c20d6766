"""From scores per item to the finding of SynthWorlds, part 1: gaps, baselines, claims, figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.evaluation.statistics import Interval, bootstrap_mean
from scrubjay.worlds.recall import most_frequent_answers

if TYPE_CHECKING:
    from scrubjay.studies.synthworlds_made import Job
    from scrubjay.studies.synthworlds_stage import Stage

Scores = Mapping["Job", Mapping[str, Mapping[str, Sequence[float]]]]
METRICS = ("hits@1", "MRR", "EM")
MARGIN = 0.03
"""How far twins may exceed the frequent-answer baseline (sheet, section 6)."""
LEFT = 0.25
"""Share of the gap that may be left with the gold pages; also how far the swapped gap may differ
in size from the plain one (the sheet says 'about the same'; a quarter is our choice)."""
CLAIMS = (
    "a world made known scores higher than its twins closed book, and the twins no more than 3 "
    "points above always giving the frequent answer",
    "with the gold pages, less than a quarter of that gap is left",
    "when another map is made known instead, the gap turns its sign and keeps its size (to within "
    "a quarter)",
)
"""Of single-fact recall, by hits@1 among all candidates of the answer's type."""


def judge(here: Stage, scores: Scores, reading: Sequence[Mapping[str, float]]) -> Finding:
    """Decide the claims by paired intervals over the items of all universes."""
    from scrubjay.studies.synthworlds_made import SETTINGS

    table = [
        _row(here, scores, task, setting, metric)
        for task in ("recall", "multihop")
        for setting in SETTINGS
        for metric in METRICS
    ]
    base = _gap(scores, "recall", "closed-book", "hits@1")
    gold = _gap(scores, "recall", "gold pages", "hits@1")
    found = _gap(scores, "recall", "one-step RAG", "hits@1")
    swap = bootstrap_mean(_swapped(scores, "recall", "closed-book", "hits@1"), bounds=(-1, 1))
    baselines = _baselines(here)
    twin = _mean(_values(scores, "recall", "closed-book", "hits@1", "A", "BC"))
    frequent = baselines["frequent answer"].value
    known = _mean(_values(scores, "recall", "closed-book", "EM", "A", "A"))
    holds = (
        base.low is not None and base.low > 0 and twin <= frequent + MARGIN,
        abs(gold.value) < LEFT * base.value,
        swap.high is not None
        and swap.high < 0
        and abs(base.value + swap.value) < LEFT * abs(base.value),
    )
    evidence = (
        f"KA {_text(base)}; twins {twin:.3f}, frequent answer {frequent:.3f}",
        f"KA with gold pages {_text(gold)}, closed book {_text(base)}",
        f"KA {_text(base)}, swapped {_text(swap)}",
    )
    numbers = {
        "KA closed book": _number(base),
        "KA gold pages": _number(gold),
        "KA one-step RAG": _number(found),
        "KA closed book, B made known": _number(swap),
        "known world closed book EM": Number(known),
        "twins closed book": Number(twin),
        **baselines,
        **{
            f"reader on held-out worlds, {k}": Number(_mean([r[k] for r in reading]))
            for k in reading[0]
        },
    }
    return Finding(
        "synthworlds",
        numbers,
        tuple(map(Claim, CLAIMS, holds, evidence)),
        {"gap": table, "gap by training seed": _by_seed(scores)},
        _figure(table),
        here.settings,
        notes=(
            "Sizes and schedules were chosen by reading accuracy on held-out other worlds only; "
            "the sheet's reader of 4 to 6 layers of width 256 is made smaller to fit the laptop.",
            "All maps' names are dealt out at random in the reading lessons, so none is a stranger "
            "to the tokenizer or the reader; only the map made known comes with its facts.",
            "Multi-hop questions of two and three hops; four hops, navigation and IRCoT are left "
            "to the part with a pre-trained model.",
        ),
    )


def _values(
    scores: Scores, task: str, setting: str, metric: str, made: str, maps: str
) -> np.ndarray:
    """Per item of all universes: mean over trainings and ``maps``, of models that know ``made``."""
    universes = sorted({job.universe for job in scores})
    values: np.ndarray = np.concatenate(
        [
            np.mean(
                [
                    found[f"{task}|{setting}|{name}"][metric]
                    for job, found in scores.items()
                    if (job.universe, job.map) == (universe, made)
                    for name in maps
                ],
                axis=0,
            )
            for universe in universes
        ]
    )
    return values


def _gap(scores: Scores, task: str, setting: str, metric: str) -> Interval:
    """KA = P(A) - P(B, C) of models to which A was made known."""
    real = _values(scores, task, setting, metric, "A", "A")
    twin = _values(scores, task, setting, metric, "A", "BC")
    return bootstrap_mean(real - twin, bounds=(-1, 1))


def _swapped(scores: Scores, task: str, setting: str, metric: str) -> np.ndarray:
    """P(A) - P(B) per item, of models to which B was made known."""
    real = _values(scores, task, setting, metric, "B", "A")
    twin = _values(scores, task, setting, metric, "B", "B")
    difference: np.ndarray = real - twin
    return difference


def _row(here: Stage, scores: Scores, task: str, setting: str, metric: str) -> dict[str, Any]:
    gap = _gap(scores, task, setting, metric)
    base = _gap(scores, task, "closed-book", metric)
    swap = bootstrap_mean(_swapped(scores, task, setting, metric), bounds=(-1, 1))
    return {
        "task": task,
        "setting": setting,
        "metric": metric,
        "known": _mean(_values(scores, task, setting, metric, "A", "A")),
        "twins": _mean(_values(scores, task, setting, metric, "A", "BC")),
        "gap": _round(gap.value),
        "low": _round(gap.low),
        "high": _round(gap.high),
        "reduction": _round(base.value - gap.value),
        "swapped gap": _round(swap.value),
        "n": gap.n,
    }


def _by_seed(scores: Scores) -> list[dict[str, Any]]:
    """The closed-book recall gap of every single model."""
    rows = []
    for job, found in scores.items():
        per = {m: _mean(found[f"recall|closed-book|{m}"]["hits@1"]) for m in "ABC"}
        others = [v for m, v in per.items() if m != job.map]
        rows.append(
            {
                "universe": job.universe,
                "training": job.training,
                "made known": job.map,
                **per,
                "advantage of the known map": _round(per[job.map] - sum(others) / len(others)),
            }
        )
    return rows


def _baselines(here: Stage) -> dict[str, Number]:
    """Recall hits@1 of the frequent answer, of a random answer of the right type, of the graph."""
    from scrubjay.studies.synthworlds_stage import candidates

    frequent: list[float] = []
    chance: list[float] = []
    oracle: list[float] = []
    for number, maps in enumerate(here.worlds):
        universe = maps["A"].universe
        usual = most_frequent_answers(universe)
        for item in here.items[number]["recall"]:
            frequent.append(float(usual[item.group] in item.answers))
            chance.append(len(item.answers) / len(candidates(universe, item)))
            oracle.append(float(universe.query(item.pattern) == set(item.answers)))
    named = {"frequent answer": frequent, "random answer": chance, "oracle": oracle}
    return {k: _number(bootstrap_mean(v, bounds=(0, 1))) for k, v in named.items()}


def _figure(table: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Bars of hits@1 per setting, known world beside twins."""
    rows = [
        {"setting": r["setting"], "task": r["task"], "world": w, "hits@1": r[w]}
        for r in table
        if r["metric"] == "hits@1"
        for w in ("known", "twins")
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": "A world made known: score with and without memory",
        "data": {"values": rows},
        "mark": "bar",
        "encoding": {
            "column": {"field": "task", "type": "nominal", "sort": ["recall", "multihop"]},
            "x": {"field": "setting", "type": "nominal", "sort": None, "title": None},
            "xOffset": {"field": "world"},
            "y": {"field": "hits@1", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "color": {"field": "world", "type": "nominal"},
        },
    }


def _number(interval: Interval) -> Number:
    return Number(_round(interval.value), _round(interval.low), _round(interval.high), interval.n)


def _text(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return round(float(np.mean(values)), 4)


def _round(value: float | None) -> Any:
    return None if value is None else round(value, 4) + 0.0
