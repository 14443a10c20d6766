"""The index on disk: one folder with ``manifest.json`` and one LanceDB table.

The manifest says what the folder is and which encoder made the vectors; it never changes after the
build. Everything that changes is in the table, whose commits are atomic.

Ranking is exact and repeatable: a search takes more rows than asked for, so that a tie at the last
place is always decided by passage id and never by the order of rows on disk.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from scrubjay.core.errors import DiskError, IndexMismatch, InputError, MissingExtra
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.nouns import Passage
from scrubjay.retrieval.rows import FIELDS, passage

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

T = TypeVar("T")
FORMAT, TABLE, KIND = 1, "passages", "scrubjay index"
MARGIN = 16
"""Rows fetched beyond those asked for, to see ties; more are fetched only if that isn't enough."""
CACHED = 20_000
"""Passages kept in memory once they were read."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index says about itself."""

    encoder: str | None
    """Name of the encoder that made the vectors; None: text only."""
    dimensions: int = 0
    format: int = FORMAT
    kind: str = KIND

    def save(self, folder: Path) -> None:
        write_atomic(folder / "manifest.json", dump_json(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Raises IndexMismatch: the folder isn't an index, or of a newer Scrubjay."""
        try:
            values = json.loads((folder / "manifest.json").read_text("utf-8"))
            if values["kind"] != KIND:
                raise KeyError
            if values["format"] > FORMAT:
                raise IndexMismatch(
                    f"{folder} is an index of format {values['format']}, this Scrubjay reads up to "
                    f"{FORMAT}: update Scrubjay, or build the index again"
                )
            return cls(values["encoder"], values["dimensions"], values["format"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexMismatch(
                f"{folder} is not an index: build one there with build_index"
            ) from error


class Found(NamedTuple):
    """A row that a search found."""

    id: str
    score: float
    row: int


class Store:
    """The table of an index. All methods block: they run inline, in the caller's thread."""

    def __init__(self, folder: Path, table: Any) -> None:
        self.folder, self._table = folder, table
        self._changing = folder / "changing"
        self._ids: dict[int, str] = {}
        self._pages: dict[int, Passage] = {}

    @classmethod
    def create(cls, folder: Path, data: pa.Table) -> Store:
        """Write a new table with its word index into an empty folder."""

        async def create() -> Any:
            database = await _lancedb().connect_async(str(folder))
            table = await database.create_table(TABLE, data)
            # One worker: the postings, and so the last bits of a score, don't depend on the
            # number of processors.
            config = _lancedb().index.FTS(num_workers=1)
            await table.create_index("words", config=config)
            return table

        with _written(folder):
            return cls(folder, _run(create()))

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the table; finish an update that was killed half-way.

        Raises:
            IndexMismatch: the table is missing or damaged.
        """

        async def open_() -> Any:
            database = await _lancedb().connect_async(str(folder))
            return await database.open_table(TABLE)

        try:
            store = cls(folder, _run(open_()))
            if store._changing.exists():
                store._refresh()
            return store
        except (ValueError, RuntimeError, OSError) as error:
            raise IndexMismatch(
                f"the index {folder} is damaged ({_first_line(error)}): build it again"
            ) from error

    def __len__(self) -> int:
        return int(_run(self._table.count_rows()))

    def text(self, queries: Sequence[str], n: int, where: str | None) -> list[list[Found]]:
        """BM25 (k1 = 1.2, b = 0.75, times k1 + 1) over stemmed, folded words; best ``n`` each."""
        match = _lancedb().query.MatchQuery

        async def one(query: str, limit: int) -> list[Found]:
            search = self._table.query().nearest_to_text(match(query, "words"))
            if where is not None:
                search = search.where(where)
            found = await search.with_row_id().select(["_score"]).limit(limit).to_arrow()
            return self._ranked(found["_rowid"].to_pylist(), found["_score"].to_pylist())

        async def batch(some: Sequence[str], limit: int) -> list[list[Found]]:
            return list(await asyncio.gather(*(one(query, limit) for query in some)))

        return self._searched(batch, queries, n, where)

    def vector(self, queries: np.ndarray, n: int, where: str | None) -> list[list[Found]]:
        """Exact cosine similarity of unit vectors (a scan, no approximation); best ``n`` each."""

        async def batch(some: Sequence[np.ndarray], limit: int) -> list[list[Found]]:
            search = self._table.query().nearest_to(list(some)).distance_type("dot")
            if where is not None:
                search = search.where(where)
            search = search.bypass_vector_index().with_row_id().select(["_distance"])
            found = await search.limit(limit).to_arrow()
            # Rounded: the sixth digit is below what the encoder's own arithmetic can promise.
            scores = [round(1.0 - x, 6) for x in found["_distance"].to_pylist()]
            row_ids = found["_rowid"].to_pylist()
            if "query_index" not in found.column_names:
                return [self._ranked(row_ids, scores)]
            parts: list[tuple[list[int], list[float]]] = [([], []) for _ in some]
            for i, row, score in zip(found["query_index"].to_pylist(), row_ids, scores):
                parts[i][0].append(row)
                parts[i][1].append(score)
            return [self._ranked(*part) for part in parts]

        return self._searched(batch, list(queries), n, where)

    def fetch(self, row_ids: Sequence[int]) -> dict[int, Passage]:
        """The passages of some rows, by row."""
        missing = [row for row in row_ids if row not in self._pages]
        if missing:
            if len(self._pages) + len(missing) > CACHED:
                self._pages, missing = {}, list(row_ids)
            take = self._table.take_row_ids(missing).select(list(FIELDS)).with_row_id()
            with _readable(self.folder):
                for row in _run(take.to_arrow()).to_pylist():
                    self._pages[row["_rowid"]] = passage(row)
        return {row: self._pages[row] for row in row_ids}

    def passages(self) -> Iterator[Passage]:
        """All passages, in the order they are stored, a batch in memory at a time."""
        with _readable(self.folder):
            batches = _run(self._table.query().select(list(FIELDS)).to_batches())
            while (batch := _run(_next(batches))) is not None:
                yield from map(passage, batch.to_pylist())

    def upsert(self, data: pa.Table) -> None:
        """Add rows, replacing those with the same id: one atomic commit."""
        merge = self._table.merge_insert("id").when_matched_update_all()
        self._change(lambda: _run(merge.when_not_matched_insert_all().execute(data)))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows by id: one atomic commit."""
        quoted = ", ".join("'" + i.replace("'", "''") + "'" for i in ids)
        self._change(lambda: _run(self._table.delete(f"id IN ({quoted})")))

    def _change(self, commit: Callable[[], Any]) -> None:
        # Killed between commit and refresh, the rows are right but the word statistics are old:
        # the mark tells the next one who opens the index to refresh them.
        write_atomic(self._changing, "")
        self._ids, self._pages = {}, {}
        with _written(self.folder):
            commit()
            self._refresh()

    def _refresh(self) -> None:
        _run(self._table.optimize())
        self._changing.unlink(missing_ok=True)

    def _ranked(self, row_ids: Sequence[int], scores: Sequence[float]) -> list[Found]:
        # Ids come from memory: reading the column would double the time of a search.
        found = [Found(self._ids[row], score, row) for row, score in zip(row_ids, scores)]
        return sorted(found, key=lambda hit: (-hit.score, hit.id))

    def _searched(
        self,
        batch: Callable[[Sequence[Any], int], Awaitable[list[list[Found]]]],
        queries: Sequence[Any],
        n: int,
        where: str | None,
    ) -> list[list[Found]]:
        async def search() -> list[list[Found]]:
            results = await batch(queries, n + MARGIN)
            for i, found in enumerate(results):
                limit = n + MARGIN
                while len(found) == limit and found[-1].score == found[n - 1].score:
                    limit *= 4
                    found = (await batch([queries[i]], limit))[0]
                results[i] = found[:n]
            return results

        if not self._ids:
            with _readable(self.folder):
                names = _run(self._table.query().select(["id"]).with_row_id().to_arrow())
            self._ids = dict(zip(names["_rowid"].to_pylist(), names["id"].to_pylist()))
        try:
            with _readable(self.folder):
                return _run(search()) if len(queries) else []
        except ValueError as error:
            if where is None:
                raise
            raise InputError(
                f"the filter {where!r} can't be used ({_first_line(error)}); filter on id, title, "
                "text or document, as in: title = 'x'"
            ) from error


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Turn LanceDB's complaint about files that are missing or damaged into a sentence."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise IndexMismatch(
            f"the index {folder} is damaged ({_first_line(error)}): build it again"
        ) from error


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Turn LanceDB's complaint about the disk, which carries no error number, into a sentence."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        full = os.strerror(errno.ENOSPC) in str(error)
        why = "the disk is full" if full else _first_line(error)
        raise DiskError(
            f"can't write the index {folder} ({why}): see that the disk has space and can be "
            "written; the index is as it was"
        ) from error


async def _next(batches: Any) -> Any:
    return await anext(batches, None)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _lancedb() -> Any:
    try:
        import lancedb
        import lancedb.index
        import lancedb.query
    except ImportError as error:
        raise MissingExtra("lancedb", "index") from error
    return lancedb


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="scrubjay-index", daemon=True).start()
    return loop


def _run(work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
    """Run LanceDB's coroutine to its end while the caller waits. The caller may itself be in an
    event loop: that loop must stand still, or batches would depend on the disk's timing."""

    async def awaited() -> T:
        return await work

    return asyncio.run_coroutine_threadsafe(awaited(), _loop()).result()
