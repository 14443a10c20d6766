"""Where the parts of each supported decoder family are called what: one table.

Everything that differs between families stands here; ``Anatomy`` reads it, nobody else does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """Module names. The defaults are Llama's."""

    body: str = "model"
    """The stack of blocks with embedding and final norm, inside the causal model."""
    embedding: str = "embed_tokens"
    blocks: str = "layers"
    norm: str = "norm"
    """After the last block."""
    attention: str = "self_attn"
    qkv: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")
    """Three projections, or one that makes all three."""
    fused: Literal["", "thirds", "heads"] = ""
    """How one projection's output is laid out: q k v, each with all its heads; or head after head,
    each with its q k v."""
    out: str = "o_proj"
    attention_norm: str | None = "input_layernorm"
    """Before the attention; None: it reads the stream as it is."""
    mlp_norm: str | None = "post_attention_layernorm"
    """Before the MLP; its input is the stream between attention and MLP."""
    attention_end: str | None = None
    """A norm after the attention, before its output is added to the stream."""
    mlp_end: str | None = None
    mlp: str = "mlp"
    up: str = "up_proj"
    gate: str | None = "gate_proj"
    down: str = "down_proj"
    norm_type: Literal["rms", "layer"] = "rms"
    gain_plus_one: bool = False
    """The norm multiplies by 1 + weight (Gemma)."""
    positions: Literal["rotary", "learned"] = "rotary"


_LLAMA = Family()
_GEMMA = Family(gain_plus_one=True)
_GEMMA2 = replace(
    _GEMMA,
    mlp_norm="pre_feedforward_layernorm",
    attention_end="post_attention_layernorm",
    mlp_end="post_feedforward_layernorm",
)
_OLMO2 = Family(
    attention_norm=None,
    mlp_norm=None,
    attention_end="post_attention_layernorm",
    mlp_end="post_feedforward_layernorm",
)
_GPT2 = Family(
    body="transformer",
    embedding="wte",
    blocks="h",
    norm="ln_f",
    attention="attn",
    qkv=("c_attn",),
    fused="thirds",
    out="c_proj",
    attention_norm="ln_1",
    mlp_norm="ln_2",
    up="c_fc",
    gate=None,
    down="c_proj",
    norm_type="layer",
    positions="learned",
)
_NEOX = Family(
    body="gpt_neox",
    embedding="embed_in",
    norm="final_layer_norm",
    attention="attention",
    qkv=("query_key_value",),
    fused="heads",
    out="dense",
    up="dense_h_to_4h",
    gate=None,
    down="dense_4h_to_h",
    norm_type="layer",
)

FAMILIES: dict[str, Family] = {
    "llama": _LLAMA,
    "smollm3": _LLAMA,
    "mistral": _LLAMA,
    "mixtral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen2_moe": _LLAMA,
    "qwen3": _LLAMA,
    "qwen3_moe": _LLAMA,
    "gemma": _GEMMA,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA2,
    "gemma3": replace(_GEMMA2, body="model.language_model"),
    "gpt2": _GPT2,
    "gpt_neox": _NEOX,
    "olmo": replace(_LLAMA, norm_type="layer"),
    "olmo2": _OLMO2,
    "olmo3": _OLMO2,
    "olmoe": _LLAMA,
}
"""By the ``model_type`` of a transformers configuration."""
