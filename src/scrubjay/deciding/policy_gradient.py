"""Policy gradients: what every learner of this kind shares, whatever it acts on.

    clipped surrogate   min(ρ A, clip(ρ, 1 ± ε) A)          ρ = π(a|s) / π_old(a|s)
    error               δ_t = r_t + γ V_{t+1} − V_t          V = 0 after an episode's last step
    advantage (GAE)     A_t = δ_t + γ λ A_{t+1}              A = 0 there, and where a rollout is cut
    return (TD-λ)       G_t = r_t + γ ((1 − λ) V_{t+1} + λ G_{t+1})  =  A_t + V_t

An agent of language and an optimiser of black boxes train by the same lines. Sources: PPO (Schulman
et al., 2017), equation 7; GAE (Schulman et al., 2016), equation 16; papers 28 and 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]


def surrogate(
    new: torch.Tensor, old: torch.Tensor, advantage: torch.Tensor, clip: float
) -> torch.Tensor:
    """min(ρA, clip(ρ, 1 ± ε)A) per action; log-probabilities and advantages of one shape."""
    import torch

    ratio = (new - old).exp()
    return torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def advantages(
    rewards: Floats,
    values: Floats,
    discount: float,
    trace: float,
    ended: NDArray[np.bool_] | None = None,
) -> Floats:
    """A_t (…, T) by generalised advantage estimation; λ = 0 trusts V most, λ = 1 not at all.

    Args:
        rewards: (…, T).
        values: V of the state in which action t was taken, (…, T); or (…, T + 1), with that of the
            state at which a rollout was cut. Without it the episode ends after the last action.
        discount: γ.
        trace: λ.
        ended: whether an episode ended with step t, and another began, (…, T); None: none did.

    >>> advantages(np.array([1.0, 2.0]), np.array([0.5, 0.5]), 0.5, 1.0).tolist()
    [1.5, 1.5]
    """
    steps = rewards.shape[-1]
    if values.shape[-1] == steps:
        values = np.concatenate([values, np.zeros_like(values[..., :1])], axis=-1)
    goes_on = np.ones_like(values[..., 1:]) if ended is None else 1 - ended.astype(values.dtype)
    out = rewards + discount * goes_on * values[..., 1:] - values[..., :-1]
    for t in range(steps - 2, -1, -1):
        out[..., t] += discount * trace * goes_on[..., t] * out[..., t + 1]
    return np.asarray(out)


def returns(rewards: Floats, values: Floats, discount: float, trace: float) -> Floats:
    """G_t of whole episodes (…, T): what V is trained towards."""
    return advantages(rewards, values, discount, trace) + values
