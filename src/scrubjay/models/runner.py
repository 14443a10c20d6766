"""One forward pass of an unmodified transformers model over a line of packed tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scrubjay.models import attention
from scrubjay.models.linear import PackedLinears


class Runner:
    """Knows the model's shape and how to run a planned pass on it."""

    def __init__(self, model: Any) -> None:
        attention.register()
        config = model.config.get_text_config()
        heads = config.num_attention_heads
        groups = getattr(config, "num_key_value_heads", None) or heads
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        self.model, self.config = model, config
        self.shape = (config.num_hidden_layers, groups, size)
        self.dtype: torch.dtype = model.dtype
        self._linears = PackedLinears(model)

    def __call__(
        self, ids: Tensor, positions: Tensor, plan: attention.Plan, wanted: Tensor | None
    ) -> Tensor:
        """Logits (wanted places, vocabulary) of the line ``ids`` (tokens,)."""
        keep = 0 if wanted is None else wanted
        with plan.active(self.config), self._linears.active():
            out = self.model(
                input_ids=ids[None], position_ids=positions[None], use_cache=False, logits_to_keep=keep
            )
        return out.logits[0]

    def room(self, tokens: int) -> Tensor:
        """Space for the keys and values of a shared node."""
        layers, groups, size = self.shape
        return torch.empty(2, layers, tokens, groups, size, dtype=self.dtype)

    def bytes_for(self, tokens: int) -> int:
        layers, groups, size = self.shape
        return 2 * layers * groups * size * tokens * self.dtype.itemsize
