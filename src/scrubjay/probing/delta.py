"""Which tokens does a fine-tuning move? Total variation and divergence, token by token.

    TV_t = ½ Σ_v |π_tuned(v | x_<t) - π_base(v | x_<t)|        KL_t = KL(π_tuned ‖ π_base)

Both models read the same text; a place counts for the token that stands there. Source: sheet of
emulated fine-tuning (paper 20), "token shift".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scrubjay.core.errors import ModelError


@dataclass(frozen=True, slots=True)
class Shift:
    """How far two models are apart at each token of a text but the first."""

    total_variation: tuple[float, ...]
    """In [0, 1]."""
    divergence: tuple[float, ...]
    """KL(tuned ‖ base), nats."""
    same_first: tuple[bool, ...]
    """Whether both hold the same token for the most likely one."""


def token_shift(
    base: Any, tuned: Any, texts: Sequence[Sequence[int]], *, batch: int = 32
) -> list[Shift]:
    """Compare two transformers causal models of one vocabulary on texts of token ids.

    Raises:
        ValueError: no texts, or one of fewer than two tokens.
        ModelError: the vocabularies have different sizes, or a model gives no numbers.
    """
    import torch

    if not texts or min(map(len, texts)) < 2:
        raise ValueError("a shift needs at least one text, and every text two tokens")
    sizes = [m.get_output_embeddings().weight.shape[0] for m in (base, tuned)]
    if sizes[0] != sizes[1]:
        raise ModelError(
            f"the two models have {sizes[0]} and {sizes[1]} tokens: take a model and its own tuning"
        )
    found = []
    with torch.inference_mode():
        for start in range(0, len(texts), batch):
            part = texts[start : start + batch]
            ids = torch.zeros(len(part), max(map(len, part)), dtype=torch.long)
            for row, text in enumerate(part):
                ids[row, : len(text)] = torch.tensor(list(text))
            # Filler stands on the right, where a causal model's real tokens don't see it.
            logs = [
                m(input_ids=ids, use_cache=False).logits.float().log_softmax(-1)
                for m in (base, tuned)
            ]
            if any(bool(x.isnan().any()) for x in logs):
                raise ModelError("a model gives probabilities that are not numbers")
            apart = (logs[0].exp() - logs[1].exp()).abs().sum(-1) / 2
            told = logs[1].exp() * (logs[1] - logs[0])
            divergence = told.nan_to_num(nan=0.0, posinf=torch.inf).sum(-1).clamp_min(0)
            same = logs[0].argmax(-1) == logs[1].argmax(-1)
            for row, text in enumerate(part):
                end = len(text) - 1
                found.append(
                    Shift(
                        tuple(apart[row, :end].tolist()),
                        tuple(divergence[row, :end].tolist()),
                        tuple(same[row, :end].tolist()),
                    )
                )
    return found
