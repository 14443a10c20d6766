"""What quality-diversity searches among, and what comes back.

    problem.evaluate(genomes (n, p))  ->  Evaluations: n whole episodes

A genome is a point of [low, high]^p, mostly the weights of a small policy. An episode gives a
reward (sparse: 0 nearly always), a few observations (what a descriptor may be learned from), and
the behaviour proper, e.g. where the agent ended: methods that are handed a hand-made space see it,
methods that learn one do not; scores are always computed in it.

Source: STAX (paper 27), section 2 of our sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scrubjay.core.errors import ScrubjayError

Floats = NDArray[np.float64]
Images = NDArray[np.float32]
Ints = NDArray[np.int64]


class SearchError(ScrubjayError):
    """Settings, genomes or rewards that no search can work with."""


class BrokenEnvironment(SearchError):
    """An environment that doesn't keep its contract."""


@dataclass(frozen=True)
class Evaluations:
    """n episodes, side by side."""

    genomes: Floats
    """(n, p)"""
    reward: Floats
    """(n,): return of the episode, finite and at least 0."""
    observations: Images
    """(n, samples, …): taken at even distances in time, the last at the end, in [0, 1]."""
    behaviour: Floats
    """(n, d): the true behaviour."""
    area: Ints
    """(n,): which of the reward areas was reached, -1 for none."""

    def __len__(self) -> int:
        return len(self.reward)

    def take(self, rows: Any) -> Evaluations:
        """Some of them (indices or a mask)."""
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def join(cls, parts: Sequence[Evaluations]) -> Evaluations:
        """One after another.

        Raises:
            ValueError: there are none.
        """
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


class Problem(Protocol):
    """What is searched. ``evaluate`` is deterministic: the same genome, the same episode."""

    genome: int
    """p"""
    bounds: tuple[float, float]
    """Of every entry of a genome."""
    limits: tuple[tuple[float, float], ...]
    """(low, high) of every dimension of the behaviour."""
    areas: int
    """How many places give reward."""

    def evaluate(self, genomes: Floats) -> Evaluations:
        """Run a whole episode for each row.

        Raises:
            SearchError: genomes of the wrong shape, or not finite.
            BrokenEnvironment: the environment breaks its contract.
        """
        ...


@dataclass
class Outcome:
    """What a search found: everything it kept, and how it went."""

    found: Evaluations
    """The archive and the rewarding solutions."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """After every chunk: evaluations, coverage, areas found, best reward by area."""
    spent: dict[str, int] = field(default_factory=dict)
    """Evaluations by purpose: explore, candidates, emitters."""
    errors: list[float] = field(default_factory=list)
    """Validation error of a learned descriptor after each training."""
    rewarded: int = 0
    """Evaluations with a reward above 0."""


def checked_genomes(genomes: Any, size: int) -> Floats:
    """Genomes as an array (n, size).

    Raises:
        SearchError: another shape, or an entry that is not finite.
    """
    try:
        array = np.asarray(genomes, dtype=float)
    except (TypeError, ValueError) as error:
        raise SearchError(f"genomes must be an array of numbers ({error})") from error
    if array.ndim != 2 or array.shape[1] != size:
        raise SearchError(f"genomes must have the shape (n, {size}), not {array.shape}")
    if not np.isfinite(array).all():
        raise SearchError("a genome holds a number that is not finite")
    return array


def checked_reward(reward: Any, n: int) -> Floats:
    """Rewards as an array (n,).

    Raises:
        BrokenEnvironment: another shape, or a reward that is NaN, infinite or no number.
    """
    try:
        array = np.asarray(reward, dtype=float)
    except (TypeError, ValueError) as error:
        raise BrokenEnvironment(f"a reward must be a number, not {reward!r:.60}") from error
    if array.shape != (n,):
        raise BrokenEnvironment(f"{n} episodes need {n} rewards, not an array {array.shape}")
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)][0]
        raise BrokenEnvironment(f"the environment gave a reward of {bad}; it must be finite")
    return array
