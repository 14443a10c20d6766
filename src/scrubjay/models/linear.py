"""Linear layers with weights laid out for the processor.

oneDNN multiplies by a weight that it has reordered into blocks about twice as fast as by a plain
one. The numbers are the same weights in the same type; only their order in memory differs.

oneDNN also keeps a kernel with its scratch space for every shape it has met, 1,024 of them by
default. Packed passes have ever other shapes, and a long run grew by gigabytes: 128 are enough.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

for _name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
    os.environ.setdefault(_name, "128")  # read at the first multiplication

_ROWS = 256
"""Rows of input the blocks are chosen for."""


class PackedLinears:
    """Reordered copies of a model's linear weights, used in place of the plain ones on request."""

    def __init__(self, model: nn.Module) -> None:
        linears = [m for m in model.modules() if type(m) is nn.Linear]
        works = {t: _works(t) for t in {m.weight.dtype for m in linears}}
        self._linears = [m for m in linears if works[m.weight.dtype]]
        self._forwards: list[Callable[..., Any]] = []
        self._version: tuple[int, ...] = ()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Inside, the model's linear layers multiply by the reordered weights."""
        version = tuple(m.weight._version + m.weight.data_ptr() for m in self._linears)
        if version != self._version:  # the weights were trained, edited or moved
            self._forwards = [_packed(m) for m in self._linears]
            self._version = version
        for module, forward in zip(self._linears, self._forwards):
            module.__dict__["forward"] = forward
        try:
            yield
        finally:
            for module in self._linears:
                del module.__dict__["forward"]


def _packed(linear: nn.Linear) -> Callable[[Tensor], Tensor]:
    weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)
    bias = None if linear.bias is None else linear.bias.detach()
    multiply = torch.ops.mkldnn._linear_pointwise.default

    def forward(x: Tensor) -> Tensor:
        product: Tensor = multiply(x, weight, bias, "none", [], "")
        return product

    return forward


def _works(dtype: torch.dtype) -> bool:
    """Whether PyTorch can reorder such weights on this processor, and multiplies correctly by them
    (not every processor that computes with bfloat16 weights can reorder them)."""
    try:
        x, layer = torch.arange(12.0).view(3, 4).to(dtype), nn.Linear(4, 5).to(dtype)
        return torch.allclose(_packed(layer)(x), layer(x), atol=1e-4, rtol=0.02)
    except (AttributeError, RuntimeError):
        return False
