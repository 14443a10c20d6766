"""Learned policy gradient: a network that tells agents, step by step, which way to learn.

From a rollout, read backwards, a recurrent network gives two targets a step (paper 17, 3.1)

    π̂_t ∈ R               weight of log π(a_t|s_t); below 0 makes the action likelier
    ŷ_t ∈ simplex(m)      what the agent's bootstrap vector y(s_t) shall say

and the agent descends  mean_t π̂_t log π(a_t|s_t)  +  α_y mean_t KL(y(s_t) || ŷ_t),  α_y = ½.
What y means is up to the network; it is how the rule remembers. The network reads

    x_t = [ r_t, d_t, π(a_t|s_t), φ(y(s_t)), (1 − d_t) φ(y(s_{t+1})) ]         LPG
    x_t = [ …, n/N, log N ]                                                 TA-LPG ("ta")

with d_t whether the episode ended (the state of the recurrence starts anew there), φ a small
network, n the update and N the lifetime. n/N lies in [0, 1) and says how late it is; N is
unbounded, so its logarithm is given.

``forward`` is written once, for numpy (a population, for evolution) and for torch (for
meta-gradients): both have the few functions that it needs under the same names.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.training.meta.agents import (
    Agents,
    Rollout,
    descend,
    into_rows,
    kl_slope,
    log_slope,
    softmax,
)
from scrubjay.training.meta.layout import Layout

Lifetime = Literal["none", "ta"]


@dataclass(frozen=True, slots=True)
class LPGNet:
    """The shape of the network, without weights."""

    m: int = 8
    gru: int = 16
    embed: int = 8
    lifetime: Lifetime = "none"

    def __post_init__(self) -> None:
        if min(self.m, self.gru, self.embed) < 1:
            raise InputError("every layer of a learned objective needs at least one unit")
        if self.lifetime not in ("none", "ta"):
            raise InputError(f"lifetime is 'none' or 'ta', not '{self.lifetime}'")

    @property
    def aware(self) -> bool:
        return self.lifetime == "ta"

    @property
    def layout(self) -> Layout:
        inputs, h = 7 if self.aware else 5, self.gru
        return Layout(
            {
                "read": (self.m, self.embed),
                "read_bias": (self.embed,),
                "worth": (self.embed, 1),
                "worth_bias": (1,),
                "input": (inputs, 3 * h),
                "input_bias": (3 * h,),
                "state": (h, 3 * h),
                "state_bias": (h,),
                "out": (h, 1 + self.m),
                "out_bias": (1 + self.m,),
            }
        )

    def forward(
        self,
        xp: ModuleType,
        weights: dict[str, Any],
        rewards: Any,
        ended: Any,
        chance: Any,
        y: Any,
        clock: tuple[Any, Any] | None,
    ) -> tuple[Any, Any]:
        """π̂ (C, L, E) and ŷ (C, L, E, m); ``clock`` is (n/N, log N), each (C,).

        ``rewards, ended, chance`` are (C, L, E), ``y`` (C, L + 1, E, m), all of one float kind.
        """
        count, length, envs = rewards.shape
        w = {k: v if v.ndim == 3 else v[:, None] for k, v in weights.items()}
        hidden = y.reshape(count, (length + 1) * envs, self.m) @ w["read"] + w["read_bias"]
        hidden = hidden * (hidden > 0)
        phi = (hidden @ w["worth"] + w["worth_bias"]).reshape(count, length + 1, envs)
        parts = [rewards, ended, chance, phi[:, :-1], (1 - ended) * phi[:, 1:]]
        if self.aware:
            if clock is None:
                raise InputError("an objective that knows its lifetime must be told n and N")
            parts += [c[:, None, None] + 0 * rewards for c in clock]
        x = xp.stack(parts, -1).reshape(count, length * envs, len(parts))
        given = (x @ w["input"] + w["input_bias"]).reshape(count, length, envs, 3 * self.gru)
        states = self._backwards(xp, w, given, 1 - ended)
        flat = states.reshape(count, length * envs, self.gru)
        out = (flat * (flat > 0)) @ w["out"] + w["out_bias"]
        out = out.reshape(count, length, envs, 1 + self.m)
        # Between −30 and 30 the exponential is safe, and a maximum over a short axis is slow.
        raised = xp.exp(xp.clip(out[..., 1:], -30.0, 30.0))
        ones = xp.ones(self.m, dtype=raised.dtype)
        return out[..., 0], raised / (raised @ ones)[..., None]

    def _backwards(self, xp: ModuleType, w: dict[str, Any], given: Any, stays: Any) -> Any:
        """The gated recurrent unit from the last step to the first; states (C, L, E, H)."""
        h, length = self.gru, given.shape[1]
        state = 0 * given[:, 0, :, :h]
        states = []
        for t in reversed(range(length)):
            state = state * stays[:, t, :, None]
            held, new = state @ w["state"], given[:, t]
            gates = 0.5 + 0.5 * xp.tanh(0.5 * (new[..., : 2 * h] + held[..., : 2 * h]))
            reset, keep = gates[..., :h], gates[..., h:]
            fresh = new[..., 2 * h :] + reset * (held[..., 2 * h :] + w["state_bias"])
            state = xp.tanh(fresh) * (1 - keep) + keep * state
            states.append(state)
        return xp.stack(states[::-1], 1)


class LearnedPolicyGradient:
    """A population of learned objectives, as a rule that agents are updated by.

    Args:
        weights: (dim,), one objective for all agents, or (C, dim), one for each.
        rate: step size of the policy; ``descend`` clips its gradient.
        memory_rate: the same of y.
    """

    def __init__(
        self,
        net: LPGNet,
        weights: np.ndarray,
        rate: float = 40.0,
        memory_rate: float = 4.0,
        alpha: float = 0.5,
    ) -> None:
        self.net, self.width = net, net.m
        self.rate, self.memory_rate, self.alpha = rate, memory_rate, alpha
        self._weights = net.layout.split(np.asarray(weights, np.float32))

    def ordered(self, place: np.ndarray) -> LearnedPolicyGradient:
        """The same objectives for agents in another order: row i is now agent place[i]."""
        new = copy(self)
        new._weights = {
            k: w if len(w) == 1 else np.ascontiguousarray(w[place])
            for k, w in self._weights.items()
        }
        return new

    def targets(
        self, rollout: Rollout, done: np.ndarray, lifetime: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """π̂ (C, L, E) and ŷ (C, L, E, m) for agents after ``done`` of ``lifetime`` updates."""
        clock = None
        if self.net.aware:
            clock = relative_time(done, lifetime)
        count = len(rollout.rewards)
        mine = {k: w[:count] for k, w in self._weights.items()}
        y, ended = softmax(rollout.memory), rollout.ended.astype(np.float32)
        return self.net.forward(np, mine, rollout.rewards, ended, rollout.chance, y, clock)

    def update(
        self, agents: Agents, rollout: Rollout, done: np.ndarray, lifetime: np.ndarray
    ) -> np.ndarray:
        """One update of all agents, in place; mean |π̂| of each, (C,)."""
        weight, target = self.targets(rollout, done, lifetime)
        steps, states = weight[0].size, rollout.states[:, :-1]
        rows = agents.policy.shape[1]
        slope = log_slope(rollout, weight)
        descend(agents.policy, into_rows(states, slope, rows) / steps, self.rate)
        slope = self.alpha * kl_slope(rollout.memory[:, :-1], target)
        descend(agents.memory, into_rows(states, slope, rows) / steps, self.memory_rate)
        return np.asarray(np.abs(weight).mean(axis=(1, 2)))


def relative_time(done: np.ndarray, lifetime: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """n/N and log N as the network reads them, (C,) each."""
    life = np.maximum(lifetime, 1).astype(np.float32)
    return done.astype(np.float32) / life, np.log(life)
