"""Families of tasks: drawn Gaussian processes, textbook functions moved about, tables of results.

    GPFamily         f ~ GP(0, ARD-RBF, lengths l_j = L_j · exp(0.3 ε))  +  h exp(−|x − c|² / 2r²)
                     c = C + 0.08 ε: all tasks are good near C, and learners can know it
    AnalyticFamily   −Branin, −Ackley, −Griewank of x moved by up to a tenth and stretched
    TableFamily      rows of a table of measured results; a task is N rows of one data set

Every task gets a scale and an offset of its own (y = a + b f), so that nobody can know the height
of its best value beforehand. Source: paper 32, section 5 of our sheet; sizes are ours.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scrubjay.core.errors import UnknownName
from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.bo.tasks import Floats, OptimiseError, Task, squared_differences


@dataclass(frozen=True, slots=True)
class GPFamily:
    """Draws from Gaussian processes whose best regions lie close together."""

    dimensions: int = 3
    candidates: int = 128
    bump: float = 1.5
    """h: height of the shared region, in standard deviations of the process; 0 shares nothing."""
    radius: float = 0.2
    seed: int = 0
    """Of the family: where its region C is and how long its dimensions L_j are."""

    @property
    def kinds(self) -> tuple[int, ...]:
        return (0,) * self.dimensions

    @property
    def centre(self) -> Floats:
        """C, at least 0.2 from every side."""
        return numpy_stream(self.seed, "centre").uniform(0.2, 0.8, self.dimensions)

    def sample(self, rng: np.random.Generator) -> Task:
        d = self.dimensions
        x = rng.random((self.candidates, d))
        usual = np.exp(numpy_stream(self.seed, "lengths").uniform(np.log(0.15), np.log(0.8), d))
        lengths = usual * np.exp(0.3 * rng.standard_normal(d))
        squares = squared_differences(x, x, self.kinds)
        kernel = np.exp(-0.5 * np.einsum("jnm,j->nm", squares, lengths**-2.0))
        kernel[np.diag_indices(len(x))] += 1e-6  # rounding, or the root may not exist
        f = np.linalg.cholesky(kernel) @ rng.standard_normal(len(x))
        place = self.centre + 0.08 * rng.standard_normal(d)
        f += self.bump * np.exp(-0.5 * ((x - place) ** 2).sum(axis=1) / self.radius**2)
        return Task(x, _shifted(f, rng), self.kinds)


FUNCTIONS = ("branin", "ackley", "griewank")


@dataclass(frozen=True, slots=True)
class AnalyticFamily:
    """A textbook function to be minimised, with its sign turned.

    Raises:
        UnknownName: no such function.
        OptimiseError: Branin in other than two dimensions.
    """

    function: Literal["branin", "ackley", "griewank"] = "branin"
    dimensions: int = 2
    candidates: int = 128

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise UnknownName("function", self.function, FUNCTIONS)
        if self.function == "branin" and self.dimensions != 2:
            raise OptimiseError("Branin has two dimensions")

    @property
    def kinds(self) -> tuple[int, ...]:
        return (0,) * self.dimensions

    def sample(self, rng: np.random.Generator) -> Task:
        x = rng.random((self.candidates, self.dimensions))
        moved = x + rng.uniform(-0.1, 0.1, self.dimensions)
        stretched = 0.5 + (moved - 0.5) * rng.uniform(0.8, 1.2, self.dimensions)
        return Task(x, _shifted(-evaluate(self.function, stretched), rng), self.kinds)


def evaluate(function: str, x: Floats) -> Floats:
    """Values (to be minimised) at rows of the unit cube, stretched to the usual domain."""
    if function == "branin":
        u, v = 15 * x[:, 0] - 5, 15 * x[:, 1]
        valley = v - 5.1 / (4 * np.pi**2) * u**2 + 5 / np.pi * u - 6
        return np.asarray(valley**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(u) + 10)
    if function == "ackley":
        z = 10 * (x - 0.5)
        root = np.sqrt((z**2).mean(axis=1))
        waves = np.cos(2 * np.pi * z).mean(axis=1)
        return np.asarray(-20 * np.exp(-0.2 * root) - np.exp(waves) + 20 + np.e)
    z = 20 * (x - 0.5)
    waves = np.cos(z / np.sqrt(np.arange(1, x.shape[1] + 1))).prod(axis=1)
    return np.asarray(1 + (z**2).sum(axis=1) / 4000 - waves)


@dataclass(frozen=True, slots=True, eq=False)
class TableFamily:
    """Results of the same settings on many data sets.

    Raises:
        OptimiseError: shapes that don't fit, or fewer rows than candidates.
    """

    settings: Floats
    """(R, d)"""
    results: Floats
    """(data sets, R)"""
    kinds: tuple[int, ...]
    names: tuple[str, ...]
    candidates: int = 64
    """N: rows drawn for a task."""

    def __post_init__(self) -> None:
        if self.results.shape != (len(self.names), len(self.settings)) or not self.names:
            raise OptimiseError("a table needs one row of results for every data set")
        if self.candidates > len(self.settings):
            raise OptimiseError(
                f"a task of {self.candidates} candidates can't be drawn from "
                f"{len(self.settings)} rows"
            )

    def sample(self, rng: np.random.Generator) -> Task:
        which = int(rng.integers(len(self.names)))
        rows = rng.permutation(len(self.settings))[: self.candidates]
        return Task(self.settings[rows], self.results[which, rows], self.kinds, self.names[which])

    def only(self, names: Collection[str]) -> TableFamily:
        """The part with these data sets.

        Raises:
            UnknownName: there is no such data set.
        """
        for name in names:
            if name not in self.names:
                raise UnknownName("data set", name, self.names)
        rows = [i for i, name in enumerate(self.names) if name in names]
        return replace(self, results=self.results[rows], names=tuple(self.names[i] for i in rows))

    def split(self, test: int, seed: int) -> tuple[TableFamily, TableFamily]:
        """(training, test): ``test`` data sets are kept back."""
        order: Sequence[int] = numpy_stream(seed, "split").permutation(len(self.names)).tolist()
        names = [self.names[i] for i in order]
        return self.only(names[test:]), self.only(names[:test])


def _shifted(f: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(rng.normal(0, 5) + np.exp(rng.normal()) * f)
