"""Prompts read once and continued many times: intact, watched, or with heads taken out.

    read = Prefilled(model, prompts)           # keys and values of all but each prompt's last token
    read.greedy(16)                            # token ids of each continuation
    with ablate(model, (5, 3), mode="uniform", scope="decode"):
        read.greedy(16)                        # the same clean keys and values, another reader

What an ablation "while decoding" means (paper 18, section 3.4 of our sheet) is what this does: the
prompt was encoded intact, only the reading of it changes. Prompts of different lengths are padded
on the left; each is read as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import DynamicCache

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs, padded
from scrubjay.probing.taps import check_length


class Prefilled:
    """See the top of this file."""

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]]) -> None:
        """Raises:
        ProbeError: there is no prompt, an empty one, or one longer than the context.
        """
        self.anatomy = Anatomy.of(model)
        self.inputs = as_inputs(self.anatomy, padded(prompts))
        self.length = int(self.inputs["input_ids"].shape[1])
        self.padding = [self.length - len(prompt) for prompt in prompts]
        """Columns before each prompt's first token."""
        self._cache: Any = DynamicCache()
        if self.length > 1:
            before = {name: x[:, :-1] for name, x in self.inputs.items()}
            with torch.inference_mode():
                self.anatomy.body(**before, past_key_values=self._cache, use_cache=True)

    def greedy(
        self, most: int, stop: Callable[[int], bool] = lambda token: False
    ) -> list[list[int]]:
        """The likeliest token again and again.

        Args:
            most: tokens a continuation has at most.
            stop: whether a token ends its continuation (and is not part of it); the model's own end
                of text always does.

        Raises:
            ProbeError: prompt and continuation are longer than the context.
        """
        if most < 1:
            raise ProbeError(f"a continuation has 1 token at least, not {most}")
        check_length(self.anatomy, self.length + most - 1)
        ends = _ends(self.anatomy.model)
        rows: list[list[int]] = [[] for _ in self.padding]
        going = [True] * len(rows)
        now = {name: x[:, -1:] for name, x in self.inputs.items()}
        now["attention_mask"] = self.inputs["attention_mask"]
        try:
            for _ in range(most):
                with torch.inference_mode():
                    out = self.anatomy.model(**now, past_key_values=self._cache, use_cache=True)
                tokens = out.logits[:, -1].argmax(-1)
                for row, token in enumerate(tokens.tolist()):
                    going[row] = going[row] and token not in ends and not stop(token)
                    if going[row]:
                        rows[row].append(token)
                if not any(going):
                    break
                mask = now["attention_mask"]
                now = {
                    "input_ids": tokens[:, None],
                    "attention_mask": torch.cat([mask, torch.ones_like(mask[:, :1])], 1),
                    "position_ids": now["position_ids"] + 1,
                }
        finally:
            self._rewind()
        return rows

    def _rewind(self) -> None:
        """Forget what was written: also where a pass was broken off between two layers."""
        if self.length == 1:
            self._cache = DynamicCache()
        for layer in self._cache.layers:
            layer.keys = layer.keys[:, :, : self.length - 1]
            layer.values = layer.values[:, :, : self.length - 1]


def in_batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Places of prompts in batches of at most so many tokens (or one prompt), alike in length."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batches and (len(batches[-1]) + 1) * lengths[place] <= tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def _ends(model: Any) -> set[int]:
    end = getattr(model.generation_config, "eos_token_id", None)
    if end is None:
        end = getattr(model.config, "eos_token_id", None)
    return set() if end is None else set(end) if isinstance(end, list) else {int(end)}
