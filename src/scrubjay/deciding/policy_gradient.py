"""Policy gradients: what every learner of this kind shares, whatever it acts on.

    clipped surrogate   min(ρ A, clip(ρ, 1 ± ε) A)          ρ = π(a|s) / π_old(a|s)
    error               δ_t = r_t + γ V_{t+1} − V_t          V = 0 after the last step
    advantage (GAE)     A_t = δ_t + γ λ A_{t+1}
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


def advantages(rewards: Floats, values: Floats, discount: float, trace: float) -> Floats:
    """A_t of whole episodes (…, T) by generalised advantage estimation; ``trace`` is λ.

    ``values[..., t]`` is V of the state in which action t was taken; the episode ends after the
    last action. λ = 0 trusts V most, λ = 1 not at all.

    >>> advantages(np.array([1.0, 2.0]), np.array([0.5, 0.5]), 0.5, 1.0).tolist()
    [1.5, 1.5]
    """
    following = np.concatenate([values[..., 1:], np.zeros_like(values[..., :1])], axis=-1)
    out = np.asarray(rewards + discount * following - values, dtype=np.float64)
    for t in range(out.shape[-1] - 2, -1, -1):
        out[..., t] += discount * trace * out[..., t + 1]
    return out


def returns(rewards: Floats, values: Floats, discount: float, trace: float) -> Floats:
    """G_t of whole episodes (…, T): what V is trained towards."""
    return advantages(rewards, values, discount, trace) + values
