"""The outer loop: an objective is scored by what it makes of agents, and moved, step by step.

    for every meta-step:  candidates ← ask;  F ← score(candidates, step);  tell(F)

``score`` must depend on its arguments only. The state (mean, Adam's moments, scores so far) is
written to one file every few steps; a killed search goes on there and ends with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from scrubjay.core.arrays import load_arrays, save_arrays
from scrubjay.core.errors import InputError
from scrubjay.training.meta.es import OpenES

Score = Callable[[np.ndarray, int], np.ndarray]
"""(candidates (2 P, dim), step) → scores (2 P,) or (P, 2)."""


def evolve(
    search: OpenES,
    score: Score,
    steps: int,
    *,
    checkpoint: Path | None = None,
    every: int = 10,
    look: Callable[[int, float], bool | None] | None = None,
) -> list[float]:
    """Move ``search`` through ``steps`` meta-steps; the mean score of each.

    Args:
        checkpoint: the file of the state, written every ``every`` steps.
        look: called with (steps done, mean score); True stops early.

    Raises:
        InputError: the checkpoint is not one of this search.
        DiskError: it can't be written.
    """
    history: list[float] = []
    if checkpoint is not None and checkpoint.exists():
        history = _load(checkpoint, search)
    while len(history) < steps:
        step = len(history)
        scores = np.asarray(score(search.ask(), step), dtype=float)
        search.tell(scores)
        fine = scores[np.isfinite(scores)]
        history.append(float(fine.mean()) if fine.size else float("nan"))
        if checkpoint is not None and (len(history) % every == 0 or len(history) == steps):
            _save(checkpoint, search, history)
        if look is not None and look(len(history), history[-1]):
            break
    return history


def _save(path: Path, search: OpenES, history: list[float]) -> None:
    adam = search.adam
    counts = np.array([search.asked, adam.taken])
    arrays = {"mean": search.mean, "m": adam.m, "v": adam.v, "counts": counts}
    save_arrays(path, {**arrays, "history": np.array(history)})


def _load(path: Path, search: OpenES) -> list[float]:
    found = load_arrays(path)
    if found.keys() != {"mean", "m", "v", "counts", "history"} or (
        found["mean"].shape != search.mean.shape
    ):
        raise InputError("holds the state of another search; delete it or name another", file=path)
    search.mean, search.adam.m, search.adam.v = found["mean"], found["m"], found["v"]
    search.asked, search.adam.taken = (int(c) for c in found["counts"])
    return [float(h) for h in found["history"]]
