"""Strict rules: pay each agent by its own report alone, so that one effort is best by a margin.

    max l   s.t.   sum P(s, th | b) rule(s, th) - c(b)  >=  l + the same for another effort b' and
                   any way to report, whatever the others do;   0 <= rule <= cap

A principal that errs about the law mixes them in (``robustify``): margins average linearly, so
enough of them makes up for the errors. Source: the standard assumption of online information
acquisition (Cacciamani, Castiglioni and Gatti 2023); the programme is ours.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.optimize import linprog

from scrubjay.deciding.information.deviations import ENUMERATED
from scrubjay.deciding.information.hiring import Floats, HiringInstance, Infeasible
from scrubjay.deciding.information.mechanism import Mechanism, announced

Rules = tuple[Floats, ...]
"""Per agent: payments (efforts, own reports, states), a rule for each effort."""


def strict_rules(instance: HiringInstance) -> tuple[Rules, float]:
    """For each agent and effort the scoring rule with the largest margin, and the smallest margin.

    The effort and, if it is costly, the truth beat every other effort with every way to report,
    whatever the others' efforts are. The truth after a free effort need not be strictly better.

    Raises:
        Infeasible: some effort can't be made strictly best within the cap.
        ValueError: an agent has more than five signals: every way to report is a row.
    """
    rules, margin = [], math.inf
    for agent in range(instance.agents):
        made = [_strict(instance, agent, b) for b in range(instance.efforts[agent])]
        rules.append(np.stack([rule for rule, _ in made]))
        margin = min(margin, *(m for _, m in made))
    if margin <= 1e-9:
        raise Infeasible(
            "some effort can't be made strictly best by payments within the cap; raise it, or "
            "leave that effort out"
        )
    return tuple(rules), margin


def _strict(instance: HiringInstance, agent: int, effort: int) -> tuple[Floats, float]:
    if instance.signals[agent] > ENUMERATED:
        raise ValueError(f"strict rules are made for up to {ENUMERATED} signals an agent")
    law = instance.split(agent, instance.flat).sum(axis=3)  # (own, others, own signal, states)
    signals, states = law.shape[2:]
    cost = instance.costs[agent]
    rows, limits = [], []
    truth = tuple(range(signals))
    for others, other in itertools.product(range(law.shape[1]), range(law.shape[0])):
        kept = law[effort, others]
        for reports in itertools.product(range(signals), repeat=signals):
            if other == effort:
                continue
            row = np.zeros((signals, states))
            np.add.at(row, list(reports), law[other, others])
            # margin + payment(deviation) - c' <= payment(truth) - c
            rows.append(np.append((row - kept).ravel(), 1.0))
            limits.append(cost[other] - cost[effort])
        for saw, said in itertools.permutations(truth, 2):
            # Truth is at least as good as any lie, signal by signal.
            row = np.zeros((signals, states))
            row[said] += kept[saw]
            row[saw] -= kept[saw]
            rows.append(np.append(row.ravel(), 0.0))
            limits.append(0.0)
    count = signals * states
    found = linprog(
        np.append(np.full(count, 1e-6), -1.0),  # of equal margins the cheapest
        A_ub=np.array(rows) if rows else np.zeros((1, count + 1)),
        b_ub=limits or [0.0],
        bounds=[*[(0, instance.cap)] * count, (0, instance.cap)],
        method="highs",
    )
    if found.status:
        return np.zeros((signals, states)), 0.0
    return found.x[:-1].reshape(signals, states), float(found.x[-1])


def with_rules(instance: HiringInstance, mu: Floats, rules: Rules) -> Mechanism:
    """The mechanism that pays everybody by the rule of the recommended effort alone."""
    return announced(instance, mu, _rule_payments(instance, rules), instance.decisions())


def _rule_payments(instance: HiringInstance, rules: Rules) -> Floats:
    gamma = np.empty((instance.agents, *instance.flat.shape))
    efforts = np.indices(instance.efforts).reshape(instance.agents, -1)
    signals = np.indices(instance.signals).reshape(instance.agents, -1)
    for agent, rule in enumerate(rules):
        gamma[agent] = rule[efforts[agent]][:, signals[agent]]
    return gamma


def robustify(
    instance: HiringInstance, mechanism: Mechanism, rules: Rules, alpha: float
) -> Mechanism:
    """The mechanism with a share ``alpha`` of its payments replaced by the strict rules.

    Raises:
        ValueError: ``alpha`` is not in [0, 1].
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"a share must lie in [0, 1], not at {alpha:g}")
    gamma = (1 - alpha) * mechanism.gamma + alpha * _rule_payments(instance, rules)
    return announced(instance, mechanism.mu, gamma, mechanism.policy)
