"""Bar distributions: a density over y as a row of bars, whose heights a network puts out.

    buckets   [e_k, e_{k+1}),  p = softmax(logits)        density on bucket k: p_k / (e_{k+1} − e_k)
    EI(b)     = Σ p_k E[(y − b)⁺ | k];   in the bucket of b, with upper end e:  (e − b)² / 2 width
    UCB       = mean + 2 sd              all of it exact, nothing sampled

A border belongs to the bucket above it, the last one to the last bucket. Source: paper 32, section
3.1 of our sheet; the density is that of prior-fitted networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scrubjay.deciding.bo.tasks import OptimiseError


@dataclass(frozen=True, slots=True, eq=False)
class BarDistribution:
    """Functions of logits (…, K) for fixed borders (K + 1,).

    Raises:
        OptimiseError: borders that don't rise.
    """

    borders: Tensor

    def __post_init__(self) -> None:
        rises = self.borders.ndim == 1 and len(self.borders) > 1
        if not rises or not bool((self.borders.diff() > 0).all()):
            raise OptimiseError("the borders of a bar distribution must rise")

    @classmethod
    def even(cls, buckets: int, low: float = -0.1, high: float = 1.1) -> BarDistribution:
        """``buckets`` of one width; by default for y in [0, 1] with a margin (the paper's)."""
        return cls(torch.linspace(low, high, buckets + 1))

    @property
    def widths(self) -> Tensor:
        return self.borders.diff()

    @property
    def centres(self) -> Tensor:
        return (self.borders[:-1] + self.borders[1:]) / 2

    def bucket(self, y: Tensor) -> Tensor:
        """Index of the bucket that holds y.

        Raises:
            OptimiseError: some y lies outside the borders.
        """
        if bool(((y < self.borders[0]) | (y > self.borders[-1]) | y.isnan()).any()):
            low, high = float(self.borders[0]), float(self.borders[-1])
            raise OptimiseError(f"a value lies outside [{low:g}, {high:g}], where the bars are")
        found = torch.searchsorted(self.borders, y.contiguous(), right=True) - 1
        return found.clamp(0, len(self.borders) - 2)

    def log_prob(self, logits: Tensor, y: Tensor) -> Tensor:
        """Log density at y (…); raises ``OptimiseError`` where y lies outside."""
        k = self.bucket(y)
        logs = logits.log_softmax(-1) - self.widths.log()
        return logs.gather(-1, k[..., None])[..., 0]

    def mean(self, logits: Tensor) -> Tensor:
        return (logits.softmax(-1) * self.centres).sum(-1)

    def variance(self, logits: Tensor) -> Tensor:
        """Within buckets (width² / 12) and between them."""
        p = logits.softmax(-1)
        apart = (self.centres - self.mean(logits)[..., None]) ** 2
        return (p * (apart + self.widths**2 / 12)).sum(-1)

    def ei(self, logits: Tensor, best: Tensor) -> Tensor:
        """Expected improvement over ``best`` (…)."""
        low, high, b = self.borders[:-1], self.borders[1:], best[..., None]
        cut = torch.maximum(torch.minimum(b, high), low)
        # Mass above b within the bucket, times the mean improvement there.
        gain = (high - cut) / (high - low) * ((high + cut) / 2 - b).clamp(min=0)
        return (logits.softmax(-1) * gain).sum(-1)

    def ucb(self, logits: Tensor, width: float = 2.0) -> Tensor:
        """Mean and ``width`` standard deviations."""
        return self.mean(logits) + width * self.variance(logits).sqrt()

    def quantile(self, logits: Tensor, share: float) -> Tensor:
        """The y below which ``share`` of the mass lies."""
        if not 0 <= share <= 1:
            raise OptimiseError(f"a quantile is asked for by a share from 0 to 1, not {share}")
        p = logits.softmax(-1)
        above = p.cumsum(-1)
        k = (above < share - 1e-7).sum(-1, keepdim=True).clamp(max=p.shape[-1] - 1)
        inside = (share - (above - p).gather(-1, k)) / p.gather(-1, k).clamp(min=1e-12)
        return (self.borders[k] + inside.clamp(0, 1) * self.widths[k])[..., 0]

    def sample(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        """One y for every row of logits."""
        p = logits.softmax(-1)
        k = torch.multinomial(p.reshape(-1, p.shape[-1]), 1, generator=generator)
        u = torch.rand(k.shape, generator=generator)
        return (self.borders[k] + u * self.widths[k]).reshape(logits.shape[:-1])
