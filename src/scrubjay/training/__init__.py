"""From traces and data to better models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrubjay.training.pretrain import Example, Schedule, train_causal

__all__ = ["Example", "Schedule", "train_causal"]

_HOMES = {"Example": "pretrain", "Schedule": "pretrain", "train_causal": "pretrain"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
