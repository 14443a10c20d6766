"""Log-linear combination of next-token distributions: one model's knowledge, another's behaviour.

    log p̃(v) = log π_base(v) + Σ_i w_i · clip(log π_i(v) - log π_ref,i(v), ±cap) - log Z

A fine-tuned model is its base plus a reward: r = log π_tuned - log π_ref. So the difference of a
*small* tuned and a small base model can be added to a *large* base (emulated fine-tuning, "up-
scaling"), that of large ones to a small base ("down-scaling"), two of them mixed (interpolation),
turned round (w < 0), or the difference between a large and a small base added to the small tuned
model with a weight above 1 (amplification).

A base finds the end of an answer very unlikely, and then the ratio explodes: hence ``cap``. Where
both models of a difference forbid a token the difference is 0, and ``Nucleus`` keeps differences to
the tokens that some distribution finds likely. Everything is done on float32 log-probabilities, so
that adding a constant to a member's logits changes nothing.

Source: emulated fine-tuning (paper 20), sections 3.2 to 3.5 of our sheet. Departure: the paper
leaves open which distribution its filter looks at and what happens outside it; both are settings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from scrubjay.core.errors import ModelError

CAP = 10.0
"""Nats by which one difference may move a token, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Nucleus:
    """Differences count only for the smallest set of tokens that holds ``p`` of the probability."""

    p: float
    of: Literal["base", "tuned"] = "base"
    """Whose distribution the set is taken from: the base's or the first tuned model's."""
    outside: Literal["keep", "forbid"] = "keep"
    """Tokens outside keep the base's log-probability, or can't be said."""

    def __post_init__(self) -> None:
        if not 0 < self.p <= 1:
            raise ModelError(f"a nucleus holds a share of probability in (0, 1], not {self.p}")
        if self.of not in ("base", "tuned") or self.outside not in ("keep", "forbid"):
            raise ModelError(
                f"a nucleus is of 'base' or 'tuned' and keeps or forbids what is outside ('keep', "
                f"'forbid'), not of '{self.of}' and '{self.outside}'"
            )

    def inside(self, logprobs: Tensor) -> Tensor:
        """Which tokens are in the set, for each row of ``logprobs`` (…, vocabulary)."""
        ordered, ids = torch.sort(logprobs, dim=-1, descending=True, stable=True)
        before = ordered.exp().cumsum(-1) - ordered.exp()
        return torch.zeros_like(logprobs, dtype=torch.bool).scatter(-1, ids, before < self.p)


@dataclass(frozen=True, slots=True)
class LogLinear:
    """The rule: members are the base, then (tuned, reference) for every weight."""

    weights: tuple[float, ...]
    cap: float = CAP
    nucleus: Nucleus | None = None

    def __post_init__(self) -> None:
        if not all(math.isfinite(w) for w in self.weights):
            raise ModelError(f"the weights of a combination must be finite, not {self.weights}")
        if not self.cap > 0:
            raise ModelError(f"the cap of a combination is a positive number, not {self.cap}")

    @property
    def members(self) -> int:
        """How many distributions it combines."""
        return 1 + 2 * len(self.weights)

    def __call__(self, logits: Sequence[Tensor]) -> Tensor:
        """Combined log-probabilities (…, vocabulary) from every member's logits, in float32.

        Raises:
            ModelError: a member's logits are not numbers, or nothing can be said any more.
        """
        if len(logits) != self.members:
            raise ModelError(f"this rule combines {self.members} models, not {len(logits)}")
        logs = [torch.log_softmax(x.float(), -1) for x in logits]
        if any(bool(x.isnan().any()) for x in logs):
            raise ModelError("a combined model gives probabilities that are not numbers")
        moved = torch.zeros_like(logs[0])
        for weight, tuned, reference in zip(self.weights, logs[1::2], logs[2::2]):
            difference = (tuned - reference).clamp(-self.cap, self.cap)
            # Two models that both forbid a token say nothing about it (-inf minus -inf).
            moved += weight * difference.nan_to_num(nan=0.0)
        if self.nucleus is not None:
            source = logs[0] if self.nucleus.of == "base" or len(logs) == 1 else logs[1]
            inside = self.nucleus.inside(source)
            moved = moved.where(inside, -torch.inf if self.nucleus.outside == "forbid" else 0.0)
        combined = torch.log_softmax(logs[0] + moved, -1)
        if bool(combined.isnan().any()):
            raise ModelError("the combined models forbid every token: nothing can be said")
        return combined
