"""Hiring without knowing the law: explore, then commit to a mechanism that errors can't break.

Known: efforts, signals, u, the cap, and for each agent and effort a scoring rule that makes this
effort (and the truth) the best response by a margin l > 0, whatever the others do. Unknown: P and
the costs.

    1  every profile b for N rounds with the rules of b      ->  P^(. | b),  error ~ sqrt(log T / N)
    2  for two efforts: bisect the mixture (1-a) rule_b + a rule_b'; where the agent switches, the
       difference of expected payments under P^ is the difference of costs    O(log T) rounds a pair
    3  the optimal mechanism for P^ and c^ with obedience loosened by eps ~ sqrt(log T / N), mixed:
       gamma <- (1-alpha) gamma + alpha rules,  alpha = 2 eps / l: the margin makes up for the
       errors and for the loosening, so agents obey under the true P

    N = share · T^(2/3)   ->   regret O~(T^(2/3)) against the optimal mechanism

Source: Cacciamani, Castiglioni and Gatti (2023), for the three steps, as far as their abstract and
our sheet tell them; the constants and the mixing are ours. Rounds of the same kind are drawn
together, so that T = 10^9 takes no longer than 10^5; regret is the expectation over what was left
random (pseudo-regret). Agents are myopic: they answer every announced mechanism with a best
response, and obey on ties.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scrubjay.deciding.information.deviations import (
    best_response,
    check_mechanism,
    value_under,
)
from scrubjay.deciding.information.hiring import Floats, HiringInstance
from scrubjay.deciding.information.mechanism import Mechanism, optimal_mechanism
from scrubjay.deciding.information.strict import Rules, robustify, with_rules


@dataclass(frozen=True, slots=True)
class OnlineRun:
    """What exploring and committing cost over T rounds."""

    horizon: int
    regret: float
    explored: float
    """Regret of the exploring rounds."""
    alpha: float
    """Share of the safe rules in the committed mechanism; 1: nothing was learned yet."""
    obeyed: bool
    """Nobody gains by deviating from the committed mechanism, under the true law."""
    value: float
    """Of the committed mechanism a round, under the true law and what agents really do."""


@dataclass(frozen=True, eq=False)
class ExploreCommitPrincipal:
    """The online algorithm.

    Args:
        rules: what ``strict_rules`` gives (the principal is assumed to know it).
        margin: l.
        share: N = share · T^(2/3).
        looseness: eps = looseness · sqrt(log T / N).
        observe_effort: whether the effort is seen after an exploring round; else it is inferred
            from ``trials`` rounds of reports.
        robust: loosen and mix; without it, agents may find that they gain by disobeying.

    Raises:
        ValueError: a setting that is not above 0.
    """

    rules: Rules
    margin: float
    share: float = 0.25
    looseness: float = 0.25
    observe_effort: bool = True
    trials: int = 400
    robust: bool = True

    def __post_init__(self) -> None:
        for name in ("margin", "share", "looseness", "trials"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name):g}")

    def run(self, truth: HiringInstance, horizon: int, rng: np.random.Generator) -> OnlineRun:
        """Play ``horizon`` rounds against agents of the true instance.

        Raises:
            ValueError: a horizon too short to explore every profile once.
        """
        profiles = math.prod(truth.efforts)
        each = max(1, math.ceil(self.share * horizon ** (2 / 3)))
        if each * profiles > horizon:
            raise ValueError(f"{horizon:,} rounds are too few to explore {profiles} profiles")
        best = optimal_mechanism(truth).value
        law = estimate_joint(truth, each, rng)
        asked = _Asked(self, truth, law, rng)
        costs = asked.costs(precision=horizon ** (-1 / 3))
        lost = sum(
            each * (best - with_rules(truth, np.eye(profiles)[b], self.rules).value)
            for b in range(profiles)
        )
        lost += asked.rounds * best  # at worst such a round is worth nothing
        known = replace(truth, law=law, costs=costs)
        mechanism, alpha = self.committed(known, horizon, each)
        acts = {
            (i, told): deviation
            for i in range(truth.agents)
            for told in range(truth.efforts[i])
            if (deviation := best_response(truth, mechanism, i, told)).gain > 1e-9
        }
        value = value_under(truth, mechanism, acts)
        rest = horizon - each * profiles - asked.rounds
        return OnlineRun(
            horizon,
            lost + max(rest, 0) * (best - value),
            lost,
            alpha,
            check_mechanism(truth, mechanism).worst <= 1e-9,
            value,
        )

    def committed(self, known: HiringInstance, horizon: int, each: int) -> tuple[Mechanism, float]:
        """The mechanism to commit to, from an estimated instance, and the share of safe rules."""
        if not self.robust:
            return optimal_mechanism(known), 0.0
        slack = self.looseness * math.sqrt(math.log(horizon) / each)
        planned = optimal_mechanism(known, slack=slack)
        alpha = min(1.0, 2 * slack / self.margin)
        return robustify(known, planned, self.rules, alpha), alpha


def estimate_joint(truth: HiringInstance, each: int, rng: np.random.Generator) -> Floats:
    """P^ from ``each`` obedient rounds of every profile.

    What was never seen gets 1/(each · outcomes) instead of 0, else payments for it would look free.
    """
    law = truth.flat.reshape(len(truth.flat), -1)
    seen = np.stack([rng.multinomial(each, p / p.sum()) for p in law]) / each
    floor = 1 / (each * law.shape[1])
    seen = np.maximum(seen, floor)
    return np.asarray((seen / seen.sum(axis=1, keepdims=True)).reshape(truth.law.shape))


class _Asked:
    """Step 2: agents are offered mixtures of two rules, and show by their effort what it costs."""

    def __init__(
        self,
        principal: ExploreCommitPrincipal,
        truth: HiringInstance,
        law: Floats,
        rng: np.random.Generator,
    ) -> None:
        self._principal, self._truth, self._rng = principal, truth, rng
        self._known = replace(truth, law=law)
        self.rounds = 0

    def costs(self, precision: float) -> list[Floats]:
        """c^ of every agent, the free effort at 0."""
        return [self._agent(agent, precision) for agent in range(self._truth.agents)]

    def _agent(self, agent: int, precision: float) -> Floats:
        efforts = self._truth.efforts[agent]
        free = int(np.argmin(self._truth.costs[agent]))
        rows, values = [], []
        for b, other in itertools.combinations(range(efforts), 2):
            low, high, to = 0.0, 1.0, other
            while high - low > precision:
                middle = (low + high) / 2
                plays = self._effort(agent, self._mixed(agent, b, other, middle))
                low, high = (middle, high) if plays == b else (low, middle)
                to = to if plays == b else plays
            rule = self._mixed(agent, b, other, (low + high) / 2)
            rows.append(np.eye(efforts)[to] - np.eye(efforts)[b])
            values.append(self._pay(agent, to, rule) - self._pay(agent, b, rule))
        rows.append(np.eye(efforts)[free])
        values.append(0.0)
        found = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
        found = np.maximum(found, 0.0)
        found[free] = 0.0
        return np.asarray(found)

    def _mixed(self, agent: int, b: int, other: int, share: float) -> Floats:
        rules = self._principal.rules[agent]
        return np.asarray((1 - share) * rules[b] + share * rules[other])

    def _law(self, instance: HiringInstance, agent: int) -> Floats:
        """P(own signal, state | own effort), others at their first effort."""
        return np.asarray(instance.split(agent, instance.flat).sum(axis=3)[:, 0])

    def _pay(self, agent: int, effort: int, rule: Floats) -> float:
        """Expected payment for an effort under P^, reporting what pays best."""
        return _best_reports(self._law(self._known, agent)[effort], rule)[0]

    def _effort(self, agent: int, rule: Floats) -> int:
        """What the agent does when paid by this rule, as far as the principal can tell."""
        law, cost = self._law(self._truth, agent), self._truth.costs[agent]
        gains = [_best_reports(law[b], rule)[0] - cost[b] for b in range(len(cost))]
        does = int(np.argmax(gains))
        if self._principal.observe_effort:
            self.rounds += 1
            return does
        # Only reports and states are seen: which effort explains them best?
        self.rounds += self._principal.trials
        reports = _best_reports(law[does], rule)[1]
        chance = _reported(law[does], reports)
        drawn = self._rng.multinomial(self._principal.trials, chance.ravel() / chance.sum())
        # Whoever is nearly indifferent may report in any way, so every way is considered.
        ways = list(itertools.product(range(rule.shape[0]), repeat=rule.shape[0]))
        known = self._law(self._known, agent)
        likely = [max(_likelihood(drawn, _reported(p, way)) for way in ways) for p in known]
        return int(np.argmax(likely))


def _best_reports(law: Floats, rule: Floats) -> tuple[float, tuple[int, ...]]:
    """The most that can be earned with a signal of law (signals, states), and by which reports."""
    worth = law @ rule.T  # (saw, said)
    # Ties go to the truth.
    worth = worth + 1e-12 * np.eye(len(worth))
    return float(worth.max(axis=1).sum()), tuple(worth.argmax(axis=1).tolist())


def _likelihood(drawn: Any, law: Floats) -> float:
    return float((drawn * np.log(np.maximum(law, 1e-9)).ravel()).sum())


def _reported(law: Floats, reports: Sequence[int]) -> Floats:
    out: Any = np.zeros_like(law)
    np.add.at(out, list(reports), law)
    return np.asarray(out)
