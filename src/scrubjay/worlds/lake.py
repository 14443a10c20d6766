"""Frozen lakes as repeated tasks: a grid with hidden holes and a hidden goal, new for every block.

    cells are numbered row by row; actions: 0 left, 1 down, 2 right, 3 up; no slipping
    a move into the border stays where it is; a hole ends the episode with 0, the goal with 1
    a lake is kept if a shortest path from start to goal takes ``least`` to ``limit`` steps

    V(s) = max_a  r(s, a) + gamma [s' not an end] V(s')        value iteration, exact once as many
                                                              sweeps were made as there are cells

An agent sees only the number of the cell it stands on. Holes, start and goal stay for the block, so
what an early episode found pays in the later ones. Source: paper 07, section 3.3 (its lakes have
sides of 3 to 5, drawn per task; here the sides are given).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.worlds.blocks import EPISODE_END, RUNNING, TRUNCATED, Bools, Floats, Ints, Step

MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))
_TRIES = 200


@dataclass(frozen=True, slots=True)
class LakeMaze:
    """A law of lakes.

    Raises:
        InputError: a grid of fewer than two cells, a chance of holes outside [0, 1), or a path of
            ``least`` steps that can't be there.
    """

    width: int = 4
    height: int = 4
    holes: float = 0.2
    """Chance that a cell is a hole."""
    least: int = 4
    """Fewest steps from start to goal."""
    limit: int = 16
    """Steps after which an episode is cut."""

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1 or self.cells < 2:
            raise InputError("a lake needs two cells or more")
        if not 0 <= self.holes < 1:
            raise InputError(f"the chance of a hole lies in [0, 1), not at {self.holes:g}")
        if not 1 <= self.least <= min(self.limit, self.cells - 1):
            raise InputError(
                f"a path of {self.least} steps or more doesn't fit into {self.width} × "
                f"{self.height} cells and a limit of {self.limit} steps"
            )

    @property
    def cells(self) -> int:
        return self.width * self.height

    @property
    def actions(self) -> int:
        return len(MOVES)

    @property
    def observations(self) -> int:
        return self.cells

    @property
    def longest(self) -> int:
        return self.limit

    def open(self, lanes: int, rng: np.random.Generator) -> Lakes:
        return Lakes(self, lanes, rng)

    def neighbours(self) -> Ints:
        """Where each action leads from each cell: array (cells, actions)."""
        rows, columns = np.divmod(np.arange(self.cells), self.width)
        down, right = np.transpose(MOVES)
        row = np.clip(rows[:, None] + down, 0, self.height - 1)
        column = np.clip(columns[:, None] + right, 0, self.width - 1)
        return np.asarray(row * self.width + column)


class Lakes:
    """The lake of every lane: ``holes`` (lanes, cells), ``begin`` and ``goal`` (lanes,) are the
    truth, ``path`` (lanes,) the steps of a shortest path."""

    def __init__(self, law: LakeMaze, lanes: int, rng: np.random.Generator) -> None:
        self.law, self._rng = law, rng
        self._rows = np.arange(lanes)
        self._next = law.neighbours()
        self.holes: Bools = np.zeros((lanes, law.cells), dtype=bool)
        self.begin: Ints = np.zeros(lanes, dtype=np.int64)
        self.goal: Ints = np.zeros(lanes, dtype=np.int64)
        self.path: Ints = np.zeros(lanes, dtype=np.int64)
        self.at: Ints = np.zeros(lanes, dtype=np.int64)
        self._steps: Ints = np.zeros(lanes, dtype=np.int64)

    def renew(self, lanes: Bools) -> None:
        """Draw until every lane has a lake with a path of the right length.

        Raises:
            InputError: such lakes are too rare to be found.
        """
        wanted = np.flatnonzero(lanes)
        for _ in range(_TRIES):
            if not wanted.size:
                return
            cells, count = self.law.cells, wanted.size
            begin = self._rng.integers(0, cells, count)
            goal = self._rng.integers(0, cells, count)
            holes = self._rng.random((count, cells)) < self.law.holes
            rows = np.arange(count)
            holes[rows, begin] = holes[rows, goal] = False
            path = distances(holes, goal, self._next)[rows, begin]
            good = (path >= self.law.least) & (path <= self.law.limit)
            kept = wanted[good]
            self.holes[kept], self.begin[kept] = holes[good], begin[good]
            self.goal[kept], self.path[kept] = goal[good], path[good]
            wanted = wanted[~good]
        raise InputError(
            f"lakes of {self.law.width} × {self.law.height} cells with a path of {self.law.least} "
            "steps or more are too rare; ask for a shorter path or more cells"
        )

    def start(self, lanes: Bools) -> Ints:
        self.at = np.where(lanes, self.begin, self.at)
        self._steps = np.where(lanes, 0, self._steps)
        return self.at

    def step(self, actions: Ints) -> Step:
        self.at = self._next[self.at, actions]
        self._steps = self._steps + 1
        won = self.at == self.goal
        ended = won | self.holes[self._rows, self.at]
        code = np.where(self._steps >= self.law.limit, TRUNCATED, RUNNING)
        return Step(self.at, won.astype(np.float64), np.where(ended, EPISODE_END, code))

    def values(self, gamma: float) -> Floats:
        """V of every cell under an optimal player who knows the lake: array (lanes, cells); 0 at
        holes and the goal, where nothing follows. The step limit is left out.

        Raises:
            ValueError: ``gamma`` outside [0, 1].
        """
        if not 0 <= gamma <= 1:
            raise ValueError(f"a discount lies in [0, 1], not at {gamma:g}")
        value: Floats = np.zeros(self.holes.shape)
        for _ in range(self.law.cells):
            value = self.action_values(value, gamma).max(axis=2)
        return value

    def action_values(self, value: Floats, gamma: float) -> Floats:
        """One step of looking ahead, Q(s, a) from V: array (lanes, cells, actions)."""
        ends = self.holes.copy()
        ends[self._rows, self.goal] = True
        won = np.zeros(self.holes.shape)
        won[self._rows, self.goal] = 1
        worth = won + gamma * np.where(ends, 0, value)
        return np.where(ends[:, :, None], 0, worth[:, self._next])

    def optimal(self, gamma: float = 0.9) -> Ints:
        """What a player who knows the lake does now: one action a lane."""
        found = self.action_values(self.values(gamma), gamma)
        return np.asarray(found[self._rows, self.at].argmax(axis=1))


def distances(holes: Bools, goal: Ints, neighbours: Ints) -> Ints:
    """Fewest steps from every cell to the goal: array (lanes, cells); -1 where none lead there."""
    lanes, cells = holes.shape
    found: Ints = np.full((lanes, cells), -1)
    found[np.arange(lanes), goal] = 0
    for length in range(1, cells):
        reached = (found[:, neighbours] == length - 1).any(axis=2) & (found < 0) & ~holes
        if not reached.any():
            break
        found[reached] = length
    return found
