"""The index: passages found by their words (BM25), by their vectors, or by both.

    index = build_index(passages, "my.index", encoder=load_encoder())
    hits = await index.search("where do jays hide acorns", k=5)

Searches that are asked for at the same moment are encoded and looked up as one batch, inline in the
event loop: the same coroutines give the same batches, and so the same bits.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scrubjay.core.coalesce import Coalescer
from scrubjay.core.errors import IndexMismatch, InputError
from scrubjay.core.nouns import Hit, Passage
from scrubjay.core.progress import Count
from scrubjay.retrieval.fusion import reciprocal_rank_fusion
from scrubjay.retrieval.rows import rows
from scrubjay.retrieval.store import Found, Manifest, Store

if TYPE_CHECKING:
    import numpy as np

    from scrubjay.retrieval.types import Encoder

Mode = Literal["hybrid", "text", "vector"]
Wanted = tuple[str, int, str | None]
LONGEST = 4096
"""Characters of a query that are looked at; a longer one is cut, not refused."""
DEPTH = 100
"""Hybrid search fuses at least this many places of each ranking."""


class Index:
    """An index in a folder; a ``Retriever``. Make one with ``build_index`` or ``Index.open``."""

    def __init__(
        self, store: Store, manifest: Manifest, encoder: Encoder | None, mode: Mode
    ) -> None:
        self._store, self.manifest, self.encoder, self.mode = store, manifest, encoder, mode
        self._ask: Coalescer[Wanted, list[Hit]] = Coalescer(self._answer)

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        *,
        encoder: Encoder | None = None,
        mode: Mode | None = None,
    ) -> Index:
        """Open an index. By default it is searched by all it holds: 'hybrid', or 'text' where it
        has no vectors. An encoder that isn't given is loaded under the name the index remembers.

        Raises:
            IndexMismatch: not an index, an empty one, one of a newer format, one without the
                vectors that ``mode`` needs, or one that another encoder made.
            ModelError: the encoder it needs can't be loaded.
        """
        folder = Path(folder)
        manifest = Manifest.load(folder)
        store = Store.open(folder)
        if not len(store):
            raise IndexMismatch(f"the index {folder} is empty: build it again from some passages")
        if mode is None:
            mode = "hybrid" if manifest.encoder else "text"
        if mode not in ("hybrid", "text", "vector"):
            raise InputError(f"there is no search mode '{mode}'; use hybrid, text or vector")
        if manifest.encoder is None and (encoder is not None or mode != "text"):
            raise IndexMismatch(
                f"the index {folder} was made without an encoder: open it with mode='text', or "
                f"build it again with {'an encoder' if encoder is None else encoder.name}"
            )
        if encoder is None and mode != "text":
            encoder = _remembered(str(manifest.encoder))
        if encoder is not None and encoder.name != manifest.encoder:
            raise IndexMismatch(
                f"the index {folder} was made with the encoder {manifest.encoder}, not with "
                f"{encoder.name}: open it with its own, or build it again"
            )
        return cls(store, manifest, encoder, mode)

    async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
        """The ``k`` best passages, best first; ties in the order of their ids.

        The query is words, whatever it contains; an empty one finds nothing. ``where`` is an SQL
        condition on id, title, text and document, for the caller's own use: never put text from a
        question or a passage into it.

        Raises:
            InputError: the filter can't be understood.
        """
        query = query[:LONGEST].encode("utf-8", "replace").decode()
        if k < 1 or not query.strip():
            return []
        return await self._ask((query, k, where))

    def add(self, passages: Iterable[Passage], progress: Count | None = None) -> None:
        """Add passages; one with a known id takes the old one's place. All of them or none.

        ``progress`` is called with (encoded, all).

        Raises:
            InputError: two of them share an id.
            IndexMismatch: the index has vectors and was opened without its encoder.
        """
        new = list(passages)
        if new:
            rows(new, None)
            self._store.upsert(rows(new, self._encode(new, progress)))

    update = add

    def delete(self, ids: Iterable[str]) -> None:
        """Delete passages by id (unknown ids are passed over). All of them or none."""
        gone = list(dict.fromkeys(ids))
        if gone:
            self._store.delete(gone)

    def passages(self) -> Iterator[Passage]:
        """All passages, in the order they are stored."""
        return self._store.passages()

    def __len__(self) -> int:
        return len(self._store)

    def _encode(self, passages: Sequence[Passage], progress: Count | None) -> np.ndarray | None:
        from scrubjay.retrieval.build import encode

        if self.manifest.encoder is None:
            return None
        if self.encoder is None:
            raise IndexMismatch(
                f"the index {self._store.folder} holds vectors of {self.manifest.encoder}: open it "
                "with that encoder to add passages"
            )
        return encode(passages, self.encoder, progress)

    def _answer(self, wanted: Sequence[Wanted]) -> list[list[Hit]]:
        """A batch of searches; those with the same depth and filter are looked up together."""
        groups: dict[tuple[int, str | None], list[str]] = defaultdict(list)
        for query, k, where in dict.fromkeys(wanted):
            groups[k, where].append(query)
        # No cache of query vectors: what is in it would depend on what was asked before, and a
        # resumed run must form the same encoder batches as one that was never interrupted.
        vectors = self._vectors([query for query, _, _ in wanted])
        found: dict[Wanted, list[Found]] = {}
        for (k, where), queries in groups.items():
            for query, best in zip(queries, self._find(queries, vectors, k, where)):
                found[query, k, where] = best
        pages = self._store.fetch(sorted({f.row for best in found.values() for f in best}))
        hits = {
            key: [Hit(pages[f.row], f.score, rank) for rank, f in enumerate(best)]
            for key, best in found.items()
        }
        return [list(hits[key]) for key in wanted]

    def _vectors(self, queries: Sequence[str]) -> dict[str, np.ndarray]:
        from scrubjay.retrieval.build import checked

        if self.mode == "text" or self.encoder is None:
            return {}
        unique = list(dict.fromkeys(queries))
        vectors = checked(self.encoder, self.encoder.encode(unique, query=True), len(unique))
        return dict(zip(unique, vectors))

    def _find(
        self, queries: list[str], vectors: dict[str, np.ndarray], k: int, where: str | None
    ) -> list[list[Found]]:
        import numpy as np

        if self.mode == "text":
            return self._store.text(queries, k, where)
        stacked = np.stack([vectors[query] for query in queries])
        if self.mode == "vector":
            return self._store.vector(stacked, k, where)
        depth = max(DEPTH, 2 * k)
        by_words = self._store.text(queries, depth, where)
        by_vector = self._store.vector(stacked, depth, where)
        return [_fuse(a, b)[:k] for a, b in zip(by_words, by_vector)]


def _fuse(*rankings: list[Found]) -> list[Found]:
    row = {found.id: found.row for ranking in rankings for found in ranking}
    fused = reciprocal_rank_fusion([[found.id for found in ranking] for ranking in rankings])
    return [Found(name, score, row[name]) for name, score in fused]


def _remembered(name: str) -> Encoder:
    from scrubjay.retrieval.encoders import load_encoder

    return load_encoder(name.rpartition("@")[0] or name)
