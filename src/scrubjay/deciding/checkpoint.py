"""The state of a training as one file: weights, optimiser, and a row of numbers for every step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scrubjay.core.files import write_atomic

if TYPE_CHECKING:
    import torch


def save_state(
    path: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    history: Sequence[float] | Sequence[Sequence[float]],
) -> None:
    """Write all of it to ``path``, or nothing.

    Raises:
        DiskError: the file can't be written.
    """
    import torch
    from safetensors.torch import save

    tensors = {f"weight.{k}": p.detach() for k, p in model.named_parameters()}
    for name, p in model.named_parameters():
        for key, value in optimizer.state[p].items():
            tensors[f"{key}.{name}"] = value
    tensors["losses"] = torch.tensor(history, dtype=torch.double)
    write_atomic(path, save({k: t.contiguous() for k, t in tensors.items()}))


def load_state(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> torch.Tensor:
    """Put weights and optimiser back as they were; returns the numbers of the steps, as saved."""
    import torch
    from safetensors.torch import load

    tensors = load(path.read_bytes())
    history = tensors.pop("losses")
    for name, p in model.named_parameters():
        with torch.no_grad():
            p.copy_(tensors.pop(f"weight.{name}"))
        if f"step.{name}" in tensors:
            optimizer.state[p] = {
                key: tensors[f"{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
            }
    return history
