"""NAP (paper 32): can surrogate and acquisition function be meta-learned together?

Two families of tasks: drawn Gaussian processes with a shared best region, and tunings of support
vector machines measured on generated data sets (some kept back for the test). A run is a family and
a seed: all learners are trained on its training tasks and play the same test tasks with the same
first trial. Scale ``full`` has the paper's sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.deciding.bo.curves import expected_records, records
from scrubjay.deciding.bo.deep_kernel import fit_deep_kernel
from scrubjay.deciding.bo.env import Online, UnitRange
from scrubjay.deciding.bo.families import GPFamily, TableFamily
from scrubjay.deciding.bo.fit import Fit, Step, fit_metabo, fit_nap
from scrubjay.deciding.bo.nap import NAPSpec
from scrubjay.deciding.bo.optimisers import GPEI, NPEI, Optimiser, RandomSearch, optimise
from scrubjay.deciding.bo.svm_tables import KINDS, svm_family, svm_settings
from scrubjay.deciding.bo.tasks import Task, TaskFamily, draw
from scrubjay.studies.kept import had, kept
from scrubjay.studies.nap_judge import ALONE, APART, CLAIMS, KNOWN, NAP, UNKNOWN, judge
from scrubjay.studies.parallel import Report, run_parallel
from scrubjay.studies.study import Scale, study

NOTES = (
    "Regret is 1 minus the best value so far, each task scaled to [0, 1]; 'area' is its mean over "
    "the trials. The first trial is random and the same for every arm, in training and at test.",
    "'table range': values are shown scaled by the task's true range, as in the paper's tables, "
    "which tells a learner how far from the best it is. 'online': by what was seen so far. All are "
    "trained with the first; claims are judged by it, the numbers of both are given.",
    "All arms of NAP have the same number of iterations and transitions; NP-EI has as many steps "
    "of the auxiliary loss. Without the auxiliary loss an iteration is less work.",
    "GP-EI fits lengths, signal and noise before every trial, under a broad prior, which did "
    "no worse than none on tasks of another family. 'deep-kernel' is a Gaussian process on learned "
    "features, not adapted at test; 'metabo' has a fixed process and a learned acquisition.",
    "Rewards have a floor of 1e-3 of the range and sum to at most 1 in an episode. This and the "
    "learning rate were set by a few trials on a family and a seed that are not used here.",
    "200 iterations are what the time allows. On processes NAP's regret in training is hardly "
    "lower at the end than in the middle: whether a longer training changes the verdict "
    "is not known.",
    "A training of the paper sees 2.9 million transitions; at laptop scale it is 29 thousand.",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is learned and tested."""

    iterations: int
    candidates: int
    trials: int
    width: int
    layers: int
    buckets: int
    tests: int
    seeds: int
    data_sets: int
    held: int
    """Data sets kept back for the test."""
    side: int = 8
    tasks: int = 16
    orders: int = 1000
    """Runs of random search whose records are counted."""
    rate: float = 3e-3


SIZES = {
    "smoke": Size(3, 12, 5, 8, 1, 8, 4, 2, 3, 1, side=2, tasks=4, orders=50),
    "laptop": Size(200, 48, 10, 48, 2, 48, 100, 3, 60, 20),
    "full": Size(2000, 128, 24, 512, 6, 1000, 300, 5, 180, 60, tasks=60, rate=3e-5),
}
FAMILIES = ("processes", "svm tables")
TRAINED = ("np-ei", NAP, ALONE, APART, "metabo")


@study("nap", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Train and test every arm on every family and seed, and judge."""
    size = SIZES[scale]
    jobs = [(size, f, seed + i, out) for i in range(size.seeds) for f in FAMILIES]
    _tables(size, out, progress)
    total = len(jobs) * len(TRAINED) * size.iterations
    workers = 1 if scale == "smoke" else None
    run_parallel(_job, jobs, lambda done: progress("iterations", done, total), workers=workers)
    runs = [had(_path(out, f, s)) for _, f, s, _ in jobs]
    return replace(judge(runs, size.trials), settings={"size": asdict(size)}, notes=NOTES)


def _path(out: Path, family: str, seed: int) -> Path:
    return out / f"{family.replace(' ', '-')}-{seed}.json"


def _tables(size: Size, out: Path, progress: Progress | None = None) -> TableFamily:
    """The tunings, measured once; the same for every seed of the study."""

    def work() -> Any:
        found = svm_family(
            size.data_sets,
            candidates=size.candidates,
            side=size.side,
            progress=lambda n: progress("data sets", n, size.data_sets) if progress else None,
        )
        return {"names": found.names, "results": found.results.tolist()}

    made = kept(out / "svm.json", work)
    settings = svm_settings(size.side)
    results, names = np.array(made["results"]), tuple(made["names"])
    return TableFamily(settings, results, KINDS, names, size.candidates)


def _family(size: Size, name: str, out: Path) -> tuple[TaskFamily, list[Task]]:
    """Training family and test tasks; these are the same for every seed."""
    if name == "processes":
        processes = GPFamily(3, size.candidates)
        return processes, draw(processes, size.tests, 0, "test")
    train, test = _tables(size, out).split(size.held, seed=0)
    return train, draw(test, size.tests, 0, "test")


def _job(job: tuple[Size, str, int, Path], report: Report) -> None:
    size, family, seed, out = job
    kept(_path(out, family, seed), lambda: measure(size, family, seed, out, report))
    report(len(TRAINED) * size.iterations)


def measure(size: Size, name: str, seed: int, out: Path, report: Report) -> dict[str, Any]:
    """All arms of one family with one seed; a killed training goes on at its checkpoint."""
    family, tests = _family(size, name, out)
    arms: dict[str, Optimiser] = {
        "random": RandomSearch(),
        "gp-ei": GPEI(),
        "deep-kernel": fit_deep_kernel(family, steps=size.iterations, seed=seed),
    }
    training = {}
    online = Online()
    for i, arm in enumerate(TRAINED):
        before = i * size.iterations
        state = out / f"{name}-{seed}-{arm}.state".replace(" ", "-")
        settings = replace(
            Fit(size.iterations, size.trials, size.tasks, initial=1, rate=size.rate, seed=seed),
            reinforce=arm != "np-ei",
            auxiliary=arm not in (ALONE, "metabo"),
        )

        def look(done: int, _: Step, before: int = before) -> None:
            report(before + done)

        if arm == "metabo":
            metabo, steps = fit_metabo(family, settings, checkpoint=state, look=look)
            arms[arm] = metabo
        else:
            spec = NAPSpec(
                family.kinds, size.width, size.layers, buckets=size.buckets, joint=arm != APART
            )
            nap, steps = fit_nap(family, settings, spec, checkpoint=state, look=look)
            arms[arm] = NPEI(nap) if arm == "np-ei" else nap
            online = Online(nap.spec.mean, nap.spec.deviation)
        training[arm] = {k: _tenths(steps, k) for k in ("auxiliary", "regret", "found")}
    regret = {
        scaling: {
            arm: optimise(optimiser, tests, size.trials, initial=1, seed=seed, scaling=how)
            .regret.round(6)
            .tolist()
            for arm, optimiser in arms.items()
        }
        for scaling, how in ((KNOWN, UnitRange()), (UNKNOWN, online))
    }
    return {
        "family": name,
        "seed": seed,
        "tasks": [t.name or str(i) for i, t in enumerate(tests)],
        "regret": regret,
        "training": training,
        **_records(size, family, seed),
    }


def _tenths(steps: Sequence[Step], key: str) -> list[float]:
    """Mean of every tenth of a training; nothing where the part was off."""
    values = np.array([getattr(s, key) for s in steps])
    if np.isnan(values).any():
        return []
    return [float(part.mean()) for part in np.array_split(values, min(10, len(values)))]


def _records(size: Size, family: TaskFamily, seed: int) -> dict[str, Any]:
    """Records of random search, and how many are to be expected of these values."""
    tasks = draw(family, size.orders, seed, "records")
    played = optimise(RandomSearch(), tasks, size.trials, seed=seed)
    expected = [expected_records(t.values, size.trials) for t in tasks]
    return {"records": records(played.regret).tolist(), "expected": expected}
