"""Coarser weights: a copy of a model whose linear layers hold only a few levels each.

    scale_r = max |W_r| / (2^(bits-1) - 1)        per row (output) r
    W'_r    = round(W_r / scale_r) · scale_r

"Fake" quantisation: numbers stay floating point, so that it runs anywhere and at any bit width, and
what is measured is the loss of information and not the speed. Embeddings, the output head and norms
stay as they are: quantising those is another experiment. Source: paper 49, sections 3 and 5 of our
sheet; the paper uses bitsandbytes on a GPU.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from scrubjay.core.errors import ModelError


def quantise(model: Any, bits: int) -> Any:
    """A copy of a transformers model with linear weights of ``bits`` bits; the model is untouched.

    Raises:
        ModelError: ``bits`` is not within 2 to 16, or a weight is not a number.
    """
    if not 2 <= bits <= 16:
        raise ModelError(f"weights have 2 to 16 bits, not {bits}")
    coarse = copy.deepcopy(model)
    head = coarse.get_output_embeddings()
    for module in coarse.modules():
        linear = isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
        if linear and module is not head:
            with torch.no_grad():
                rows = type(module).__name__ != "Conv1D"  # GPT-2 stores (in, out)
                weight = module.weight if rows else module.weight.T
                weight.copy_(absmax_rows(weight, bits))
    return coarse


def absmax_rows(weight: Tensor, bits: int) -> Tensor:
    """The nearest levels of each row; a row of zeros stays.

    Raises:
        ModelError: a weight is not a number.
    """
    if not bool(weight.isfinite().all()):
        raise ModelError("a weight of the model is not a finite number")
    top = 2 ** (bits - 1) - 1
    wide = weight.float()
    scale = wide.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / top
    levels: Tensor = (wide / scale).round() * scale
    return levels.to(weight.dtype)
