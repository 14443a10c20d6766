"""Several models that read along, token by token: one cache of keys and values per member.

    steps = Steps(models, prompts)          prompts[member][row], filler on the left
    steps.logits                            one (rows, vocabulary) per member: what comes next
    steps.feed(tokens)                      a token (or as many) to every row, logits of each
    steps.keep(rows)                        rows that are done leave
    steps.rewind(n)                         the last n tokens were never fed

Members share the tokens they are fed but may have read different prompts, of different lengths.
transformers' own cache and attention are used, so that any decoder will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scrubjay.core.errors import ModelError


class _Reader:
    """One member: its cache, and who of the rows has read how much."""

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]]) -> None:
        from transformers import DynamicCache

        self.model = model
        longest = max(map(len, prompts))
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        self.mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            self.mask[row, longest - len(prompt) :] = 1
        self.cache: Any = DynamicCache(config=model.config.get_text_config())
        self.logits = self._pass(ids, last=True)[:, -1]

    def feed(self, tokens: Tensor) -> Tensor:
        """Logits (rows, tokens, vocabulary) after each of the tokens (rows, tokens)."""
        self.mask = torch.cat([self.mask, torch.ones_like(tokens)], 1)
        logits = self._pass(tokens)
        self.logits = logits[:, -1]
        return logits

    def _pass(self, ids: Tensor, last: bool = False) -> Tensor:
        # Filler counts for no position: a row's first token is at 0 wherever it stands.
        places = (self.mask.cumsum(1) - 1).clamp_min(0)[:, -ids.shape[1] :]
        with torch.inference_mode():
            out = self.model(
                input_ids=ids,
                attention_mask=self.mask,
                position_ids=places,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1 if last else 0,
            )
        logits: Tensor = out.logits
        return logits

    def keep(self, rows: Tensor) -> None:
        self.cache.batch_select_indices(rows)
        self.mask, self.logits = self.mask[rows], self.logits[rows]

    def rewind(self, count: int) -> None:
        self.cache.crop(-count)
        self.mask = self.mask[:, :-count]


class Steps:
    """All members side by side; ``width`` is the vocabulary they share."""

    def __init__(
        self, models: Sequence[Any], prompts: Sequence[Sequence[Sequence[int]]], width: int
    ) -> None:
        """
        Args:
            models: transformers' own decoder models.
            prompts: for every member, the token ids of every row's prompt.
            width: logits beyond it (filler of some vocabularies) are cut off.

        Raises:
            ModelError: there is no row, or a prompt is empty.
        """
        if not prompts or not prompts[0] or not all(map(all, prompts)):
            raise ModelError("the prompt is empty: give the model at least one token to go on from")
        self.width, self.passes = width, 1
        """Forward passes made so far, by each member."""
        self._readers = [_Reader(m, p) for m, p in zip(models, prompts, strict=True)]

    @property
    def logits(self) -> list[Tensor]:
        """Per member, what comes next: (rows, vocabulary)."""
        return [r.logits[:, : self.width] for r in self._readers]

    def feed(self, tokens: Tensor) -> list[Tensor]:
        """Per member, the logits after each token: (rows, tokens, vocabulary)."""
        self.passes += 1
        return [r.feed(tokens)[..., : self.width] for r in self._readers]

    def keep(self, rows: Sequence[int]) -> None:
        """Only these rows go on."""
        index = torch.tensor(list(rows), dtype=torch.long)
        for reader in self._readers:
            reader.keep(index)

    def rewind(self, count: int) -> None:
        """Forget the last ``count`` tokens; ``logits`` is stale until more is fed."""
        if count > 0:
            for reader in self._readers:
                reader.rewind(count)
