"""Hiring agents for information (paper 02): is correlated asking worth it, and can it be learned?

    A  the optimal mechanism against independent recommendations and a single profile of efforts
    B  exploring and committing: regret by horizon, obedience under the true law
    C  the same with two real searchers over a generated corpus (ours; may fail)

The paper has no experiments; A and B are its theorems as measurements, on problems of ours (see
``deciding.information.instances``). Scale ``full`` has larger grids, horizons and corpora.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.deciding.bandits.curves import fit_slope
from scrubjay.evaluation.statistics import Interval, bootstrap_mean, paired_bootstrap
from scrubjay.studies.hiring_agents_measure import online, problems, searchers, workers
from scrubjay.studies.hiring_agents_stage import SIZES, TABLE
from scrubjay.studies.kept import kept
from scrubjay.studies.study import Scale, study

CLAIMS = (
    "two workers: the optimal mechanism is worth more than the best with independent "
    "recommendations and more than the best single profile, at every cap, and as our sheet's "
    "table says to 0.001",
    "no agent gains more than 1e-7 by any deviation from any mechanism, and the optimum is never "
    "below an independent or single-profile mechanism, on all random problems",
    "on some random problems correlation is worth something, too",
    "exploring and committing: regret grows as T^e between the two longest horizons with e "
    "between 0.55 and 0.72",
    "the committed mechanism is obeyed under the true law in at least 95 % of the runs; without "
    "loosening and mixing it is not",
    "two real searchers, hired by what 500 episodes showed: the optimal mechanism earns more than "
    "always asking one worker, on fresh episodes",
)
NOTES = (
    "Independent recommendations are searched on a grid (steps of 0.05 for two workers, 0.25 or "
    "0.5 for random problems), with payments that may depend on everything: their value is a "
    "lower bound of the best independent mechanism, close to it for two workers.",
    "Obedience is an equilibrium, not the only one: the worst pure equilibrium of the optimal "
    "mechanism for two workers is listed beside its value.",
    "Below T = 10^6 the share alpha of safe rules is 1 and regret is linear: no slope is fitted "
    "there.",
    "Rounds of a kind are drawn together; regret is the expectation over what is left.",
    "UCB1 over single profiles gets normal rewards with the profiles' true means and a deviation "
    "of 0.5 instead of simulated signals.",
    "The searchers don't act in their own interest; that they would obey is checked against the "
    "law counted in fresh episodes (column 'deviation': what the best deviation would gain, with "
    "payments that 500 episodes made look sufficient).",
    "With these searchers the optimum asks both for one search in every episode: it beats one "
    "worker because two see more, not because it mixes; the best single profile is the same "
    "mechanism. Three searches are never worth their price: reading more passages finds no more "
    "than the best passage of one query.",
    "Correlation pays on few random problems and little: mixing helps where one agent's report "
    "disciplines another and the cap binds, as for two workers with one source.",
)
TOLERANCE, SAME = 1e-7, 1e-3


@study("hiring-agents", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Measure the three parts, and judge."""
    size = SIZES[scale]
    steps = len(size.caps) + 3
    table = []
    for done, cap in enumerate(size.caps):
        progress("parts", done, steps)
        table.append(kept(out / f"workers-{cap:g}.json", lambda c=cap: workers(c, size.steps)))  # type: ignore[misc]
    progress("parts", steps - 3, steps)
    made = kept(out / "problems.json", lambda: problems(size, seed))
    progress("parts", steps - 2, steps)
    learned = kept(out / "online.json", lambda: online(size, seed))
    progress("parts", steps - 1, steps)
    hired = kept(out / "searchers.json", lambda: searchers(size, seed, out))
    progress("parts", steps, steps)
    found = judge(table, made, learned, hired)
    return replace(found, settings={"size": asdict(size)}, notes=NOTES)


def judge(
    table: Sequence[Mapping[str, Any]],
    made: Sequence[Mapping[str, Any]],
    learned: Mapping[str, Any],
    hired: Mapping[str, Any],
) -> Finding:
    """Claims, numbers, tables and the figure."""
    slope = _slope(learned["ways"]["explore and commit"])
    ways = hired["ways"]
    gain = paired_bootstrap(ways["optimal"]["values"], ways["one worker"]["values"])
    claims = (
        _workers(table),
        _sound(made),
        _worth(made),
        Claim(
            CLAIMS[3],
            slope is not None and 0.55 < slope.value <= 0.72,
            "too few horizons" if slope is None else f"slope {slope.value:.3f}",
        ),
        _obeyed(learned["ways"]),
        Claim(CLAIMS[5], gain.above_zero, f"optimal minus one worker {gain.signed} an episode"),
    )
    numbers = {"optimal minus one worker, real searchers": gain.number}
    if slope is not None:
        numbers["slope of regret"] = slope
    numbers |= {f"value an episode, {n}": _mean(w["values"]).number for n, w in ways.items()}
    return Finding(
        "hiring-agents",
        numbers,
        claims,
        {
            "Two workers": [dict(row) for row in table],
            "Made and random problems": _summary(made),
            "Regret of exploring and committing": [
                {"way": name, "T": row["T"], "regret": float(np.mean(row["regret"]))}
                | {"safe share": row["alpha"], "obeyed": row["obeyed"]}
                for name, rows in learned["ways"].items()
                for row in rows
            ],
            "Baselines, regret a round": [
                {
                    "way": "always the best profile, strictly paid",
                    "value": learned["always the best strict profile, regret a round"],
                },
                {"way": f"UCB1 over profiles, T = {learned['ucb']['T']:,}"}
                | {"value": learned["ucb"]["a round"]},
            ],
            "Real searchers": [
                {"way": name, "planned": w["planned"], "value": _mean(w["values"]).value}
                | {"deviation": w["deviation"], "asked": _asked(w["mu"])}
                for name, w in ways.items()
            ],
            "How often a searcher's signal is right": [
                {"searcher": i, "effort": b, "right": share}
                for i, row in enumerate(hired["signal right"])
                for b, share in enumerate(row)
            ],
        },
        _figure(learned["ways"]),
    )


def _mean(values: Sequence[float]) -> Interval:
    return bootstrap_mean(values)


def _asked(mu: Sequence[float]) -> str:
    """The profiles of efforts that are asked for, with their chances."""
    side = math.isqrt(len(mu))
    return ", ".join(f"{divmod(b, side)}: {p:.2f}" for b, p in enumerate(mu) if p > 5e-3)


def _workers(table: Sequence[Mapping[str, Any]]) -> Claim:
    gains = [row["optimal"] - max(row["independent"], row["one profile"]) for row in table]
    missed = max(abs(row["optimal"] - TABLE[row["cap"]]) for row in table)
    lying = max(row["deviation"] for row in table)
    return Claim(
        CLAIMS[0],
        min(gains) > TOLERANCE and missed <= SAME and lying <= TOLERANCE,
        f"gains of {min(gains):.4f} to {max(gains):.4f} over {len(table)} caps; table missed by at "
        f"most {missed:.5f}; best deviation gains {lying:.1e}",
    )


def _sound(made: Sequence[Mapping[str, Any]]) -> Claim:
    lying = max(row["deviation"] for row in made)
    below = max(max(row["independent"], row["one profile"]) - row["optimal"] for row in made)
    return Claim(
        CLAIMS[1],
        lying <= TOLERANCE and below <= TOLERANCE,
        f"{len(made)} problems: best deviation gains {lying:.1e}, optimum below another by "
        f"{below:.1e}",
    )


def _worth(made: Sequence[Mapping[str, Any]]) -> Claim:
    gains = [
        row["optimal"] / max(row["independent"], row["one profile"]) - 1
        for row in made
        if row["problem"].startswith("random")
    ]
    some = sum(g > 1e-4 for g in gains)
    return Claim(
        CLAIMS[2],
        some > 0,
        f"{some} of {len(gains)} problems gain more than 0.01 %; largest gain {max(gains):.2%}",
    )


def _summary(made: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for name in dict.fromkeys(row["problem"] for row in made):
        of = [row for row in made if row["problem"] == name]
        gain = [r["optimal"] / max(r["independent"], r["one profile"]) - 1 for r in of]
        over = [r["optimal"] / r["one profile"] - 1 for r in of]
        rows.append(
            {"problem": name, "n": len(of), "mean gain over independent": float(np.mean(gain))}
            | {"largest": float(max(gain)), "mean gain over one profile": float(np.mean(over))}
            | {"largest over one profile": float(max(over))}
        )
    return rows


def _slope(rows: Sequence[Mapping[str, Any]]) -> Number | None:
    """Between the two longest horizons, if something was learned there."""
    last = [row for row in rows if row["alpha"] < 1][-2:]
    if len(last) < 2:
        return None
    regret = np.array([row["regret"] for row in last]).T
    return fit_slope(np.array([row["T"] for row in last]), regret)


def _obeyed(ways: Mapping[str, Any]) -> Claim:
    safe = min(row["obeyed"] for row in ways["explore and commit"])
    careless = max(row["obeyed"] for row in ways["without loosening and mixing"])
    return Claim(
        CLAIMS[4],
        safe >= 0.95 and careless < 0.95,
        f"obeyed in {safe:.0%} of the runs at the worst horizon; without, in at most "
        f"{careless:.0%}",
    )


def _figure(ways: Mapping[str, Any]) -> dict[str, Any]:
    """Regret by horizon, both in log."""
    values = [
        {"way": name, "T": row["T"], "regret": float(np.mean(row["regret"]))}
        for name, rows in ways.items()
        for row in rows
    ]
    log = {"type": "log"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "T", "type": "quantitative", "scale": log},
            "y": {"field": "regret", "type": "quantitative", "scale": log},
            "color": {"field": "way", "type": "nominal", "sort": list(ways)},
        },
    }
