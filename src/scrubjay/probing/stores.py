"""Where recorded activations are kept: in memory, or in a folder that survives being killed.

    0.bin, 1.bin, …     the numbers of each site, batch after batch, as the machine holds them
    batches.jsonl       line 1: the settings; then for every whole batch each site's shape and type

A line is written only when the numbers of its batch are on disk, so the files hold what the lines
say; whatever a killed process wrote beyond is cut off when the folder is opened again.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from scrubjay.core.errors import InputError, RunMismatch, disk_errors
from scrubjay.core.files import JsonLines
from scrubjay.probing.sites import Site


class Memory:
    """Tensors of whole batches; those of an unfinished one don't count."""

    def __init__(self, sites: tuple[Site, ...]) -> None:
        self.kept: dict[Site, list[Tensor]] = {site: [] for site in sites}
        self.pending: dict[Site, Tensor] = {}
        self.done = 0
        self._finished = 0

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self._finished + sum(map(_bytes, self.pending.values()))

    def add(self, site: Site, x: Tensor) -> bool:
        """Take a site's tensor; True if its batch has all of its sites now. A site that comes a
        second time begins a new batch: the last one was broken off."""
        if site in self.pending:
            self.pending.clear()
        self.pending[site] = x
        return len(self.pending) == len(self.kept)

    def finish_batch(self) -> None:
        for site, x in self.pending.items():
            self.kept[site].append(x)
            self._finished += _bytes(x)
        self.pending.clear()
        self.done += 1

    def batches(self, site: Site) -> list[Tensor]:
        return list(self.kept[site])

    def whole(self, site: Site) -> Tensor:
        parts = self.kept[site]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def close(self) -> None:
        self.pending.clear()


class Folder:
    """The same on disk; tensors that are read map the files."""

    def __init__(self, folder: Path, sites: tuple[Site, ...], settings: Mapping[str, Any]) -> None:
        """Raises:
        RunMismatch: the folder holds a recording with other settings.
        InputError: the folder is damaged.
        DiskError: it can't be written.
        """
        self.folder, self.sites = folder, sites
        self.log = JsonLines(folder / "batches.jsonl")
        lines = self.log.read()
        if not lines:
            if folder.is_dir() and any(f.suffix == ".bin" for f in folder.iterdir()):
                raise InputError("numbers without a log of batches", file=folder)
            self.log.append([dict(settings)])
        elif lines[0] != settings:
            raise RunMismatch(f"{folder} holds a recording of other sites or another model")
        self.shapes: list[list[Any]] = lines[1:]
        """Of every whole batch, each site's [shape, type]."""
        self.files: dict[Site, BinaryIO] = {}
        self.pending: dict[Site, list[Any]] = {}
        try:
            for number, site in enumerate(sites):
                self.files[site] = self._opened(number)
        except BaseException:
            self.close()
            raise

    @property
    def done(self) -> int:
        return len(self.shapes)

    @property
    def held(self) -> int:
        """Bytes in memory: nothing stays there."""
        return 0

    def add(self, site: Site, x: Tensor) -> bool:
        if site in self.pending:
            self._cut_back()
        rest = memoryview(_raw(x)).cast("B") if x.numel() else memoryview(b"")
        with disk_errors(self.folder):
            while rest:
                rest = rest[self.files[site].write(rest) :]
        self.pending[site] = [list(x.shape), str(x.dtype).removeprefix("torch.")]
        return len(self.pending) == len(self.sites)

    def finish_batch(self) -> None:
        with disk_errors(self.folder):
            for file in self.files.values():
                os.fsync(file.fileno())
        line = [self.pending[site] for site in self.sites]
        self.log.append([line])
        self.shapes.append(line)
        self.pending.clear()

    def batches(self, site: Site) -> list[Tensor]:
        number = self.sites.index(site)
        found, start = [], 0
        for batch in self.shapes:
            shape, kind = batch[number]
            found.append(_mapped(self._path(number), start, shape, kind))
            start += _size(batch[number])
        return found

    def whole(self, site: Site) -> Tensor:
        number = self.sites.index(site)
        (_, *rest), kind = self.shapes[0][number]
        rows = sum(batch[number][0][0] for batch in self.shapes)
        return _mapped(self._path(number), 0, [rows, *rest], kind)

    def close(self) -> None:
        for file in self.files.values():
            file.close()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.bin"

    def _opened(self, number: int) -> BinaryIO:
        path = self._path(number)
        size = sum(_size(batch[number]) for batch in self.shapes)
        with disk_errors(path):
            file = open(path, "ab", buffering=0)  # noqa: SIM115 (``close`` closes it)
            if file.tell() < size:
                file.close()
                raise InputError("is shorter than its log of batches says", file=path)
            file.truncate(size)
            return file

    def _cut_back(self) -> None:
        """Forget the unfinished batch."""
        for number, site in enumerate(self.sites):
            self.files[site].truncate(sum(_size(batch[number]) for batch in self.shapes))
        self.pending.clear()


def _bytes(x: Tensor) -> int:
    return x.numel() * x.element_size()


def _size(entry: list[Any]) -> int:
    shape, kind = entry
    dtype: torch.dtype = getattr(torch, kind)
    return int(math.prod(shape)) * dtype.itemsize


def _raw(x: Tensor) -> Any:
    """The tensor's bytes, for any number format."""
    return x.contiguous().reshape(-1).view(torch.uint8).numpy()


def _mapped(path: Path, start: int, shape: list[int], kind: str) -> Tensor:
    """Numbers of a file as a tensor: read when touched, changes stay in memory."""
    dtype: torch.dtype = getattr(torch, kind)
    count = math.prod(shape) * dtype.itemsize
    if not count:
        return torch.empty(shape, dtype=dtype)
    with disk_errors(path):
        raw = np.memmap(path, np.uint8, mode="c", offset=start, shape=(count,))
    return torch.from_numpy(raw).view(dtype).view(shape)
