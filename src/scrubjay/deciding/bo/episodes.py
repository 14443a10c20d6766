"""Episodes of black-box optimisation as a policy gradient needs them.

    π(i | s) = softmax(α_i / 0.1) over the k = 5 best of the untried candidates       in training

The k candidates are kept with the step, so that the ratio π/π_old later speaks of the same choice;
since candidates don't see each other, only these k must be computed again, not all N. Source:
paper 32, sections 3.1-3.2 of our sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from scrubjay.deciding.bo.env import BOEnv, State
from scrubjay.deciding.bo.nap import Inputs
from scrubjay.deciding.bo.tasks import Floats
from scrubjay.deciding.policy_gradient import advantages

TEMPERATURE, TOP = 0.1, 5


class Actor(Protocol):
    """A network that acts: NAP, or ``MetaBOStyle``."""

    def inputs(self, state: State) -> Inputs: ...

    def __call__(
        self, x_hist: Tensor, y_hist: Tensor, n_hist: Tensor, x_cand: Tensor, feats: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """All steps of B episodes as one batch (steps · B, …), and what happened in them."""

    inputs: Inputs
    """With the k candidates only."""
    actions: Tensor
    """Which of the k."""
    logs: Tensor
    """log π_old(a | s)."""
    advantage: Tensor
    returns: Tensor
    reward: float
    """Mean sum of rewards of an episode."""
    regret: float
    """Mean regret at the end."""
    found: float
    """Share of steps that found a new best."""


def play(
    actor: Actor, env: BOEnv, rng: np.random.Generator, *, discount: float, trace: float
) -> Episodes:
    """From the environment as it stands to the end."""
    inputs, actions, logs, rewards, values = [], [], [], [], []
    began = env.tried.shape[1]
    # As many as are untried at the last step of small tasks: a mask must never leave nothing.
    k = min(TOP, env.values.shape[1] - env.trials + 1)
    while not env.done:
        state = env.state
        seen = actor.inputs(state)
        with torch.no_grad():
            alpha, _, value = actor(*seen)
        allowed = alpha.masked_fill(~torch.from_numpy(state.free), float("-inf"))
        best, index = allowed.topk(k, dim=1)
        log = (best / TEMPERATURE).log_softmax(-1)
        action = _draw(log.double().numpy(), rng)
        inputs.append(seen.pick(index))
        actions.append(action)
        logs.append(log.gather(1, action[:, None])[:, 0])
        values.append(value.double().numpy())
        chosen = index.gather(1, action[:, None])[:, 0].numpy()
        rewards.append(env.step(chosen))
    gains, worth = np.stack(rewards, axis=1), np.stack(values, axis=1)
    ahead = advantages(gains, worth, discount, trace)
    return Episodes(
        Inputs.join(inputs),
        torch.cat(actions),
        torch.cat(logs),
        _flat((ahead - ahead.mean()) / (ahead.std() + 1e-8)),
        _flat(ahead + worth),
        float(gains.sum(axis=1).mean()),
        float(env.regret[:, -1].mean()),
        _found(env.regret, began),
    )


def log_policy(alpha: Tensor, actions: Tensor) -> Tensor:
    """log π(a | s) among the kept candidates (B, k)."""
    return (alpha / TEMPERATURE).log_softmax(-1).gather(1, actions[:, None])[:, 0]


def _draw(logs: Floats, rng: np.random.Generator) -> Tensor:
    """One index of each row, by its probabilities (the highest of log p + Gumbel noise)."""
    return torch.from_numpy((logs + rng.gumbel(size=logs.shape)).argmax(axis=1))


def _flat(steps: Floats) -> Tensor:
    """(B, steps) in the order of the batch: all episodes' first steps, then their second."""
    return torch.tensor(steps.T.reshape(-1), dtype=torch.float32)


def _found(regret: Floats, began: int) -> float:
    before = np.concatenate([np.full((len(regret), 1), np.inf), regret[:, :-1]], axis=1)
    return float((regret < before)[:, began:].mean())
