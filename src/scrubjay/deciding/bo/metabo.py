"""Only the acquisition function is learned: a small network on what a fixed Gaussian process says.

    α(x) = MLP([μ(x), σ(x), x, best y, t/T]),    V = MLP([best y, t/T])

The process has one kernel for all tasks, the middle of those fitted to training tasks; the network
is trained by reinforcement like NAP's policy, by the same code. It sees no more of the history than
μ and σ. Source: MetaBO (Volpp et al., 2020), as the baseline of paper 32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from scrubjay.deciding.bo.env import State
from scrubjay.deciding.bo.gp import GP, posterior
from scrubjay.deciding.bo.nap import Inputs
from scrubjay.deciding.bo.tasks import Floats, Task


class MetaBOStyle(nn.Module):
    """``theta`` as in ``gp``: the kernel that stays."""

    name = "metabo"

    def __init__(self, theta: Floats, kinds: tuple[int, ...], hidden: int = 64) -> None:
        super().__init__()
        self.theta, self.kinds = theta, kinds
        columns = sum(kind or 1 for kind in kinds)
        self.acquire = nn.Sequential(
            nn.Linear(columns + 4, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )
        self.value = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(
        self, x_hist: Tensor, y_hist: Tensor, n_hist: Tensor, x_cand: Tensor, feats: Tensor
    ) -> tuple[Tensor, None, Tensor]:
        """``x_cand`` holds μ, σ and x; the history is empty."""
        wide = feats[:, None].expand(-1, x_cand.shape[1], -1)
        alpha = self.acquire(torch.cat([x_cand, wide], dim=-1))[..., 0]
        return alpha, None, self.value(feats)[..., 0]

    def inputs(self, state: State) -> Inputs:
        """What the process says, in units of the standardised history."""
        b = len(state.candidates)
        y = state.seen
        if y.shape[1]:
            deviation = y.std(axis=1, keepdims=True)
            y = (y - y.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1.0)
            mean, sd = posterior(self.theta, state.history, y, state.candidates, self.kinds)
            best = y.max(axis=1)
        else:
            mean, best = np.zeros(state.candidates.shape[:2]), np.zeros(b)
            sd = np.full_like(mean, np.exp(0.5 * self.theta[-2]))
        columns = [mean[..., None], sd[..., None], one_hot(state.candidates, self.kinds)]
        feats = np.stack([best, np.full(b, state.spent)], axis=1)
        return Inputs(
            torch.zeros(b, 1, len(self.kinds)),
            torch.zeros(b, 1),
            torch.zeros(b, dtype=torch.long),
            torch.tensor(np.concatenate(columns, axis=-1), dtype=torch.float32),
            torch.tensor(feats, dtype=torch.float32),
        )

    def scores(self, state: State, rng: np.random.Generator) -> Floats:
        with torch.no_grad():
            return np.asarray(self(*self.inputs(state))[0].double().numpy())


def usual_kernel(tasks: Sequence[Task], rng: np.random.Generator, points: int = 30) -> Floats:
    """The middle (in logarithms) of kernels fitted to some candidates of each task."""
    found = []
    for task in tasks:
        rows = rng.permutation(len(task.values))[:points]
        found.append(GP.fit(task.candidates[rows], task.values[rows], task.kinds).theta)
    return np.asarray(np.median(found, axis=0))


def one_hot(x: Floats, kinds: tuple[int, ...]) -> Floats:
    """Numbers as they are, levels as columns of 0 and 1: (…, d) to (…, columns)."""
    parts = [
        (x[..., j, None] == np.arange(kind)).astype(np.float64) if kind else x[..., j, None]
        for j, kind in enumerate(kinds)
    ]
    return np.concatenate(parts, axis=-1)
