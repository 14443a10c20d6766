"""Paper 17: from final returns and schedules to claims, paired by level and by meta-seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.evaluation.statistics import Interval, bootstrap_mean
from scrubjay.studies.temporal_rl_discovery_views import figure, tables

Measured = Mapping[str, Any]
CLAIMS = (
    "grids, evolution: TA-LPG ends above LPG over held-out levels and all horizons: the interval "
    "of the difference is above 0, and no meta-seed's mean is below 0",
    "what TA-LPG does depends on time: in every meta-seed mean |weight| and entropy differ between "
    "n/N < .2 and n/N > .8, and |weight| differs on the same rollouts when only n/N is changed; "
    "and its schedule stretches with N",
    "meta-gradients leave it unused: over meta-seeds TA-LPG's |weight| responds less to n/N than "
    "after evolution, and it doesn't end above LPG (where LPG has learned to learn: above .2)",
    "bandits: TA-LPO ends above LPO at the horizons it was trained for, over meta-seeds",
    "bandits: TA-LPO ends above LPO at longer horizons than any in training, over meta-seeds",
    "TA-LPO's drift lets ratios go further early (n/N < .2) than late (n/N > .8), over meta-seeds",
)
LEARNED = 0.2
ES, ES_TA, MG, MG_TA = "es lpg", "es ta-lpg", "mg lpg", "mg ta-lpg"


def judge(
    baselines: Measured, rows: Sequence[Measured], seen: Sequence[int], unseen: Sequence[int]
) -> Finding:
    """Judge what the jobs measured; ``rows`` are one a search."""
    grids = [r for r in rows if "returns" in r]
    bandits = [r for r in rows if "shares" in r]
    all_n = (*seen, *unseen)
    numbers: dict[str, Number] = {}
    claims = (
        _aware_is_better(grids, seen, unseen, numbers),
        _depends_on_time(grids, seen, numbers),
        _gradients_are_flat(grids, all_n, numbers),
        *(
            _bandit_gain(bandits, text, name, horizons, numbers)
            for text, name, horizons in (
                (CLAIMS[3], "seen", seen),
                (CLAIMS[4], "unseen", unseen),
            )
        ),
        _narrows(bandits, numbers),
    )
    for arm in ("ta-lpo, log N",):
        for name, horizons in (("seen", seen), ("unseen", unseen)):
            gain = _seeds_apart(bandits, arm, "lpo", horizons)
            numbers[f"bandits, {arm} minus LPO, {name} N"] = gain.number
    for other in baselines["grids"]:
        apart = over_levels(grids, ES_TA, all_n) - np.mean(
            [other["returns"][str(n)] for n in all_n], axis=0
        )
        numbers[f"grids, TA-LPG minus {other['arm']}, all N"] = bootstrap_mean(apart).number
    for name, horizons in (("seen", seen), ("unseen", unseen)):
        best = max(baselines["bandits"], key=lambda b: _share(b, horizons))
        gain = bootstrap_mean(
            [_share(r, horizons) - _share(best, horizons) for r in bandits if r["arm"] == "ta-lpo"]
        )
        numbers[f"bandits, TA-LPO minus the best hand-made ({best['arm']}), {name} N"] = gain.number
    shown = tables(baselines, grids, bandits, all_n)
    return Finding("temporal-rl-discovery", numbers, claims, shown, figure(grids, bandits, seen))


def over_levels(grids: Sequence[Measured], arm: str, horizons: Sequence[int]) -> np.ndarray:
    """Mean over horizons and meta-seeds, by level."""
    mine = [r for r in grids if r["arm"] == arm]
    return np.asarray(
        np.mean([[r["returns"][str(n)] for n in horizons] for r in mine], axis=(0, 1))
    )


def _by_seed(grids: Sequence[Measured], arm: str) -> dict[int, Measured]:
    return {r["seed"]: r for r in grids if r["arm"] == arm}


def _aware_is_better(
    grids: Sequence[Measured],
    seen: Sequence[int],
    unseen: Sequence[int],
    numbers: dict[str, Number],
) -> Claim:
    every = (*seen, *unseen)
    for name, horizons in (("seen", seen), ("unseen", unseen), ("all", every)):
        apart = over_levels(grids, ES_TA, horizons) - over_levels(grids, ES, horizons)
        gain = bootstrap_mean(apart)
        numbers[f"grids, TA-LPG minus LPG by evolution, {name} N"] = gain.number
    aware, plain = _by_seed(grids, ES_TA), _by_seed(grids, ES)
    each = [
        float(over_levels([aware[s]], ES_TA, every).mean())
        - float(over_levels([plain[s]], ES, every).mean())
        for s in aware
    ]
    told = f"TA-LPG minus LPG: {gain.signed}; by meta-seed {', '.join(f'{x:+.3f}' for x in each)}"
    return Claim(CLAIMS[0], gain.above_zero and min(each) >= 0, told)


def ends(schedule: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Means by level over n/N < .2 and over n/N > .8 of a schedule (levels, N)."""
    table = np.asarray(schedule)
    late = np.arange(table.shape[1]) / table.shape[1]
    return table[:, late < 0.2].mean(axis=1), table[:, late > 0.8].mean(axis=1)


def _depends_on_time(
    grids: Sequence[Measured], seen: Sequence[int], numbers: dict[str, Number]
) -> Claim:
    longest, shorter = str(seen[-1]), str(seen[-2])
    told, holds = [], True
    stretch = []
    for seed, row in _by_seed(grids, ES_TA).items():
        found: dict[str, Interval] = {}
        for what in ("size", "entropy"):
            early, late = ends(row["schedules"][longest][what])
            found[f"{'|weight|' if what == 'size' else what}, late minus early"] = bootstrap_mean(
                late - early
            )
        answer = row["response"]
        found["|weight| told late minus told early"] = bootstrap_mean(
            np.subtract(answer["late"], answer["early"])
        )
        holds = holds and all(i.excludes_zero for i in found.values())
        for name, interval in found.items():
            numbers[f"grids, TA-LPG, {name}, meta-seed {seed}"] = interval.number
            told.append(f"{name} {interval.signed} (meta-seed {seed})")
        short = shorter if shorter in row["schedules"] else longest
        stretch.append(
            stretches(row["schedules"][short]["size"], row["schedules"][longest]["size"])
        )
    gained = bootstrap_mean(np.mean(stretch, axis=0))
    numbers["grids, TA-LPG, how much nearer schedules are by n/N than by n"] = gained.number
    told.append(f"nearer by n/N than by n: {gained.signed}")
    return Claim(CLAIMS[1], holds and gained.above_zero, "; ".join(told))


def stretches(short: Sequence[Sequence[float]], long: Sequence[Sequence[float]]) -> np.ndarray:
    """By level: the distance of two schedules at equal n, minus that at equal n/N."""
    a, b = np.asarray(short), np.asarray(long)
    life, longer = a.shape[1], b.shape[1]
    places = (np.arange(life) + 0.5) * longer / life - 0.5
    relative = np.stack([np.interp(places, np.arange(longer), row) for row in b])
    return np.asarray(np.abs(a - b[:, :life]).mean(axis=1) - np.abs(a - relative).mean(axis=1))


def relative_response(row: Measured) -> np.ndarray:
    """|told late − told early| as a share of their mean, by level."""
    early, late = np.asarray(row["response"]["early"]), np.asarray(row["response"]["late"])
    return np.asarray(np.abs(late - early) / np.maximum((early + late) / 2, 1e-9))


def _gradients_are_flat(
    grids: Sequence[Measured], horizons: Sequence[int], numbers: dict[str, Number]
) -> Claim:
    answers = {
        arm: np.mean([relative_response(r) for r in grids if r["arm"] == arm], axis=0)
        for arm in (ES_TA, MG_TA)
    }
    evolved, unrolled = _by_seed(grids, ES_TA), _by_seed(grids, MG_TA)
    each = {s: relative_response(evolved[s]) - relative_response(unrolled[s]) for s in evolved}
    flatter = bootstrap_mean([float(x.mean()) for x in each.values()])
    apart = over_levels(grids, MG_TA, horizons) - over_levels(grids, MG, horizons)
    gain, plain = bootstrap_mean(apart), bootstrap_mean(over_levels(grids, MG, horizons))
    for arm, name in ((ES_TA, "evolution"), (MG_TA, "meta-gradients")):
        numbers[f"grids, response of |weight| to n/N, {name}"] = bootstrap_mean(answers[arm]).number
    numbers["grids, response to n/N, evolution minus meta-gradients"] = flatter.number
    for seed, by_level in each.items():
        name = f"grids, response to n/N, evolution minus meta-gradients, meta-seed {seed}"
        numbers[name] = bootstrap_mean(by_level).number
    numbers["grids, TA-LPG minus LPG by meta-gradients, all N"] = gain.number
    told = (
        f"response to n/N, evolution minus meta-gradients: {flatter.signed}; TA-LPG minus LPG by "
        f"meta-gradients: {gain.signed}; LPG by meta-gradients ends at {plain.value:.3f}"
    )
    learned = plain.value > LEARNED
    return Claim(CLAIMS[2], learned and flatter.above_zero and not gain.above_zero, told)


def _share(row: Measured, horizons: Sequence[int]) -> float:
    return float(np.mean([row["shares"][str(n)] for n in horizons]))


def _seeds_apart(bandits: Sequence[Measured], a: str, b: str, horizons: Sequence[int]) -> Interval:
    """Mean over tasks and horizons of a − b, an interval over meta-seeds."""
    one, other = _by_seed(bandits, a), _by_seed(bandits, b)
    return bootstrap_mean([_share(one[s], horizons) - _share(other[s], horizons) for s in one])


def _bandit_gain(
    bandits: Sequence[Measured],
    text: str,
    name: str,
    horizons: Sequence[int],
    numbers: dict[str, Number],
) -> Claim:
    gain = _seeds_apart(bandits, "ta-lpo", "lpo", horizons)
    numbers[f"bandits, TA-LPO minus LPO, {name} N"] = gain.number
    told = f"TA-LPO minus LPO: {_fine(gain)}, {gain.n} meta-seeds"
    for n in horizons:
        told += f"; N = {n}: {_fine(_seeds_apart(bandits, 'ta-lpo', 'lpo', [n]))}"
    return Claim(text, gain.above_zero, told)


def _fine(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return interval.signed
    return f"{interval.value:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def _narrows(bandits: Sequence[Measured], numbers: dict[str, Number]) -> Claim:
    """Early minus late width, up and down together, by meta-seed."""
    apart = []
    for row in _by_seed(bandits, "ta-lpo").values():
        longest = max(w["N"] for w in row["widths"])
        mine = [w for w in row["widths"] if w["N"] == longest]
        early = [w["up"] + w["down"] for w in mine if w["n/N"] < 0.2]
        late = [w["up"] + w["down"] for w in mine if w["n/N"] > 0.8]
        apart.append(float(np.mean(early) - np.mean(late)) / 2)
    gain = bootstrap_mean(apart)
    numbers["bandits, TA-LPO, clip width early minus late"] = gain.number
    each = ", ".join(f"{x:+.2f}" for x in apart)
    return Claim(CLAIMS[5], gain.above_zero, f"early minus late: {gain.signed}; by seed {each}")
