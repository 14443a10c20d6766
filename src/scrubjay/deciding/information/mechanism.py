"""The optimal mechanism for hired agents, by one linear programme.

A mechanism draws a profile b of efforts from mu, tells each agent only its own, decides by the
reports and pays gamma_i(b, s, th). Agents should obey and tell the truth. With x_i = mu(b) gamma_i:

    max   sum_b mu(b) U(b) - sum_i sum_(b,s,th) P(s,th|b) x_i(b,s,th)
    s.t.  z_i(b_i,b_i',s_i) >= sum_(b_-i, s_-i, th) P((s_i,s_-i),th | b_i',b_-i)
                                                   x_i(b, (s_i',s_-i), th)     for every report s_i'
          sum_(b_-i) [sum P x_i - mu(b) c_i(b_i)]  >=  sum_(s_i) z_i - sum_(b_-i) mu(b) c_i(b_i')
                                                                     for every b_i, deviation b_i'
          0 <= x_i <= cap · mu(b),   sum mu = 1

z is what the best misreport after each signal is worth, so that the exponentially many joint
deviations (another effort *and* a map of lies) need only polynomially many rows. Constraints pool
over b_-i, as an agent knows only its own recommendation: that is what makes correlated
recommendations strictly better than independent ones. Source: Cacciamani, Castiglioni and Gatti
(2023). ``slack`` loosens every obedience constraint by that much per recommendation
(used by the online algorithm).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array

from scrubjay.deciding.information.hiring import Floats, HiringInstance, Infeasible


@dataclass(frozen=True, slots=True, eq=False)
class Mechanism:
    """What a principal announces."""

    mu: Floats
    """Chance of each profile of efforts: (profiles,)."""
    gamma: Floats
    """Payments: (agents, profiles, profiles of signals, states)."""
    policy: NDArray[np.int64]
    """Decision for each (profile of efforts, profile of reported signals)."""
    value: float
    """Expected utility minus payments when all obey and tell the truth."""


def optimal_mechanism(
    instance: HiringInstance,
    *,
    slack: float = 0.0,
    fixed_mu: Any = None,
    support: Any = None,
) -> Mechanism:
    """The best mechanism in which obeying and telling the truth is an equilibrium.

    Args:
        instance: the problem.
        slack: what an agent may gain by deviating, per recommendation.
        fixed_mu: use these chances of the profiles, and optimise payments only.
        support: profiles (numbers) that may be recommended; by default all.

    Raises:
        ValueError: a negative slack, or ``fixed_mu`` that is no distribution over the profiles.
        Infeasible: no payments within the cap make agents obey (only if ``mu`` is restricted).
    """
    if not slack >= 0:
        raise ValueError(f"the slack must be 0 or more, not {slack:g}")
    shape = _Shape(instance)
    a_ub = shape.obedience(slack)
    c = np.zeros(shape.size)
    c[: shape.profiles] = -instance.worth()
    for agent in range(instance.agents):
        c[shape.pay[agent].ravel()] = instance.flat.ravel()
    low, high = np.zeros(shape.size), np.full(shape.size, np.inf)
    low[shape.lies_from :] = -np.inf
    high[: shape.profiles] = 1.0
    if support is not None:
        high[: shape.profiles] = 0.0
        high[np.asarray(support, dtype=np.int64)] = 1.0
    if fixed_mu is not None:
        mu = np.asarray(fixed_mu, dtype=np.float64).ravel()
        if mu.shape != (shape.profiles,) or mu.min() < 0 or abs(mu.sum() - 1) > 1e-9:
            raise ValueError("fixed_mu must be a distribution over the profiles of efforts")
        low[: shape.profiles] = high[: shape.profiles] = mu
    total = coo_array(
        (np.ones(shape.profiles), (np.zeros(shape.profiles, int), np.arange(shape.profiles))),
        shape=(1, shape.size),
    )
    found = linprog(
        c,
        A_ub=a_ub,
        b_ub=np.zeros(a_ub.shape[0]),
        A_eq=total.tocsr(),
        b_eq=[1.0],
        bounds=np.stack([low, high], axis=1),
        method="highs",
    )
    if found.status == 2:
        raise Infeasible(
            f"no payments of at most {instance.cap:g} make the agents obey these recommendations; "
            "raise the cap or allow other efforts"
        )
    if found.status:
        raise Infeasible(f"the linear programme was not solved: {found.message}")
    return shape.mechanism(found.x)


class _Shape:
    """Where the variables of the programme are: mu, then x of each agent, then z."""

    def __init__(self, instance: HiringInstance) -> None:
        self.instance = instance
        flat = instance.flat
        self.profiles, self.seen, self.states = flat.shape
        block = flat.size
        self.pay = [
            (self.profiles + i * block + np.arange(block)).reshape(flat.shape)
            for i in range(instance.agents)
        ]
        self.lies_from = self.profiles + instance.agents * block
        self.lies = []
        at = self.lies_from
        for efforts, signals in zip(instance.efforts, instance.signals):
            count = efforts * efforts * signals
            self.lies.append((at + np.arange(count)).reshape(efforts, efforts, signals))
            at += count
        self.size = at

    def obedience(self, slack: float) -> Any:
        """All inequality rows: rows · variables <= 0."""
        rows = _Rows()
        for agent in range(self.instance.agents):
            self._agent(rows, agent, slack)
        # x <= cap · mu: nothing is paid in impossible events.
        for pay in self.pay:
            for profile in range(self.profiles):
                columns = pay[profile].ravel()
                number = rows.new(len(columns))
                rows.put(number, columns, np.ones(len(columns)))
                rows.put(number, np.full(len(columns), profile), -self.instance.cap)
        return rows.matrix(self.size)

    def _agent(self, rows: _Rows, agent: int, slack: float) -> None:
        instance = self.instance
        law = instance.split(agent, instance.flat)
        pay = instance.split(agent, self.pay[agent])
        profile = np.arange(self.profiles).reshape(instance.efforts)
        profile = np.moveaxis(profile, agent, 0).reshape(instance.efforts[agent], -1)
        cost, lies = instance.costs[agent], self.lies[agent]
        efforts, signals = instance.efforts[agent], instance.signals[agent]
        for told, tried in itertools.product(range(efforts), repeat=2):
            for saw, said in itertools.product(range(signals), repeat=2):
                one = rows.new(1)[0]
                rows.put(one, pay[told, :, said].ravel(), law[tried, :, saw].ravel())
                rows.put(one, lies[told, tried, saw], -1.0)
            one = rows.new(1)[0]
            rows.put(one, lies[told, tried], 1.0)
            rows.put(one, pay[told].ravel(), -law[told].ravel())
            rows.put(one, profile[told], cost[told] - cost[tried] - slack)

    def mechanism(self, x: Floats) -> Mechanism:
        instance = self.instance
        mu = np.maximum(x[: self.profiles], 0)
        mu = np.where(mu < 1e-9, 0, mu)
        mu /= mu.sum()
        scale = np.where(mu > 0, 1 / np.where(mu > 0, mu, 1), 0)
        gamma = np.stack([x[pay] * scale[:, None, None] for pay in self.pay])
        gamma = np.clip(gamma, 0, instance.cap)
        return announced(instance, mu, gamma, instance.decisions())


class _Rows:
    """A sparse matrix under construction."""

    def __init__(self) -> None:
        self.count = 0
        self._parts: list[tuple[Any, Any, Any]] = []

    def new(self, count: int) -> NDArray[np.int64]:
        numbers = np.arange(self.count, self.count + count)
        self.count += count
        return numbers

    def put(self, row: Any, columns: Any, values: Any) -> None:
        parts = np.broadcast_arrays(row, columns, values)
        self._parts.append((parts[0], parts[1], parts[2]))

    def matrix(self, columns: int) -> Any:
        row, column, value = (np.concatenate([p[k].ravel() for p in self._parts]) for k in range(3))
        return coo_array((value, (row, column)), shape=(self.count, columns)).tocsr()


def announced(
    instance: HiringInstance, mu: Floats, gamma: Floats, policy: NDArray[np.int64]
) -> Mechanism:
    """A mechanism with its value for obedient, truthful agents (not by the linear programme)."""
    law, rows = instance.flat, np.arange(len(mu))[:, None]
    gain = instance.utility[policy]  # (profiles, signals, states)
    spent = gamma.sum(axis=0)
    value = float((mu[:, None, None] * law * (gain - spent)).sum())
    assert policy.shape == (len(rows), law.shape[1])
    return Mechanism(mu, gamma, policy, value)


def best_profile_mechanism(instance: HiringInstance) -> Mechanism:
    """The best mechanism that always recommends the same profile of efforts."""
    found: Mechanism | None = None
    for profile in range(math.prod(instance.efforts)):
        try:
            one = optimal_mechanism(instance, support=[profile])
        except Infeasible:
            continue
        if found is None or one.value > found.value:
            found = one
    assert found is not None  # the profile of free efforts needs no payments
    return found


def best_product_mechanism(instance: HiringInstance, steps: int = 20) -> Mechanism:
    """The best mechanism whose recommendations to different agents are independent, on a grid.

    ``steps``: probabilities are multiples of 1/steps. Payments may still depend on everything.

    Raises:
        ValueError: fewer than one step, or more than 20,000 linear programmes.
    """
    if steps < 1:
        raise ValueError(f"a grid needs at least one step, not {steps}")
    laws = [list(_simplex(efforts, steps)) for efforts in instance.efforts]
    if math.prod(map(len, laws)) > 20_000:
        raise ValueError("the grid has more than 20,000 points; take fewer steps")
    found: Mechanism | None = None
    for parts in itertools.product(*laws):
        mu = np.array(1.0)
        for part in parts:
            mu = np.multiply.outer(mu, part)
        # Without payments a product law is worth at most this: many programmes needn't be solved.
        if found is not None and float(mu.ravel() @ instance.worth()) <= found.value:
            continue
        try:
            one = optimal_mechanism(instance, fixed_mu=mu)
        except Infeasible:
            continue
        if found is None or one.value > found.value:
            found = one
    assert found is not None
    return found


def _simplex(parts: int, steps: int) -> Any:
    """All distributions over ``parts`` things whose probabilities are multiples of 1/steps."""
    for cuts in itertools.combinations(range(steps + parts - 1), parts - 1):
        ends = [-1, *cuts, steps + parts - 1]
        yield np.array([b - a - 1 for a, b in itertools.pairwise(ends)]) / steps
