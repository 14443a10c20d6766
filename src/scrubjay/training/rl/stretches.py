"""What an agent lived through: a stretch of a stream in many lanes, and what of it may be seen.

    observation (lanes, T+1)   s_0 … s_T: one more than actions, for the value of what comes last
    action, reward, code (lanes, T)
    fresh (lanes, T+1)         a new task begins here, and the agent is told
    began (lanes, T+1)         a new episode begins here

Before its action at t an agent has seen observations up to s_t, actions and rewards before t, and
where episodes and (if boundaries are visible) tasks began: ``seen(t)``. Codes are for the learner,
which must know where tasks end even if the agent does not. Source: paper 07, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.worlds.blocks import RUNNING, TASK_END, BlockStream, Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is new to an agent before it acts: arrays (lanes,), or (lanes, steps) for many at once.

    Where ``fresh``, ``action`` and ``reward`` belong to a task that is over: ignore them.
    """

    observation: Ints
    action: Ints
    """The last one; 0 before the first."""
    reward: Floats
    fresh: Bools
    began: Bools


class Player(Protocol):
    """Whoever plays: in all lanes at once."""

    @property
    def name(self) -> str: ...

    def begin(self, lanes: int, seed: int) -> None:
        """Forget everything."""
        ...

    def act(self, seen: Seen) -> Ints:
        """One action a lane."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """See above.

    Raises:
        InputError: no steps, or a reward that is not a finite number.
    """

    observation: Ints
    action: Ints
    reward: Floats
    code: Ints
    fresh: Bools
    began: Bools

    def __post_init__(self) -> None:
        if not self.action.size:
            raise InputError("there is nothing to learn from without a single step")
        bad = self.reward[~np.isfinite(self.reward)]
        if bad.size:
            raise InputError(f"a reward must be a finite number, not {bad[0]}")

    @property
    def steps(self) -> int:
        return int(self.action.shape[1])

    def seen(self) -> Seen:
        """All of it, as it was seen: arrays (lanes, T+1)."""
        return Seen(
            self.observation,
            _later(self.action),
            _later(self.reward),
            self.fresh,
            self.began,
        )

    def rows(self, which: Ints) -> Stretch:
        """These lanes."""
        return Stretch(*(getattr(self, f.name)[which] for f in fields(self)))

    @staticmethod
    def join(parts: Sequence[Stretch]) -> Stretch:
        """Lanes of all, one below the other; all must be as long."""
        names = [f.name for f in fields(Stretch)]
        return Stretch(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))

    def with_bonus(self, scale: float) -> Stretch:
        """With scale / sqrt(N) on every reward, N how often this action was taken at this
        observation in this block so far: what agents are usually given to make them explore."""
        lanes, rows = len(self.action), np.arange(len(self.action))
        kinds = self.observation.max() + 1, self.action.max() + 1
        counts: Ints = np.zeros((lanes, *kinds), dtype=np.int64)
        bonus: Floats = np.empty(self.reward.shape)
        for t in range(self.steps):
            place = (rows, self.observation[:, t], self.action[:, t])
            counts[place] += 1
            bonus[:, t] = scale / np.sqrt(counts[place])
            counts[self.code[:, t] == TASK_END] = 0
        return replace(self, reward=self.reward + bonus)


def _later(values: np.ndarray) -> np.ndarray:
    """Shifted by one step, 0 in front."""
    return np.concatenate([np.zeros_like(values[:, :1]), values], axis=1)


def play(stream: BlockStream, player: Player, steps: int, seed: int = 0) -> Stretch:
    """Let ``player`` play on from where the stream is, which must be the begin of a task.

    Raises:
        InputError: no steps, or a reward that is not a number.
    """
    if steps < 1:
        raise InputError(f"a stretch has at least one step, not {steps}")
    lanes, told = stream.lanes, stream.blocks.boundary_visible
    observation: Ints = np.empty((lanes, steps + 1), dtype=np.int64)
    action: Ints = np.zeros((lanes, steps), dtype=np.int64)
    reward: Floats = np.zeros((lanes, steps))
    code: Ints = np.zeros((lanes, steps), dtype=np.int64)
    fresh: Bools = np.zeros((lanes, steps + 1), dtype=bool)
    began: Bools = np.zeros((lanes, steps + 1), dtype=bool)
    fresh[:, 0] = began[:, 0] = True
    observation[:, 0] = stream.observation
    player.begin(lanes, seed)
    nothing = np.zeros(lanes, dtype=np.int64), np.zeros(lanes)
    for t in range(steps):
        last = (action[:, t - 1], reward[:, t - 1]) if t else nothing
        action[:, t] = player.act(Seen(observation[:, t], *last, fresh[:, t], began[:, t]))
        step = stream.step(action[:, t])
        reward[:, t], code[:, t] = step.reward, step.code
        observation[:, t + 1] = step.observation
        began[:, t + 1] = step.code != RUNNING
        fresh[:, t + 1] = told & (step.code == TASK_END)
    return Stretch(observation, action, reward, code, fresh, began)
