"""Bayesian optimisation beside BoTorch: is our Gaussian process as good, and how fast is it?

bo-gp-ei         proposals a second: fit to the history, expected improvement of all candidates,
                 the best untried one. BoTorch does the same by ``SingleTaskGP``,
                 ``fit_gpytorch_mll`` and ``LogExpectedImprovement``, with its own defaults.
bo-gp-ei-regret  mean regret over the trials (less is better) on the same tasks with the same first
                 three trials; ``ratio`` is BoTorch's over ours.

Tasks are those of ``GPFamily``, 64 candidates each, 12 trials. BoTorch is in the extra ``bench``;
where it is missing no row is written and the last ones stay.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import warnings
from typing import Any

import numpy as np

from rounds import THREADS, row

ROUNDS, TASKS, TRIALS, INITIAL = 3, 8, 12, 3


class BoTorchEI:
    """BoTorch as an optimiser of ours; settings are its defaults."""

    name = "botorch"

    def scores(self, state: Any, rng: np.random.Generator) -> Any:
        return np.stack(
            [
                self._one(x, y, candidates)
                for x, y, candidates in zip(state.history, state.seen, state.candidates)
            ]
        )

    def _one(self, x: Any, y: Any, candidates: Any) -> Any:
        import torch
        from botorch.acquisition import LogExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from gpytorch.mlls import ExactMarginalLogLikelihood

        known = torch.tensor(y)[:, None]
        model = SingleTaskGP(torch.tensor(x), known)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        with torch.no_grad():
            gain = LogExpectedImprovement(model, known.max())(torch.tensor(candidates)[:, None])
        return gain.numpy()


def run() -> list[dict[str, Any]]:
    """Two rows, or none where BoTorch is missing."""
    if importlib.util.find_spec("botorch") is None:
        print("BoTorch is not installed: no rows of it", file=sys.stderr)
        return []
    import torch

    from scrubjay.deciding.bo.families import GPFamily
    from scrubjay.deciding.bo.optimisers import GPEI, optimise
    from scrubjay.deciding.bo.tasks import draw

    torch.set_num_threads(THREADS)
    made = TASKS * (TRIALS - INITIAL)
    rates, regrets = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(ROUNDS):
            tasks = draw(GPFamily(candidates=64), TASKS, number, "bench")
            seconds, regret = [], []
            for rival in (GPEI(), BoTorchEI()):
                began = time.perf_counter()
                found = optimise(rival, tasks, TRIALS, initial=INITIAL, seed=number)
                seconds.append(time.perf_counter() - began)
                regret.append(float(found.regret[:, INITIAL:].mean()))
            rates.append((made / seconds[0], made / seconds[1]))
            regrets.append((regret[0], regret[1]))
    rows = [
        row("bo-gp-ei", rates, "BoTorch", "proposals/s"),
        row("bo-gp-ei-regret", regrets, "BoTorch", "regret", seconds=True),
    ]
    return [r | {"machine": r["machine"].replace("float32", "float64")} for r in rows]


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
