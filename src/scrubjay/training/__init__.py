"""From traces and data to better models."""

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.training.adapt import Adaptation, adapt_model
    from scrubjay.training.critic import Trained, train_critic
    from scrubjay.training.grpo import GRPO, Task, Update, train_grpo
    from scrubjay.training.practice import (
        Practice,
        PracticeRow,
        balance_by_group,
        self_practice,
        split_by_group,
    )
    from scrubjay.training.practice_ground import practice_worlds, practise_worlds
    from scrubjay.training.pretrain import Example, Schedule, train_causal
    from scrubjay.training.rollouts import Rollout, sample_rollouts

__all__ = [
    "GRPO",
    "Adaptation",
    "Example",
    "Practice",
    "PracticeRow",
    "Rollout",
    "Schedule",
    "Task",
    "Trained",
    "Update",
    "adapt_model",
    "balance_by_group",
    "practice_worlds",
    "practise_worlds",
    "sample_rollouts",
    "self_practice",
    "split_by_group",
    "train_causal",
    "train_critic",
    "train_grpo",
]

_HOMES = {
    "Adaptation": "adapt",
    "adapt_model": "adapt",
    "Example": "pretrain",
    "Schedule": "pretrain",
    "train_causal": "pretrain",
    "GRPO": "grpo",
    "Rollout": "rollouts",
    "Task": "grpo",
    "Update": "grpo",
    "train_grpo": "grpo",
    "sample_rollouts": "rollouts",
    "Practice": "practice",
    "PracticeRow": "practice",
    "balance_by_group": "practice",
    "self_practice": "practice",
    "split_by_group": "practice",
    "practice_worlds": "practice_ground",
    "practise_worlds": "practice_ground",
    "Trained": "critic",
    "train_critic": "critic",
}

__getattr__ = lazy(__name__, _HOMES)
