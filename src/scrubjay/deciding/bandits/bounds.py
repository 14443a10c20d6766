"""What theorems promise: upper bounds with their constants, and lower bounds nobody gets below.

Upper bounds on expected regret after t of T rounds (0 <= rewards <= 1, gaps D(a)). The book states
the first two up to constants; these constants are those of its proofs (clean event, where all
means lie within r = sqrt(alpha log T / n)), which needs alpha >= 2 and fails with chance 2/T^2:

    UCB1          D(a) <= 2 r(a)  whenever a is played:   sum min(D t, 4 alpha log T / D + D)
    elimination   D(a) <= 4 r(a)  while a is active:      sum min(D t, 16 alpha log T / D + D)
    explore-first                                         N sum D + 2 (t - N K) sqrt(2 log T / N)
    Hedge         2 sqrt(T ln K)                          (Theorem 5.14, best arm's cost <= T)
    EXP3          2 sqrt(3) sqrt(K T ln K) + 1            (Theorem 6.11)
    EXP3.P        5.15 sqrt(K T ln(K/delta))              with probability 1 - delta

    lower, asymptotic (Lai and Robbins): sum D(a)/kl(mu(a), mu*) · log t
"""

from __future__ import annotations

import math

import numpy as np

from scrubjay.deciding.bandits.elimination import SuccessiveElimination
from scrubjay.deciding.bandits.environments import AdversarialTable, AgainstCopy, IIDArms
from scrubjay.deciding.bandits.exp3 import Exp3, Exp3P
from scrubjay.deciding.bandits.experts import Hedge
from scrubjay.deciding.bandits.greedy import ExploreFirst
from scrubjay.deciding.bandits.lanes import Floats, Ints
from scrubjay.deciding.bandits.types import Bandit, Environment
from scrubjay.deciding.bandits.ucb import UCB1, bernoulli_kl

__all__ = ["adversarial_bound", "lai_robbins", "proven"]


def proven(bandit: Bandit, environment: Environment, horizon: int, rounds: Ints) -> Floats | None:
    """The bound on expected regret at each of the rounds; None where no theorem applies."""
    iid = isinstance(environment, IIDArms) and environment.rewards == "bernoulli"
    if iid and isinstance(environment, IIDArms):
        found = _iid(bandit, environment, horizon, rounds)
        if found is not None:
            # Outside the clean event at most everything is lost.
            return np.asarray(np.minimum(found + 2 / horizon, environment.gaps.max() * rounds))
    if iid or isinstance(environment, (AdversarialTable, AgainstCopy)):
        flat = adversarial_bound(bandit, environment.arms, horizon)
        if flat is not None:
            return np.asarray(np.minimum(flat, rounds), dtype=np.float64)
    return None


def _iid(bandit: Bandit, arms: IIDArms, horizon: int, rounds: Ints) -> Floats | None:
    log = math.log(max(horizon, 2))
    gaps = arms.gaps[arms.gaps > 0][:, None]
    factor: float | None = None
    if isinstance(bandit, UCB1) and bandit.alpha >= 2 and not bandit.anytime:
        factor = 4 * bandit.alpha
    if isinstance(bandit, SuccessiveElimination) and bandit.alpha >= 2:
        factor = 16 * bandit.alpha
    if factor is not None:
        return np.asarray(np.minimum(gaps * rounds, factor * log / gaps + gaps).sum(axis=0))
    if isinstance(bandit, ExploreFirst) and bandit.each is None:
        each = max(1, math.ceil((horizon / arms.arms) ** (2 / 3) * log ** (1 / 3)))
        explored = np.minimum(rounds / arms.arms + 1, each) * arms.gaps.sum()
        rest = np.maximum(rounds - each * arms.arms, 0)
        return np.asarray(explored + 2 * rest * math.sqrt(2 * log / each))
    return None


def adversarial_bound(bandit: Bandit, arms: int, horizon: int) -> float | None:
    """Regret after all rounds for any sequence of rewards in [0, 1]; None where none is known."""
    if arms < 2:
        return None
    if isinstance(bandit, Hedge) and bandit.epsilon is None and bandit.best == 1:
        return 2 * math.sqrt(horizon * math.log(arms))
    if isinstance(bandit, Exp3) and bandit.epsilon is None and bandit.gamma < 1 / (2 * horizon):
        return 2 * math.sqrt(3 * horizon * arms * math.log(arms)) + 1
    if isinstance(bandit, Exp3P):
        return 5.15 * math.sqrt(horizon * arms * math.log(arms / bandit.delta))
    return None


def lai_robbins(arms: IIDArms, rounds: Ints) -> Floats:
    """What any consistent algorithm loses in the long run on Bernoulli arms: C log t.

    Raises:
        ValueError: the arms are not Bernoulli arms.
    """
    if arms.rewards != "bernoulli":
        raise ValueError("this lower bound is for Bernoulli arms")
    means = np.asarray(arms.means, dtype=np.float64)
    worse = arms.gaps > 0
    constant = (arms.gaps[worse] / bernoulli_kl(means[worse], means.max())).sum()
    return np.asarray(constant * np.log(rounds))
