"""Source code: one block per top-level definition, and the lines between.

Without a parser per language: a line that starts in the first column with a word that defines
something opens a block; comments and decorators right above belong to it. A method of a Python
class opens one, too. The heading is the defining line.
"""

from __future__ import annotations

import re

from scrubjay.retrieval.files import Unreadable
from scrubjay.retrieval.readers.decode import decode
from scrubjay.retrieval.readers.types import Block

_DEFINES = re.compile(
    r"(?:(?:export|default|pub(?:\([a-z]+\))?|public|private|protected|static|async|abstract|final)"
    r"\s+){0,4}(def|class|function|fn|func|struct|enum|trait|impl|interface|type|module|namespace)"
    r"\s+\S.*"
)
_METHOD = re.compile(r"    (?:async )?def \w+.*")
_ABOVE = re.compile(r"\s{0,4}(#|//|/\*|\*|@|--|;)")
_SECTION = re.compile(r"\[+[\w.\-\" ]+\]+")
LONGEST = 300
DENSE = 1000
"""Characters a line on average from which on code was packed for machines, not written."""


def read_code(data: bytes) -> list[Block]:
    """The blocks of a source file.

    Raises:
        Unreadable: it is binary, or packed for machines (a search index, minified code).
    """
    text = decode(data)
    lines = text.split("\n")
    if len(text) > DENSE * max(len(lines), 5):
        raise Unreadable("packed for machines: its lines have over 1,000 characters")
    cuts: list[tuple[int, str, int]] = []
    for i, line in enumerate(lines):
        if len(line) > LONGEST:
            continue
        if _DEFINES.fullmatch(line) or _SECTION.fullmatch(line):
            cuts.append((_up(lines, i), line.strip(" {:"), 1))
        elif _METHOD.fullmatch(line):
            cuts.append((_up(lines, i), line.strip(" {:"), 2))
    found = _piece(lines, 0, cuts[0][0] if cuts else len(lines))
    for (start, name, level), after in zip(cuts, [*(c[0] for c in cuts[1:]), len(lines)]):
        found.append(Block(name, start + 1, level))
        found += _piece(lines, start, after)
    return found


def _up(lines: list[str], i: int) -> int:
    """The first of the comment and decorator lines that stand right above line ``i``."""
    while i and len(lines[i - 1]) <= LONGEST and _ABOVE.match(lines[i - 1]):
        i -= 1
    return i


def _piece(lines: list[str], start: int, end: int) -> list[Block]:
    while start < end and not lines[start].strip():
        start += 1
    text = "\n".join(lines[start:end]).rstrip()
    return [Block(text, start + 1, keep=True)] if text else []
