"""What a black-box optimiser faces: candidates to choose from, each with a value it can't see.

    Task        candidates x (N, d), values y (N,), kinds (d,)      y is maximised
    kinds       0: a number in [0, 1];  k ≥ 2: one of k levels, written 0 … k − 1
    TaskFamily  sample(rng) -> Task: related tasks, to learn from or to be tested on

Tasks of a family share kinds and N. What is tested on must not be trained on: drawn families are
split by the name of the random stream (``draw``), tables by data set (``TableFamily.only``).
Source: paper 32, sections 2 and 5 of our sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import numpy_stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class OptimiseError(ScrubjayError):
    """Tasks, settings or histories that no optimiser can work with."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One function on a finite set of candidates.

    Raises:
        OptimiseError: shapes that don't fit, values that aren't finite, settings out of range.
    """

    candidates: Floats
    values: Floats
    kinds: tuple[int, ...]
    name: str = ""
    """Which data set it comes from: tasks of one name are not independent."""

    def __post_init__(self) -> None:
        check_settings(self.candidates, self.kinds)
        if self.values.shape != (len(self.candidates),):
            raise OptimiseError(
                f"a task needs one value for every candidate, not {self.values.shape} values for "
                f"{len(self.candidates)} candidates"
            )
        if not np.isfinite(self.values).all():
            raise OptimiseError("a task's values must be finite numbers")

    @property
    def unit_values(self) -> Floats:
        """The values scaled to [0, 1]; all 0 where they are all equal."""
        low, high = self.values.min(), self.values.max()
        return np.asarray((self.values - low) / (high - low if high > low else 1.0))


class TaskFamily(Protocol):
    """Related tasks."""

    @property
    def kinds(self) -> tuple[int, ...]: ...

    def sample(self, rng: np.random.Generator) -> Task:
        """A task; must depend on nothing but what is drawn from ``rng``."""
        ...


def draw(family: TaskFamily, count: int, seed: int, *purpose: object) -> list[Task]:
    """``count`` tasks; other words of ``purpose`` ("train", "test") give other tasks."""
    return [family.sample(numpy_stream(seed, *purpose, i)) for i in range(count)]


def check_settings(x: Floats, kinds: tuple[int, ...]) -> None:
    """Whether rows (n, d) are settings of these kinds.

    Raises:
        OptimiseError: they are not.
    """
    if x.ndim != 2 or x.shape[1] != len(kinds):
        raise OptimiseError(f"settings of {len(kinds)} dimensions can't have the shape {x.shape}")
    for j, kind in enumerate(kinds):
        column = x[:, j]
        if kind == 1 or kind < 0:
            raise OptimiseError("a kind is 0 for numbers, or the number of levels, 2 or more")
        if kind == 0 and not ((column >= 0) & (column <= 1)).all():
            raise OptimiseError(f"numbers of settings must lie in [0, 1]; column {j} does not")
        if kind and not np.isin(column, np.arange(kind)).all():
            raise OptimiseError(f"column {j} must hold levels 0 to {kind - 1}")


def squared_differences(a: Floats, b: Floats, kinds: tuple[int, ...]) -> Floats:
    """(d, …, n, m): squared distance in every dimension; levels are equal (0) or not (1)."""
    gap = np.moveaxis(a[..., :, None, :] - b[..., None, :, :], -1, 0)
    out = gap**2
    for j, kind in enumerate(kinds):
        if kind:
            out[j] = gap[j] != 0
    return np.asarray(out)
