"""JSON Lines: one record a line; its text is its values, its title the usual field for one.

A key stands before each of its values, so a record could unfold to any size (a key of a megabyte
over a million numbers): keys are cut, and a record that still grows too much is refused.
"""

from __future__ import annotations

import json
from typing import Any

from scrubjay.retrieval.files import Unreadable
from scrubjay.retrieval.readers.decode import decode
from scrubjay.retrieval.readers.types import Block

TITLES = ("title", "name", "heading", "subject")
TEXTS = ("text", "contents", "content", "body", "passage")
KEY = 80
"""Characters of a key that are shown."""
GROWTH = 10
"""Times its own length that a record may unfold to."""


def read_jsonl(data: bytes) -> list[Block]:
    """A heading and a text per record.

    Raises:
        Unreadable: a line is not JSON; the sentence names it.
    """
    found: list[Block] = []
    for number, line in enumerate(decode(data).split("\n"), 1):
        if not line.strip():
            continue
        try:
            title, text = _parts(json.loads(line), GROWTH * len(line) + 1000)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"line {number} is not JSON") from error
        if text is None:
            raise Unreadable(f"line {number} unfolds to more than {GROWTH} times its length")
        found.append(Block(title or f"record {number}", number, 1))
        if text:
            found.append(Block(text, number))
    return found


def _parts(record: Any, most: int) -> tuple[str, str | None]:
    """Title and text: the usual fields, else ``key: value`` of everything inside; None: longer
    than ``most``."""
    if not isinstance(record, dict):
        return "", _flat(record, most)
    title = next((record[k] for k in TITLES if isinstance(record.get(k), str)), "")
    text = next((record[k] for k in TEXTS if isinstance(record.get(k), str)), None)
    return title, text if text is not None else _flat(record, most)


def _flat(record: Any, most: int) -> str | None:
    # A stack, not recursion: values at a great depth cost no more than others.
    lines: list[str] = []
    waiting: list[tuple[str, Any]] = [("", record)]
    while waiting and most >= 0:
        key, value = waiting.pop()
        if isinstance(value, dict):
            inner = [(f"{key}.{k}" if key else str(k), v) for k, v in value.items()]
            waiting += [(k if len(k) <= KEY else "…" + k[1 - KEY :], v) for k, v in reversed(inner)]
        elif isinstance(value, list):
            waiting += [(key, v) for v in reversed(value)]
        elif value is not None:
            lines.append(f"{key}: {value}" if key else str(value))
            most -= len(lines[-1])
    return "\n".join(lines) if most >= 0 else None
