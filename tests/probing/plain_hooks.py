"""Interventions as one writes them by hand with PyTorch's hooks: the oracle of the tools.

Knows the families' module names itself, and none of the tools.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def blocks_of(model: Any) -> Any:
    body = getattr(model, model.base_model_prefix)
    return body.h if hasattr(body, "h") else body.layers


def attention_of(block: Any) -> Any:
    names = ("self_attn", "attn", "attention")
    return next(getattr(block, n) for n in names if hasattr(block, n))


def out_of(block: Any) -> Any:
    attention = attention_of(block)
    names = ("o_proj", "c_proj", "dense")
    return next(getattr(attention, n) for n in names if hasattr(attention, n))


def head_size(model: Any) -> int:
    return getattr(model.config, "head_dim", None) or model.config.hidden_size // 4


@contextmanager
def hooked(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


def set_head(model: Any, layer: int, head: int, positions: Any, value: torch.Tensor) -> Any:
    """One head's slice of the output projection's input."""
    part = slice(head * head_size(model), (head + 1) * head_size(model))

    def hook(_, args):
        x = args[0].clone()
        x[:, positions, part] = value
        return (x, *args[1:])

    return hooked(out_of(blocks_of(model)[layer]).register_forward_pre_hook(hook))


def set_output(module: Any, positions: Any, value: torch.Tensor) -> Any:
    def hook(_, args, output):
        x = (output[0] if isinstance(output, tuple) else output).clone()
        x[:, positions] = value
        return (x, *output[1:]) if isinstance(output, tuple) else x

    return hooked(module.register_forward_hook(hook))


def grab(model: Any, module: Any, ids: torch.Tensor, *, inputs: bool = False) -> torch.Tensor:
    """A module's output (or first input) in a plain run."""
    found = []

    def hook(_, args, output):
        x = args[0] if inputs else output
        found.append((x[0] if isinstance(x, tuple) else x).detach().clone())

    with hooked(module.register_forward_hook(hook)), torch.no_grad():
        model(ids)
    return found[0]


def projection(model: Any, layer: int, kind: str, head: int) -> tuple[Any, list[int]]:
    """The module that makes q, k or v, and the columns of one head in its output."""
    attention, size = attention_of(blocks_of(model)[layer]), head_size(model)
    which = "qkv".index(kind)
    if hasattr(attention, "c_attn"):
        start = which * model.config.hidden_size + head * size
        return attention.c_attn, list(range(start, start + size))
    if hasattr(attention, "query_key_value"):
        start = (head * 3 + which) * size
        return attention.query_key_value, list(range(start, start + size))
    return getattr(attention, f"{kind}_proj"), list(range(head * size, (head + 1) * size))


def set_projection(
    model: Any, layer: int, kind: str, head: int, position: int, value: torch.Tensor
) -> Any:
    module, columns = projection(model, layer, kind, head)

    def hook(_, args, output):
        x = output.clone()
        x[:, position, columns] = value
        return x

    return hooked(module.register_forward_hook(hook))
