"""From traces and data to better models."""

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.training.grpo import GRPO, Task, Update, train_grpo
    from scrubjay.training.pretrain import Example, Schedule, train_causal
    from scrubjay.training.rollouts import Rollout, sample_rollouts

__all__ = [
    "GRPO",
    "Example",
    "Rollout",
    "Schedule",
    "Task",
    "Update",
    "sample_rollouts",
    "train_causal",
    "train_grpo",
]

_HOMES = {
    "Example": "pretrain",
    "Schedule": "pretrain",
    "train_causal": "pretrain",
    "GRPO": "grpo",
    "Rollout": "rollouts",
    "Task": "grpo",
    "Update": "grpo",
    "train_grpo": "grpo",
    "sample_rollouts": "rollouts",
}

__getattr__ = lazy(__name__, _HOMES)
