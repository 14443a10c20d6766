"""Markdown, reStructuredText and plain text: headings, paragraphs, fenced code.

A heading is a line of one to six ``#`` and text, or a line that is underlined. Which underline is
which level is decided by the order in which they appear (reStructuredText's own rule; in Markdown
``=`` comes before ``-`` anyway). Nothing inside a fence is a heading; tildes right under a line
that they are as long as are its underline. A text with directives is reStructuredText (``rst``).
"""

from __future__ import annotations

import re

from scrubjay.retrieval.readers.decode import decode
from scrubjay.retrieval.readers.rst import cleaned, is_rst
from scrubjay.retrieval.readers.types import Block

_HASH = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*")
_UNDER = re.compile(r"([=\-~^\"'*+#])\1{2,}\s*")
_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
LONGEST = 300
"""A longer line is no heading; patterns are not tried on it."""


def read_markdown(data: bytes) -> list[Block]:
    """The blocks of a text.

    Raises:
        Unreadable: it is binary.
    """
    text = decode(data)
    return blocks(cleaned(text) if is_rst(text) else text)


def blocks(text: str) -> list[Block]:
    """Headings and paragraphs with their lines."""
    found: list[Block] = []
    paragraph: list[str] = []
    underlines: list[str] = []
    start, fence = 1, ""

    def close() -> None:
        if paragraph:
            found.append(Block("\n".join(paragraph), start, keep=True))
            paragraph.clear()

    for number, line in enumerate(text.split("\n"), 1):
        short = len(line) <= LONGEST
        mark = _FENCE.match(line) if short else None
        if mark and not fence and len(paragraph) == 1 and _is_under(paragraph[0], line):
            mark = None
        if fence:
            paragraph.append(line)
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            if not paragraph:
                start = number
            paragraph.append(line)
            fence = mark[1]
        elif not line.strip():
            close()
        elif short and (heading := _HASH.fullmatch(line)) and heading[2]:
            close()
            found.append(Block(heading[2], number, len(heading[1])))
        elif short and len(paragraph) == 1 and (under := _UNDER.fullmatch(line)):
            if under[1] not in underlines:
                underlines.append(under[1])
            found.append(Block(paragraph.pop().strip(), number - 1, underlines.index(under[1]) + 1))
        else:
            if not paragraph:
                start = number
            paragraph.append(line)
    close()
    return found


def _is_under(title: str, line: str) -> bool:
    return _UNDER.fullmatch(line) is not None and len(line.rstrip()) >= len(title.rstrip())
