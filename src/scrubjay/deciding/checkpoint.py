"""Networks on disk, each as one safetensors file that is there whole or not at all.

save_state, load_state    a training: weights, optimiser, a row of numbers for every step
save_model, load_model    what came of it: weights, and the settings to build it from
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, write_atomic

if TYPE_CHECKING:
    import torch

M = TypeVar("M", bound="torch.nn.Module")


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


def save_model(path: Path, model: torch.nn.Module, settings: Mapping[str, Any]) -> None:
    """Write weights and settings.

    Raises:
        DiskError: the file can't be written.
    """
    from safetensors.torch import save

    tensors = {k: v.detach().contiguous() for k, v in model.state_dict().items()}
    write_atomic(path, save(tensors, {"settings": dump_json(settings)}))


def load_model(path: Path, build: Callable[[dict[str, Any]], M], what: str) -> M:
    """The model that ``build`` makes of the settings, with its weights.

    Args:
        what: what the file should be, for the sentence that it isn't.

    Raises:
        InputError: the file can't be read, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            model = build(json.loads(file.metadata()["settings"]))
            model.load_state_dict({k: file.get_tensor(k) for k in file.keys()})  # noqa: SIM118
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror or 'no such file'}", file=path) from error
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"is not {what}", file=path) from error
    return model
