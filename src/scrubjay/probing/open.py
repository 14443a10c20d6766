"""Open a model for the instruments."""

from __future__ import annotations

from typing import Any, NamedTuple

from scrubjay.models.weights import load_weights
from scrubjay.probing.anatomy import Anatomy


class OpenModel(NamedTuple):
    """A transformers model and its tokenizer."""

    model: Any
    tokenizer: Any


def load_open(spec: str, *, dtype: str = "float32", eager: bool = False) -> OpenModel:
    """The weights that ``spec`` names (``smollm2-135m``, a folder, or a Hugging Face id).

    Args:
        dtype: float32, bfloat16 or auto. Numbers of instruments are stated in float32.
        eager: let the model compute all of its attention weights (``output_attentions``); the
            instruments don't need it.

    Raises:
        ModelError: the model can't be loaded.
        ProbeError: it is of no supported family.
    """
    weights = load_weights(spec, dtype=dtype)
    Anatomy.of(weights.model)
    if eager:
        weights.model.set_attn_implementation("eager")
    return OpenModel(weights.model, weights.tokenizer)
