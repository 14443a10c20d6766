"""Episodes: many agents in a vectorised world, or one in any gymnasium environment.

    observation, info = env.reset(seed=0)                                   gymnasium's contract
    observation, reward, terminated, truncated, info = env.step(action)

``PolicyProblem`` drives worlds that hold all agents at once (``worlds``); ``GymProblem`` drives an
environment that somebody else wrote, one agent after another, and says in one sentence where it
breaks the contract. Both give the same seed to every episode, so that a genome has one reward.

Source: ours, after STAX (paper 27), section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from scrubjay.deciding.diversity.policy import Policy
from scrubjay.deciding.diversity.types import (
    BrokenEnvironment,
    Evaluations,
    Floats,
    Images,
    Ints,
    SearchError,
    checked_genomes,
    checked_reward,
)


class World(Protocol):
    """n agents in n copies of a world, all at the same time. No state between episodes."""

    inputs: int
    outputs: int
    steps: int
    """Length of an episode."""
    limits: tuple[tuple[float, float], ...]
    areas: int

    def reset(self, n: int) -> Floats:
        """Begin n episodes; the first observations (n, inputs)."""
        ...

    def step(self, actions: Floats) -> tuple[Floats, Floats]:
        """Observations (n, inputs) and rewards (n,) after actions (n, outputs) in [−1, 1]."""
        ...

    def render(self) -> Images:
        """What a camera sees, (n, side, side) in [0, 1]."""
        ...

    def behaviour(self) -> Floats:
        """Where the agents are, (n, d)."""
        ...

    def area(self) -> Ints:
        """The reward area each is in, −1 for none."""
        ...


class PolicyProblem:
    """Policies in a vectorised world.

    Args:
        world: see ``World``.
        hidden: units of the policies' hidden layers.
        samples: observations kept of an episode, the last at its end.
        bounds: of the weights.

    Raises:
        SearchError: fewer than one sample or more than steps, or empty bounds.
    """

    def __init__(
        self,
        world: World,
        hidden: Sequence[int] = (5, 5),
        samples: int = 1,
        bounds: tuple[float, float] = (-5.0, 5.0),
    ) -> None:
        if not 1 <= samples <= world.steps:
            raise SearchError(f"an episode of {world.steps} steps can't give {samples} samples")
        if not bounds[0] < bounds[1]:
            raise SearchError(f"the bounds of genomes must be (low, high), not {bounds}")
        self.world, self.samples, self.bounds = world, samples, bounds
        self.policy = Policy(world.inputs, world.outputs, hidden)
        self.genome = self.policy.size
        self.limits, self.areas = world.limits, world.areas

    def evaluate(self, genomes: Floats) -> Evaluations:
        genomes = checked_genomes(genomes, self.genome)
        world, actors = self.world, self.policy.actors(genomes)
        seen = world.reset(len(genomes))
        total = np.zeros(len(genomes))
        shots = sample_times(world.steps, self.samples)
        pictures = []
        for t in range(1, world.steps + 1):
            seen, reward = world.step(actors.act(seen))
            total += reward
            if t in shots:
                pictures.append(world.render())
        return Evaluations(
            genomes,
            checked_reward(total, len(genomes)),
            np.stack(pictures, axis=1),
            world.behaviour(),
            world.area(),
        )


def sample_times(steps: int, samples: int) -> set[int]:
    """Steps after which an observation is kept: evenly spaced, the last included."""
    return {round(steps * (i + 1) / samples) for i in range(samples)}


class GymProblem:
    """Policies in an environment of gymnasium's kind, one episode after another.

    The observation must be an array of fixed shape; it goes into the policy flattened and is kept
    as what a descriptor may learn from (scaled to [0, 1] by ``observed``). A policy's outputs in
    [−1, 1] are stretched to the bounds of a continuous action space; of a discrete one the largest
    output is taken.

    Args:
        env: the environment.
        behaviour: what an episode did, from its last observation and info: a point in ``limits``.
        limits: (low, high) of every dimension of the behaviour.
        observed: (low, high) by which observations are scaled; outside is cut.
        most: steps after which an episode ends in any case.
        seed: given to every reset.

    Raises:
        BrokenEnvironment: spaces or the first observation are not of the contract.
        SearchError: settings that make no sense.
    """

    areas = 1

    def __init__(
        self,
        env: Any,
        behaviour: Callable[[Floats, dict[str, Any]], Sequence[float]],
        limits: tuple[tuple[float, float], ...],
        *,
        observed: tuple[float, float] = (-1.0, 1.0),
        hidden: Sequence[int] = (5, 5),
        samples: int = 1,
        most: int = 1000,
        bounds: tuple[float, float] = (-5.0, 5.0),
        seed: int = 0,
    ) -> None:
        if most < 1 or not 1 <= samples <= most or not observed[0] < observed[1]:
            raise SearchError("an episode needs a step or more, samples within it, and (low, high)")
        self.env, self.limits, self.bounds = env, limits, bounds
        self.samples, self.most, self.seed = samples, most, seed
        self._behaviour, self._observed = behaviour, observed
        self._n, self._low, self._high = _action_space(env)
        first, _ = self._reset()
        self._shape = first.shape
        self.policy = Policy(first.size, self._n or self._low.size, hidden)
        self.genome = self.policy.size

    def evaluate(self, genomes: Floats) -> Evaluations:
        genomes = checked_genomes(genomes, self.genome)
        rows = [self._episode(g[None]) for g in genomes]
        reward, pictures, behaviour = zip(*rows) if rows else ((), (), ())
        points = np.asarray(behaviour, dtype=float).reshape(len(rows), len(self.limits))
        total = checked_reward(reward, len(rows))
        return Evaluations(
            genomes,
            total,
            np.asarray(pictures, dtype=np.float32).reshape(len(rows), self.samples, -1),
            points,
            np.where(total > 0, 0, -1),
        )

    def _episode(self, genome: Floats) -> tuple[float, list[Images], Floats]:
        actors = self.policy.actors(genome)
        seen, info = self._reset()
        kept: list[Images] = []
        total, ended = 0.0, False
        while not ended and len(kept) < self.most:
            seen, reward, ended, info = self._step(actors.act(seen.reshape(1, -1))[0])
            total += reward
            kept.append(self._scaled(seen))
        point = np.asarray(self._behaviour(seen, info), dtype=float)
        if point.shape != (len(self.limits),) or not np.isfinite(point).all():
            raise SearchError(
                f"the behaviour must be {len(self.limits)} finite numbers, not {point!r:.60}"
            )
        # An episode may be shorter than the number of samples: then some are seen twice.
        times = [round(len(kept) * (i + 1) / self.samples) for i in range(self.samples)]
        return total, [kept[max(0, t - 1)] for t in times], point

    def _reset(self) -> tuple[Floats, dict[str, Any]]:
        got = self._call(self.env.reset, seed=self.seed)
        if not isinstance(got, tuple) or len(got) != 2 or not isinstance(got[1], dict):
            raise BrokenEnvironment("reset(seed=…) must give (observation, info), info a dict")
        return _observation(got[0], None), got[1]

    @staticmethod
    def _call(method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        try:
            return method(*given, **named)
        except Exception as error:
            told = f"{type(error).__name__}: {error}".splitlines()[0]
            raise BrokenEnvironment(f"the environment failed with {told:.200}") from error

    def _step(self, outputs: Floats) -> tuple[Floats, float, bool, dict[str, Any]]:
        if self._n:
            action: Any = int(np.argmax(outputs))
        else:
            action = self._low + (outputs + 1) / 2 * (self._high - self._low)
            action = action.reshape(self.env.action_space.shape).astype(self._low.dtype)
        got = self._call(self.env.step, action)
        if not isinstance(got, tuple) or len(got) != 5:
            raise BrokenEnvironment(
                "step(action) must give (observation, reward, terminated, truncated, info)"
            )
        seen, reward, terminated, truncated, info = got
        for name, value in (("terminated", terminated), ("truncated", truncated)):
            if not isinstance(value, (bool, np.bool_)):
                raise BrokenEnvironment(f"{name} must be True or False, not {value!r:.40}")
        if not isinstance(info, dict):
            raise BrokenEnvironment(f"the info of a step must be a dict, not {info!r:.40}")
        paid = float(checked_reward([reward], 1)[0])
        return _observation(seen, self._shape), paid, bool(terminated or truncated), info

    def _scaled(self, seen: Floats) -> Images:
        low, high = self._observed
        return np.clip((seen.ravel() - low) / (high - low), 0, 1).astype(np.float32)


def _observation(value: Any, shape: tuple[int, ...] | None) -> Floats:
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise BrokenEnvironment(
            f"an observation must be an array of numbers, not {value!r:.40}"
        ) from None
    if array.size == 0 or not np.isfinite(array).all():
        raise BrokenEnvironment("an observation is empty or holds a number that is not finite")
    if shape is not None and array.shape != shape:
        raise BrokenEnvironment(
            f"an observation has the shape {array.shape}, the first one had {shape}"
        )
    return array


def _action_space(env: Any) -> tuple[int, Floats, Floats]:
    """(number of discrete actions or 0, low, high)."""
    space = getattr(env, "action_space", None)
    for method in ("reset", "step"):
        if not callable(getattr(env, method, None)):
            raise BrokenEnvironment(f"an environment needs a method '{method}'")
    none = np.zeros(0)
    if isinstance(getattr(space, "n", None), (int, np.integer)):
        if int(getattr(space, "start", 0)):
            raise BrokenEnvironment("a discrete action space must begin at 0")
        return int(space.n), none, none  # type: ignore[union-attr]
    low, high = (np.asarray(getattr(space, k, none)) for k in ("low", "high"))
    if low.size == 0 or low.shape != high.shape or not np.isfinite([low, high]).all():
        raise BrokenEnvironment(
            "an environment needs an action_space with n, or with finite bounds low and high"
        )
    return 0, low.ravel(), high.ravel()
