"""Advantage actor-critic (A2C) on tables: the rule written by hand that learned ones stand beside.

    δ_t = r_t + γ (1 − d_t) V(s_{t+1}) − V(s_t),     A_t = δ_t + γ λ (1 − d_t) A_{t+1}
    θ ← θ + rate · ∇ mean_t [ A_t log π(a_t|s_t) + entropy · H(π(·|s_t)) ]
    V(s) ← V(s) + ½ · mean over visits of s of (A_t + V(s_t) − V(s))

A rollout is cut from lives that go on: it may hold the end of one episode and the start of another,
and its last step leans on V of the state it was cut at. With ``decay`` the step size falls linearly
to 0 at the horizon: the schedule a person would write, without which a rule that knows its time
only rediscovers that steps should shrink.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.deciding.policy_gradient import advantages
from scrubjay.training.meta.agents import (
    Agents,
    Rollout,
    descend,
    entropy_slope,
    into_rows,
    log_slope,
)
from scrubjay.training.meta.lifetimes import EXPERIENCE, Experience, live
from scrubjay.worlds.gridworld import Level

Floats = np.ndarray


def gains(rollout: Rollout, values: Floats, discount: float, trace: float) -> Floats:
    """A_t (C, L, E) of a rollout; ``values`` (C, L + 1, E)."""
    last = (np.moveaxis(x, 1, -1) for x in (rollout.rewards, values, rollout.ended))
    rewards, worth, ended = last
    return np.moveaxis(advantages(rewards, worth, discount, trace, ended), -1, 1)


@dataclass(frozen=True, slots=True)
class ActorCritic:
    """A2C as a rule; agents' second table holds V."""

    rate: float = 40.0
    entropy: float = 0.01
    decay: bool = False
    discount: float = 0.99
    trace: float = 0.95
    width: int = 1

    def __post_init__(self) -> None:
        if not (np.isfinite(self.rate) and self.rate >= 0):
            raise InputError(f"the step size must be a number of at least 0, not {self.rate}")

    def ordered(self, place: Floats) -> ActorCritic:
        return self

    def update(self, agents: Agents, rollout: Rollout, done: Floats, lifetime: Floats) -> Floats:
        """One update of all agents, in place; mean |A| of each."""
        values, states = rollout.memory[..., 0], rollout.states[:, :-1]
        gain = gains(rollout, values, self.discount, self.trace)
        slope = log_slope(rollout, -gain) - self.entropy * entropy_slope(rollout.pi)
        rows, steps = agents.policy.shape[1], gain[0].size
        rate = self.rate * (1 - done / np.maximum(lifetime, 1) if self.decay else 1 + 0 * done)
        descend(agents.policy, into_rows(states, slope, rows) / steps, rate)
        both = np.stack([gain, np.ones_like(gain)], axis=-1)
        summed = into_rows(states, both, rows)
        agents.memory += 0.5 * summed[..., :1] / np.maximum(summed[..., 1:], 1)
        return np.asarray(np.abs(gain).mean(axis=(1, 2)))


RATES, ENTROPIES = (20.0, 80.0, 320.0, 1280.0), (0.0, 0.01, 0.05)


def tune(
    levels: Sequence[Level], decay: bool, how: Experience = EXPERIENCE
) -> tuple[ActorCritic, float]:
    """The step size and entropy weight whose final policies earn most in ``levels``."""
    tried = [
        replace(ActorCritic(decay=decay), rate=rate, entropy=entropy)
        for rate in RATES
        for entropy in ENTROPIES
    ]
    earned = [float(live(rule, levels, how).returns.mean()) for rule in tried]
    best = int(np.argmax(earned))
    return tried[best], earned[best]
