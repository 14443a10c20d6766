"""Two vectorised worlds with a few small places that give reward, and a camera above them.

    arm    a planar arm of 20 joints; behaviour: where its tip ends; reward in three discs
    maze   a point among walls, the goal behind a pocket that points at it (deceptive); behaviour:
           where it ends; reward in three discs

In a disc of radius r the reward is 1 − distance / r: 0 outside, so search is blind there, and
something to climb inside. The camera sees the whole arm, or the point and the walls, with pixels in
between that mean nothing: the tip must be found by whoever learns from pictures.

Source: STAX (paper 27), 3.5 (the redundant arm; disjoint reward areas). Ours: the maze, the discs'
places, 16 × 16 grey pictures, and the distractor, a bright square whose place depends on the
agent's first action and on nothing that matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.diversity.types import Floats, Images, Ints, SearchError


class Discs:
    """Round reward areas: (x, y, radius) each."""

    def __init__(self, discs: Sequence[tuple[float, float, float]]) -> None:
        table = np.asarray(discs, dtype=float).reshape(-1, 3)
        if not np.isfinite(table).all() or (table[:, 2] <= 0).any():
            raise SearchError("a reward area is a finite (x, y, radius) with a radius above 0")
        self.centres, self.radius = table[:, :2], table[:, 2]

    def __len__(self) -> int:
        return len(self.radius)

    def inside(self, points: Floats) -> tuple[Ints, Floats]:
        """(area or −1, reward) of points (n, 2)."""
        if not len(self):
            return np.full(len(points), -1), np.zeros(len(points))
        away = np.linalg.norm(points[:, None] - self.centres, axis=2) / self.radius
        area = away.argmin(axis=1)
        reward = np.maximum(0.0, 1 - away[np.arange(len(points)), area])
        return np.where(reward > 0, area, -1), reward


class Camera:
    """Draws points of [0, 1]² into pictures, over a fixed speckle, with a distractor."""

    def __init__(self, side: int, distractor: bool = True, seed: int = 0) -> None:
        if side < 4:
            raise SearchError(f"a picture needs at least 4 × 4 pixels, not {side}")
        self.side, self.distractor = side, distractor
        rng = numpy_stream(seed, "speckle")
        self.ground = (rng.random((side, side)) < 0.05).astype(np.float32) * 0.5

    def shoot(self, points: Floats, distract: Floats) -> Images:
        """Pictures (n, side, side) of points (n, m, 2); ``distract`` (n,) places a square."""
        n, side = len(points), self.side
        cells = np.clip((points * side).astype(int), 0, side - 1)
        picture = np.repeat(self.ground[None], n, axis=0)
        picture[np.arange(n)[:, None], cells[..., 1], cells[..., 0]] = 1.0
        if not self.distractor:
            return picture
        corner = np.floor(distract * (side - 1) ** 2).astype(int)
        y, x = np.divmod(np.clip(corner, 0, (side - 1) ** 2 - 1), side - 1)
        rows = np.arange(n)
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
            picture[rows, y + dy, x + dx] = 0.7
        return picture


def _scattered(actions: Floats) -> Floats:
    """A number in [0, 1) by the first action that has nothing to do with where it leads."""
    return np.asarray(np.mod(np.abs(actions.sum(axis=1)) * 1e4, 1.0))


class Arm:
    """A planar arm; actions turn its joints, observations are the joints' angles.

    Args:
        joints: links of equal length, 1 / joints each; the base sits in the middle of [−1, 1]².
        steps: length of an episode.
        side: of the pictures.
        distractor: whether a square moves in them without meaning.
        discs: reward areas for the tip.
    """

    limits: tuple[tuple[float, float], ...] = ((-1.0, 1.0), (-1.0, 1.0))

    def __init__(
        self,
        joints: int = 20,
        steps: int = 50,
        side: int = 16,
        distractor: bool = True,
        discs: Sequence[tuple[float, float, float]] = (
            (-0.6, 0.55, 0.09), (0.1, -0.85, 0.07), (0.75, 0.45, 0.06),
        ),
    ) -> None:  # fmt: skip
        if joints < 1 or steps < 1:
            raise SearchError("an arm needs at least one joint and one step")
        self.inputs = self.outputs = joints
        self.steps, self.discs, self.camera = steps, Discs(discs), Camera(side, distractor)
        self.areas = len(self.discs)

    def reset(self, n: int) -> Floats:
        self._angles: Floats = np.zeros((n, self.inputs))
        self._t, self._distract = 0, np.zeros(n)
        return self._angles

    def step(self, actions: Floats) -> tuple[Floats, Floats]:
        if self._t == 0:
            self._distract = _scattered(actions)
        self._t += 1
        self._angles = np.clip(self._angles + 0.1 * actions, -np.pi, np.pi)
        reward = np.zeros(len(actions))
        if self._t == self.steps:
            reward = self.discs.inside(self.behaviour())[1]
        return self._angles / np.pi, reward

    def joints(self) -> Floats:
        """Where the ends of the links are, (n, joints, 2)."""
        heading = np.cumsum(self._angles, axis=1) + np.pi / 2
        links = np.stack([np.cos(heading), np.sin(heading)], axis=2) / self.inputs
        return np.asarray(np.cumsum(links, axis=1))

    def behaviour(self) -> Floats:
        return self.joints()[:, -1]

    def area(self) -> Ints:
        return self.discs.inside(self.behaviour())[0]

    def render(self) -> Images:
        return self.camera.shoot((self.joints() + 1) / 2, self._distract)


WALLS = (
    "................",
    "................",
    "...########.....",
    "..........#.....",
    "..........#.....",
    "..........#.....",
    "...########.....",
    "................",
    "................",
    "......#####.....",
    "......#.........",
    "......#..######.",
    "......#..#......",
    "......#..#......",
    "......#..#......",
    "................",
)
"""A pocket to the right of the start, open to it, and a winding way below."""


class Maze:
    """A point that walks among walls; observes its place and which neighbours are walls.

    Args:
        walls: rows from the top, '#' is wall; the world is [0, 1]².
        start: where episodes begin.
        steps: how long it walks.
        speed: how fast.
        side: of the pictures.
        distractor: whether a square moves in them without meaning.
        discs: reward areas for the last place.

    Raises:
        SearchError: ragged walls, a start outside or in a wall, no steps.
    """

    limits: tuple[tuple[float, float], ...] = ((0.0, 1.0), (0.0, 1.0))
    inputs, outputs = 6, 2

    def __init__(
        self,
        walls: Sequence[str] = WALLS,
        start: tuple[float, float] = (0.15, 0.28),
        steps: int = 60,
        speed: float = 0.04,
        side: int = 16,
        distractor: bool = True,
        discs: Sequence[tuple[float, float, float]] = (
            (0.85, 0.28, 0.05), (0.94, 0.94, 0.06), (0.5, 0.72, 0.05),
        ),
    ) -> None:  # fmt: skip
        if not walls or len({len(row) for row in walls}) != 1 or not walls[0]:
            raise SearchError("the walls of a maze are rows of equal length")
        self.walls = np.array([[c == "#" for c in row] for row in walls])
        # Whether the cells to the right, left, below and above are walls; the rim repeats itself.
        wide = np.pad(self.walls, 1, mode="edge").astype(float)
        self._near = np.stack(
            [wide[1:-1, 2:], wide[1:-1, :-2], wide[2:, 1:-1], wide[:-2, 1:-1]], axis=2
        )
        if steps < 1 or not 0 < speed < 1 / max(self.walls.shape):
            raise SearchError("a maze needs a step or more, each shorter than a cell")
        self.steps, self.speed, self.start = steps, speed, start
        self.discs, self.camera = Discs(discs), Camera(side, distractor)
        self.areas = len(self.discs)
        if not (0 <= start[0] < 1 and 0 <= start[1] < 1) or self._blocked(np.array([start]))[0]:
            raise SearchError(f"the start {start} lies outside the maze or in a wall")

    def reset(self, n: int) -> Floats:
        self._at = np.repeat(np.asarray([self.start]), n, axis=0)
        self._t, self._distract = 0, np.zeros(n)
        return self._seen()

    def step(self, actions: Floats) -> tuple[Floats, Floats]:
        if self._t == 0:
            self._distract = _scattered(actions)
        self._t += 1
        for axis in (0, 1):  # one after the other: a wall is slid along
            to = self._at.copy()
            to[:, axis] += self.speed * actions[:, axis]
            np.minimum(np.maximum(to, 0, out=to), 1 - 1e-9, out=to)
            self._at = np.where(self._blocked(to)[:, None], self._at, to)
        reward = np.zeros(len(actions))
        if self._t == self.steps:
            reward = self.discs.inside(self._at)[1]
        return self._seen(), reward

    def behaviour(self) -> Floats:
        return self._at.copy()

    def area(self) -> Ints:
        return self.discs.inside(self._at)[0]

    def render(self) -> Images:
        return self.camera.shoot(self._at[:, None], self._distract)

    def _blocked(self, points: Floats) -> np.ndarray:
        h, w = self.walls.shape
        x, y = (points * (w, h)).astype(int).T
        return np.asarray(self.walls[y, x])

    def _seen(self) -> Floats:
        h, w = self.walls.shape
        x, y = (self._at * (w, h)).astype(int).T
        return np.concatenate([2 * self._at - 1, self._near[y, x]], axis=1)
