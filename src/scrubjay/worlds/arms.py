"""Arms as repeated tasks: means are drawn once a block; a pull is an episode of one step.

    GaussianArms   means N(0, spread²), rewards N(mean, noise²)
    BernoulliArms  means uniform on [0, 1], rewards 0 or 1

Whoever knows nothing gets 0 (or 1/2) a pull; the best of three standard normal means is 0.846 on
average. There is nothing to observe but the reward. Source: paper 07, section 3.3; the law of the
means is our inference, see its sheet. Noise is drawn for all arms of a step, pulled or not: two
players on the same seed have the same luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.worlds.blocks import EPISODE_END, Bools, Floats, Ints, Step


def _check_arms(arms: int) -> None:
    if arms < 2:
        raise InputError(f"there is nothing to choose among {arms} arms; take two or more")


@dataclass(frozen=True, slots=True)
class GaussianArms:
    """Normal arms.

    Raises:
        InputError: fewer than two arms, or a deviation that is not a number above 0.
    """

    arms: int = 3
    spread: float = 1.0
    noise: float = 0.5
    observations: ClassVar[int] = 1
    longest: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_arms(self.arms)
        for name in ("spread", "noise"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"the {name} of arms must be a number above 0, not {value:g}")

    @property
    def actions(self) -> int:
        return self.arms

    def open(self, lanes: int, rng: np.random.Generator) -> PulledArms:
        return PulledArms(self, lanes, rng)


@dataclass(frozen=True, slots=True)
class BernoulliArms:
    """Arms that pay 1 or nothing.

    Raises:
        InputError: fewer than two arms.
    """

    arms: int = 2
    observations: ClassVar[int] = 1
    longest: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_arms(self.arms)

    @property
    def actions(self) -> int:
        return self.arms

    def open(self, lanes: int, rng: np.random.Generator) -> PulledArms:
        return PulledArms(self, lanes, rng)


class PulledArms:
    """The arms of every lane; ``means`` is the truth, array (lanes, arms)."""

    def __init__(
        self, law: GaussianArms | BernoulliArms, lanes: int, rng: np.random.Generator
    ) -> None:
        self.law, self._rng = law, rng
        self._rows, self._shape = np.arange(lanes), (lanes, law.arms)
        self.means: Floats = np.zeros(self._shape)

    def renew(self, lanes: Bools) -> None:
        if isinstance(self.law, GaussianArms):
            drawn = self.law.spread * self._rng.standard_normal(self._shape)
        else:
            drawn = self._rng.random(self._shape)
        self.means = np.where(lanes[:, None], drawn, self.means)

    def start(self, lanes: Bools) -> Ints:
        return np.zeros(self._shape[0], dtype=np.int64)

    def step(self, actions: Ints) -> Step:
        if isinstance(self.law, GaussianArms):
            every = self.means + self.law.noise * self._rng.standard_normal(self._shape)
        else:
            every = (self._rng.random(self._shape) < self.means).astype(np.float64)
        lanes = self._shape[0]
        ended = np.full(lanes, EPISODE_END)
        return Step(np.zeros(lanes, dtype=np.int64), every[self._rows, actions], ended)
