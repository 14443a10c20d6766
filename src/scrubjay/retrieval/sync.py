"""Keep an index in step with folders of files: read what changed, and only that.

    for file in find(paths):
        same (size, mtime)?            nothing is read
        same hash?                     nothing is indexed
        else                           write down old ids + new ids   (1)
                                       put new passages, delete old   (2)
                                       write down new ids             (3)

The account is ``files.json`` in the index. Killed between (1) and (3), it lists every id the file
may have left behind, and the file counts as changed next time: nothing is lost or left over. A new
index grows in a folder beside its place and moves there when it is whole; a killed build goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scrubjay.core.errors import IndexMismatch, InputError, disk_errors
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.nouns import Passage
from scrubjay.core.progress import Count, Progress
from scrubjay.retrieval import readers
from scrubjay.retrieval.build import build_index
from scrubjay.retrieval.chunks import WORDS, passages
from scrubjay.retrieval.files import File, Skipped, Unreadable, common_folder, find, read_bytes
from scrubjay.retrieval.index import Index
from scrubjay.retrieval.readers.isolated import IsolatedReader
from scrubjay.retrieval.store import Manifest

if TYPE_CHECKING:
    from scrubjay.retrieval.types import Encoder

ACCOUNT = "files.json"
BATCH, LARGEST = 1000, 5000
"""Passages put into the index at once; what a killed build may have to do again. A commit costs
time in proportion to the index, so a larger index takes larger batches."""
VERSION = 2
"""Of reading and splitting; another one reads every file again."""


@dataclass(slots=True)
class Entry:
    """What the account knows of a file."""

    size: int
    mtime: int
    hash: str = ""
    """Empty: an update is under way."""
    ids: list[str] = field(default_factory=list)
    skipped: str = ""
    """Why it holds nothing."""


@dataclass(slots=True)
class Account:
    """The files of an index."""

    base: str
    """The folder their names are relative to."""
    words: int = WORDS
    version: int = VERSION
    files: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Account | None:
        """The account of an index; None if it has none or one that can't be read."""
        try:
            values = json.loads((folder / ACCOUNT).read_text("utf-8"))
            files = {name: Entry(**entry) for name, entry in values.pop("files").items()}
            whole = isinstance(values["base"], str) and all(
                isinstance(e.ids, list) and isinstance(e.skipped, str) for e in files.values()
            )
            return cls(**values, files=files) if whole else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def save(self, folder: Path) -> None:
        write_atomic(folder / ACCOUNT, dump_json(asdict(self)) + "\n")


@dataclass(slots=True)
class Report:
    """What a sync did."""

    changed: int = 0
    added: int = 0
    removed: int = 0
    same: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    binary: dict[str, int] = field(default_factory=dict)
    """Files passed over for their kind, by suffix."""
    passages: int = 0
    """In the index now."""
    bytes: int = 0
    """Read."""

    def sentence(self) -> str:
        parts = f"{self.changed} changed, {self.added} added, {self.removed} removed"
        return f"{parts}, {self.same} as before"


def sync(
    paths: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    encoder: Encoder | None = None,
    hidden: bool = False,
    words: int = WORDS,
    progress: Progress | None = None,
) -> Report:
    """Make the index in ``folder`` hold what the files below ``paths`` hold now.

    With other paths, another passage length or another encoder than before, it is made anew.

    Raises:
        InputError: a path doesn't exist, ``folder`` holds something else, or no file can be read.
        DiskError: the disk is full or not writable; the index is as it was, or goes on next time.
    """
    folder = Path(os.path.abspath(folder))
    partial = folder.with_name(f".{folder.name}.partial")
    _check_place(folder)
    account = Account(str(common_folder(paths)), words)
    old = _kept(folder, account, encoder)
    place = folder if old is not None else partial
    if old is None:
        old = _kept(partial, account, encoder)
        if old is None:
            shutil.rmtree(partial, ignore_errors=True)
    job = _Sync(place, old or account, encoder, Report(), progress)
    found = list(find(paths, hidden=hidden, exclude=[folder, partial]))
    with closing(job.reader):
        job.run(found)
    if job.index is None:
        raise InputError(
            f"nothing to index: none of the {len(found)} files can be read"
            + "".join(f"\n  {s.name}: {s.reason}" for s in job.report.skipped[:5]),
        )
    job.report.passages = len(job.index)
    if place == partial:
        _move(partial, folder)
    return job.report


class _Sync:
    """One run of ``sync``."""

    def __init__(
        self,
        folder: Path,
        account: Account,
        encoder: Encoder | None,
        report: Report,
        progress: Progress | None,
    ) -> None:
        self.folder, self.account, self.encoder = folder, account, encoder
        self.report, self.progress = report, progress
        self.encoded = 0
        self.reader = IsolatedReader()
        self.index = (
            Index.open(folder, encoder=encoder, mode=None if encoder else "text")
            if folder.exists()
            else None
        )

    def run(self, found: Sequence[File | Skipped]) -> None:
        files = [f for f in found if isinstance(f, File)]
        self.report.skipped += [f for f in found if isinstance(f, Skipped)]
        self._forget({f.name for f in files})
        batch: list[tuple[str, Entry, list[Passage]]] = []
        for done, file in enumerate(files, 1):
            if (new := self._read(file)) is not None:
                batch.append(new)
            if sum(len(p) for _, _, p in batch) >= self._enough():
                self._commit(batch)
                batch = []
            if self.progress is not None:
                self.progress("files", done, len(files))
        self._commit(batch)

    def _enough(self) -> int:
        size = 0 if self.index is None else len(self.index)
        return min(max(BATCH, size // 2), LARGEST)

    def _forget(self, there: set[str]) -> None:
        gone = [name for name in self.account.files if name not in there]
        ids = [i for name in gone for i in self.account.files[name].ids]
        if gone and self.index is not None:
            for start in range(0, len(ids), BATCH):
                self.index.delete(ids[start : start + BATCH])
            for name in gone:
                # What held nothing, or was never finished, was no part of the index.
                entry = self.account.files.pop(name)
                self.report.removed += bool(entry.ids and entry.hash)
            self.account.save(self.folder)

    def _read(self, file: File) -> tuple[str, Entry, list[Passage]] | None:
        """The file's new entry and passages; None if the index has them."""
        kind = readers.kind_of(file.name)
        if kind is None:
            suffix = os.path.splitext(file.name)[1].lower()
            self.report.binary[suffix] = self.report.binary.get(suffix, 0) + 1
            return None
        known = self.account.files.get(file.name)
        if known and known.hash and (known.size, known.mtime) == (file.size, file.mtime):
            self._unchanged(file, known)
            return None
        try:
            data = read_bytes(file)
        except Unreadable as error:
            self.report.skipped.append(Skipped(file.name, str(error)))
            return (file.name, Entry(file.size, -1), []) if known and known.ids else None
        self.report.bytes += len(data)
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        if known and known.hash == digest:
            known.size, known.mtime = file.size, file.mtime
            self._unchanged(file, known)
            return None
        entry = Entry(file.size, file.mtime, digest)
        try:
            new = passages(file.name, self.reader.blocks(kind, data), self.account.words)
            entry.skipped = "" if new else "holds no text"
        except Unreadable as error:
            new, entry.skipped = [], str(error)
        if entry.skipped:
            self.report.skipped.append(Skipped(file.name, entry.skipped))
        elif known and known.hash and known.ids:
            self.report.changed += 1
        else:
            self.report.added += 1
        return file.name, entry, new

    def _unchanged(self, file: File, known: Entry) -> None:
        if known.skipped:
            self.report.skipped.append(Skipped(file.name, known.skipped))
        else:
            self.report.same += 1

    def _commit(self, batch: Sequence[tuple[str, Entry, list[Passage]]]) -> None:
        new = [p for _, _, held in batch for p in held]
        stale: list[str] = []
        for name, entry, held in batch:
            ids = [p.id for p in held]
            before = self.account.files.get(name, Entry(0, 0)).ids
            stale += sorted({*before} - {*ids})
            entry.ids = ids
            self.account.files[name] = Entry(0, 0, "", [*before, *ids])
        if self.index is None:
            if not new:
                for name, entry, _ in batch:
                    self.account.files[name] = entry
                return
            self.index = build_index(
                new, self.folder, encoder=self.encoder, progress=self._encoding()
            )
        elif batch:
            self.account.save(self.folder)
            for part in _slices(new):
                self.index.add(part, self._encoding())
            for start in range(0, len(stale), BATCH):
                self.index.delete(stale[start : start + BATCH])
        for name, entry, _ in batch:
            self.account.files[name] = entry
        self.account.save(self.folder)

    def _encoding(self) -> Count | None:
        """Progress of the slow part, over the passages read so far."""
        report, before = self.progress, self.encoded
        if report is None or self.encoder is None:
            return None

        def update(done: int, total: int) -> None:
            self.encoded = before + done
            report("passages encoded, of those read", self.encoded, before + total)

        return update


def _slices(new: list[Passage]) -> Iterator[list[Passage]]:
    for start in range(0, len(new), LARGEST):
        yield new[start : start + LARGEST]


def _check_place(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError("this is no folder an index could be in; choose another", file=folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "manifest.json").exists():
        raise InputError(
            "this is not an index and would be overwritten; choose another folder", file=folder
        )


def _kept(folder: Path, wanted: Account, encoder: Encoder | None) -> Account | None:
    """The account of the index in ``folder`` if the sync can go on with it."""
    account = Account.load(folder)
    if account is None:
        return None
    same = (account.base, account.words, account.version)
    if same != (wanted.base, wanted.words, wanted.version):
        return None
    try:
        manifest = Manifest.load(folder)
        empty = not len(Index.open(folder, mode="text"))
    except IndexMismatch:
        return None
    name = None if encoder is None else encoder.name
    return None if empty or manifest.encoder != name else account


def _move(partial: Path, folder: Path) -> None:
    old = partial.with_name(partial.name + ".old")
    with disk_errors(folder):
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        os.replace(partial, folder)
        shutil.rmtree(old, ignore_errors=True)
