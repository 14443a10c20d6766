"""Small grid worlds, many at once: walls, objects with reward, stepped together in numpy.

A level is a square of cells. Stepping on an object that is there takes it: it gives its reward r_k,
ends the episode with chance e_k, and once gone comes back at its place with chance b_k a step.
Bumping into a wall or the border leaves the agent where it is. An episode starts in a free cell
drawn at random, with all objects there, and ends after ``limit`` steps at the latest.

    observation   cell · 2^K + (bit k: object k is there), an index into a table of a softmax agent
    lifetime      N: how many updates an agent may learn in this level

Actions carry no meaning across levels (each level numbers the four moves in an order of its own),
so that a learned learning rule can't memorise a policy.

``GridWorld`` steps C levels × E environments. It draws nothing itself: uniform numbers come from
outside (``Draws``, one stream a level), so that two agents in the same level can be given the same
luck, and what happens in a level doesn't depend on which others are stepped beside it.

Source: the task distribution of the public code of paper 17 (discovering temporally-aware
reinforcement learning), made smaller. Ours: no clock in the observation; places are fixed, since an
index says only what is there; moves are renumbered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.core.randomness import derive, numpy_stream

MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
Ints = np.ndarray
Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: where it lies, what it gives, its chances to end the episode and to come back."""

    cell: int
    reward: float
    ends: float
    returns: float


@dataclass(frozen=True, slots=True)
class Level:
    """One grid world and how long an agent lives in it."""

    side: int
    walls: frozenset[int]
    things: tuple[Thing, ...]
    limit: int
    """Steps of an episode."""
    lifetime: int
    """N: updates of the agent; 0 leaves it untrained."""
    moves: tuple[int, int, int, int] = (0, 1, 2, 3)
    """Which of up, down, left, right an action is."""
    seed: int = 0
    """Of everything that is drawn in this level."""

    def __post_init__(self) -> None:
        cells = self.side**2
        taken = [t.cell for t in self.things]
        if self.side < 1 or self.limit < 1 or self.lifetime < 0:
            raise InputError("a level needs a side and a limit of at least 1, and no lifetime < 0")
        if sorted(self.moves) != [0, 1, 2, 3]:
            raise InputError("the moves of a level are 0, 1, 2, 3 in some order")
        if len(set(taken)) < len(taken) or self.walls & set(taken):
            raise InputError("two things of a level lie in one cell, or one lies in a wall")
        if any(not 0 <= c < cells for c in (*self.walls, *taken)):
            raise InputError(f"a wall or thing lies outside of the {cells} cells")
        if any(not (0 <= t.ends <= 1 and 0 <= t.returns <= 1) for t in self.things):
            raise InputError("the chances of a thing must lie between 0 and 1")
        if not self.starts:
            raise InputError("a level has no free cell to start in")

    @property
    def starts(self) -> tuple[int, ...]:
        """Free cells."""
        taken = self.walls | {t.cell for t in self.things}
        return tuple(c for c in range(self.side**2) if c not in taken)

    def after(self, cell: int, action: int) -> int:
        """The cell that an action leads to."""
        down, right = MOVES[self.moves[action]]
        y, x = cell // self.side + down, cell % self.side + right
        there = y * self.side + x
        if 0 <= y < self.side and 0 <= x < self.side and there not in self.walls:
            return there
        return cell


@dataclass(frozen=True, slots=True)
class Levels:
    """A distribution over levels. Pairs are (lowest, highest); chances are log-uniform."""

    side: tuple[int, int] = (4, 6)
    things: tuple[int, int] = (1, 3)
    walls: int = 5
    limit: tuple[int, int] = (20, 60)
    lifetime: tuple[int, int] = (5, 60)
    ends: tuple[float, float] = (0.01, 1.0)
    returns: tuple[float, float] = (0.001, 0.1)

    @property
    def cells(self) -> int:
        return self.side[1] ** 2

    def draw(self, seed: int, *names: object) -> Level:
        """The level called ``names`` under ``seed``."""
        rng = numpy_stream(seed, "level", *names)
        side = int(rng.integers(self.side[0], self.side[1] + 1))
        count = int(rng.integers(self.things[0], self.things[1] + 1))
        places = [int(c) for c in rng.permutation(side**2)]
        walls = frozenset(places[count : count + min(self.walls, side**2 - count - 1)])
        things = tuple(
            Thing(
                cell,
                float(rng.uniform(0, 1) if k == 0 else rng.uniform(-1, 1)),
                _log_uniform(rng, *self.ends),
                _log_uniform(rng, *self.returns),
            )
            for k, cell in enumerate(places[:count])
        )
        limit = round(_log_uniform(rng, *self.limit))
        lifetime = round(_log_uniform(rng, *self.lifetime))
        up, down, left, right = (int(m) for m in rng.permutation(4))
        return Level(
            side, walls, things, limit, lifetime, (up, down, left, right), derive(seed, *names)
        )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


class GridWorld:
    """Levels stepped together; all arrays are (C, E).

    Args:
        levels: one a row; rows may repeat.
        environments: E, copies of every level with their own luck.
        cells: how many a row has room for, if more than these levels need.
        things: the same of objects.
    """

    actions = len(MOVES)

    def __init__(
        self, levels: Sequence[Level], environments: int, cells: int = 0, things: int = 0
    ) -> None:
        if not levels or environments < 1:
            raise InputError("a grid world needs at least one level and one environment")
        count = len(levels)
        self.environments = environments
        self.cells = max(cells, *(level.side**2 for level in levels))
        self.things = max(things, *(len(level.things) for level in levels))
        self.states = self.cells << self.things
        none = self.things
        self.next = np.zeros((count, self.cells, self.actions), int)
        self.thing_at = np.full((count, self.cells), none)
        self.reward = np.zeros((count, none + 1), np.float32)
        self.ends = np.zeros((count, none + 1), np.float32)
        self.returns = np.zeros((count, none), np.float32)
        self.all = np.zeros(count, int)
        self.starts = np.zeros((count, self.cells), int)
        self.free = np.zeros(count, int)
        self.limit = np.zeros(count, int)
        self.cell, self.there, self.clock = np.zeros((3, count, environments), int)
        for row, level in enumerate(levels):
            self.put(row, level)

    def put(self, row: int, level: Level) -> None:
        """Another level in a row; its environments must be started."""
        n = level.side**2
        if n > self.cells or len(level.things) > self.things:
            raise InputError("a level has more cells or things than its row has room for")
        self.next[row, :n] = [[level.after(c, a) for a in range(self.actions)] for c in range(n)]
        self.thing_at[row] = self.things
        self.reward[row], self.ends[row], self.returns[row] = 0, 0, 0
        for k, thing in enumerate(level.things):
            self.thing_at[row, thing.cell] = k
            self.reward[row, k], self.ends[row, k] = thing.reward, thing.ends
            self.returns[row, k] = thing.returns
        self.all[row] = (1 << len(level.things)) - 1
        self.free[row] = len(level.starts)
        self.starts[row, : len(level.starts)] = level.starts
        self.limit[row] = level.limit

    def keep(self, rows: int) -> None:
        """Go on with the first rows only."""
        for name in ("next", "thing_at", "reward", "ends", "returns", "all", "starts", "free"):
            setattr(self, name, getattr(self, name)[:rows])
        for name in ("limit", "cell", "there", "clock"):
            setattr(self, name, getattr(self, name)[:rows])

    @property
    def observation(self) -> Ints:
        return np.asarray(self.cell << self.things | self.there)

    def start(self, luck: Floats, rows: Ints | slice = slice(None)) -> None:
        """Begin episodes in ``rows``; ``luck`` (rows, E) in [0, 1) chooses the cells."""
        free, starts = self.free[rows, None], self.starts[rows]
        pick = np.minimum((luck * free).astype(int), free - 1)
        self.cell[rows] = np.take_along_axis(starts, pick, axis=1)
        self.there[rows] = self.all[rows, None]
        self.clock[rows] = 0

    def step(self, actions: Ints, luck: Floats) -> tuple[Floats, np.ndarray]:
        """Rewards and which episodes ended (they are started anew); all (C, E).

        Args:
            luck: (C, E, 2 + K) uniform numbers: whether it ends, where the next one starts, which
                things come back.
        """
        # Flat indices: np.take is several times faster than indexing by two arrays or three.
        rows = np.arange(len(self.all))[:, None]
        at = rows * self.cells
        self.cell = np.take(self.next, (at + self.cell) * self.actions + actions)
        thing = np.take(self.thing_at, at + self.cell)
        taken = (self.there >> thing) & 1
        which = rows * (self.things + 1) + thing
        reward = np.take(self.reward, which) * taken.astype(np.float32)
        self.clock += 1
        ended = (taken == 1) & (luck[..., 0] < np.take(self.ends, which))
        ended |= self.clock >= self.limit[:, None]
        self.there = self.there & ~(taken << thing)
        for k in range(self.things):
            self.there |= (luck[..., 2 + k] < self.returns[:, k, None]).astype(int) << k
        over = np.nonzero(ended)
        if len(over[0]):
            row = over[0]
            pick = (luck[..., 1][over] * self.free[row]).astype(int)
            self.cell[over] = self.starts[row, np.minimum(pick, self.free[row] - 1)]
            self.there[over], self.clock[over] = self.all[row], 0
        return reward, ended


class Draws:
    """Uniform numbers for levels: a stream for each, shared by its ``copies`` agents.

    ``Draws(levels, 2)`` gives rows 0, 1 the luck of level 0, rows 2, 3 that of level 1, …
    """

    def __init__(self, levels: Sequence[Level], copies: int = 1) -> None:
        self._streams = [numpy_stream(level.seed, "luck") for level in levels]
        self.copies = copies

    def take(self, rows: int, *shape: int) -> Floats:
        """The next numbers of the first rows, (rows, *shape)."""
        drawn = [s.random(shape, np.float32) for s in self._streams[: rows // self.copies]]
        return np.repeat(np.stack(drawn), self.copies, axis=0)
