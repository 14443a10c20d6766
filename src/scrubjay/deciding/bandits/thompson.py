"""Thompson sampling: draw a world from the posterior, play its best arm.

    beta     mu(a) ~ Beta(1 + successes, 1 + failures)              0/1 rewards
    normal   mu(a) ~ Normal(sum / (n + 1), 1 / (n + 1))           prior N(0, 1), noise of variance 1

    Bayesian regret O(sqrt(K T log T))                                            (Theorem 3.9)
    beta: E R(T) <= (1 + e) C log T + f(mu)/e^2,  C = sum gap/kl(mu, mu*)          (Theorem 3.15)

A reward r in [0, 1] that is not 0 or 1 is first turned into a coin of probability r. Source:
Slivkins, Introduction to Multi-Armed Bandits, chapter 3.

Beta numbers are X/(X+Y) of two gamma numbers, which Marsaglia and Tsang's method (2000) makes from
a normal and a uniform number with few rejections; done here for all runs and arms at once, so that
every run keeps its own stream (``Lanes``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Feedback, Setting, finite, positive, unit


@dataclass
class ThompsonBeta:
    """Thompson sampling for rewards in [0, 1], with the prior Beta(``prior``, ``prior``).

    Raises:
        ValueError: the prior's parameter is below 1.
    """

    prior: float = 1.0
    name: str = "thompson"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.prior) and self.prior >= 1):
            raise ValueError(f"the prior of Thompson sampling must be 1 or more, not {self.prior}")

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        self._lanes = lanes
        # [0] successes, [1] failures: gamma parameters of the two parts of a Beta number.
        self._gammas = Gammas(np.full((len(lanes), 2, setting.arms), self.prior), lanes)

    def select(self, context: Any = None) -> Ints:
        drawn = self._gammas.draw()
        return np.asarray(np.argmax(drawn[:, 0] / (drawn[:, 0] + drawn[:, 1]), axis=1))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        unit(reward, "Thompson sampling with Beta priors")
        # The coin is drawn in any case, so that a run's stream does not depend on its rewards.
        failed = (self._lanes.uniform() >= reward).astype(np.int64)
        self._gammas.raise_by_one(failed, arms)


@dataclass
class ThompsonNormal:
    """Thompson sampling for rewards of any size: prior N(0, ``spread``²), noise N(0, ``noise``²).

    Raises:
        ValueError: ``spread`` or ``noise`` is not above 0.
    """

    spread: float = 1.0
    noise: float = 1.0
    name: str = "thompson-normal"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        positive(spread=self.spread, noise=self.noise)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        shape = (len(lanes), setting.arms)
        self._lanes, self._arms = lanes, setting.arms
        self._sums: Floats = np.zeros(shape)
        self._precision: Floats = np.full(shape, self.spread**-2)
        self._mean: Floats = np.zeros(shape)
        self._deviation: Floats = np.full(shape, self.spread)

    def select(self, context: Any = None) -> Ints:
        drawn = self._lanes.normal(self._arms)
        return np.asarray(np.argmax(self._mean + self._deviation * drawn, axis=1))

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        place = (self._lanes.rows, arms)
        self._sums[place] += finite(reward) / self.noise**2
        self._precision[place] += self.noise**-2
        self._mean[place] = self._sums[place] / self._precision[place]
        self._deviation[place] = self._precision[place] ** -0.5


class Gammas:
    """Gamma(shape, 1) numbers for arrays (runs, 2, arms) of shapes of 1 or more.

    Marsaglia and Tsang: with d = shape - 1/3 and c = 1/sqrt(9 d), normal x and uniform u,
    d v with v = (1 + c x)^3 is kept if v > 0 and log u < x^2/2 + d - d v + d log v. The squeeze
    u < 1 - 0.0331 x^4 accepts most without a logarithm.
    """

    def __init__(self, shape: Floats, lanes: Lanes) -> None:
        self._d: Floats = shape - 1 / 3
        self._c: Floats = 1 / np.sqrt(9 * self._d)
        self._lanes, self._round = lanes, 0

    def raise_by_one(self, which: Ints, arms: Ints) -> None:
        """Add 1 to the shape of one number a run."""
        place = (self._lanes.rows, which, arms)
        self._d[place] += 1
        self._c[place] = 1 / np.sqrt(9 * self._d[place])

    def draw(self) -> Floats:
        """The next numbers: array (runs, 2, arms)."""
        self._round += 1
        shape = self._d.shape[1:]
        x, u = self._lanes.normal(*shape), self._lanes.uniform(*shape)
        root = self._c * x
        root += 1
        v = root * root
        v *= root
        x *= x
        out: Floats = self._d * v
        x *= x
        x *= 0.0331
        u += x
        doubtful = u >= 1
        doubtful |= root <= 0
        places = np.flatnonzero(doubtful)
        if places.size:
            # Undo what was done in place: x holds 0.0331 x^4, u holds u + that.
            power = x.flat[places]
            self._settle(out, places, np.sqrt(power / 0.0331), u.flat[places] - power)
        return out

    def _settle(self, out: Floats, places: Ints, square: Floats, u: Floats) -> None:
        """Accept or redraw the numbers that the squeeze did not let through."""
        from scipy.special import ndtri

        d, c = self._d.ravel()[places], self._c.ravel()[places]
        v = out.ravel()[places] / d
        rows, attempt = places // (out[0].size), 0
        cells = places % out[0].size
        while places.size:
            good = v > 0
            bound = 0.5 * square + d - d * v + d * np.log(np.where(good, v, 1.0))
            good &= np.log(np.maximum(u, 1e-300)) < bound
            out.flat[places[good]] = (d * v)[good]
            again = ~good
            places, rows, cells = places[again], rows[again], cells[again]
            d, c = d[again], c[again]
            attempt += 1
            x = ndtri(
                np.clip(self._lanes.hashed(rows, self._round, cells, 2 * attempt), 1e-16, None)
            )
            u = self._lanes.hashed(rows, self._round, cells, 2 * attempt + 1)
            square, v = x * x, (1 + c * x) ** 3
