"""Streams of repeated tasks: a task is drawn, met again for a block of episodes, then replaced.

    for each task M ~ p(M):  for episode 1 … n (fixed, or geometric with mean n):  play M

    RUNNING      the episode goes on
    EPISODE_END  it ended by the task's own rules; the next observation begins the next episode
    TRUNCATED    it was cut at the task's step limit; the same
    TASK_END     the last episode of the block ended, either way; the next observation is of a new
                 task, and nothing seen so far says anything about it

The stream is never reset by hand, and everything happens in many lanes at once: a ``TaskLaw`` opens
as ``Tasks`` (what each lane plays now), ``RepeatedTask`` decides when a lane gets another one.
Observations are numbers below ``law.observations`` (``one_hot`` turns them into vectors). Source:
paper 07, section 3.1; the fourth code is what a learner may not bootstrap across.

>>> from scrubjay.worlds.arms import GaussianArms
>>> stream = RepeatedTask(GaussianArms(arms=3), block=2).open(lanes=4, seed=1)
>>> [int(stream.step([0, 1, 2, 0]).code[0]) for _ in range(4)] == [EPISODE_END, TASK_END] * 2
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scrubjay.core.errors import InputError
from scrubjay.core.randomness import numpy_stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RUNNING, EPISODE_END, TRUNCATED, TASK_END = range(4)
BlockLaw = Literal["fixed", "geometric"]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What every lane got for its action: three arrays (lanes,)."""

    observation: Ints
    """What the next action is chosen by: after an end, the first of what follows."""
    reward: Floats
    code: Ints


class Tasks(Protocol):
    """The task of every lane, and how far its episode is."""

    def renew(self, lanes: Bools) -> None:
        """Draw new tasks for these lanes."""
        ...

    def start(self, lanes: Bools) -> Ints:
        """Begin an episode in these lanes; the observation of all lanes."""
        ...

    def step(self, actions: Ints) -> Step:
        """Play; the code is RUNNING, EPISODE_END or TRUNCATED."""
        ...


class TaskLaw(Protocol):
    """A distribution of tasks, p(M)."""

    @property
    def actions(self) -> int: ...
    @property
    def observations(self) -> int: ...
    @property
    def longest(self) -> int:
        """Most steps of an episode."""
        ...

    def open(self, lanes: int, rng: np.random.Generator) -> Tasks:
        """Tasks for so many lanes; none is drawn before ``renew``."""
        ...


@dataclass(frozen=True, slots=True)
class RepeatedTask:
    """Blocks of one task each.

    Raises:
        InputError: blocks shorter than one episode, or no such law.
    """

    tasks: TaskLaw
    block: float
    """n, episodes of a block (a whole number for ``fixed``), or their mean."""
    law: BlockLaw = "fixed"
    boundary_visible: bool = True
    """Whether players are told that a new task begins. An agent that is told wipes its memory."""

    def __post_init__(self) -> None:
        if self.law not in ("fixed", "geometric"):
            raise InputError(f"blocks are 'fixed' or 'geometric', not '{self.law}'")
        if not (np.isfinite(self.block) and self.block >= 1):
            raise InputError(f"a block has at least one episode, not {self.block:g}")
        if self.law == "fixed" and self.block != int(self.block):
            raise InputError(f"a fixed block is a whole number of episodes, not {self.block:g}")

    def open(self, lanes: int, seed: int, *names: object) -> BlockStream:
        """The stream of so many lanes; ``seed`` and ``names`` fix tasks and luck.

        Raises:
            InputError: no lanes.
        """
        if lanes < 1:
            raise InputError(f"a stream has at least one lane, not {lanes}")
        return BlockStream(self, lanes, seed, names)


class BlockStream:
    """What players step through. ``observation`` is what the first action is chosen by."""

    def __init__(
        self, blocks: RepeatedTask, lanes: int, seed: int, names: tuple[object, ...]
    ) -> None:
        self.blocks, self.lanes = blocks, lanes
        # Lengths have a generator of their own: other block laws meet the same first tasks.
        self._lengths = numpy_stream(seed, *names, "blocks")
        self.tasks = blocks.tasks.open(lanes, numpy_stream(seed, *names, "tasks"))
        everywhere: Bools = np.ones(lanes, dtype=bool)
        self._left: Ints = self._draw_lengths()
        self.tasks.renew(everywhere)
        self.observation: Ints = self.tasks.start(everywhere)

    def step(self, actions: ArrayLike) -> Step:
        """Play one action a lane.

        Raises:
            ValueError: an action that isn't there, or not one a lane.
        """
        chosen = np.asarray(actions, dtype=np.int64)
        if chosen.shape != (self.lanes,):
            raise ValueError(f"{self.lanes} lanes need as many actions, not shape {chosen.shape}")
        if ((chosen < 0) | (chosen >= self.blocks.tasks.actions)).any():
            raise ValueError(f"actions are 0 to {self.blocks.tasks.actions - 1}")
        done = self.tasks.step(chosen)
        ended = done.code != RUNNING
        self._left -= ended
        over = self._left == 0
        if over.any():
            # Drawn for all lanes, so that what one lane does never shifts another's luck.
            self._left = np.where(over, self._draw_lengths(), self._left)
            self.tasks.renew(over)
        self.observation = self.tasks.start(ended) if ended.any() else done.observation
        return Step(self.observation, done.reward, np.where(over, TASK_END, done.code))

    def _draw_lengths(self) -> Ints:
        if self.blocks.law == "fixed":
            return np.full(self.lanes, int(self.blocks.block))
        return self._lengths.geometric(1 / self.blocks.block, self.lanes).astype(np.int64)


def one_hot(numbers: Ints, kinds: int) -> Any:
    """Float vectors: array (…, kinds).

    >>> one_hot(np.array([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return np.eye(kinds, dtype=np.float32)[numbers]
