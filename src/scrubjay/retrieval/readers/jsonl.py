"""JSON Lines: one record a line; its text is its values, its title the usual field for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scrubjay.retrieval.files import Unreadable
from scrubjay.retrieval.readers.decode import decode
from scrubjay.retrieval.readers.types import Block

TITLES = ("title", "name", "heading", "subject")
TEXTS = ("text", "contents", "content", "body", "passage")


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
            record = json.loads(line)
            title, text = _parts(record)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"line {number} is not JSON") from error
        found.append(Block(title or f"record {number}", number, 1))
        if text:
            found.append(Block(text, number))
    return found


def _parts(record: Any) -> tuple[str, str]:
    """Title and text: the usual fields, else ``key: value`` of everything inside."""
    if not isinstance(record, dict):
        return "", "\n".join(_flat(record, ""))
    title = next((record[k] for k in TITLES if isinstance(record.get(k), str)), "")
    text = next((record[k] for k in TEXTS if isinstance(record.get(k), str)), None)
    return title, text if text is not None else "\n".join(_flat(record, ""))


def _flat(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for k, v in value.items():
            yield from _flat(v, f"{key}.{k}" if key else str(k))
    elif isinstance(value, list):
        for v in value:
            yield from _flat(v, key)
    elif value is not None:
        yield f"{key}: {value}" if key else str(value)
