"""Files that are never half-written.

``write_atomic`` replaces a file whole or not at all; ``JsonLines`` appends whole batches of records
and forgets a torn tail, so that a killed process loses at most what it had not yet reported.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError, disk_errors


def cache_dir(*parts: str) -> Path:
    """The user's cache folder (``$SCRUBJAY_CACHE``, else ``scrubjay`` in the usual place)."""
    root = os.environ.get("SCRUBJAY_CACHE")
    if root is None:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        root = os.path.join(base, "scrubjay")
    path = Path(root, *parts)
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """JSON with sorted keys and plain Unicode: the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=indent, allow_nan=False)


def write_atomic(path: str | os.PathLike[str], data: str | bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never a part.

    Raises:
        DiskError: the disk is full or not writable; the old file is untouched.
    """
    path = Path(path)
    raw = data.encode() if isinstance(data, str) else data
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def folder_atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Build a folder beside ``path`` and move it there when the block ends without an error.

    An existing folder at ``path`` is replaced only at that moment.

    Raises:
        DiskError: the disk is full or not writable; what was at ``path`` is untouched.
    """
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            old = temporary.with_name(temporary.name + ".old")
            if path.exists():
                os.replace(path, old)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[Any]:
    """The records of a JSON Lines file; blank lines are passed over.

    Raises:
        InputError: with file and line, where a line is not JSON or the file can't be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield json.loads(line)
                    except ValueError as error:
                        raise InputError(f"not JSON ({error})", file=path, line=number) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"can't be read: {reason}", file=path) from error


class JsonLines:
    """An append-only JSON Lines file that survives being killed at any moment.

    Opening it drops an unfinished last line (the only kind of damage an interrupted append leaves).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                raw = self.path.read_bytes()
                whole = raw.rfind(b"\n") + 1
                if whole != len(raw):
                    with open(self.path, "r+b") as file:
                        file.truncate(whole)

    def append(self, records: Iterable[Any]) -> None:
        """Append the records in one write, on disk when this returns.

        Raises:
            DiskError: the disk is full; the file is as it was before the call.
        """
        raw = "".join(dump_json(record) + "\n" for record in records).encode()
        # Unbuffered: a buffer would be written once more on closing, after the file was cut back.
        with disk_errors(self.path), open(self.path, "ab", buffering=0) as file:
            before, rest = file.tell(), memoryview(raw)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, before)
                raise

    def read(self) -> list[Any]:
        """All records, oldest first (none when the file doesn't exist yet)."""
        return list(read_jsonl(self.path)) if self.path.exists() else []


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
