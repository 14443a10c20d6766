"""Hidden states and attention of a finished answer, by one more plain pass over it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import torch

from scrubjay.models.types import Want


def look_inside(
    model: Any, prompt: Sequence[int], tokens: Sequence[int], want: Set[Want]
) -> dict[str, Any]:
    """What ``want`` asks for beyond log-probabilities, as float32 tensors on the CPU.

    Returns:
        ``hidden``: (new tokens, hidden size), the last layer's state that predicted each token.
        ``attention``: (new tokens, prompt + new tokens), how much each new token attends to what
        stands before it and to itself: last layer, mean over heads.
    """
    found: dict[str, Any] = {}
    ids, start = torch.tensor([[*prompt, *tokens]]), len(prompt)
    with torch.inference_mode():
        if "hidden" in want:
            out = model(input_ids=ids, use_cache=False, output_hidden_states=True)
            found["hidden"] = out.hidden_states[-1][0, start - 1 : -1].float()
        if "attention" in want:
            config = model.config.get_text_config()
            usual = config._attn_implementation
            config._attn_implementation = "eager"  # the only one that returns its weights
            try:
                out = model(input_ids=ids, use_cache=False, output_attentions=True)
            finally:
                config._attn_implementation = usual
            found["attention"] = out.attentions[-1][0].float().mean(0)[start:]
    return found
