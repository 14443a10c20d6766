"""Emulated fine-tuning (paper 20): can knowledge of one size and behaviour of another be combined?

Two sizes learn one world of common and rare facts and are fine-tuned on the same lessons, which
hold a behaviour and no fact that is asked (``_stage``). All four corners of the grid are there, so
that "what up-scaling recovers" is measured against the real thing; averaging, prompting the base
and contrastive decoding answer the same questions (``_measure``). Scale ``full`` is the sheet's own
sizes; any pair of one family can be tried with ``load_model("emulate:LARGE|TUNED|BASE")``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.evaluation.statistics import Interval, bootstrap_mean, paired_bootstrap
from scrubjay.studies.emulated_fine_tuning_measure import measure_seed
from scrubjay.studies.emulated_fine_tuning_stage import SIZES, Ground, Job, train_both
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import Report, one_thread, run_parallel
from scrubjay.studies.study import Scale, study

CLAIMS = (
    "up-scaling recovers at least half of the gap in rare facts between the small and the large "
    "tuned model and loses at most 10 points of the small one's behaviour, over all seeds and in "
    "four fifths of them",
    "down-scaling does the opposite: less than half of the gap in facts, and behaviour within 10 "
    "points of the large tuned model's, over all seeds and in four fifths of them",
    "up-scaling knows more rare facts than averaging the two models and than prompting the large "
    "base with examples (both intervals above 0)",
    "drafting with the small tuned model leaves the distribution of replies as it was (chi-square "
    "against plain sampling, p above 0.01 in every seed) and saves more than 1.3 passes of the "
    "large model for one",
)
FIRST_SEED = 10
"""Seeds below belonged to a first version, see the notes."""
HALF, POINTS, SEEDS, SAVED, SURE = 0.5, 0.10, 0.8, 1.3, 0.01
MAIN = (
    "small tuned",
    "large tuned",
    "up-scaled",
    "down-scaled",
    "averaged",
    "large base, prompted",
    "contrastive, prompted",
    "large base",
    "small tuned, reads the fact",
)
NOTES = (
    "Sizes are below the sheet's (0.3 and 6 million weights, V = 2,000, 20 minutes a seed): some "
    "0.04 and 0.4 million, about 700 words, so that three seeds take minutes. Training settings "
    "were chosen on a seed that is not measured, so that the small model holds few rare facts and "
    "the large one most.",
    "The look-up behaviour is to say 'search' about what changes every day. A first version asked "
    "for 'search' about strangers: a model that is unsure of the people it was asked about then "
    "searches for those too, and format and knowledge can't be told apart.",
    "The behaviour score is the share of replies of the taught kind: 'answer' and a name of the "
    "right kind about what stays, 'search' and nothing else about what changes. It is near 1 in "
    "both tuned corners, so no ratio is reported for it.",
    "One behaviour was tuned: the sheet's frontier between two (lambda) is replaced by the weight "
    "beta of this one. `CombinedModel` takes any number of behaviours.",
    "In a first version (seeds 0 to 2) the bases had never met the format: behind 'answer' even "
    "the large one gave the true value hardly any probability, and up-scaling recovered -0.26 of "
    "the gap with a behaviour of 0.30. That judged the setting and not the method. Here an eighth "
    "of the conversations in pre-training are in the format, about people that nobody is asked "
    "about; the share was fixed in advance, and seeds begin at 10.",
    "'Reads the fact' puts the sentence in front of the question; these models were never taught "
    "to read, and it shows.",
)


@study("emulated-fine-tuning", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Train both sizes for every seed, measure, and judge."""
    size = SIZES[scale]
    numbers = [FIRST_SEED + seed + i for i in range(size.seeds)]
    jobs = [Job(size, number, which) for number in numbers for which in ("large", "small")]
    total = sum(j.shape.steps + size.tuning for j in jobs)
    workers = 1 if scale == "smoke" else None
    run_parallel(_train, jobs, lambda n: progress("training", n, total), workers=workers)

    def measured(number: int) -> Any:
        ground = Ground(size, number)
        models = {w: train_both(Job(size, number, w), lambda n: None) for w in ("small", "large")}
        return measure_seed(ground, models)

    seeds = []
    with one_thread():
        for i, number in enumerate(numbers):
            progress("measuring", i, size.seeds)
            seeds.append(kept(out / f"seed-{number}.json", partial(measured, number)))
    progress("measuring", size.seeds, size.seeds)
    return judge(seeds, {"size": asdict(size)})


def _train(job: Job, report: Report) -> None:
    train_both(job, report)


def judge(seeds: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> Finding:
    """Claims, numbers, tables and the figure; intervals resample questions of all seeds."""
    fact = {name: _pooled(seeds, name, "fact") for name in seeds[0]["scores"]}
    kind = {name: _pooled(seeds, name, "behaviour") for name in seeds[0]["scores"]}
    gap = paired_bootstrap(fact["large tuned"], fact["small tuned"], bounds=(-1, 1))
    up, down = (recovered(fact, name) for name in ("up-scaled", "down-scaled"))
    lost_up = paired_bootstrap(kind["small tuned"], kind["up-scaled"], bounds=(-1, 1))
    lost_down = paired_bootstrap(kind["large tuned"], kind["down-scaled"], bounds=(-1, 1))
    over = {
        name: paired_bootstrap(fact["up-scaled"], fact[name], bounds=(-1, 1))
        for name in ("averaged", "large base, prompted")
    }
    held = {"up": [_up(s) for s in seeds], "down": [_down(s) for s in seeds]}
    ps = [s["drafting"]["p"] for s in seeds]
    saved = [r["large passes saved"] for s in seeds for r in _block(s, 4)]
    measurable = gap.above_zero
    claims = (
        Claim(
            CLAIMS[0],
            measurable
            and up.value >= HALF
            and lost_up.value <= POINTS
            and float(np.mean(held["up"])) >= SEEDS,
            f"recovers {_ratio(up)} of a gap of {gap.signed}, loses {lost_up.signed} of behaviour; "
            f"holds in {sum(held['up'])} of {len(seeds)} seeds",
        ),
        Claim(
            CLAIMS[1],
            measurable
            and down.value < HALF
            and lost_down.value <= POINTS
            and float(np.mean(held["down"])) >= SEEDS,
            f"recovers {_ratio(down)} of the gap, is {lost_down.signed} behind in behaviour; holds "
            f"in {sum(held['down'])} of {len(seeds)} seeds",
        ),
        Claim(
            CLAIMS[2],
            all(o.above_zero for o in over.values()),
            "; ".join(f"minus {name} {o.signed}" for name, o in over.items()),
        ),
        Claim(
            CLAIMS[3],
            min(ps) > SURE and float(np.mean(saved)) > SAVED,
            f"p {', '.join(f'{p:.3f}' for p in ps)}; {np.mean(saved):.2f} plain passes for one, "
            "blocks of 4",
        ),
    )
    numbers = {
        "gap in rare facts, large minus small": gap.number,
        "share of the gap recovered, up-scaled": up,
        "share of the gap recovered, down-scaled": down,
        "behaviour lost, up-scaled": lost_up.number,
        "behaviour lost, down-scaled": lost_down.number,
        **{f"rare facts, up-scaled minus {name}": o.number for name, o in over.items()},
        **{f"rare facts, {n}": _mean(fact[n]).number for n in MAIN},
        **{f"behaviour, {n}": _mean(kind[n]).number for n in MAIN},
    }
    tables = {
        "Systems": [_row(n, fact, kind) for n in MAIN],
        "Weights and filters": [_row(n, fact, kind) for n in fact if n.startswith("up-scaled")],
        "What tuning moves (total variation)": _shifts(seeds),
        "Drafting": _drafts(seeds),
    }
    figure = _figure(tables["Systems"])
    return Finding("emulated-fine-tuning", numbers, claims, tables, figure, settings, notes=NOTES)


def recovered(fact: Mapping[str, np.ndarray], name: str, *, seed: int = 0) -> Number:
    """(combination - small) / (large - small), with a bootstrap interval over questions.

    Without an interval where the gap itself is not surely above 0.
    """
    from scrubjay.core.randomness import numpy_stream

    low, high, ours = fact["small tuned"], fact["large tuned"], fact[name]
    n = len(ours)
    gap = float((high - low).mean())
    value = float((ours - low).mean()) / gap if gap else float(ours.mean() > low.mean())
    if not paired_bootstrap(high, low).above_zero:
        return Number(value, n=n)
    rows = numpy_stream(seed, "recovered").integers(0, n, size=(2000, n))
    bottom = (high - low)[rows].mean(1)
    ratios = (ours - low)[rows].mean(1)[bottom > 0] / bottom[bottom > 0]
    low_end, high_end = np.quantile(ratios, [0.025, 0.975])
    return Number(value, float(low_end), float(high_end), n)


def _pooled(seeds: Sequence[Mapping[str, Any]], name: str, what: str) -> np.ndarray:
    """A score per question of all seeds; facts are those that are rare."""
    rows = []
    for s in seeds:
        values = np.array(s["scores"][name][what])
        rows.append(values[np.array(s["kinds"]) == "rare"] if what == "fact" else values)
    return np.concatenate(rows)


def _up(one: Mapping[str, Any]) -> bool:
    """Whether the first claim holds in one seed."""
    fact = {n: _pooled([one], n, "fact") for n in ("small tuned", "large tuned", "up-scaled")}
    kind = {n: _pooled([one], n, "behaviour").mean() for n in fact}
    share = recovered(fact, "up-scaled").value
    return bool(share >= HALF and kind["small tuned"] - kind["up-scaled"] <= POINTS)


def _down(one: Mapping[str, Any]) -> bool:
    """Whether the second claim holds in one seed."""
    fact = {n: _pooled([one], n, "fact") for n in ("small tuned", "large tuned", "down-scaled")}
    kind = {n: _pooled([one], n, "behaviour").mean() for n in fact}
    share = recovered(fact, "down-scaled").value
    return bool(share < HALF and kind["large tuned"] - kind["down-scaled"] <= POINTS)


def _mean(values: np.ndarray) -> Interval:
    return bootstrap_mean(values, bounds=(0, 1))


def _ratio(number: Number) -> str:
    if number.low is None or number.high is None:
        return f"{number.value:.2f} (no interval)"
    return f"{number.value:.2f} [{number.low:.2f}, {number.high:.2f}]"


def _row(
    name: str, fact: Mapping[str, np.ndarray], kind: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    return {
        "system": name,
        "rare facts": float(fact[name].mean()),
        "share of the gap": recovered(fact, name).value,
        "behaviour": float(kind[name].mean()),
    }


def _shifts(seeds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    kinds = list(dict.fromkeys(k.split(", ")[1] for k in seeds[0]["shift"]))
    return [
        {
            "tokens": kind,
            **{
                size: float(np.mean([s["shift"][f"{size}, {kind}"] for s in seeds]))
                for size in ("small", "large")
            },
        }
        for kind in kinds
    ]


def _block(one: Mapping[str, Any], block: int) -> list[Mapping[str, Any]]:
    return [r for r in one["drafting"]["rows"] if r["block"] == block]


def _drafts(seeds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            key: float(np.mean([r[key] for s in seeds for r in _block(s, block)]))
            for key in ("block", "accepted", "large passes saved")
        }
        for block in sorted({r["block"] for r in seeds[0]["drafting"]["rows"]})
    ]


def _figure(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": list(rows)},
        "mark": {"type": "point", "filled": True, "size": 90},
        "encoding": {
            "x": {"field": "rare facts", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "y": {"field": "behaviour", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "color": {"field": "system", "type": "nominal"},
        },
    }
