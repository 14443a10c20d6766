"""GRPO: group-relative policy optimisation, reward from the outcome alone.

    per update:  sample G rollouts for each of B questions;  r_i = reward
                 A_i = (r_i − mean r) / (std r + 1e-4)              within a question's group
                 L   = mean over written tokens of
                       −min(ρ A, clip(ρ, 1 ± ε) A) + β k3,   ρ = π/π_old
                 k3  = exp(log π_ref − log π) − (log π_ref − log π) − 1      ≥ 0, unbiased for KL
    a group whose rewards are all equal says nothing: it is left out, not divided by ~0

Only tokens the policy wrote count (``Rollout.wrote``). ``rollout`` and ``reward`` are functions, so
that the same loop trains a model that answers from memory and one that searches. Sources: paper 28,
section 3.6; DeepSeekMath (Shao et al., 2024), equations 3-4; k3 from Schulman (2020).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from scrubjay.core.randomness import derive
from scrubjay.deciding.checkpoint import load_state, save_state
from scrubjay.deciding.policy_gradient import surrogate
from scrubjay.training.rollouts import Rollout

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class GRPO:
    """Settings, with the paper's symbols."""

    updates: int
    group: int = 8
    """G, rollouts of one question."""
    rate: float = 3e-5
    clip: float = 0.2
    """ε."""
    kl: float = 0.02
    """β, towards the model as it was at the start."""
    passes: int = 1
    """Optimiser steps on each batch of rollouts; the first has ρ = 1."""
    norm: float = 1.0
    """Gradients are scaled down to this length."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """What one update saw; means over its rollouts or, for the last four, written tokens."""

    reward: float
    dead: float
    """Share of groups with equal rewards."""
    length: float
    """Tokens written."""
    kl: float
    """k3 to the start model, over the groups that taught something (0 when none did)."""
    clipped: float
    """Share of tokens whose ratio was clipped, in the last pass."""
    entropy: float


@dataclass(frozen=True, slots=True)
class Task(Generic[Q]):
    """What is trained on; ``questions(update)`` must depend on nothing but the update."""

    questions: Callable[[int], Sequence[Q]]
    rollout: Callable[[LlamaForCausalLM, Sequence[Q], int], Sequence[Rollout]]
    """(model, questions, seed): one rollout for each; questions come repeated G times."""
    reward: Callable[[Q, Rollout], float]


def group_advantages(rewards: Sequence[float]) -> list[float] | None:
    """A_i of one group (standard deviation over the group, not its estimate); None if it is dead.

    >>> tuple(round(a, 2) for a in group_advantages([1, 0, 0, 0]))
    (1.73, -0.58, -0.58, -0.58)
    """
    if max(rewards) - min(rewards) < 1e-9:
        return None
    mean = sum(rewards) / len(rewards)
    std = math.sqrt(sum((r - mean) ** 2 for r in rewards) / len(rewards))
    return [(r - mean) / (std + 1e-4) for r in rewards]


def kl_k3(new: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Per-token estimate of KL(π‖π_ref), from log-probabilities of π's own samples; never < 0."""
    ratio = reference - new
    return ratio.exp() - ratio - 1


def written_logprobs(
    model: LlamaForCausalLM, rollouts: Sequence[Rollout]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability of every written token, and the entropy there: two tensors (tokens,), the
    tokens of the first rollout first. What a token was conditioned on includes what others wrote.
    """
    import torch

    longest = max(len(r.ids) for r in rollouts)
    ids = torch.zeros(len(rollouts), longest, dtype=torch.long)
    wrote = torch.zeros(len(rollouts), longest, dtype=torch.bool)
    for row, rollout in enumerate(rollouts):
        ids[row, : len(rollout.ids)] = torch.tensor(rollout.ids)
        wrote[row, : len(rollout.ids)] = torch.tensor(rollout.wrote)
    # Padding is on the right, so no real token sees it and no mask is needed.
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    logs = model.lm_head(hidden[wrote[:, 1:]]).float().log_softmax(-1)
    chosen = logs.gather(1, ids[:, 1:][wrote[:, 1:]][:, None])[:, 0]
    return chosen, -(logs.detach().exp() * logs.detach()).sum(-1)


def train_grpo(
    model: LlamaForCausalLM,
    task: Task[Q],
    settings: GRPO,
    *,
    checkpoint: Path | None = None,
    every: int = 25,
    look: Callable[[int, Update], bool] | None = None,
) -> list[Update]:
    """Train in place; returns what every update saw.

    Args:
        checkpoint: a file to go on from if it exists, rewritten every ``every`` updates. The model
            that is passed in must then be the start model again: it is the KL's reference.
        look: called after each update with (updates done, what it saw); True ends training, for
            instance when the entropy collapses.

    Raises:
        DiskError: the checkpoint can't be written.
    """
    import torch

    reference = copy.deepcopy(model)
    reference.train(False)
    # Without weight decay: it would pull the policy away from its start for no reward.
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=0.0)
    history: list[Update] = []
    if checkpoint and checkpoint.exists():
        history = [Update(*row) for row in load_state(checkpoint, model, optimizer).tolist()]
    model.train(False)  # no dropout: ratios compare weights, not noise
    for number in range(len(history), settings.updates):
        history.append(_update(model, reference, optimizer, task, settings, number))
        if checkpoint and (number + 1) % every == 0 and number + 1 < settings.updates:
            save_state(checkpoint, model, optimizer, [astuple(u) for u in history])
        if look and look(number + 1, history[-1]):
            break
    return history


def _update(
    model: LlamaForCausalLM,
    reference: LlamaForCausalLM,
    optimizer: torch.optim.Optimizer,
    task: Task[Q],
    settings: GRPO,
    number: int,
) -> Update:
    """Sample, reward, and step ``settings.passes`` times."""
    import torch

    asked = [q for q in task.questions(number) for _ in range(settings.group)]
    rollouts = task.rollout(model, asked, derive(settings.seed, "rollouts", number) % 2**31)
    rewards = [task.reward(q, r) for q, r in zip(asked, rollouts, strict=True)]
    kept, weights, dead = _living(rollouts, rewards, settings.group)
    step = (0.0, 0.0, 0.0)
    if kept:
        lengths = torch.tensor([len(r.written) for r in kept])
        advantage = torch.tensor(weights).repeat_interleave(lengths)
        with torch.no_grad():
            against = written_logprobs(reference, kept)[0]
        step = _steps(model, optimizer, kept, advantage, against, settings)
    return Update(
        sum(rewards) / len(rewards),
        dead,
        sum(len(r.written) for r in rollouts) / len(rollouts),
        *step,
    )


def _living(
    rollouts: Sequence[Rollout], rewards: Sequence[float], group: int
) -> tuple[list[Rollout], list[float], float]:
    """Rollouts of the groups that teach something, their advantages, and the share of dead groups.

    A rollout in which the policy wrote nothing counts in its group's mean, but has no tokens.
    """
    kept: list[Rollout] = []
    weights: list[float] = []
    dead = 0
    for start in range(0, len(rollouts), group):
        found = group_advantages(rewards[start : start + group])
        if found is None:
            dead += 1
            continue
        for rollout, weight in zip(rollouts[start : start + group], found):
            if any(rollout.wrote):
                kept.append(rollout)
                weights.append(weight)
    return kept, weights, dead * group / len(rollouts)


def _steps(
    model: LlamaForCausalLM,
    optimizer: torch.optim.Optimizer,
    rollouts: Sequence[Rollout],
    advantage: torch.Tensor,
    against: torch.Tensor,
    settings: GRPO,
) -> tuple[float, float, float]:
    """Optimiser steps on one batch; (KL, clipped share, entropy) of the last pass."""
    import torch

    old: torch.Tensor | None = None
    kl = clipped = entropy = 0.0
    for _ in range(settings.passes):
        new, entropies = written_logprobs(model, rollouts)
        # π_old is what these weights say now, not what the sampler said: a sampler may round
        # otherwise, and its temperature need not be 1.
        old = new.detach() if old is None else old
        penalty = kl_k3(new, against)
        loss = (settings.kl * penalty - surrogate(new, old, advantage, settings.clip)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.norm)
        optimizer.step()
        ratio = (new.detach() - old).exp()
        clipped = float(((ratio - 1).abs() > settings.clip).float().mean())
        kl, entropy = float(penalty.detach().mean()), float(entropies.mean())
    return kl, clipped, entropy
