"""A folder in which one process at a time goes on with the work it was begun for.

    with locked(folder):
        begin(folder / "plan.json", settings)       # RunMismatch: it was begun with other settings
        ...                                         # parts that are there need not be made again

The system lets go of the lock with the process, however that ends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError, RunMismatch, ScrubjayError, disk_errors
from scrubjay.core.files import dump_json, write_atomic


def lock(folder: Path) -> int:
    """Make the folder if need be; an open file in it that no other process can lock.

    Raises:
        ScrubjayError: another process holds it.
        DiskError: the folder can't be written.
    """
    import fcntl

    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise ScrubjayError(
            f"another process is writing in {folder}; wait for it or give another folder"
        ) from error
    return handle


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder for this process alone; raises as ``lock``."""
    handle = lock(folder)
    try:
        yield
    finally:
        os.close(handle)


def begin(file: Path, settings: Mapping[str, Any]) -> None:
    """Keep the settings in ``file``, or see that they are those it was begun with.

    Raises:
        RunMismatch: they are others; the sentence names the first that differs.
        InputError: the file holds no settings.
        DiskError: it can't be written.
    """
    wanted = json.loads(dump_json(settings))
    if not file.exists():
        write_atomic(file, dump_json(wanted, indent=1) + "\n")
        return
    try:
        held = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read as settings ({error})", file=file) from error
    same_settings(file.parent, held, wanted)


def same_settings(folder: Path, held: Any, wanted: Any) -> None:
    """Raises ``RunMismatch`` with the first setting that differs, as held and as wanted."""
    found = _difference(held, wanted)
    if found is not None:
        raise RunMismatch(
            f"what is in {folder} was made with {found[0]}, not {found[1]}; "
            "give another folder, or remove this one"
        )


def _difference(held: Any, wanted: Any, name: str = "") -> tuple[str, str] | None:
    if isinstance(held, dict) and isinstance(wanted, dict):
        for key in sorted({*held, *wanted}):
            inner = _difference(held.get(key), wanted.get(key), f"{name}.{key}" if name else key)
            if inner:
                return inner
        return None
    if held == wanted:
        return None
    return f"{name} = {_short(held)}" if name else _short(held), _short(wanted)


def _short(value: Any) -> str:
    text = dump_json(value)
    return text if len(text) <= 80 else text[:77] + "…"
