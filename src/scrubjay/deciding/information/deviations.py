"""Can an agent gain by disobeying or lying? Checked by looking at every way to do so.

Nothing here shares a formula with the linear programme: payments (not x) are averaged for every
joint deviation, another effort b_i' with a map phi from signals to reports,

    gain = sum_(b_-i) mu(b) [ sum P(s,th | b_i',b_-i) gamma_i(b, (phi(s_i), s_-i), th) - c_i(b_i') ]
         - the same for obeying and telling the truth

``pure_equilibria`` lists what else could be played: obeying is *an* equilibrium, not always the
only one. Source of the constraints: Cacciamani, Castiglioni and Gatti (2023).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scrubjay.deciding.information.hiring import Floats, HiringInstance
from scrubjay.deciding.information.mechanism import Mechanism

ENUMERATED = 5
"""Signals of an agent up to which every way to report is tried."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """The best way for an agent to deviate after a recommendation."""

    agent: int
    told: int
    """The effort it was told."""
    effort: int
    reports: tuple[int, ...]
    """What it reports for each signal."""
    gain: float
    """Over obedience and truth, times the chance of the recommendation; at most 0 if there is no
    profitable one."""


@dataclass(frozen=True, slots=True)
class Check:
    """What an independent look at a mechanism found."""

    deviations: tuple[Deviation, ...]
    """The best one of each agent after each recommendation that occurs."""
    participation: tuple[float, ...]
    """Expected payment minus cost of each agent."""
    overpaid: float
    """By how much a payment leaves [0, cap]."""

    @property
    def worst(self) -> float:
        """The largest gain of a deviation (0 if nobody is ever told anything)."""
        return max((d.gain for d in self.deviations), default=0.0)

    def holds(self, tolerance: float = 1e-7) -> bool:
        """Nobody gains by deviating, nobody would rather stay away, all payments are allowed."""
        return (
            self.worst <= tolerance
            and min(self.participation) >= -tolerance
            and self.overpaid <= tolerance
        )


def check_mechanism(instance: HiringInstance, mechanism: Mechanism) -> Check:
    """Look for profitable deviations of every agent, one at a time."""
    found, stay = [], []
    for agent in range(instance.agents):
        truth = tuple(range(instance.signals[agent]))
        kept = 0.0
        for told in range(instance.efforts[agent]):
            if _chance(instance, mechanism, agent, told) <= 0:
                continue
            obeys = payoff(instance, mechanism, agent, told, told, truth)
            kept += obeys
            found.append(best_response(instance, mechanism, agent, told, obeys))
        stay.append(kept)
    over = max(float(mechanism.gamma.max() - instance.cap), float(-mechanism.gamma.min()), 0.0)
    return Check(tuple(found), tuple(stay), over)


def best_response(
    instance: HiringInstance,
    mechanism: Mechanism,
    agent: int,
    told: int,
    obeys: float | None = None,
) -> Deviation:
    """The best effort and reports of an agent that was told an effort, if all others obey.

    Ties go to obedience, then to truth.
    """
    signals = instance.signals[agent]
    truth = tuple(range(signals))
    if obeys is None:
        obeys = payoff(instance, mechanism, agent, told, told, truth)
    best = Deviation(agent, told, told, truth, 0.0)
    for effort in range(instance.efforts[agent]):
        for reports in _ways(instance, mechanism, agent, told, effort):
            gain = payoff(instance, mechanism, agent, told, effort, reports) - obeys
            if gain > best.gain + 1e-12:
                best = Deviation(agent, told, effort, reports, gain)
    return best


def _ways(
    instance: HiringInstance, mechanism: Mechanism, agent: int, told: int, effort: int
) -> Iterable[tuple[int, ...]]:
    """All ways to report; with many signals only the best one, found signal by signal."""
    signals = instance.signals[agent]
    if signals <= ENUMERATED:
        return itertools.product(range(signals), repeat=signals)
    law = instance.split(agent, instance.flat)[effort]
    paid = instance.split(agent, mechanism.gamma[agent])[told]
    mu = _own(instance, mechanism, agent)[told]
    worth = np.einsum("o,owst,oast->wa", mu, law, paid, optimize=True)
    return [tuple(range(signals)), tuple(worth.argmax(axis=1).tolist())]


def payoff(
    instance: HiringInstance,
    mechanism: Mechanism,
    agent: int,
    told: int,
    effort: int,
    reports: tuple[int, ...],
) -> float:
    """What the agent gets on average from one way to act after a recommendation, times its
    chance."""
    law = instance.split(agent, instance.flat)[effort]
    paid = instance.split(agent, mechanism.gamma[agent])[told][:, list(reports)]
    mu = _own(instance, mechanism, agent)[told]
    return float(
        (mu * (law * paid).sum(axis=(1, 2, 3))).sum() - mu.sum() * _cost(instance, agent, effort)
    )


def _cost(instance: HiringInstance, agent: int, effort: int) -> float:
    return float(instance.costs[agent][effort])


def _own(instance: HiringInstance, mechanism: Mechanism, agent: int) -> Floats:
    """mu as (own effort, others' efforts)."""
    full = mechanism.mu.reshape(instance.efforts)
    return np.asarray(np.moveaxis(full, agent, 0).reshape(instance.efforts[agent], -1))


def _chance(instance: HiringInstance, mechanism: Mechanism, agent: int, told: int) -> float:
    return float(_own(instance, mechanism, agent)[told].sum())


def value_under(
    instance: HiringInstance, mechanism: Mechanism, acts: dict[tuple[int, int], Deviation]
) -> float:
    """What the principal gets if agents act as given: (agent, told) -> deviation; others obey.

    The principal decides and pays by the reports, in good faith.
    """
    n, total = instance.agents, 0.0
    law = instance.law
    gamma = mechanism.gamma.reshape(n, *instance.efforts, *instance.signals, instance.states)
    policy = mechanism.policy.reshape(*instance.efforts, *instance.signals)
    for number, told in enumerate(np.ndindex(*instance.efforts)):
        if mechanism.mu[number] <= 0:
            continue
        acted = [acts.get((i, told[i])) for i in range(n)]
        efforts = tuple(told[i] if a is None else a.effort for i, a in enumerate(acted))
        for saw in np.ndindex(*instance.signals):
            said = tuple(saw[i] if a is None else a.reports[saw[i]] for i, a in enumerate(acted))
            gain = instance.utility[policy[told + said]]
            spent = sum(gamma[(i, *told, *said)] for i in range(n))
            total += mechanism.mu[number] * float((law[efforts + saw] * (gain - spent)).sum())
    return total


def pure_equilibria(
    instance: HiringInstance, mechanism: Mechanism, *, most: int = 20_000
) -> list[tuple[dict[tuple[int, int], Deviation], float]]:
    """All pure equilibria of two agents, each with the principal's value in it.

    Raises:
        ValueError: not two agents, or more than ``most`` pairs of strategies.
    """
    if instance.agents != 2:
        raise ValueError("equilibria are listed for two agents only")
    ways = []
    for agent in range(2):
        signals = instance.signals[agent]
        acts = list(
            itertools.product(
                range(instance.efforts[agent]), itertools.product(range(signals), repeat=signals)
            )
        )
        told = [
            b for b in range(instance.efforts[agent]) if _chance(instance, mechanism, agent, b) > 0
        ]
        ways.append(
            [dict(zip(told, choice)) for choice in itertools.product(acts, repeat=len(told))]
        )
    if len(ways[0]) * len(ways[1]) > most:
        raise ValueError(f"more than {most:,} pairs of strategies; take a smaller problem")
    gains = np.array(
        [[_both(instance, mechanism, one, other) for other in ways[1]] for one in ways[0]]
    )
    first = gains[..., 0] >= gains[..., 0].max(axis=0, keepdims=True) - 1e-9
    second = gains[..., 1] >= gains[..., 1].max(axis=1, keepdims=True) - 1e-9
    found = []
    for i, j in np.argwhere(first & second):
        played = {
            (agent, told): Deviation(agent, told, effort, reports, 0.0)
            for agent, way in enumerate((ways[0][i], ways[1][j]))
            for told, (effort, reports) in way.items()
        }
        found.append((played, value_under(instance, mechanism, played)))
    return found


def _both(
    instance: HiringInstance,
    mechanism: Mechanism,
    one: dict[int, tuple[int, tuple[int, ...]]],
    other: dict[int, tuple[int, tuple[int, ...]]],
) -> tuple[float, float]:
    """Payoffs of two agents that both follow given strategies."""
    gamma = mechanism.gamma.reshape(2, *instance.efforts, *instance.signals, instance.states)
    mu = mechanism.mu.reshape(instance.efforts)
    total = np.zeros(2)
    for told in np.ndindex(*instance.efforts):
        if mu[told] <= 0:
            continue
        (b0, phi0), (b1, phi1) = one[told[0]], other[told[1]]
        paid = gamma[(slice(None), *told)][:, list(phi0)][:, :, list(phi1)]
        total += mu[told] * (instance.law[b0, b1] * paid).sum(axis=(1, 2, 3))
        total -= mu[told] * np.array([_cost(instance, 0, b0), _cost(instance, 1, b1)])
    return float(total[0]), float(total[1])
