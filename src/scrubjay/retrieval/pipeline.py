"""A search chain: rewrite the query, fetch candidates, put them in a better order.

The survey's chain (arXiv 2308.07107, section 2) up to the reader; a pipeline is itself a retriever,
so an agent can't tell it from an index.
"""

from __future__ import annotations

from scrubjay.core.errors import ModelError
from scrubjay.core.nouns import Hit
from scrubjay.retrieval.types import Reranker, Retriever, Rewriter


class Pipeline:
    """``rewriter`` → ``retriever`` → ``reranker``; either end may be None.

    The reranker sees the ``candidates`` best hits and judges them by the query as it was asked, not
    by the rewritten one. Where it fails, the retriever's order stands, and ``failures`` counts it.
    """

    def __init__(
        self,
        rewriter: Rewriter | None,
        retriever: Retriever,
        reranker: Reranker | None,
        *,
        candidates: int = 20,
    ) -> None:
        self.rewriter, self.retriever, self.reranker = rewriter, retriever, reranker
        self.candidates = candidates
        self.failures = 0

    async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
        """The ``k`` best passages, best first."""
        text = query if self.rewriter is None else await self.rewriter.rewrite(query)
        if self.reranker is None:
            return await self.retriever.search(text, k, where)
        hits = await self.retriever.search(text, max(k, self.candidates), where)
        try:
            return await self.reranker.rerank(query, hits, k)
        except ModelError:
            self.failures += 1
            return hits[:k]
