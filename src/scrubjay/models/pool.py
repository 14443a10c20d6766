"""Keys and values of the rows being generated, in blocks of 64 tokens.

A row holds as many blocks as it needs for what it stores, and takes another when the last is full.
The blocks in use lie side by side, so that one pass reads them all as one tensor: when a row
leaves, the last blocks fill its place.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterable, Iterator, Sequence

import numpy
import torch
from torch import Tensor

from scrubjay.models.rows import Row

BLOCK = 64


def blocks_for(places: int) -> int:
    return -(-places // BLOCK)


def give_back() -> None:
    """Hand freed memory back to the system, which the C library's allocator rarely does itself.

    Batches of ever other sizes leave its heap full of holes; without this a long run grows.
    """
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


class Pool:
    """``rows`` and their blocks. Block ``i`` belongs to ``owners[i]``."""

    def __init__(self, layers: int, heads: int, size: int, dtype: torch.dtype) -> None:
        self.rows: list[Row] = []
        self.owners: list[Row] = []
        self._empty = torch.empty(2, layers, 0, heads, BLOCK, size, dtype=dtype)
        self.kv = self._empty
        """(2, layers, blocks, heads, BLOCK, size); zeros where nothing was written yet."""

    def hold(self, places: Iterable[tuple[Row, int]]) -> None:
        """Give each row blocks for at least so many places."""
        for row, n in places:
            for _ in range(blocks_for(n) - len(row.blocks)):
                row.blocks.append(len(self.owners))
                self.owners.append(row)
        need, have = len(self.owners), self.kv.shape[2]
        if need > have:
            # Memory that nobody has written to isn't there yet, so ample room costs little.
            shape = list(self.kv.shape)
            shape[2] = max(4 * need, 16)
            room = _zeros(shape, self.kv.dtype)
            room[:, :, :have] = self.kv
            self.kv = room

    def write(self, row: Row, parts: Iterable[Tensor]) -> None:
        """Put keys and values (2, layers, heads, tokens, size) into the row's first places."""
        first = 0
        for kv in parts:
            for own, there in self._spans(row, first, first + kv.shape[3]):
                own.copy_(kv[:, :, :, there])
            first += kv.shape[3]

    def read(self, row: Row, first: int = 0, layers: slice = slice(None)) -> Tensor:
        """A copy (2, layers, heads, tokens, size) of what the row stored from a place on."""
        _, _, _, heads, _, size = self.kv.shape
        count = len(range(*layers.indices(self.kv.shape[1])))
        copy = self.kv.new_empty(2, count, heads, row.stored - first, size)
        for own, there in self._spans(row, first, row.stored):
            copy[:, :, :, there] = own[:, layers]
        return copy

    def _spans(self, row: Row, first: int, last: int) -> Iterator[tuple[Tensor, slice]]:
        """The row's places ``first`` … ``last`` block by block: views, and where each belongs in
        that range."""
        at = first
        while at < last:
            end = min(last, (at // BLOCK + 1) * BLOCK)
            within = slice(at % BLOCK, at % BLOCK + end - at)
            yield self.kv[:, :, row.blocks[at // BLOCK], :, within], slice(at - first, end - first)
            at = end

    def remove(self, gone: set[int]) -> None:
        """Free the blocks of the rows whose ``id()`` is in ``gone``."""
        self.rows = [row for row in self.rows if id(row) not in gone]
        kept = [i for i, row in enumerate(self.owners) if id(row) not in gone]
        holes = [i for i in range(len(kept)) if id(self.owners[i]) in gone]
        for row in self.owners:
            if id(row) in gone:
                row.blocks.clear()
        movers = kept[len(kept) - len(holes) :] if holes else []
        for hole, last in zip(holes, movers):
            owner = self.owners[last]
            self.kv[:, :, hole] = self.kv[:, :, last]
            owner.blocks[owner.blocks.index(last)] = hole
            self.owners[hole] = owner
        del self.owners[len(kept) :]
        if not self.rows:  # what was written to goes back to the system
            self.kv = self._empty


def _zeros(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Zeros, for what attention masks must be finite. Memory that is new from the system is zero,
    and numpy knows it; torch would write it once more."""
    raw = numpy.zeros((*shape[:-1], shape[-1] * dtype.itemsize), dtype=numpy.uint8)
    return torch.from_numpy(raw).view(dtype)
