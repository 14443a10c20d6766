"""Attention that looks anywhere: the entries of W_Q and W_K permuted, values and all else intact.

    with permute_qk(model, seed=3):
        model(ids)                      # same weights, same norms, no learned matching

What a model does because its heads *find* things goes away; what its embeddings, values and MLPs do
stays. Weights are put back bit for bit, also when an exception flies. Source: the attention control
of paper 52, section 3.4 of our sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from scrubjay.core.randomness import derive
from scrubjay.probing.anatomy import Anatomy


@contextmanager
def permute_qk(model: Any, *, per_head: bool = True, seed: int = 0) -> Iterator[None]:
    """Inside, every layer's query and key weights are permuted.

    Args:
        model: see ``Anatomy.of``.
        per_head: entries stay within their head; else they move through the whole matrix.
        seed: of the permutations; each layer and matrix has its own.

    Raises:
        ProbeError: the model is of no supported family, quantised, or carries an adapter.
    """
    anatomy = Anatomy.of(model)
    views: list[tuple[str, Tensor]] = []
    for layer in range(anatomy.n_layers):
        views += [(f"{layer} q", anatomy.w_q(layer)), (f"{layer} k", anatomy.w_k(layer))]
    kept = [(view, view.detach().clone()) for _, view in views]
    try:
        with torch.no_grad():
            for name, view in views:
                view.copy_(_permuted(view, per_head, derive(seed, "permute", name)))
        yield
    finally:
        with torch.no_grad():
            for view, before in kept:
                view.copy_(before)


def _permuted(weights: Tensor, per_head: bool, seed: int) -> Tensor:
    """(heads, width, size) with its entries in another order."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    flat = weights.detach().reshape(weights.shape[0] if per_head else 1, -1)
    order = torch.stack([torch.randperm(flat.shape[1], generator=generator) for _ in flat])
    return flat.gather(1, order.to(flat.device)).view(weights.shape)
