"""Agents that are tables: softmax policies over states, many at once, gradients in closed form.

Agent c has logits θ_c (S, A) and a second table (S, m): the logits of its bootstrap vector y(s), or
values of states. From a rollout of B = L · E steps, with weights w_t treated as constants,

    ∇_θ mean_t [ w_t log π(a_t|s_t) ]  =  mean_t w_t (onehot(a_t) − π(·|s_t))   in row s_t
    ∇_y mean_t KL(y(s_t) || ŷ_t)       =  mean_t y ⊙ (log y − log ŷ_t − KL)     in row s_t
    ∇_θ mean_t H(π(·|s_t))             =  −mean_t π ⊙ (log π + H)               in row s_t

so the inner loop needs no automatic differentiation. Tests hold these against torch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.worlds.gridworld import Floats, GridWorld, Ints, Level


@dataclass(slots=True)
class Agents:
    """A population of agents; both tables are changed in place."""

    policy: Floats
    """Logits (C, S, A)."""
    memory: Floats
    """(C, S, m)."""

    @classmethod
    def new(cls, world: GridWorld, width: int, levels: Sequence[Level], copies: int = 1) -> Agents:
        """Nearly uniform agents; the ``copies`` of a level start out equal."""
        shape = (world.states, world.actions + width)
        drawn = [numpy_stream(v.seed, "agent").standard_normal(shape, np.float32) for v in levels]
        both = np.repeat(0.01 * np.stack(drawn), copies, axis=0)
        return cls(both[..., : world.actions].copy(), both[..., world.actions :].copy())

    def first(self, rows: int) -> Agents:
        """A view of the first agents."""
        return Agents(self.policy[:rows], self.memory[:rows])

    def probabilities(self) -> Floats:
        """π of every state, (C, S, A)."""
        return softmax(self.policy)


@dataclass(slots=True)
class Rollout:
    """L steps of C agents in E environments; B = L · E."""

    states: Ints
    """(C, L + 1, E); the last is where the rollout was cut."""
    actions: Ints
    rewards: Floats
    ended: np.ndarray
    """(C, L, E): the episode ended with this step."""
    pi: Floats
    """(C, L, E, A) as it was when the step was taken."""
    memory: Floats
    """(C, L + 1, E, m): the second table at ``states``."""

    @property
    def chance(self) -> Floats:
        """π(a_t|s_t), (C, L, E)."""
        return np.take_along_axis(self.pi, self.actions[..., None], axis=-1)[..., 0]

    @property
    def entropy(self) -> Floats:
        """Mean over the steps of H(π(·|s_t)), (C,)."""
        return np.asarray(-total(self.pi * np.log(self.pi + 1e-8)).mean((1, 2)))


class Luck(Protocol):
    """Where uniform numbers come from."""

    def take(self, rows: int, *shape: int) -> Floats: ...


def play(world: GridWorld, agents: Agents, draws: Luck, steps: int) -> Rollout:
    """``steps`` more steps in every environment; the world goes on where it stood."""
    count, envs = world.cell.shape
    luck = draws.take(count, steps, envs, 3 + world.things)
    pi = agents.probabilities()
    rows = np.arange(count)[:, None]
    steep = np.cumsum(pi, axis=-1).reshape(-1, world.actions)
    states = np.empty((count, steps + 1, envs), int)
    actions = np.zeros((count, steps, envs), int)
    rewards = np.empty((count, steps, envs), np.float32)
    ended = np.empty((count, steps, envs), bool)
    for t in range(steps):
        states[:, t] = seen = world.observation
        chances, drawn = np.take(steep, rows * world.states + seen, axis=0), luck[:, t, :, 0]
        for k in range(world.actions - 1):
            actions[:, t] += drawn >= chances[..., k]
        rewards[:, t], ended[:, t] = world.step(actions[:, t], luck[:, t, :, 1:])
    states[:, steps] = world.observation
    where = rows[..., None]
    return Rollout(
        states, actions, rewards, ended, pi[where, states[:, :-1]], agents.memory[where, states]
    )


def log_slope(rollout: Rollout, weights: Floats) -> Floats:
    """∂/∂logits of w_t log π(a_t|s_t), by step, (C, L, E, A)."""
    chosen = rollout.actions[..., None] == np.arange(rollout.pi.shape[-1])
    return np.asarray(weights[..., None] * (chosen - rollout.pi))


def kl_slope(logits: Floats, target: Floats) -> Floats:
    """∂/∂logits of KL(softmax(logits) || target), (…, m)."""
    y = softmax(logits)
    apart = np.log(y + 1e-8) - np.log(target + 1e-8)
    return np.asarray(y * (apart - total(y * apart)[..., None]))


def entropy_slope(pi: Floats) -> Floats:
    """∂/∂logits of H(π), (…, A)."""
    logs = np.log(pi + 1e-8)
    entropy = -total(pi * logs)[..., None]
    return np.asarray(-pi * (logs + entropy))


def into_rows(states: Ints, slopes: Floats, rows: int) -> Floats:
    """Sum step by step slopes (C, L, E, k) into the rows (C, S, k) of their states (C, L, E)."""
    count, width = len(states), slopes.shape[-1]
    place = (np.arange(count)[:, None, None] * rows + states)[..., None] * width
    flat = np.bincount(
        (place + np.arange(width)).ravel(), slopes.ravel(), minlength=count * rows * width
    )
    return flat.reshape(count, rows, width).astype(np.float32)


def descend(table: Floats, gradient: Floats, rate: Floats | float, most: float = 0.5) -> None:
    """table ← table − rate · gradient, where no agent's gradient is longer than ``most``."""
    norm = np.sqrt((gradient**2).sum(axis=(1, 2), keepdims=True))
    shrink = np.minimum(1, most / np.maximum(norm, 1e-12))
    table -= np.reshape(rate, (-1, 1, 1)) * shrink * gradient


def softmax(logits: Floats) -> Floats:
    """Over the last axis; by columns, since numpy reduces over a short last axis slowly."""
    columns = range(logits.shape[-1])
    most = logits[..., 0]
    for k in columns[1:]:
        most = np.maximum(most, logits[..., k])
    raised = np.exp(logits - most[..., None])
    raised /= total(raised)[..., None]
    return np.asarray(raised)


def total(values: Floats) -> Floats:
    """The sum over a short last axis, fast."""
    return np.asarray(values @ np.ones(values.shape[-1], values.dtype))
