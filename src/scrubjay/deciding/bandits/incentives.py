"""Incentivised exploration: people follow a recommendation only if it is good for them.

Two arms; users share a prior (independent Betas, mu_1 better a priori) and see only what is
recommended. A recommendation is obeyed if, given it, the arm's posterior mean is not below the
other's (Bayesian incentive compatible, BIC).

    greedy                always the posterior-best arm; with chance >= mu_1 - mu_2 (prior means)
                          arm 2 is never tried                                        (Theorem 11.7)
    hidden exploration    with chance eps the target, else the posterior-best arm:  BIC if
                          eps <= (1/3) E[G 1{G > 0}],   G = E[mu_2 - mu_1 | data]      (Lemma 11.10)
    repeated              N_0 samples of arm 1, then explore with chance eps, the arm by any bandit
                          that learns from its own rounds only, else exploit          (11.15, 11.17)

Source: Slivkins, Introduction to Multi-Armed Bandits, chapter 11. Arm 0 here is the book's arm 1.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from scrubjay.deciding.bandits.lanes import Floats, Ints, Lanes
from scrubjay.deciding.bandits.types import Bandit, Feedback, Setting, unit
from scrubjay.deciding.bandits.ucb import UCB1

Prior = tuple[float, float]
"""The two parameters of a Beta distribution."""


@dataclass
class PriorArms:
    """Arms whose means each run draws from Beta priors; Bernoulli rewards.

    Raises:
        ValueError: no arms, or a parameter that is not above 0.
    """

    priors: tuple[Prior, ...]
    show: Feedback = field(default="bandit", init=False)
    gives: ClassVar[frozenset[Feedback]] = frozenset({"bandit"})

    def __post_init__(self) -> None:
        _check(self.priors)
        self.arms = len(self.priors)

    def begin(self, horizon: int, lanes: Lanes) -> None:
        from scipy.special import betaincinv

        self._lanes = lanes
        self._lost: Floats = np.zeros(len(lanes))
        a, b = np.asarray(self.priors, dtype=np.float64).T
        drawn: Any = lanes.named("means").uniform(self.arms)
        self.means: Any = betaincinv(a, b, drawn)

    def context(self) -> None:
        return None

    def play(self, arms: Ints) -> tuple[Floats, None]:
        means = self.means[self._lanes.rows, arms]
        self._lost = self._lost + (self.means.max(axis=1) - means)
        return (self._lanes.uniform() < means).astype(np.float64), None

    def regret(self) -> Floats:
        return self._lost


class _Posterior:
    """Beta posteriors of every run."""

    def __init__(self, priors: tuple[Prior, ...], lanes: Lanes) -> None:
        a, b = np.asarray(priors, dtype=np.float64).T
        self._a = np.broadcast_to(a, (len(lanes), len(a))).copy()
        self._total = np.broadcast_to(a + b, self._a.shape).copy()
        self._order: Floats = np.asarray(np.arange(len(a)) * -1e-12)

    def add(self, rows: Ints, arms: Ints, reward: Floats) -> None:
        self._a[rows, arms] += reward
        self._total[rows, arms] += 1

    def best(self) -> Ints:
        """The best arm; of equals the one that is better a priori comes first."""
        return np.asarray(np.argmax(self._a / self._total + self._order, axis=1))


@dataclass
class MyopicUsers:
    """Greedy: every user sees all data and takes what looks best (full disclosure).

    Raises:
        ValueError: as for ``PriorArms``.
    """

    priors: tuple[Prior, ...]
    name: str = "greedy-users"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        _check(self.priors)

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        _fits(self.priors, setting)
        self._rows, self._posterior = lanes.rows, _Posterior(self.priors, lanes)

    def select(self, context: Any = None) -> Ints:
        return self._posterior.best()

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        self._posterior.add(self._rows, arms, unit(reward, self.name))


@dataclass
class RepeatedHiddenExploration:
    """Hides exploration among exploitation, so rarely that users still obey.

    Args:
        priors: of the two arms, the better one first.
        warm_up: N_0, samples of arm 0 before anything else.
        epsilon: chance of an exploring round; by default the largest that is surely obeyed.
        base: the bandit that explores; by default UCB1.

    Raises:
        ValueError: not two arms with the better first, or an ``epsilon`` beyond the limit.
    """

    priors: tuple[Prior, Prior]
    warm_up: int = 20
    epsilon: float | None = None
    base: Bandit = field(default_factory=UCB1)
    name: str = "hidden-exploration"
    feedback: ClassVar[Feedback] = "bandit"

    def __post_init__(self) -> None:
        limit = obedience_limit(self.priors, self.warm_up)
        if self.epsilon is None:
            self.epsilon = limit
        if not 0 < self.epsilon <= limit:
            raise ValueError(
                f"users obey exploration in at most a share of {limit:.4g} of the rounds after "
                f"{self.warm_up} samples, not {self.epsilon:g}"
            )

    def begin(self, setting: Setting, lanes: Lanes) -> None:
        _fits(self.priors, setting)
        self._lanes, self._round = lanes, 0
        self._posterior = _Posterior(self.priors, lanes)
        self._bases = [copy.deepcopy(self.base) for _ in range(len(lanes))]
        # Exploring rounds differ from run to run, so each run's bandit is a lane of its own.
        for number, base in zip(lanes.numbers, self._bases):
            base.begin(setting, Lanes(lanes.seed, [number], *lanes.names, "base"))

    def select(self, context: Any = None) -> Ints:
        drawn = self._lanes.uniform()
        self.exploring = (drawn < (self.epsilon or 0)) & (self._round >= self.warm_up)
        if self._round < self.warm_up:
            return np.zeros(len(self._lanes), dtype=np.int64)
        arms = self._posterior.best()
        for row in np.flatnonzero(self.exploring):
            arms[row] = self._bases[row].select()[0]
        return arms

    def update(self, arms: Ints, reward: Floats, seen: Any = None) -> None:
        unit(reward, self.name)
        learns = self.exploring | (self._round < self.warm_up)
        rows = np.flatnonzero(learns)
        self._posterior.add(rows, arms[rows], reward[rows])
        for row in np.flatnonzero(self.exploring):
            self._bases[row].update(arms[row : row + 1], reward[row : row + 1])
        self._round += 1


def obedience_limit(priors: tuple[Prior, ...], samples: int) -> float:
    """(1/3) E[G 1{G > 0}] after so many samples of arm 0: the largest safe share of exploration.

    Exact: the number of successes is beta-binomial.

    Raises:
        ValueError: not two arms with the better first, or no sample.
    """
    from scipy.stats import betabinom

    _check(priors)
    if len(priors) != 2 or priors[0][0] / sum(priors[0]) < priors[1][0] / sum(priors[1]):
        raise ValueError("hidden exploration needs two arms, the one with the better prior first")
    if samples < 1:
        raise ValueError(f"hidden exploration needs at least one sample of arm 0, not {samples}")
    (a, b), (c, d) = priors
    successes = np.arange(samples + 1)
    gain = c / (c + d) - (a + successes) / (a + b + samples)
    chance = betabinom.pmf(successes, samples, a, b)
    return float((chance * np.maximum(gain, 0)).sum() / 3)


def never_tried_bound(priors: tuple[Prior, Prior]) -> float:
    """Theorem 11.7: greedy users never try arm 1 with at least this probability."""
    _check(priors)
    first, second = (a / (a + b) for a, b in priors)
    return max(0.0, first - second)


def _check(priors: tuple[Prior, ...]) -> None:
    if not priors:
        raise ValueError("a bandit needs at least one arm: give a prior for each")
    for pair in priors:
        if len(pair) != 2 or not all(math.isfinite(x) and x > 0 for x in pair):
            raise ValueError(f"a Beta prior has two numbers above 0, not {pair}")


def _fits(priors: tuple[Prior, ...], setting: Setting) -> None:
    if len(priors) != setting.arms:
        raise ValueError(f"{setting.arms} arms need as many priors, not {len(priors)}")
