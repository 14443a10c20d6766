"""Parts of a study that are measured once: a file each, so that a killed study goes on.

    value = await kept(out / "pairs.json", lambda: distil(stage))     # JSON in, JSON out

What comes back has always been through JSON, so that a study sees the same after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from scrubjay.core.files import dump_json, write_atomic


async def kept(path: Path, work: Callable[[], Awaitable[Any]]) -> Any:
    """What ``work`` makes, or made in an earlier attempt.

    Raises:
        DiskError: the file can't be written.
    """
    if not path.exists():
        write_atomic(path, dump_json(await work()))
    return json.loads(path.read_text("utf-8"))
