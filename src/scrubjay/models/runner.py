"""One forward pass of an unmodified transformers model over a line of packed tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from scrubjay.models import attention
from scrubjay.models.linear import PackedLinears
from scrubjay.models.packing import plan_pass
from scrubjay.models.prefix import Node
from scrubjay.models.rows import Row


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
        self.head = model.get_output_embeddings()
        """The layer from hidden states to logits."""
        self.states: Tensor | None = None
        """What the head got in the last pass that was to remember it: (wanted places, size)."""
        self.obstacle = self._obstacle()
        """Why this model can't share prefixes (one clause), or ``None`` if it can."""

    def __call__(
        self,
        ids: Tensor,
        positions: Tensor,
        plan: attention.Plan,
        wanted: Tensor | None,
        remember: bool = False,
    ) -> Tensor:
        """Logits (wanted places, vocabulary) of the line ``ids`` (tokens,)."""
        keep = 0 if wanted is None else wanted
        with plan.active(self.config), self._linears.active(), self._remembering(remember):
            out = self.model(
                input_ids=ids[None],
                position_ids=positions[None],
                use_cache=False,
                logits_to_keep=keep,
            )
        logits: Tensor = out.logits[0]
        return logits

    @contextmanager
    def _remembering(self, wanted: bool) -> Iterator[None]:
        if not wanted:
            yield
            return

        def see(module: Any, inputs: tuple[Tensor, ...]) -> None:
            self.states = inputs[0][0].float()

        hook = self.head.register_forward_pre_hook(see)
        try:
            yield
        finally:
            hook.remove()

    def room(self, tokens: int) -> Tensor:
        """Space for the keys and values of a shared node."""
        layers, groups, size = self.shape
        return torch.empty(2, layers, groups, tokens, size, dtype=self.dtype)

    def bytes_for(self, tokens: int) -> int:
        layers, groups, size = self.shape
        return int(2 * layers * groups * size * tokens * self.dtype.itemsize)

    def _obstacle(self) -> str | None:
        """Try it: two rows under one prefix must get the logits of plain forward passes."""
        if self.head is None:
            return "it doesn't say which layer makes its logits"
        rope = getattr(self.config, "rope_parameters", None) or {}
        if rope.get("rope_type") in ("dynamic", "longrope"):
            return "its rotary embedding depends on the length of the prompt"
        vocabulary = self.config.vocab_size
        ids = [(7 * i + i * i) % vocabulary for i in range(30)]
        node = Node(ids[:12], 0, Node([], 0, None))
        node.kv = self.room(12)
        rows = [Row(ids[:22], most=1, node=node), Row([*ids[:12], *ids[22:]], most=1, node=node)]
        try:
            with torch.inference_mode():
                line = plan_pass(rows, None)
                ours = self(line.ids, line.positions, line.plan, line.wanted)
                plain = [
                    self.model(input_ids=torch.tensor([r.prompt]), use_cache=False).logits[0, -1]
                    for r in line.order
                ]
        except (
            attention.Unsupported,
            AttributeError,
            TypeError,
            RuntimeError,
            IndexError,
        ) as error:
            return f"its attention is not plain ({error})"
        theirs = torch.stack(plain).float()
        slack = (1e-3 if self.dtype == torch.float32 else 0.1) * max(1.0, float(theirs.abs().max()))
        if float((ours.float() - theirs).abs().max()) > slack:
            return "packed and plain passes disagree"
        return None
