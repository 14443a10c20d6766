"""From logits to tokens: greedy or sampled, always with log-probabilities of temperature 1.

Each request draws from its own stream, so that its sample depends on its seed and its own logits,
not on who happens to be in the same batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from scrubjay.core.randomness import numpy_stream

if TYPE_CHECKING:
    import numpy as np


@dataclass(slots=True)
class Sampler:
    """Nucleus sampling (Holtzman et al. 2020) at a temperature, inverting one uniform draw."""

    temperature: float
    top_p: float
    seed: int
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._random = numpy_stream(self.seed, "sampling")

    def __call__(self, logits: Tensor) -> int:
        """One token id from float32 ``logits`` (vocabulary,)."""
        draw = self._random.random()
        ordered, ids = torch.sort(logits.double() / self.temperature, descending=True, stable=True)
        mass = torch.softmax(ordered, 0).cumsum(0)
        # The smallest set whose mass reaches top_p: everything before it is filled, plus one.
        kept = int((mass < self.top_p * mass[-1]).sum()) + 1
        kept = min(kept, len(mass))
        place = int(torch.searchsorted(mass, draw * mass[kept - 1], right=True))
        return int(ids[min(place, kept - 1)])


def pick(
    logits: Tensor, samplers: Sequence[Sampler | None], entropy: bool
) -> tuple[list[int], list[float], list[float]]:
    """A token for each row of ``logits`` (rows, vocabulary).

    Returns:
        Token ids, their log-probabilities, and (if asked for) the entropies of the rows in nats.
    """
    tokens, taken, nats = list[int](), list[float](), list[float]()
    for first in range(0, len(logits), _ROWS):
        part = logits[first : first + _ROWS].float()
        ids = part.argmax(-1)
        below = (part - part.gather(-1, ids[:, None])).clamp_min_(-1e4)
        for i, sampler in enumerate(samplers[first : first + _ROWS]):
            if sampler is not None:
                ids[i] = sampler(part[i])
        weights = below.exp()
        total = weights.sum(-1)
        tokens += ids.tolist()
        taken += (below.gather(-1, ids[:, None])[:, 0] - total.log()).tolist()
        if entropy:
            mean = torch.linalg.vecdot(weights, below) / total
            nats += (total.log() - mean).clamp_min_(0).tolist()
    return tokens, taken, nats


_ROWS = 2
"""Rows worked on at a time: their logits stay in the processor's cache."""


def logprobs_of(logits: Tensor, targets: Tensor) -> list[float]:
    """Log-probability of each row's target token."""
    logits = logits.float()
    taken = logits.gather(-1, targets[:, None])[:, 0]
    return (taken - torch.logsumexp(logits, -1)).tolist()
