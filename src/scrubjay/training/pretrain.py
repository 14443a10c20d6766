"""Causal language modelling: predict the next token, learn from the tokens you choose.

The data is a function from step number to a batch, not an iterator: a run that was killed goes on
at its last checkpoint with exactly the batches it would have seen, and ends with the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.deciding.checkpoint import load_state, save_state

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM


@dataclass(frozen=True, slots=True)
class Example:
    """A text as token ids; ``learn[i]`` says whether predicting ``ids[i]`` counts."""

    ids: Sequence[int]
    learn: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Schedule:
    """AdamW with linear warm-up and a cosine down to a tenth of the peak."""

    steps: int
    rate: float = 2e-3
    warmup: int = 100
    decay: float = 0.05
    """Weight decay of matrices; vectors (norms) have none."""
    beta2: float = 0.98
    clip: float = 1.0
    half: bool = False
    """bfloat16 matrix products (weights and optimiser stay float32): faster for wide models, where
    the processor has them."""

    def at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        part = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (0.1 + 0.45 * (1 + math.cos(math.pi * part)))


def train_causal(
    model: LlamaForCausalLM,
    batch: Callable[[int], Sequence[Example]],
    schedule: Schedule,
    *,
    checkpoint: Path | None = None,
    every: int = 250,
    look: Callable[[int, float], bool] | None = None,
) -> list[float]:
    """Train in place; returns the loss of every step (mean over the tokens that count, nats).

    Args:
        batch: the examples of a step; must depend on nothing but the step.
        checkpoint: a file to go on from if it exists, rewritten every ``every`` steps.
        look: called after each step with (steps done, loss); returning True ends training.

    Raises:
        DiskError: the checkpoint can't be written.
    """
    import torch

    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": schedule.decay},
        {"params": vectors},
    ]
    optimizer = torch.optim.AdamW(
        groups,
        lr=schedule.rate,
        betas=(0.9, schedule.beta2),
        weight_decay=0.0,
    )
    losses: list[float] = []
    if checkpoint and checkpoint.exists():
        losses = [float(x) for x in load_state(checkpoint, model, optimizer)]
    model.train()
    for step in range(len(losses), schedule.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.at(step)
        loss = causal_loss(model, batch(step), half=schedule.half)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimizer.step()
        losses.append(loss.item())
        if checkpoint and len(losses) % every == 0 and len(losses) < schedule.steps:
            save_state(checkpoint, model, optimizer, losses)
        if look and look(len(losses), losses[-1]):
            break
    model.train(False)
    return losses


def causal_loss(
    model: LlamaForCausalLM, examples: Sequence[Example], *, half: bool = False
) -> torch.Tensor:
    """Mean cross-entropy of the tokens that count.

    Texts are padded on the right and no mask is needed: no token sees what comes after it. Logits
    are computed only where they count.
    """
    import torch

    longest = max(len(e.ids) for e in examples)
    ids = torch.zeros(len(examples), longest, dtype=torch.long)
    learn = torch.zeros(len(examples), longest, dtype=torch.bool)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        learn[row, : len(example.ids)] = torch.tensor(example.learn)
    chosen = learn[:, 1:]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[chosen])
    return torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][chosen])
