"""Finding and opening a user's files without being led astray.

    find(["docs"])  ->  File(docs/guide.md) …  Skipped(docs/loop, "a link, not followed") …

Folders are walked by their own entries only: no symbolic link is followed, so a walk can neither
leave the path it was given nor go round in circles. What is not a regular file (a pipe, a socket, a
device) is never opened: opening waits for a writer, reading may never end. Names are bytes to the
system; here they are text that can be printed and stored, whatever they hold.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scrubjay.core.errors import InputError, ScrubjayError

MAX_BYTES = 50_000_000
"""A larger file is skipped: text of that size is data, not documentation."""
PASSED = frozenset({"node_modules", "__pycache__", "venv", "env", "site-packages", "CVS", "_darcs",
                    "_sources", "_static"})  # fmt: skip
"""Folders of other people's files, and of what Sphinx puts beside its pages (their sources, once
more, and its scripts); passed over below a path, not when they are the path."""


class Unreadable(ScrubjayError):
    """A file that can't be read, and why; the build goes on without it."""


@dataclass(frozen=True, slots=True)
class File:
    """A regular file: ``name`` is its path below the common folder, printable, with slashes."""

    path: Path
    name: str
    size: int
    mtime: int
    """Nanoseconds."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not read, and why."""

    name: str
    reason: str


def common_folder(paths: Sequence[str | os.PathLike[str]]) -> Path:
    """The folder that names are relative to: the deepest one that holds all ``paths``.

    Raises:
        InputError: a path doesn't exist, or there is none.
    """
    if not paths:
        raise InputError("no path is given; name a file or a folder")
    roots = []
    for path in paths:
        root = Path(os.path.realpath(path))
        if not root.exists():
            raise InputError("there is no such file or folder", file=printable(os.fspath(path)))
        roots.append(root if root.is_dir() else root.parent)
    return Path(os.path.commonpath(roots))


def find(
    paths: Sequence[str | os.PathLike[str]],
    *,
    hidden: bool = False,
    exclude: Sequence[Path] = (),
) -> Iterator[File | Skipped]:
    """Every file below ``paths``, in the order of names; each once.

    Args:
        hidden: also names that start with a dot, and the folders in ``PASSED``.
        exclude: folders that are passed over without a word (the index itself).

    Raises:
        InputError: a path doesn't exist.
    """
    base = common_folder(paths)
    names: set[str] = set()
    seen: set[Path] = set()
    for given in paths:
        for path, found in _below(Path(os.path.realpath(given)), base, hidden, exclude):
            if path in seen:
                continue
            seen.add(path)
            if found.name not in names:
                names.add(found.name)
                yield found
            else:
                yield Skipped(found.name, "another file's name looks the same")


def read_bytes(file: File, limit: int = MAX_BYTES) -> bytes:
    """The file's content, if it still is a regular file of at most ``limit`` bytes.

    Raises:
        Unreadable: it isn't, or it can't be opened.
    """
    try:
        # Not blocking and not following: it may have become a pipe or a link since it was found.
        handle = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as source:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Unreadable("not a regular file")
            data = source.read(limit + 1)
    except OSError as error:
        raise Unreadable((error.strerror or str(error)).lower()) from error
    if len(data) > limit:
        raise Unreadable(f"larger than {limit / 1e6:.0f} MB")
    return data


def printable(name: str) -> str:
    """A name or text without anything that could move the cursor: controls become escapes.

    >>> printable("a\\x1b[2J\\nb")
    'a\\\\x1b[2J\\\\nb'
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in name)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def _below(
    root: Path, base: Path, hidden: bool, exclude: Sequence[Path]
) -> Iterator[tuple[Path, File | Skipped]]:
    waiting = [root]
    while waiting:
        path = waiting.pop()
        name = printable(os.path.relpath(path, base)).replace(os.sep, "/")
        try:
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode):
                yield path, Skipped(name, "a link, not followed")
            elif stat.S_ISREG(info.st_mode):
                yield path, _file(path, name, info)
            elif not stat.S_ISDIR(info.st_mode):
                yield path, Skipped(name, "not a regular file")
            elif path not in exclude:
                inside = sorted(os.listdir(path), reverse=True)
                if path == root or hidden or "pyvenv.cfg" not in inside:
                    waiting += [path / n for n in inside if hidden or not _passed(n)]
        except OSError as error:
            yield path, Skipped(name, (error.strerror or str(error)).lower())


def _file(path: Path, name: str, info: os.stat_result) -> File | Skipped:
    if info.st_size > MAX_BYTES:
        return Skipped(name, f"larger than {MAX_BYTES / 1e6:.0f} MB")
    return File(path, name, info.st_size, info.st_mtime_ns)


def _passed(name: str) -> bool:
    return name.startswith(".") or name in PASSED
