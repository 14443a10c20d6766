"""Keys and values of the rows being generated: one tensor, one slot a row, no holes."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Sequence

import numpy
import torch
from torch import Tensor

from scrubjay.models.rows import Row

_STEP = 64


def capacity_for(places: int) -> int:
    """Rows of similar size share a pool: the next multiple of 64, of 256 beyond 512."""
    step = _STEP if places <= 512 else 4 * _STEP
    return -(-places // step) * step


def give_back() -> None:
    """Hand freed memory back to the system, which the C library's allocator rarely does itself.

    Batches of ever other sizes leave its heap full of holes; without this a long run grows.
    """
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


class Pool:
    """Slots of one capacity. Slot ``i`` belongs to ``rows[i]``; the last fills a freed one."""

    def __init__(
        self, capacity: int, layers: int, heads: int, size: int, dtype: torch.dtype
    ) -> None:
        self.capacity = capacity
        self.rows: list[Row] = []
        self.kv = torch.empty(2, layers, 0, heads, capacity, size, dtype=dtype)

    def fit(self) -> None:
        """Make slots for rows that were added, half as many again when there were too few."""
        need, have = len(self.rows), self.kv.shape[2]
        if need > have:
            shape = list(self.kv.shape)
            shape[2] = max(need, have + have // 2)
            grown = _zeros(shape, self.kv.dtype)
            grown[:, :, :have] = self.kv
            self.kv = grown

    def remove(self, gone: set[int]) -> None:
        """Free the slots of the rows whose ``id()`` is in ``gone``."""
        i = 0
        while i < len(self.rows):
            if id(self.rows[i]) in gone:
                last = len(self.rows) - 1
                if i < last:
                    self.kv[:, :, i] = self.kv[:, :, last]
                    self.rows[i] = self.rows[last]
                self.rows.pop()
            else:
                i += 1

    @property
    def places(self) -> Tensor:
        """View (2, layers, slots, capacity, heads, size)."""
        return self.kv.transpose(3, 4)


def _zeros(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Zeros, for what attention masks must be finite. Memory that is new from the system is zero,
    and numpy knows it; torch would write it once more."""
    raw = numpy.zeros((*shape[:-1], shape[-1] * dtype.itemsize), dtype=numpy.uint8)
    return torch.from_numpy(raw).view(dtype)
