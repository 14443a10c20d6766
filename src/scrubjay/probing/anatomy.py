"""A map of a decoder: common names for the parts of every supported family.

    anatomy = Anatomy.of(model)          # any causal model of transformers; nothing is copied
    anatomy.n_layers, anatomy.n_heads    # 30, 9
    anatomy.blocks[3].out                # the module that is W_O of block 3
    anatomy.w_q(3)                       # (heads, d_model, d_head), a view of the weights

Weights have one orientation, whatever the family stores: a row vector multiplies from the left,

    q = norm(x) W_Q + b_Q,   z = A (norm(x) W_V + b_V),   stream += Σ_heads z W_O + b_O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scrubjay.probing.errors import ProbeError
from scrubjay.probing.families import FAMILIES, Family
from scrubjay.probing.parts import Block, Projection, find_block, matrix, split
from scrubjay.probing.sites import KEY_HEADS, PER_HEAD, Site, SiteLike, as_sites


@dataclass(frozen=True, slots=True)
class Anatomy:
    """See the top of this file; made by ``of``."""

    model: Any
    """The causal model that computes logits."""
    body: nn.Module
    embedding: nn.Module
    blocks: tuple[Block, ...]
    norm: nn.Module
    unembedding: nn.Module
    family: Family
    name: str
    config: Any
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    context: int
    """Most tokens of a prompt."""

    @classmethod
    def of(cls, model: Any) -> Anatomy:
        """The map of a causal model (of ``transformers``, wrapped by PEFT, or a ``LocalModel``).

        Raises:
            ProbeError: the model is behind an endpoint, can't continue text, or is of a family
                that isn't supported.
        """
        if isinstance(model, cls):
            return model
        model = _unwrapped(model)
        config = model.config.get_text_config()
        family = _family(model, config)
        body = model.get_submodule(family.body)
        attention = body.get_submodule(f"{family.blocks}.0.{family.attention}")
        heads = int(config.num_attention_heads)
        size = getattr(attention, "head_dim", None) or getattr(attention, "head_size", None)
        return cls(
            model=model,
            body=body,
            embedding=body.get_submodule(family.embedding),
            blocks=tuple(find_block(block, family) for block in body.get_submodule(family.blocks)),
            norm=body.get_submodule(family.norm),
            unembedding=model.get_output_embeddings(),
            family=family,
            name=str(config.model_type),
            config=config,
            n_heads=heads,
            n_kv_heads=int(getattr(config, "num_key_value_heads", None) or heads),
            d_model=int(config.hidden_size),
            d_head=int(size or config.hidden_size // heads),
            context=int(config.max_position_embeddings),
        )

    @property
    def n_layers(self) -> int:
        return len(self.blocks)

    @property
    def parallel(self) -> bool:
        """Attention and MLP read the same stream side by side."""
        return self.blocks[0].middle is None

    @property
    def norm_type(self) -> str:
        """``rms``, or ``layer`` (which subtracts the mean)."""
        return self.family.norm_type

    @property
    def positions(self) -> str:
        """``rotary`` or ``learned``."""
        return self.family.positions

    @property
    def device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.model.dtype
        return dtype

    def heads_of(self, component: str) -> int:
        """How many heads ``z``, ``q``, ``k``, ``v`` or ``attn`` has."""
        return self.n_kv_heads if component in KEY_HEADS else self.n_heads

    def neurons(self, layer: int) -> int:
        """Width of the MLP of a layer.

        Raises:
            ProbeError: it is a mixture of experts.
        """
        return self.w_down(layer).shape[0]

    def kv_head(self, head: int) -> int:
        """The key-value head that a query head reads."""
        return head * self.n_kv_heads // self.n_heads

    def sites(self, component: str, *, heads: bool = False) -> tuple[Site, ...]:
        """The component in every layer, or every head of it: ``sites("z", heads=True)``.

        Raises:
            ProbeError: there is no such component, or it has no heads.
        """
        if component == "logits":
            return (Site("logits"),)
        layers = range(self.n_layers)
        if not heads:
            return tuple(Site(component, layer) for layer in layers)
        count = self.heads_of(component) if component in PER_HEAD else 0
        if not count:
            raise ProbeError(f"{component} has no heads")
        return tuple(Site(component, layer, head) for layer in layers for head in range(count))

    def check(self, *places: SiteLike) -> tuple[Site, ...]:
        """The places as sites, each of which this model has.

        Raises:
            ProbeError: the model has no such layer, head, neuron or component.
        """
        sites = as_sites(places)
        for site in sites:
            if site.layer is None:
                continue
            if site.layer >= self.n_layers:
                raise ProbeError(f"{site}: the model has {self.n_layers} layers, counted from 0")
            block = self.blocks[site.layer]
            if site.component == "resid_mid" and block.middle is None:
                raise ProbeError(
                    f"{site}: this model has no state between attention and MLP, which read the "
                    "stream side by side; use resid_pre, attn_out or mlp_out"
                )
            if site.component == "neurons":
                if site.head is not None and site.head >= (count := self.neurons(site.layer)):
                    raise ProbeError(f"{site}: the layer has {count} neurons, counted from 0")
                self.neurons(site.layer)
            elif site.head is not None and site.head >= (count := self.heads_of(site.component)):
                kind = "key-value heads" if site.component in KEY_HEADS else "heads"
                raise ProbeError(f"{site}: the model has {count} {kind}, counted from 0")
        return sites

    def projection(self, layer: int, kind: str) -> Projection:
        """The projection that makes ``q``, ``k`` or ``v``."""
        attention, family = self.blocks[layer].attention, self.family
        which, heads, size = "qkv".index(kind), self.heads_of(kind), self.d_head
        if family.fused == "heads":
            return Projection(
                getattr(attention, family.qkv[0]),
                lambda y: split(y, -1, heads, 3, size)[..., which, :],
            )
        if family.fused == "thirds":
            start = which * heads * size
            return Projection(
                getattr(attention, family.qkv[0]),
                lambda y: split(y[..., start : start + heads * size], -1, heads, size),
            )
        module = getattr(attention, family.qkv[which])
        return Projection(module, lambda y: split(y, -1, heads, size))

    def w_q(self, layer: int) -> Tensor:
        """(heads, d_model, d_head)."""
        return self._into(layer, "q")

    def w_k(self, layer: int) -> Tensor:
        """(key-value heads, d_model, d_head)."""
        return self._into(layer, "k")

    def w_v(self, layer: int) -> Tensor:
        """(key-value heads, d_model, d_head)."""
        return self._into(layer, "v")

    def w_o(self, layer: int) -> Tensor:
        """(heads, d_head, d_model)."""
        return split(matrix(self.blocks[layer].out), 0, self.n_heads, self.d_head)

    def bias(self, layer: int, kind: str) -> Tensor | None:
        """Of ``q``, ``k``, ``v``: (heads, d_head); of ``o``: (d_model,). None if there is none."""
        if kind == "o":
            return getattr(self.blocks[layer].out, "bias", None)
        projection = self.projection(layer, kind)
        bias = getattr(projection.module, "bias", None)
        return None if bias is None else projection.view(bias)

    def w_up(self, layer: int) -> Tensor:
        """(d_model, neurons)."""
        self.neurons(layer)
        return matrix(getattr(self.blocks[layer].mlp, self.family.up))

    def w_gate(self, layer: int) -> Tensor | None:
        """(d_model, neurons); None where the MLP has no gate."""
        self.neurons(layer)
        gate = self.family.gate
        return None if gate is None else matrix(getattr(self.blocks[layer].mlp, gate))

    def w_down(self, layer: int) -> Tensor:
        """(neurons, d_model): what each neuron writes.

        Raises:
            ProbeError: the layer is a mixture of experts.
        """
        down = self.blocks[layer].down
        if down is None:
            raise ProbeError(
                f"L{layer}.neurons: the layer is a mixture of experts, which has no one set of "
                "neurons; use mlp_out"
            )
        return matrix(down)

    @property
    def w_e(self) -> Tensor:
        """(vocabulary, d_model)."""
        weight: Tensor = self.embedding.weight  # type: ignore[assignment]
        return weight

    @property
    def w_u(self) -> Tensor:
        """(d_model, vocabulary)."""
        return matrix(self.unembedding)

    def gain(self, norm: nn.Module | None) -> Tensor:
        """By what a norm multiplies each direction: ones where it has no weights or is None."""
        weight = getattr(norm, "weight", None)
        if weight is None:
            return torch.ones(self.d_model, dtype=self.dtype, device=self.device)
        gain: Tensor = weight + 1 if self.family.gain_plus_one else weight
        return gain

    def _into(self, layer: int, kind: str) -> Tensor:
        projection = self.projection(layer, kind)
        return projection.view(matrix(projection.module)).movedim(0, 1)


def _unwrapped(model: Any) -> Any:
    """The transformers model inside a ``LocalModel`` or a PEFT wrapper."""
    if not isinstance(model, nn.Module):
        inner = getattr(model, "model", None)
        if not isinstance(inner, nn.Module):
            name = getattr(model, "name", type(model).__name__)
            raise ProbeError(
                f"'{name}' doesn't show its inside; give a local model (a folder or a Hugging Face "
                "id)"
            )
        model = inner
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _family(model: Any, config: Any) -> Family:
    kind = getattr(model.config, "model_type", None)
    family = FAMILIES.get(str(kind))
    if family is None:
        kinds = ", ".join(sorted(FAMILIES))
        causal = not getattr(config, "is_encoder_decoder", False) and hasattr(model, "generate")
        why = "isn't supported" if causal else "is no decoder that continues text"
        raise ProbeError(f"a model of the family '{kind}' {why}; supported: {kinds}")
    if model.get_output_embeddings() is None or not hasattr(model, "generate"):
        raise ProbeError(
            f"{type(model).__name__} has no head that predicts tokens; load it as a causal model"
        )
    return family
