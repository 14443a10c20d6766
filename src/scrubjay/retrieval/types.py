"""What a retriever, an encoder and a reranker are to the rest of the house."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from scrubjay.core.nouns import Hit

if TYPE_CHECKING:
    import numpy as np


class Retriever(Protocol):
    """From a query to passages."""

    async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
        """The ``k`` best passages, best first. ``where`` filters on fields: "title = 'x'"."""
        ...


class Encoder(Protocol):
    """From texts to unit vectors."""

    name: str
    """Identity of the weights: an index remembers it and refuses another."""
    dimensions: int

    def encode(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        """float32 array (len(texts), dimensions), rows of length 1."""
        ...


class Reranker(Protocol):
    """Puts hits in a better order."""

    async def rerank(self, query: str, hits: Sequence[Hit], k: int | None = None) -> list[Hit]:
        """The best ``k`` (all by default) with new scores and ranks."""
        ...


class Rewriter(Protocol):
    """Turns what was asked into what is searched for."""

    async def rewrite(self, query: str) -> str:
        """The text to search with; the query itself when nothing better could be made."""
        ...
