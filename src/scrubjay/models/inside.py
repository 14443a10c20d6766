"""Hidden states and attention of a finished answer, as float32 tensors on the CPU.

    attention  (new tokens, prompt + new tokens)         last layer, mean over heads
    heads      (heads, new tokens, prompt + new tokens)  last layer, each head
    hidden     (new tokens, hidden size)                 the last layer's state that predicted each

Row j of the attention is that of new token j's *own* position: what the token, once written, looks
back at, itself included, as one forward pass over prompt and answer shows it. (What emitted token j
is row j - 1.) So ``attention[j, prompt + i]`` with j > i is what a later token pays to token i.

The engine gets all three from the generation itself: it remembers the queries of new tokens and,
when a row leaves, lets them look back at the keys stored for it. Only the very last token needs a
step that generating alone would not make (none when an end token followed it). A model that the
engine runs one prompt at a time makes one more plain pass instead.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import torch
from torch import Tensor

from scrubjay.models.rows import Row
from scrubjay.models.types import Want


def look_back(row: Row, own: Tensor) -> None:
    """Fill in the row's attention from its queries and the last layer's keys: those of the shared
    nodes above it, and its ``own`` (key-value heads, places, head size)."""
    assert row.node is not None
    keys = torch.cat([*(node.kv[0, -1] for node in row.node.chain()), own], 1)
    row.heads = attention_of(row.queries, keys)
    row.queries.clear()


def attention_of(queries: Sequence[Tensor], keys: Tensor) -> Tensor:
    """Attention (heads, new tokens, all tokens) of the last tokens over all, softmax in float32.

    ``queries``: (heads, head size) of each new token, scaled; ``keys``: (key-value heads, all,
    head size). Heads that share a key lie side by side.
    """
    new, total, groups = len(queries), keys.shape[1], keys.shape[0]
    if not new:
        return torch.empty(0, 0, total)
    q = torch.stack(list(queries)).unflatten(1, (groups, -1))
    scores = torch.einsum("ngtd,gkd->gtnk", q, keys.float())
    ahead = torch.arange(total) > torch.arange(total - new, total)[:, None]
    return scores.masked_fill_(ahead, -torch.inf).softmax(-1).flatten(0, 1)


def found_inside(row: Row) -> dict[str, Any]:
    """What a row of the engine brings along."""
    found: dict[str, Any] = {}
    if "hidden" in row.want:
        found["hidden"] = torch.stack(row.states) if row.states else torch.empty(0, 0)
    if row.watched:
        total = len(row.prompt) + len(row.tokens)
        heads = row.heads if row.heads is not None else torch.empty(0, 0, total)
        if "attention" in row.want:
            found["attention"] = heads.mean(0) if heads.numel() else torch.empty(0, total)
        if "heads" in row.want:
            found["heads"] = heads
    return found


def look_inside(
    model: Any, prompt: Sequence[int], tokens: Sequence[int], want: Set[Want]
) -> dict[str, Any]:
    """The same by one more plain pass over prompt and answer, with eager attention."""
    found: dict[str, Any] = {}
    ids, start = torch.tensor([[*prompt, *tokens]]), len(prompt)
    with torch.inference_mode():
        if "hidden" in want:
            out = model(input_ids=ids, use_cache=False, output_hidden_states=True)
            found["hidden"] = out.hidden_states[-1][0, start - 1 : -1].float()
        if want & {"attention", "heads"}:
            config = model.config.get_text_config()
            usual = config._attn_implementation
            config._attn_implementation = "eager"  # the only one that returns its weights
            try:
                out = model(input_ids=ids, use_cache=False, output_attentions=True)
            finally:
                config._attn_implementation = usual
            heads = out.attentions[-1][0, :, start:].float()
            found |= {"attention": heads.mean(0), "heads": heads}
    return {name: value for name, value in found.items() if name in want}
