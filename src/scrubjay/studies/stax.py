"""STAX (paper 27): can a behaviour space that is learned on the way find sparse rewards?

Eight searches, and STAX in two variants, get the same number of evaluations on the same worlds: an
arm of 20 joints and a deceptive maze, seen through small pictures with a distractor, with rewards
in three small discs each. A run is a world and a seed; all methods of it are kept together in a
file. Scale ``full`` has the paper's budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.diversity.environments import PolicyProblem
from scrubjay.deciding.diversity.methods import METHODS, make_method
from scrubjay.deciding.diversity.spaces import Grid
from scrubjay.deciding.diversity.stax import Stax
from scrubjay.deciding.diversity.types import Evaluations, Outcome
from scrubjay.deciding.diversity.worlds import Arm, Maze
from scrubjay.studies.kept import had, kept
from scrubjay.studies.parallel import Report, run_parallel
from scrubjay.studies.stax_judge import CLAIMS, judge
from scrubjay.studies.study import Scale, study

NOTES = (
    "Coverage is the share of a 50 × 50 grid over the true behaviour that any evaluation fell in; "
    "methods keep archives of very different sizes, and 'kept coverage' is that of what they kept.",
    "'best rewards' is the sum over the three areas of the highest reward found in each (at most "
    "3); 'areas' how many were found; 'rewarded' how many evaluations had a reward.",
    "A given space is where the tip, or the point, ends. STAX and TAXONS see three pictures of an "
    "episode, 'stax, one picture' only the last.",
    "The autoencoder is dense (256–64–10) on 16 × 16 pictures, where the paper's is convolutional "
    "on 64 × 64. A fixed speckle and a square that moves without meaning are in every picture.",
    "Mutations have spread 0.5 in [−5, 5]; populations are 50, chunks 500; an emitter must improve "
    "within 30 steps (the paper's window, 970 steps for the arm, is longer than the whole budget).",
    "In the maze the agent is one pixel and the distractor four, so an autoencoder learns of the "
    "distractor first: see 'distances', and the variant without it.",
    "'distances' is Spearman's ρ between distances in the learned space and in the true one, over "
    "pairs of what was kept at the end.",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is searched."""

    budget: int
    seeds: int
    chunk: int = 500
    window: int | None = 30


SIZES = {
    "smoke": Size(600, 1, 150),
    "laptop": Size(20_000, 5),
    "full": Size(500_000, 15, 1000, None),
}
WORLDS: dict[str, Callable[..., Arm | Maze]] = {"arm": Arm, "maze": Maze}
VARIANTS = ("stax, one picture", "stax, no distractor")
"""Reported beside the methods; no claim is judged by them."""


@study("stax", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Run every method on every world and seed, and judge."""
    size = SIZES[scale]
    jobs = [(size, w, seed + i, out) for i in range(size.seeds) for w in WORLDS]
    total = len(jobs) * (len(METHODS) + len(VARIANTS))
    workers = 1 if scale == "smoke" else None
    run_parallel(_job, jobs, lambda done: progress("searches", done, total), workers=workers)
    runs = [had(_path(out, w, s)) for _, w, s, _ in jobs]
    return replace(judge(runs), settings={"size": asdict(size)}, notes=NOTES)


def _path(out: Path, world: str, seed: int) -> Path:
    return out / f"{world}-{seed}.json"


def _job(job: tuple[Size, str, int, Path], report: Report) -> None:
    size, world, seed, out = job
    kept(_path(out, world, seed), lambda: measure(size, world, seed, report))
    report(len(METHODS) + len(VARIANTS))


def measure(size: Size, world: str, seed: int, report: Report) -> dict[str, Any]:
    """All methods on one world with one seed."""
    rows: dict[str, Any] = {}
    for name in (*METHODS, *VARIANTS):
        plain = name == "stax, no distractor"
        samples = 1 if name == "stax, one picture" else 3
        problem = PolicyProblem(WORLDS[world](distractor=not plain), samples=samples)
        method = make_method(name.partition(",")[0], chunk=size.chunk, window=size.window)
        found = method.run(problem, size.budget, seed)
        learned = isinstance(method, Stax) and method.descriptor.learns
        rows[name] = _row(found, problem) | {
            "distances": _distances(method, found.found, seed) if learned else None  # type: ignore[arg-type]
        }
        report(len(rows))
    return {"world": world, "seed": seed, "methods": rows}


def _row(found: Outcome, problem: PolicyProblem) -> dict[str, Any]:
    last = found.curve[-1]
    return {
        "coverage": last["coverage"],
        "areas": last["areas"],
        "reward": float(sum(last["best"])),
        "rewarded": found.rewarded,
        "kept": Grid(problem.limits).coverage(found.found.behaviour),
        "error": found.errors[-1] if found.errors else None,
        "curve": [[p["evaluations"], p["coverage"]] for p in found.curve],
        **{k: found.spent.get(k, 0) for k in ("explore", "candidates", "emitters")},
    }


def _distances(method: Stax, found: Evaluations, seed: int, pairs: int = 2000) -> float | None:
    """Rank correlation of learned and true distances over pairs of solutions."""
    points, _ = method.descriptor.describe(found)
    a, b = numpy_stream(seed, "pairs").integers(0, len(found), (2, pairs))
    learned = np.linalg.norm(points[a] - points[b], axis=1)
    true = np.linalg.norm(found.behaviour[a] - found.behaviour[b], axis=1)
    if np.ptp(learned) == 0 or np.ptp(true) == 0:
        return None
    return float(spearmanr(learned, true).statistic)
