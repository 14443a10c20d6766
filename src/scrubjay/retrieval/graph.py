"""Search over the graph of page links ("oracle links"): personalised PageRank.

A page that words alone don't find may be linked from one they do. The walk starts at the pages
whose title stands in the query, or else at the best hits of another retriever, and follows links
in both directions. The links are the corpus's own, given and not extracted by a model: results of
this retriever are an upper bound for graph retrieval on text without links, and must be labelled
"oracle links". After HippoRAG (arXiv 2405.14831); its damping of 0.5 is from general knowledge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from scrubjay.core.errors import InputError
from scrubjay.core.nouns import Hit, Passage
from scrubjay.retrieval.types import Retriever

if TYPE_CHECKING:
    import numpy as np

TOLERANCE = 1e-12


class PPRRetriever:
    """Ranks documents by the stationary vector of a walk that returns to its seeds:

        p = (1 - α) s + α Wᵀ p

    with s uniform over the seeds, W the row-normalised link graph (undirected, one edge per pair;
    our choice) and damping α. A page without links sends its walk back to the seeds.

    Args:
        passages: the corpus; links that leave it are passed over.
        base: finds seeds when no title stands in the query; None: then nothing is found.
        damping: α, the probability of following a link.
        seeds: how many of the base's hits to start from.
    """

    def __init__(
        self,
        passages: Iterable[Passage],
        base: Retriever | None = None,
        *,
        damping: float = 0.5,
        seeds: int = 5,
    ) -> None:
        if not 0 <= damping < 1:
            raise ValueError("damping is a probability below 1")
        self.base, self.damping, self.seeds = base, damping, seeds
        self._passages: dict[str, list[Passage]] = {}
        for passage in passages:
            self._passages.setdefault(passage.document, []).append(passage)
        self._documents = list(self._passages)
        self._number = {document: i for i, document in enumerate(self._documents)}
        self._titles: dict[tuple[str, ...], list[int]] = {}
        for document, parts in self._passages.items():
            for title in dict.fromkeys(_words(part.title) for part in parts):
                if title:
                    self._titles.setdefault(title, []).append(self._number[document])
        self._longest = max(map(len, self._titles), default=0)
        self._walk, self._dangling = self._transitions()

    async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
        """The ``k`` passages whose documents the walk visits most; ties by id.

        Raises:
            InputError: with a filter, which a walk can't honour.
        """
        import numpy as np

        if where is not None:
            raise InputError("a page graph can't be filtered: leave out where")
        start = self.named(query)
        if not start and self.base is not None:
            hits = await self.base.search(query, self.seeds)
            found = (self._number.get(hit.passage.document) for hit in hits)
            start = sorted({i for i in found if i is not None})
        if not start or k < 1:
            return []
        # Rounded, so that pages in the same position of the graph tie whatever the order of sums.
        scores = self.scores(start).round(10)
        least = scores.min() if k >= len(scores) else np.partition(scores, -k)[-k]
        reached = np.flatnonzero((scores >= least) & (scores > 0)).tolist()
        ranked = sorted((-float(scores[i]), self._documents[i]) for i in reached)
        best = [(p, -s) for s, document in ranked for p in self._passages[document]]
        return [Hit(p, score, rank) for rank, (p, score) in enumerate(best[:k])]

    def named(self, query: str) -> list[int]:
        """Numbers of the documents whose title stands in the query, word by word and whatever the
        case; the longest title wins where two overlap."""
        words, found, i = _words(query), set[int](), 0
        while i < len(words):
            for n in range(min(self._longest, len(words) - i), 0, -1):
                if words[i : i + n] in self._titles:
                    found.update(self._titles[words[i : i + n]])
                    i += n - 1
                    break
            i += 1
        return sorted(found)

    def scores(self, start: list[int]) -> np.ndarray:
        """PageRank of every document (they sum to 1) for a walk that starts at these."""
        import numpy as np

        seed = np.zeros(len(self._number))
        seed[start] = 1 / len(start)
        p: np.ndarray = seed
        while True:
            spread: np.ndarray = self._walk @ p + p[self._dangling].sum() * seed
            new: np.ndarray = (1 - self.damping) * seed + self.damping * spread
            if np.abs(new - p).sum() < TOLERANCE:
                return new
            p = new

    def _transitions(self) -> tuple[Any, np.ndarray]:
        """Wᵀ as a sparse matrix, and the documents without links."""
        import numpy as np
        from scipy.sparse import csr_array

        edges = set[tuple[int, int]]()
        for document, parts in self._passages.items():
            a = self._number[document]
            for link in (link for part in parts for link in part.links):
                b = self._number.get(link.target, a)
                if a != b:
                    edges |= {(a, b), (b, a)}
        ordered = np.array(sorted(edges), dtype=np.int64).reshape(-1, 2)
        n = len(self._number)
        degree = np.bincount(ordered[:, 0], minlength=n)
        weight = 1 / degree[ordered[:, 0]]
        walk = csr_array((weight, (ordered[:, 1], ordered[:, 0])), shape=(n, n))
        return walk, np.flatnonzero(degree == 0)


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))
