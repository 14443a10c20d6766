"""Parts of a study that are measured once: a file each, so that a killed study goes on.

    value = kept(out / "seed-3.json", lambda: measure(stage))               # JSON in, JSON out
    value = await kept_async(out / "pairs.json", lambda: distil(stage))

What comes back has always been through JSON, so that a study sees the same after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from scrubjay.core.files import dump_json, write_atomic


def kept(path: Path, work: Callable[[], Any]) -> Any:
    """What ``work`` makes, or made in an earlier attempt.

    Raises:
        DiskError: the file can't be written.
    """
    if not path.exists():
        write_atomic(path, dump_json(work()))
    return json.loads(path.read_text("utf-8"))


def had(path: Path) -> Any:
    """What an earlier step of the study kept there, and must have.

    Raises:
        AssertionError: it did not.
    """
    if not path.exists():
        raise AssertionError(f"{path.name} was not measured")
    return json.loads(path.read_text("utf-8"))


async def kept_async(path: Path, work: Callable[[], Awaitable[Any]]) -> Any:
    """The same for work that is awaited.

    Raises:
        DiskError: the file can't be written.
    """
    made = None if path.exists() else await work()
    return kept(path, lambda: made)
