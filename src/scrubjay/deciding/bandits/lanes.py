"""Lanes: the randomness of many runs side by side, one independent stream a run.

    lanes = Lanes(seed, runs=range(0, 1000))
    lanes.uniform(10)          # array (1000, 10): the next ten numbers of every run

Run 17 draws the same numbers whether it is simulated alone or among a thousand: every run, and
every kind and shape of number within it, has a generator of its own, which is drawn ahead in
blocks. That makes a race reproducible to the bit however its runs are cut into chunks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scrubjay.core.randomness import derive, numpy_stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_CELLS = 2_000_000
"""Numbers drawn ahead at most, all runs together."""
_AHEAD = 256
"""Rounds drawn ahead at most."""


class Lanes:
    """One stream of random numbers per run.

    Args:
        seed: fixes everything.
        runs: how many runs (0 … runs-1), or their numbers.
        names: what the numbers are for; other names, other numbers.

    Raises:
        ValueError: there are no runs.
    """

    def __init__(self, seed: int, runs: int | Sequence[int] = 1, *names: object) -> None:
        self.seed, self.names = seed, names
        self.numbers = list(range(runs)) if isinstance(runs, int) else list(runs)
        if not self.numbers:
            raise ValueError("a simulation needs at least one run")
        self.rows: Ints = np.arange(len(self.numbers))
        self._blocks: dict[tuple[object, ...], _Block] = {}
        self._keys: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def named(self, *names: object) -> Lanes:
        """The same runs with other streams."""
        return Lanes(self.seed, self.numbers, *self.names, *names)

    def uniform(self, *shape: int) -> Floats:
        """The next numbers of every run, uniform in [0, 1): array (runs, *shape)."""
        return self._next("random", shape)

    def normal(self, *shape: int) -> Floats:
        """The next standard normal numbers of every run: array (runs, *shape)."""
        return self._next("standard_normal", shape)

    def hashed(self, rows: Ints, *counters: Ints | int) -> Floats:
        """A uniform number in [0, 1) for each row, fixed by the run and the counters alone.

        For draws of which nobody knows beforehand how many a run needs (rejection sampling).
        """
        if self._keys is None:
            self._keys = np.array([self._derived("hash", n) for n in self.numbers], dtype=np.uint64)
        state = self._keys[rows]
        for counter in counters:
            state = _mix(state + np.asarray(counter).astype(np.uint64) * _STEP)
        return np.asarray((state >> np.uint64(11)) * 2.0**-53)

    def pick(self, probabilities: Floats) -> Ints:
        """An index per run, drawn with the run's own probabilities (runs, n)."""
        return pick(probabilities, self.uniform())

    def _derived(self, *names: object) -> int:
        return derive(self.seed, *self.names, *names)

    def _next(self, kind: str, shape: tuple[int, ...]) -> Floats:
        block = self._blocks.get((kind, *shape))
        if block is None:
            generators = [
                numpy_stream(self.seed, *self.names, kind, *shape, "run", n) for n in self.numbers
            ]
            block = self._blocks[(kind, *shape)] = _Block(kind, shape, generators)
        return block.next()


class _Block:
    """Numbers of one kind and shape, drawn ahead for all runs."""

    def __init__(
        self, kind: str, shape: tuple[int, ...], generators: list[np.random.Generator]
    ) -> None:
        self._draw = [getattr(g, kind) for g in generators]
        size = max(1, int(np.prod(shape))) * len(generators)
        self._ahead = self._used = max(1, min(_AHEAD, _CELLS // size))
        self._own: Floats = np.empty((len(generators), self._ahead, *shape))
        self._drawn: Floats = self._own

    def next(self) -> Floats:
        if self._used == self._ahead:
            for draw, own in zip(self._draw, self._own):
                draw(out=own)
            # Round by round, and new memory: callers may keep and change what they were given.
            self._drawn = np.array(self._own.swapaxes(0, 1), order="C")
            self._used = 0
        self._used += 1
        return np.asarray(self._drawn[self._used - 1])


def pick(weights: Floats, uniform: Floats, sums: Floats | None = None) -> Ints:
    """The index at which the running sum of each row first exceeds its uniform number's share.

    Rows need not sum to 1; an index of weight 0 is never picked. ``sums``: what ``running`` gave.
    """
    if sums is None:
        sums = running(weights)
    # A hair below the sum: else rounding could leave no index at all.
    return np.asarray((sums <= uniform * (1 - 1e-15) * sums[-1]).sum(axis=0))


def running(weights: Floats) -> Floats:
    """Running sums of the rows of (runs, n), as (n, runs).

    Column by column: for short rows several times faster than ``cumsum``, with the same bits.
    """
    sums = np.empty(weights.shape[::-1])
    sums[0] = weights[:, 0]
    for k in range(1, len(sums)):
        np.add(sums[k - 1], weights[:, k], out=sums[k])
    return sums


_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every input bit reaches all."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
