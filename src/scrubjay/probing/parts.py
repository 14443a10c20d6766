"""The parts of one layer, whatever its family calls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from scrubjay.probing.errors import ProbeError
from scrubjay.probing.families import Family


@dataclass(frozen=True, slots=True)
class Block:
    """The parts of one layer."""

    module: nn.Module
    attention: nn.Module
    out: nn.Module
    """W_O; its input are the heads' outputs z side by side."""
    mlp: nn.Module
    down: nn.Module | None
    """Its input are the neurons; None in a mixture of experts."""
    attention_norm: nn.Module | None
    mlp_norm: nn.Module | None
    attention_end: nn.Module
    """Its output is what the attention adds to the stream."""
    mlp_end: nn.Module
    middle: nn.Module | None
    """Its input is the stream between attention and MLP; None where the two stand in parallel."""


@dataclass(frozen=True, slots=True)
class Projection:
    """The module that makes the queries, keys or values."""

    module: nn.Module
    view: Callable[[Tensor], Tensor]
    """Its output (…, width) as a view (…, heads, size)."""


def find_block(block: nn.Module, family: Family) -> Block:
    """The parts of a layer."""
    attention, mlp = getattr(block, family.attention), getattr(block, family.mlp)
    parts = {
        name: getattr(block, getattr(family, name)) if getattr(family, name) else None
        for name in ("attention_norm", "mlp_norm", "attention_end", "mlp_end")
    }
    parallel = getattr(block, "use_parallel_residual", False)
    return Block(
        module=block,
        attention=attention,
        out=getattr(attention, family.out),
        mlp=mlp,
        down=getattr(mlp, family.down, None),
        attention_norm=parts["attention_norm"],
        mlp_norm=parts["mlp_norm"],
        attention_end=parts["attention_end"] or attention,
        mlp_end=parts["mlp_end"] or mlp,
        middle=None if parallel else parts["mlp_norm"] or mlp,
    )


def split(x: Tensor, axis: int, *sizes: int) -> Tensor:
    """A view with one axis split into several."""
    parts: Tensor = x.unflatten(axis, sizes)  # type: ignore[no-untyped-call]
    return parts


def matrix(module: nn.Module) -> Tensor:
    """A linear map's weights as (in, out).

    Raises:
        ProbeError: the weights are quantised, or spread over an adapter.
    """
    if hasattr(module, "base_layer"):
        raise ProbeError("the weights carry an adapter; call merge_and_unload() on the model first")
    weight: Tensor = module.weight  # type: ignore[assignment]
    if not weight.is_floating_point():
        raise ProbeError("the weights are quantised; load the model in float32 or bfloat16")
    return weight if type(module).__name__ == "Conv1D" else weight.T
