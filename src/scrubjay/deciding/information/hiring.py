"""Hiring agents for information: who is asked to work how hard, and what is known about it.

A principal has to decide without knowing the state th. Agent i puts in a hidden effort b_i at cost
c_i(b_i), sees a signal s_i and reports one, true or not. Signals and state follow

    P[b_1, …, b_n, s_1, …, s_n, th]  =  P(s, th | b)

and may be correlated given th. The principal's decision d is worth u(d, th); agents are paid
between 0 and a cap once th is known. Without payments' help the best decision for truthful s after
efforts b is

    U(b) = sum_s max_d sum_th P(s, th | b) u(d, th)

Source: Cacciamani, Castiglioni and Gatti, Online Information Acquisition (2023). In this
house the principal is an answering model, agents are retrievers, tools or other models, and efforts
are how much they search.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scrubjay.core.errors import ScrubjayError

Floats = NDArray[np.float64]
LARGEST = 1_000_000
"""Entries of a table of probabilities at most."""


@dataclass(frozen=True, eq=False)
class HiringInstance:
    """A hiring problem.

    Args:
        law: P, an array (efforts of agent 1, …, n, signals of agent 1, …, n, states).
        costs: per agent, the cost of each effort; one effort costs nothing.
        utility: u, an array (decisions, states).
        cap: the most an agent is paid.

    Raises:
        ValueError: shapes that don't fit, probabilities that don't sum to 1 for some efforts, a
            negative cost, no effort that is free, a cap that is not above 0, or a table of more
            than a million entries.
    """

    law: Any
    costs: Sequence[Any]
    utility: Any
    cap: float = 1.0

    def __post_init__(self) -> None:
        law = np.asarray(self.law, dtype=np.float64)
        costs = [np.asarray(c, dtype=np.float64) for c in self.costs]
        utility = np.asarray(self.utility, dtype=np.float64)
        n = len(costs)
        if n < 1:
            raise ValueError("a hiring problem needs at least one agent, with a cost per effort")
        if law.ndim != 2 * n + 1 or any(
            c.shape != (size,) for c, size in zip(costs, law.shape[:n])
        ):
            raise ValueError(
                f"{n} agents need a law with {2 * n + 1} axes (efforts, signals, states) and a "
                "cost for every effort"
            )
        if law.size > LARGEST:
            raise ValueError(f"the law has {law.size:,} entries, more than {LARGEST:,}")
        if not np.isfinite(law).all() or law.min() < 0:
            raise ValueError("probabilities must be numbers of 0 or more")
        totals = law.sum(axis=tuple(range(n, 2 * n + 1)))
        if np.abs(totals - 1).max() > 1e-9:
            worst = np.unravel_index(np.abs(totals - 1).argmax(), totals.shape)
            raise ValueError(
                f"the probabilities for efforts {tuple(map(int, worst))} sum to "
                f"{totals[worst]:.9g}, not to 1"
            )
        for agent, cost in enumerate(costs):
            if not np.isfinite(cost).all() or cost.min() < 0:
                raise ValueError(f"agent {agent} has a cost that is not a number of 0 or more")
            if cost.min() > 0:
                raise ValueError(f"agent {agent} needs an effort that costs nothing")
        if utility.ndim != 2 or utility.shape[1] != law.shape[-1] or not utility.size:
            raise ValueError("the utility needs a row per decision and a column per state")
        if not np.isfinite(utility).all():
            raise ValueError("utilities must be finite numbers")
        if not (math.isfinite(self.cap) and self.cap > 0):
            raise ValueError(f"the cap on payments must be above 0, not {self.cap:g}")
        for name, value in (("law", law), ("costs", tuple(costs)), ("utility", utility)):
            object.__setattr__(self, name, value)

    @property
    def agents(self) -> int:
        return len(self.costs)

    @property
    def efforts(self) -> tuple[int, ...]:
        """How many efforts each agent has."""
        return tuple(self.law.shape[: self.agents])

    @property
    def signals(self) -> tuple[int, ...]:
        """How many signals each agent can see."""
        return tuple(self.law.shape[self.agents : -1])

    @property
    def states(self) -> int:
        return int(self.law.shape[-1])

    @property
    def flat(self) -> Floats:
        """P as (profiles of efforts, profiles of signals, states)."""
        return np.asarray(
            self.law.reshape(math.prod(self.efforts), math.prod(self.signals), self.states)
        )

    def decisions(self) -> NDArray[np.int64]:
        """The best decision for each (profile of efforts, profile of truthful signals)."""
        return np.asarray(np.argmax(self.flat @ self.utility.T, axis=2))

    def worth(self) -> Floats:
        """U(b) for each profile of efforts."""
        return np.asarray((self.flat @ self.utility.T).max(axis=2).sum(axis=1))

    def effort_costs(self) -> Floats:
        """Cost of the effort of each agent in each profile: array (agents, profiles)."""
        grid = np.indices(self.efforts).reshape(self.agents, -1)
        return np.stack([cost[grid[i]] for i, cost in enumerate(self.costs)])

    def split(self, agent: int, table: Any) -> Any:
        """A table (profiles of efforts, profiles of signals, …) with the axes of one agent first:
        (own effort, others' efforts, own signal, others' signals, …)."""
        n, rest = self.agents, table.shape[2:]
        full = table.reshape(*self.efforts, *self.signals, *rest)
        full = np.moveaxis(full, (agent, n + agent), (0, 1))
        own, seen = self.efforts[agent], self.signals[agent]
        others = math.prod(self.efforts) // own
        return np.moveaxis(
            full.reshape(own, seen, others, math.prod(self.signals) // seen, *rest), 1, 2
        )


class Infeasible(ScrubjayError):
    """No mechanism meets the constraints."""
