"""Tiny randomly initialised models of every supported family, each made once."""

import functools
import hashlib
from typing import Any

import torch
import transformers as tr

VOCABULARY = 61
_GROUPED = {"intermediate_size": 48, "num_key_value_heads": 2}
_EXPERTS = {**_GROUPED, "num_experts": 4, "num_experts_per_tok": 2}
_SLIDING = ["sliding_attention", "full_attention", "sliding_attention"]
_GEMMA2 = {**_GROUPED, "head_dim": 16, "sliding_window": 5, "query_pre_attn_scalar": 16}

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", _GROUPED),
    "smollm3": ("SmolLM3", {**_GROUPED, "pad_token_id": 0, "no_rope_layers": [1, 0, 1]}),
    "mistral": ("Mistral", {**_GROUPED, "sliding_window": 5}),
    "mixtral": ("Mixtral", {**_GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen2": ("Qwen2", _GROUPED),
    "qwen2_moe": (
        "Qwen2Moe",
        {**_EXPERTS, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 24},
    ),
    "qwen3": ("Qwen3", {**_GROUPED, "head_dim": 16}),
    "qwen3_moe": (
        "Qwen3Moe",
        {**_EXPERTS, "head_dim": 16, "moe_intermediate_size": 24, "mlp_only_layers": [1]},
    ),
    "gemma": ("Gemma", {**_GROUPED, "head_dim": 16}),
    "gemma2": (
        "Gemma2",
        {**_GEMMA2, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 5.0},
    ),
    "gemma3": ("Gemma3", {**_GEMMA2, "layer_types": _SLIDING}),
    "gpt2": ("GPT2", {}),
    "gpt_neox": ("GPTNeoX", {"intermediate_size": 48, "use_parallel_residual": True}),
    "gpt_neox_in_turn": ("GPTNeoX", {"intermediate_size": 48, "use_parallel_residual": False}),
    "olmo": ("Olmo", {**_GROUPED, "clip_qkv": 1.0}),
    "olmo2": ("Olmo2", _GROUPED),
    "olmo3": ("Olmo3", {**_GROUPED, "sliding_window": 5, "layer_types": _SLIDING}),
    "olmoe": ("Olmoe", _EXPERTS),
}
NAMES = tuple(FAMILIES)


@functools.cache
def tiny(name: str) -> Any:
    """Three layers, four heads; weights large enough that everything matters."""
    kind, own = FAMILIES[name]
    config = getattr(tr, {"Gemma3": "Gemma3Text"}.get(kind, kind) + "Config")
    causal = getattr(tr, kind + ("LMHeadModel" if kind == "GPT2" else "ForCausalLM"))
    torch.manual_seed(0)
    model = causal(
        config(
            vocab_size=VOCABULARY,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=48,
            initializer_range=0.25,
            bos_token_id=1,
            eos_token_id=1,
            **own,
        )
    )
    with torch.no_grad():  # biases and gains are born as zeros and ones, which hide mistakes
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.2 * torch.randn_like(parameter)
    return model.eval()


def tokens(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(2, VOCABULARY, (rows, length), generator=random)


def fingerprint(model: Any) -> str:
    """Weights, buffers, hooks, attributes and configuration of a model."""
    digest = hashlib.sha256()
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        digest.update(name.encode() + tensor.detach().contiguous().numpy().tobytes())
    for name, module in model.named_modules():
        hooks = {
            k: len(v) for k, v in vars(module).items() if "hooks" in k and hasattr(v, "__len__")
        }
        attributes = sorted(k for k in vars(module) if k != "_output_capturing_hooks_installed")
        digest.update(f"{name} {hooks} {attributes} {module.training}".encode())
    config = model.config
    digest.update(f"{config.to_dict()} {config._attn_implementation_internal}".encode())
    return digest.hexdigest()
