"""A run folder: settings and every answer, appended chunk by chunk, safe to kill at any moment.

    run.json        settings, versions of the software that wrote it, when it was begun
    answers.jsonl   one record a line; the last record of a chunk has ``left: 0``
    gap.json, …     tables derived from the records (``gap.write_tables``), reproducible to the byte

A chunk counts when its last record is there; opening a run drops what a killed process left of an
unfinished one. Tables depend on the records only, not on when or in what order they arrived.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scrubjay import __version__
from scrubjay.core.errors import InputError, RunMismatch, disk_errors
from scrubjay.core.files import JsonLines, dump_json, write_atomic
from scrubjay.core.folders import lock, same_settings
from scrubjay.core.trace import Cost, Trace


@dataclass(frozen=True, slots=True)
class Record:
    """One question answered in one setting and one world, scored."""

    setting: str
    world: str
    """'real', or 'twin-0', 'twin-1', …"""
    question: str
    """The question's id, shared by all worlds."""
    task: str
    group: str
    text: str
    """The question as it was asked in this world."""
    gold: tuple[str, ...]
    prediction: str
    scores: Mapping[str, float]
    index: int = 0
    """Position among the questions."""
    source: str = ""
    confidence: float | None = None
    citations: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    note: str = ""
    """Why the answer is only a partial one, if it is."""
    cost: Mapping[str, float] = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()
    """The trace in plain values."""

    @property
    def trace(self) -> Trace:
        return Trace.from_list([dict(s) for s in self.steps])

    @property
    def spent(self) -> Cost:
        return Cost(**self.cost)  # type: ignore[arg-type]


class Run:
    """A run folder open for writing by this process alone; use as a context manager."""

    def __init__(self, folder: Path, manifest: dict[str, Any], handle: int | None) -> None:
        self.folder, self.manifest, self._lock = folder, manifest, handle
        self._lines = JsonLines(folder / "answers.jsonl") if handle is not None else None
        self._chunks = _read_chunks(folder / "answers.jsonl", repair=handle is not None)

    @classmethod
    def open(cls, folder: str | os.PathLike[str], settings: Mapping[str, Any]) -> Run:
        """Begin a run in ``folder``, or go on with the one that is there.

        ``settings``: everything that decides the results, as JSON values.

        Raises:
            RunMismatch: the folder holds a run with other settings (the sentence says which).
            InputError: the folder holds a run that can't be read.
            DiskError: the folder can't be written.
            ScrubjayError: another process is writing this run.
        """
        folder, wanted = Path(folder), json.loads(dump_json(settings))
        handle = lock(folder)
        try:
            manifest = _continued(folder, wanted) or {
                "settings": wanted,
                "versions": [_versions()],
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            write_atomic(folder / "run.json", dump_json(manifest, indent=1) + "\n")
            return cls(folder, manifest, handle)
        except BaseException:
            os.close(handle)
            raise

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Run:
        """Read a run without touching it.

        Raises:
            InputError: the folder holds no run, or one that can't be read.
        """
        folder = Path(folder)
        manifest = _manifest(folder)
        if manifest is None:
            raise InputError("holds no run (there is no run.json)", file=folder)
        return cls(folder, manifest, None)

    @property
    def settings(self) -> Mapping[str, Any]:
        settings: Mapping[str, Any] = self.manifest["settings"]
        return settings

    def done(self, chunk: str) -> bool:
        """Whether the chunk is recorded, whole."""
        return chunk in self._chunks

    def chunk(self, chunk: str) -> list[Record]:
        """The records of a chunk that is done, in order."""
        return self._chunks[chunk]

    def add(self, chunk: str, records: Sequence[Record]) -> None:
        """Record a chunk: all of it or, on an error, nothing.

        Raises:
            DiskError: the disk is full; what was recorded before is safe.
            ValueError: the chunk is recorded already, is empty, or the run is open for reading.
        """
        if self._lines is None or self.done(chunk) or not records:
            raise ValueError(f"can't add the chunk {chunk!r}")
        last = len(records) - 1
        rows = [
            {"chunk": chunk, "left": last - i, **_plain(asdict(r))} for i, r in enumerate(records)
        ]
        self._lines.append(rows)
        # What is kept equals what a resumed run would read back.
        self._chunks[chunk] = [_record(json.loads(dump_json(row))) for row in rows]

    def records(self) -> list[Record]:
        """All records, in an order that doesn't depend on when they were made."""
        every = (r for records in self._chunks.values() for r in records)
        return sorted(every, key=lambda r: (r.setting, r.world, r.task, r.index, r.question))

    def close(self) -> None:
        """Let other processes write the run."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = self._lines = None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _record(row: Mapping[str, Any]) -> Record:
    known = {f.name for f in fields(Record)}
    given: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in row.items() if k in known
    }
    return Record(**given)


def _read_chunks(path: Path, *, repair: bool) -> dict[str, list[Record]]:
    """Whole chunks of the file; with ``repair`` the file is cut after the last one."""
    chunks: dict[str, list[Record]] = {}
    waiting: list[Record] = []
    end = 0
    for number, place, line in _lines(path):
        try:
            row = json.loads(line)
            waiting.append(_record(row))
            chunk, left = row["chunk"], row["left"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                "not a record of a run; remove the line, or start again in another folder",
                file=path,
                line=number,
            ) from error
        if left == 0:
            chunks[chunk], waiting, end = waiting, [], place
    if repair and waiting:
        with disk_errors(path):
            os.truncate(path, end)
    return chunks


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(number, offset of its end, text) of every whole line."""
    if not path.exists():
        return
    place = 0
    with disk_errors(path), open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            place += len(line)
            if line.endswith(b"\n"):
                yield number, place, line


def _manifest(folder: Path) -> dict[str, Any] | None:
    path = folder / "run.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(manifest["settings"], dict) and isinstance(manifest["versions"], list):
            return manifest
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise InputError("not the manifest of a run; give another folder", file=path)


def _continued(folder: Path, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest of the run that is there, with this software's versions added."""
    manifest = _manifest(folder)
    if manifest is None:
        if (folder / "answers.jsonl").exists():
            raise RunMismatch(f"{folder} holds answers but no run.json; give another folder")
        return None
    same_settings(folder, manifest["settings"], wanted)
    if _versions() not in manifest["versions"]:
        manifest["versions"].append(_versions())
    return manifest


def _versions() -> dict[str, str]:
    out = {"scrubjay": __version__, "python": platform.python_version()}
    for package in ("torch", "transformers"):
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return out


def _plain(value: Any) -> Any:
    """JSON can't hold NaN, infinities and lone surrogates: None, None and '?' stand for them."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value
