"""Instruments for open models: what goes on inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.probing.similarity import (
        last_states,
        layerwise_cka,
        layerwise_cosine,
        linear_cka,
        query_statement_gap,
    )

__all__ = [
    "last_states",
    "layerwise_cka",
    "layerwise_cosine",
    "linear_cka",
    "query_statement_gap",
]

__getattr__ = lazy(__name__, dict.fromkeys(__all__, "similarity"))
