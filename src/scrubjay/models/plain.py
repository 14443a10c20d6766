"""The plain way to compute rows: one at a time, with transformers' own cache and attention.

For models whose attention can't be split over shared prefixes (sliding windows, recurrent layers,
soft caps). Slower, equally correct.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scrubjay.models import sampling
from scrubjay.models.rows import Row


class PlainRunner:
    """Computes one row from its prompt to its last token."""

    def __init__(self, model: Any, ends: frozenset[int]) -> None:
        self.model, self.ends = model, ends

    def __call__(self, row: Row) -> None:
        """Fill in the row's tokens and log-probabilities."""
        ids = torch.tensor([row.prompt])
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            if row.scored_from is not None:
                logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[0]
                targets = torch.tensor(row.prompt[row.scored_from :])
                row.logprobs = sampling.logprobs_of(logits[row.scored_from - 1 : -1], targets)
            cache = None
            while len(row.tokens) < row.most:
                out = self.model(
                    input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True
                )
                if not self._take(row, out.logits[:, -1]):
                    return
                cache = out.past_key_values
                ids = torch.tensor([[row.tokens[-1]]])
                mask = torch.nn.functional.pad(mask, (0, 1), value=1)

    def _take(self, row: Row, logits: Tensor) -> bool:
        """Append the next token; ``False`` when the row ends here."""
        (token,), (logprob,), nats = sampling.pick(logits, [row.sampler], "entropy" in row.want)
        if token in self.ends:
            row.finish = "stop"
            return False
        row.tokens.append(token)
        row.logprobs.append(logprob)
        row.entropies += nats
        if row.stops is not None and row.stops(row.tokens):
            row.finish = "stop"
        return row.finish != "stop"
