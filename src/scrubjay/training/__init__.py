"""From traces and data to better models."""

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.training.pretrain import Example, Schedule, train_causal

__all__ = ["Example", "Schedule", "train_causal"]

_HOMES = {"Example": "pretrain", "Schedule": "pretrain", "train_causal": "pretrain"}

__getattr__ = lazy(__name__, _HOMES)
