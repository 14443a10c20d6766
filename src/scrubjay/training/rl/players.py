"""Who plays streams of repeated tasks: a network, chance, a bandit algorithm, whoever knows.

    GreedyQ      argmax_a Q(h_t, a), ties at random; while data is collected, chance epsilon of any
    Chance       any action
    ByBandit     an algorithm of ``deciding.bandits``, begun anew with every block
    Informed     what the truth of the lane's task says: the optimum that nobody can learn

At evaluation epsilon is 0: no noise, no bonus, no sampling (paper 07, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.core.randomness import derive, numpy_stream
from scrubjay.deciding.bandits.lanes import Lanes
from scrubjay.deciding.bandits.types import Bandit, Setting
from scrubjay.training.rl.stretches import Seen
from scrubjay.worlds.blocks import Ints

if TYPE_CHECKING:
    from scrubjay.training.rl.networks import QNetwork


class GreedyQ:
    """A network that exploits.

    Raises:
        InputError: ``epsilon`` is not a probability.
    """

    def __init__(self, network: QNetwork, epsilon: float = 0.0, name: str = "agent") -> None:
        if not 0 <= epsilon <= 1:
            raise InputError(f"epsilon must be a probability, not {epsilon:g}")
        self.network, self.epsilon, self.name = network, epsilon, name
        self._state: Any = None

    def begin(self, lanes: int, seed: int) -> None:
        self._state = None
        self._rng = numpy_stream(seed, "player", self.name)

    def act(self, seen: Seen) -> Ints:
        import torch

        one = Seen(*(getattr(seen, f.name)[:, None] for f in fields(Seen)))
        with torch.inference_mode():
            inputs, fresh = self.network.spec.encode(one)
            values, self._state = self.network(inputs, fresh, self._state)
        found = values[:, 0].numpy()
        # An untrained argmax would always be arm 0; a difference of 1e-6 is no preference.
        best: Ints = np.asarray((found + 1e-6 * self._rng.random(found.shape)).argmax(axis=1))
        if not self.epsilon:
            return best
        lanes, actions = found.shape
        wild = self._rng.random(lanes) < self.epsilon
        return np.asarray(np.where(wild, self._rng.integers(0, actions, lanes), best))


@dataclass
class Chance:
    """Any action."""

    actions: int
    name: str = "random"

    def begin(self, lanes: int, seed: int) -> None:
        self._lanes, self._rng = lanes, numpy_stream(seed, "player", self.name)

    def act(self, seen: Seen) -> Ints:
        return np.asarray(self._rng.integers(0, self.actions, self._lanes))


@dataclass
class ByBandit:
    """An algorithm for ``horizon`` rounds, on blocks that begin in all lanes at once.

    Raises:
        InputError: in ``act``, when only some lanes begin a new task.
    """

    bandit: Bandit
    arms: int
    horizon: int

    @property
    def name(self) -> str:
        return self.bandit.name

    def begin(self, lanes: int, seed: int) -> None:
        self._lanes, self._seed, self._block = lanes, derive(seed, "player", self.name), 0

    def act(self, seen: Seen) -> Ints:
        if seen.fresh.all():
            lanes = Lanes(self._seed, self._lanes, "block", self._block)
            self.bandit.begin(Setting(self.arms, self.horizon), lanes)
            self._block += 1
        elif seen.fresh.any():
            raise InputError("a bandit algorithm needs blocks of one fixed length in all lanes")
        else:
            self.bandit.update(seen.action, seen.reward)
        return np.asarray(self.bandit.select())


@dataclass
class Informed:
    """``choose()`` gives one action a lane from the truth, e.g. ``stream.tasks.optimal``."""

    choose: Callable[[], Ints]
    name: str = "informed"

    def begin(self, lanes: int, seed: int) -> None:
        pass

    def act(self, seen: Seen) -> Ints:
        return self.choose()
