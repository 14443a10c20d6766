"""Post-training (paper 23): what does tuning move: facts, truth, refusal, confidence?

Tiny base models of one world and their tunings (``_stage``) under four instruments (``_measure``).
Two controls say whether a likeness means anything: a base model of another seed, which should be
unlike, and noise as large as the tuning, which moves nothing in particular. Scale ``full`` has the
sheet's sizes; the instruments take any pair of a base model and its tuning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Claim, Finding, Number
from scrubjay.core.progress import Progress
from scrubjay.evaluation.statistics import Interval, bootstrap_mean
from scrubjay.probing.tracing import heat_map
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import Report, run_parallel
from scrubjay.studies.posttraining_mechanisms_measure import measure_seed
from scrubjay.studies.posttraining_mechanisms_stage import SIZES, Size
from scrubjay.studies.study import Scale, study

CLAIMS = (
    "storage maps of base and tuned model correlate at 0.9 or more, by 0.2 more than those of two "
    "base models of different seeds, and noise as large as the tuning doesn't do as well",
    "truth directions of base and tuned model have a cosine of 0.7 or more, a probe of one scores "
    "within 5 points of the native one in the other, and noise as large doesn't do as well",
    "refusal directions have a cosine at least 0.3 below that of truth directions, and the base's "
    "direction makes the tuned model refuse at most half as often as its own",
    "candidates for entropy neurons overlap by half or more while mean output entropy changes by "
    "10 % or more",
)
R, APART, COSINE, POINTS, LOWER, HALF, OVERLAP, CHANGE = 0.9, 0.2, 0.7, 0.05, 0.3, 0.5, 0.5, 0.1
NOTES = (
    "Sizes are below the sheet's: 40 people, 4 layers, width 64, 1,000 + 150 steps; 3 seeds share "
    "one world. Claims are judged on means over seeds.",
    "Tracing stops before the object; it needs no question behind the statement. Storage is judged "
    "on people that the tuning never mentions; the others stand beside.",
    "Truth is probed on people whose statements were judged in training; on others the models' own "
    "verdicts are near chance ('judges others'), so nothing about truth in general is shown.",
    "Refusal directions are read and added in the middle layer at the prompt's last token, with "
    "the length of the native one. Removing takes them out of the stream of every layer.",
    "Noise as large as the tuning leaves storage and truth even more as they were: their likeness "
    "says that tuning is a small step, not that it spares them.",
    "Not run: SmolLM2 with a LoRA, the left-out halves of the paper's public statement sets.",
)


@study("posttraining-mechanisms", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Train and measure every seed, and judge."""
    size = SIZES[scale]
    count = max(2, size.seeds)
    jobs = [(size, seed + i, seed + (i + 1) % count, out) for i in range(size.seeds)]
    workers = 1 if scale == "smoke" else None
    run_parallel(_job, jobs, lambda n: progress("seeds", n, len(jobs)), workers=workers)
    parts = [kept(_path(out, s), lambda: None) for _, s, _, _ in jobs]
    return judge(parts, {"size": asdict(size)})


def _path(out: Path, seed: int) -> Path:
    return out / f"seed-{seed}.json"


def _job(job: tuple[Size, int, int, Path], report: Report) -> None:
    size, seed, other, out = job
    kept(_path(out, seed), lambda: measure_seed(size, seed, other))
    report(1)


def judge(parts: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> Finding:
    """Claims, numbers and tables; intervals resample seeds."""

    def over(read: Callable[[Mapping[str, Any]], Any]) -> Interval:
        return bootstrap_mean([float(np.mean(read(p))) for p in parts])

    storage = {
        n: over(lambda p, n=n: p["storage"]["untaught"]["r"][n])  # type: ignore[misc]
        for n in ("tuned", "noise", "independent")
    }
    truth = {
        n: over(lambda p, n=n: p["truth"]["cosine"][n])  # type: ignore[misc]
        for n in ("tuned", "noise", "independent")
    }
    accuracy = {
        n: over(lambda p, n=n: p["truth"]["accuracy"][n])  # type: ignore[misc]
        for n in parts[0]["truth"]["accuracy"]
    }
    lost = max(
        accuracy[f"{b} in {b}"].value - accuracy[f"{a} in {b}"].value
        for a, b in (("base", "tuned"), ("tuned", "base"))
    )
    refusal = {
        n: over(lambda p, n=n: p["refusal"]["cosine"][n])  # type: ignore[misc]
        for n in ("tuned", "noise", "independent")
    }
    added = {
        n: over(lambda p, n=n: p["refusal"]["scores"][n]["added"])  # type: ignore[misc]
        for n in parts[0]["refusal"]["scores"]
    }
    shared = over(lambda p: p["confidence"]["overlap"]["tuned"])
    entropy = {
        n: over(lambda p, n=n: p["confidence"]["entropy"][n])  # type: ignore[misc]
        for n in ("base", "tuned", "noise")
    }
    changed = over(lambda p: _change(p["confidence"]["entropy"]))
    noise = over(lambda p: p["confidence"]["overlap"]["noise"]).value
    forward, native = added["base in tuned"].value, added["tuned in tuned"].value
    claims = (
        Claim(
            CLAIMS[0],
            storage["tuned"].value >= R
            and storage["tuned"].value - storage["independent"].value >= APART
            and storage["noise"].value < storage["tuned"].value,
            f"r: tuned {storage['tuned'].value:.3f}, other seed {storage['independent'].value:.3f},"
            f" noise {storage['noise'].value:.3f}",
        ),
        Claim(
            CLAIMS[1],
            truth["tuned"].value >= COSINE
            and lost <= POINTS
            and truth["noise"].value < truth["tuned"].value,
            f"cosine {truth['tuned'].value:.2f} (other seed {truth['independent'].value:.2f}, "
            f"noise {truth['noise'].value:.2f}); most lost by crossing {lost:.3f}",
        ),
        Claim(
            CLAIMS[2],
            truth["tuned"].value - refusal["tuned"].value >= LOWER and forward <= HALF * native,
            f"cosine {refusal['tuned'].value:.2f} against {truth['tuned'].value:.2f}; added in the "
            f"tuned model: base's {forward:.2f}, its own {native:.2f}, random "
            f"{added['random in tuned'].value:.2f}",
        ),
        Claim(
            CLAIMS[3],
            shared.value >= OVERLAP and abs(changed.value) >= CHANGE,
            f"overlap {shared.value:.2f} (noise {noise:.2f}); entropy {changed.value:+.0%}",
        ),
    )
    numbers: dict[str, Number] = {}
    for name, group in (
        ("storage r", storage), ("truth cosine", truth), ("truth accuracy", accuracy),
        ("refusal cosine", refusal), ("refusals, added", added), ("output entropy", entropy),
    ):  # fmt: skip
        numbers |= {f"{name}, {k}": v.number for k, v in group.items()}
    numbers["entropy neurons, overlap"] = shared.number
    tables = {
        "Storage": _storage(parts),
        "Moving truth (normalised indirect effect)": _effects(parts),
        "Refusals": _refusals(parts),
        "Judging": [
            {"model": n, **{k: _mean(parts, "truth", k, n) for k in ("judges", "judges others")}}
            for n in parts[0]["truth"]["judges"]
        ],
    }
    grid = np.mean([p["storage"]["untaught"]["maps"]["tuned"] for p in parts], 0)
    cells = [
        {"layer": n, "token": t, "share": float(grid[n, t])}
        for n in range(grid.shape[0]) for t in range(grid.shape[1])
    ]  # fmt: skip
    return Finding(
        "posttraining-mechanisms", numbers, claims, tables, heat_map(cells), settings, notes=NOTES
    )


def _change(entropy: Mapping[str, float]) -> float:
    return entropy["tuned"] / entropy["base"] - 1


def _mean(parts: Sequence[Mapping[str, Any]], *path: str) -> float:
    values = []
    for part in parts:
        value: Any = part
        for key in path:
            value = value[key]
        values.append(value)
    return float(np.mean(values))


def _storage(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for half in ("untaught", "taught"):
        for model in ("tuned", "noise", "independent"):
            row: dict[str, Any] = {"people": half, "model": model}
            for what in ("r", "binned r", "largest difference", "knows"):
                row[what] = _mean(parts, "storage", half, what, model)
            for way in ("base into tuned", "tuned into base"):
                of = _mean(parts, "storage", half, "across", way)
                row[f"{way}, of its own"] = of if model == "tuned" else None
            rows.append(row)
    return rows


def _effects(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "direction": name.split(" in ")[0],
            "model": name.split(" in ")[1],
            **{
                k: _mean(parts, "truth", "nie", name, k) for k in ("true to false", "false to true")
            },
        }
        for name in parts[0]["truth"]["nie"]
    ]


def _refusals(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    kinds = ("refused", "others", "added", "removed")
    return [
        {
            "direction": name.split(" in ")[0],
            "model": name.split(" in ")[1],
            **{k: _mean(parts, "refusal", "scores", name, k) for k in kinds},
        }
        for name in parts[0]["refusal"]["scores"]
    ]
