"""The game of black-box optimisation, many tasks side by side.

    state   s_t = (candidates, what was tried, values seen, t, T)     action: index of a candidate
    regret  r_t = 1 − best so far, with the task's values scaled to [0, 1]
    reward  log(max(r_t, floor)) / (T log floor)          from 0 to 1/T

The paper's reward is −log₁₀ max(r_t, 10⁻²⁰), a spike of 20 when the best candidate itself is found:
our floor is 10⁻³. It is scaled so that the rewards of an episode sum to 1 at most, or V would spend
a short training on growing to its size (advantages are normalised, so π sees no scale). What was
tried is known by index, never by comparing settings.

How the values look to the optimiser is a ``Scaling``. ``UnitRange`` divides by the task's own
range (as the paper does in training and in its published tables): it leaks how high the best value
is. ``Online`` standardises what was seen so far and leaks nothing. Source: paper 32, sections 2,
3.2 and 7 of our sheet.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scrubjay.deciding.bo.tasks import Floats, Ints, OptimiseError, Task

FLOOR = 1e-3
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What B optimisers know after t of T trials."""

    candidates: Floats
    """(B, N, d)"""
    kinds: tuple[int, ...]
    tried: Ints
    """(B, t): indices, in order."""
    seen: Floats
    """(B, t): their values, scaled."""
    trials: int
    """T."""

    @property
    def history(self) -> Floats:
        """(B, t, d): settings that were tried."""
        return np.take_along_axis(self.candidates, self.tried[..., None], axis=1)

    @property
    def free(self) -> Bools:
        """(B, N): candidates that were not tried."""
        out = np.ones(self.candidates.shape[:2], dtype=bool)
        np.put_along_axis(out, self.tried, False, axis=1)
        return out

    @property
    def incumbent(self) -> Floats:
        """(B,): best value seen; 0 before the first."""
        if self.seen.shape[1] == 0:
            return np.zeros(len(self.seen))
        return np.asarray(self.seen.max(axis=1))

    @property
    def spent(self) -> float:
        """t / T."""
        return int(self.tried.shape[1]) / self.trials


class Scaling(Protocol):
    """How raw values become what optimisers see."""

    def line(self, seen: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """(a, b), each (B, 1): value → a + b · value, from the values seen (B, t) and the tasks'
        true ranges (B, 1), of which an honest one makes no use."""
        ...


@dataclass(frozen=True, slots=True)
class UnitRange:
    """The task's true lowest value becomes 0, its highest 1."""

    def line(self, seen: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        width = np.where(high > low, high - low, 1.0)
        return -low / width, 1 / width


@dataclass(frozen=True, slots=True)
class Online:
    """The values seen get the mean and deviation that values usually have in [0, 1] scale.

    Until two values differ there is no deviation: then all of them are the mean.
    """

    mean: float = 0.5
    deviation: float = 0.2

    def line(self, seen: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        if seen.shape[1] == 0:
            return np.full_like(low, self.mean), np.zeros_like(low)
        deviation = seen.std(axis=1, keepdims=True)
        slope = np.where(deviation > 0, self.deviation / np.maximum(deviation, 1e-300), 0.0)
        return self.mean - slope * seen.mean(axis=1, keepdims=True), slope

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> Online:
        """As values are spread in these (training) tasks."""
        unit = np.array([t.unit_values for t in tasks])
        return cls(float(unit.mean()), float(unit.std(axis=1).mean()))


def scaled(values: Floats, line: tuple[Floats, Floats]) -> Floats:
    """Values (B, n) on their line, kept in [0, 1], where networks were trained."""
    a, b = line
    return np.asarray(np.clip(a + b * values, 0.0, 1.0))


class BOEnv:
    """B tasks of the same kinds and size, each for T trials.

    Raises:
        OptimiseError: no tasks, tasks of different shape, or fewer candidates than trials.
    """

    def __init__(self, tasks: Sequence[Task], trials: int, scaling: Scaling | None = None) -> None:
        if not tasks:
            raise OptimiseError("there is no task to optimise")
        if any(t.candidates.shape != tasks[0].candidates.shape for t in tasks) or any(
            t.kinds != tasks[0].kinds for t in tasks
        ):
            raise OptimiseError("tasks side by side must have the same candidates' shape and kinds")
        if not 1 <= trials <= len(tasks[0].values):
            raise OptimiseError(
                f"{trials} trials can't be made with {len(tasks[0].values)} candidates"
            )
        self.tasks, self.trials, self.scaling = tuple(tasks), trials, scaling or UnitRange()
        self.values = np.array([t.values for t in tasks])
        self._low = self.values.min(axis=1, keepdims=True)
        self._high = self.values.max(axis=1, keepdims=True)
        self.constant = (self._low == self._high)[:, 0]
        if self.constant.any():
            warnings.warn(
                f"{int(self.constant.sum())} of {len(tasks)} tasks have one value only: any order "
                "of their candidates is as good",
                stacklevel=2,
            )
        self._unit = np.array([t.unit_values for t in tasks])
        self._candidates = np.array([t.candidates for t in tasks])
        self.tried: Ints = np.zeros((len(tasks), 0), dtype=np.int64)

    @property
    def state(self) -> State:
        seen = np.take_along_axis(self.values, self.tried, axis=1)
        return State(
            self._candidates,
            self.tasks[0].kinds,
            self.tried,
            scaled(seen, self.scaling.line(seen, self._low, self._high)),
            self.trials,
        )

    @property
    def regret(self) -> Floats:
        """(B, t): 1 − best so far, in the task's own range; 0 where all values are equal."""
        seen = np.take_along_axis(self._unit, self.tried, axis=1)
        gap = 1 - np.maximum.accumulate(seen, axis=1)
        return np.where(self.constant[:, None], 0.0, gap)

    @property
    def done(self) -> bool:
        return int(self.tried.shape[1]) >= self.trials

    def start(self, rng: np.random.Generator, initial: int) -> None:
        """Forget all trials and make ``initial`` random ones."""
        order = rng.permuted(np.tile(np.arange(self.values.shape[1]), (len(self.tasks), 1)), axis=1)
        self.tried = order[:, :initial]

    def step(self, actions: Ints) -> Floats:
        """Try one candidate of every task; returns the rewards (B,).

        Raises:
            OptimiseError: the trials are spent, or a candidate was tried before.
        """
        if self.done:
            raise OptimiseError(f"all {self.trials} trials are spent")
        if (self.tried == actions[:, None]).any():
            raise OptimiseError("a candidate can be tried only once")
        self.tried = np.concatenate([self.tried, actions[:, None]], axis=1)
        gain = np.log(np.maximum(self.regret[:, -1], FLOOR)) / np.log(FLOOR)
        return np.asarray(gain / self.trials)

    def context(self, count: Ints, rng: np.random.Generator) -> tuple[Ints, Floats, Floats]:
        """Random trials to learn regression from, ``count`` (B,) of each task.

        Returns indices and scaled values (B, most), padded on the right, and all candidates' values
        (B, N) on the same scale.
        """
        n = self.values.shape[1]
        order = rng.permuted(np.tile(np.arange(n), (len(self.tasks), 1)), axis=1)
        chosen = order[:, : int(count.max())]
        seen = np.take_along_axis(self.values, chosen, axis=1)
        lines = [
            self.scaling.line(seen[i : i + 1, :c], self._low[i : i + 1], self._high[i : i + 1])
            for i, c in enumerate(count)
        ]
        line = (np.concatenate([a for a, _ in lines]), np.concatenate([b for _, b in lines]))
        return chosen, scaled(seen, line), scaled(self.values, line)
