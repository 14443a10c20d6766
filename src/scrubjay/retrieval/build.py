"""Build an index: beside its place first, moved there whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scrubjay.core.errors import InputError, ModelError
from scrubjay.core.files import folder_atomic
from scrubjay.core.nouns import Passage
from scrubjay.core.progress import Count
from scrubjay.retrieval.index import Index
from scrubjay.retrieval.rows import rows, searchable
from scrubjay.retrieval.store import Manifest, Store

if TYPE_CHECKING:
    import numpy as np

    from scrubjay.retrieval.types import Encoder

SLICE = 512
"""Passages encoded between two reports of progress."""


def build_index(
    passages: Iterable[Passage],
    folder: str | os.PathLike[str],
    *,
    encoder: Encoder | None = None,
    progress: Count | None = None,
) -> Index:
    """Index the passages by their words and, with an encoder, by their vectors.

    The new index replaces an old one at the very end; a build that fails or is killed leaves the
    old one as it was. ``progress`` is called with (encoded, all).

    Raises:
        InputError: no passages, two with one id, or ``folder`` holds something else.
        ModelError: the encoder gave vectors that aren't finite.
        DiskError: the disk is full or not writable.
    """
    folder, passages = Path(folder), list(passages)
    if not passages:
        raise InputError("there are no passages to index; give at least one", file=folder)
    if folder.exists() and not _replaceable(folder):
        raise InputError(
            "this is not an index and would be overwritten; choose another folder", file=folder
        )
    rows(passages, None)  # complains about the passages before they are encoded
    vectors = None if encoder is None else encode(passages, encoder, progress)
    with folder_atomic(folder) as new:
        Store.create(new, rows(passages, vectors))
        Manifest(
            None if encoder is None else encoder.name,
            0 if encoder is None else encoder.dimensions,
        ).save(new)
    return Index.open(folder, encoder=encoder, mode="text" if encoder is None else "hybrid")


def encode(
    passages: Sequence[Passage],
    encoder: Encoder,
    progress: Count | None = None,
) -> np.ndarray:
    """float32 unit vectors (passages, dimensions), encoded longest first so that a batch wastes
    little on padding.

    Raises:
        ModelError: a vector isn't finite or has the wrong length.
    """
    import numpy as np

    texts = [searchable(p) for p in passages]
    order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
    vectors = np.empty((len(texts), encoder.dimensions), np.float32)
    for start in range(0, len(order), SLICE):
        part = order[start : start + SLICE]
        vectors[part] = checked(encoder, encoder.encode([texts[i] for i in part]), len(part))
        if progress is not None:
            progress(start + len(part), len(texts))
    return vectors


def checked(encoder: Encoder, vectors: np.ndarray, count: int) -> np.ndarray:
    """The vectors, if they are what an encoder promises.

    Raises:
        ModelError: they aren't.
    """
    import numpy as np

    if vectors.shape != (count, encoder.dimensions) or not np.isfinite(vectors).all():
        raise ModelError(
            f"the encoder {encoder.name} gave vectors of shape {vectors.shape} or with values "
            f"that aren't finite, where {(count, encoder.dimensions)} finite ones were due"
        )
    return vectors


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / "manifest.json").exists() or not any(folder.iterdir()))
