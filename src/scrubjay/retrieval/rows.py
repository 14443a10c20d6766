"""Passages as rows of a table, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json
from scrubjay.core.nouns import Link, Passage

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FIELDS = ("id", "title", "text", "document", "rest")
"""Columns a passage is made of; ``rest`` is JSON: links and meta."""


def rows(passages: Sequence[Passage], vectors: np.ndarray | None) -> pa.Table:
    """Passages as a table; ``words`` is what is searched: the title, then the text.

    Raises:
        InputError: two passages share an id, or one can't be stored as UTF-8 or JSON.
    """
    import pyarrow as pa

    columns: dict[str, list[str]] = {name: [] for name in (*FIELDS, "words")}
    seen: set[str] = set()
    for p in passages:
        if p.id in seen:
            raise InputError(f"two passages have the id '{p.id}'; give each its own")
        seen.add(p.id)
        links = [[x.start, x.end, x.target] for x in p.links]
        try:
            rest = dump_json({"links": links, "meta": dict(p.meta)})
            values = (p.id, p.title, p.text, p.document, rest, searchable(p))
            "".join(values).encode()
        except (TypeError, ValueError) as error:
            raise InputError(f"the passage {p.id!r} can't be stored: {error}") from error
        for column, value in zip(columns.values(), values):
            column.append(value)
    table = {name: pa.array(column, pa.string()) for name, column in columns.items()}
    if vectors is not None:
        flat = pa.array(vectors.reshape(-1), pa.float32())
        table["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table(table)


def searchable(passage: Passage) -> str:
    """What is indexed of a passage, for words and for vectors alike."""
    return f"{passage.title}\n{passage.text}" if passage.title else passage.text


def passage(row: dict[str, Any]) -> Passage:
    """The inverse of ``rows``, for one row."""
    rest = json.loads(row["rest"])
    links = tuple(Link(*link) for link in rest["links"])
    return Passage(row["id"], row["text"], row["title"], row["document"], links, rest["meta"])
