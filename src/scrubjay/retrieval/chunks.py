"""From blocks to passages: whole paragraphs of one section, up to ``words`` words each.

    # Jays              ->  Passage(title="Jays > Food", text="They hide acorns. …",
    ## Food                         meta={"file": "birds.md", "line": 3, "last": 5})
    They hide acorns. …

A passage never crosses a heading, and its title is the way of headings to it, so that a paragraph
that says only "it" is still found; the entry of a definition list that the passage goes on with is
the last part of that way. A block that introduces the next one (such an entry, or a sentence that
ends in a colon) stands with it where both fit. The name of the file is a title only where no
heading is, and before the definitions of source code: small models take it for the answer. A
paragraph that is too long by itself is cut at line ends, then between words, then anywhere: no
input makes a passage larger than ``CHARACTERS``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from scrubjay.core.nouns import Passage
from scrubjay.retrieval.files import Unreadable
from scrubjay.retrieval.readers import kind_of
from scrubjay.retrieval.readers.types import Block

WORDS = 120
CHARACTERS = 1600
TITLE = 160
"""Characters of a title."""
MOST = 100_000
"""Passages of a file: more than the longest book gives; a file with more is data, or hostile."""
LONE = re.compile(r"[\ud800-\udfff\x00]")


def passages(name: str, blocks: Sequence[Block], words: int = WORDS) -> list[Passage]:
    """The passages of a file called ``name``.

    An id is the file's name and a digest of title and text: a passage that didn't change keeps its
    id when the lines above it move.

    Raises:
        Unreadable: they are more than ``MOST``.
    """
    made: list[Passage] = []
    ids: dict[str, int] = {}
    headings: list[Block] = []
    waiting: list[Block] = []

    def close() -> None:
        if waiting:
            if len(made) == MOST:
                raise Unreadable(f"falls into more than {MOST:,} passages")
            made.append(_passage(name, headings, waiting, ids))
            waiting.clear()

    for block in blocks:
        if block.level:
            close()
            headings = [h for h in headings if h.level < block.level] + [block]
            continue
        for piece in _pieces(block, words):
            if waiting and not _fits(waiting, piece, words):
                led = _leading(waiting, piece, words)
                del waiting[len(waiting) - len(led) :]
                close()
                waiting += led
            waiting.append(piece)
    close()
    return made or _bare(name, headings, ids)


def _fits(waiting: Sequence[Block], piece: Block, words: int) -> bool:
    return piece.page == waiting[0].page and _count([*waiting, piece]) <= words


def _leading(waiting: Sequence[Block], piece: Block, words: int) -> list[Block]:
    """The last of the waiting blocks that introduce the piece and fit into one passage with it."""
    led: list[Block] = []
    for block in reversed(waiting):
        introduces = block.leads or block.text.rstrip()[-1:] == ":"
        if not introduces or not _fits([block, *led], piece, words):
            break
        led.insert(0, block)
    return led


def _bare(name: str, headings: list[Block], ids: dict[str, int]) -> list[Passage]:
    """A file of headings only is still something to find."""
    return [_passage(name, headings[:-1], [headings[-1]], ids)] if headings else []


def _passage(
    name: str, headings: Sequence[Block], parts: Sequence[Block], ids: dict[str, int]
) -> Passage:
    way = [" ".join(h.text.split()) for h in headings]
    if parts[0].term:
        way.append(parts[0].term)
    if not way or kind_of(name) == "code":
        way.insert(0, name.rsplit("/", 1)[-1])
    title = LONE.sub(" ", _title(way))
    text = LONE.sub(" ", "\n\n".join(p.text.strip("\n") for p in parts))
    digest = hashlib.blake2b(f"{title}\0{text}".encode(), digest_size=6).hexdigest()
    seen = ids[digest] = ids.get(digest, 0) + 1
    meta: dict[str, str | int] = {"file": name}
    if parts[0].line:
        meta["line"] = parts[0].line
        meta["last"] = parts[-1].last or parts[-1].line + parts[-1].text.count("\n")
    if parts[0].page:
        meta["page"] = parts[0].page
    if headings:
        meta["section"] = LONE.sub(" ", headings[-1].text)[:TITLE]
    return Passage(
        f"{name}#{digest}" + (f"-{seen}" if seen > 1 else ""), text, title, name, meta=meta
    )


def _title(way: list[str]) -> str:
    """The way in at most ``TITLE`` characters: what is left out is its middle, never its end."""
    while len(way) > 2 and len(" > ".join(way)) > TITLE:
        del way[1]
    return (
        " > ".join(part[: TITLE // 2] for part in way)[:TITLE] if len(way) > 1 else way[0][:TITLE]
    )


def place(passage: Passage) -> str:
    """Where a passage stands, as editors take it: ``file:line``, or the page of a PDF."""
    meta = passage.meta
    file = str(meta.get("file", passage.document))
    if "line" in meta:
        return f"{file}:{meta['line']}"
    return f"{file}, page {meta['page']}" if "page" in meta else file


def _count(parts: Sequence[Block]) -> int:
    # Long words count for more, so that neither words nor characters run away.
    return max(
        sum(len(p.text.split()) for p in parts),
        sum(len(p.text) for p in parts) * WORDS // CHARACTERS,
    )


def _pieces(block: Block, words: int) -> Iterator[Block]:
    """The block, cut if it is too long; pieces know their own first line."""
    if len(block.text) <= CHARACTERS and len(block.text.split()) <= 1.5 * words:
        yield block
        return
    held: list[str] = []
    size = count = 0
    start = block.line
    # A block that was joined from lines has one line number for all of them.
    moves = 1 if block.line and block.keep else 0
    for number, line in enumerate(block.text.split("\n")):
        for part in _fit(line, words):
            more = len(part.split())
            if held and (size + len(part) > CHARACTERS or count + more > words):
                yield replace(block, text="\n".join(held), line=start)
                held, size, count = [], 0, 0
            if not held:
                start = block.line + moves * number
            held.append(part)
            size, count = size + len(part) + 1, count + more
    if held:
        yield replace(block, text="\n".join(held), line=start)


def _fit(line: str, words: int) -> Iterator[str]:
    """A line as one part, or as several that fit, cut after sentences where possible."""
    if len(line) <= CHARACTERS and len(line.split()) <= words:
        yield line
        return
    held: list[str] = []
    size = 0
    for match in re.finditer(r"\S+", line):
        word = match[0]
        while len(word) > CHARACTERS:
            if held:
                yield " ".join(held)
                held, size = [], 0
            yield word[:CHARACTERS]
            word = word[CHARACTERS:]
        full = len(held) >= words or size + len(word) > CHARACTERS
        ended = len(held) >= 0.7 * words and held and held[-1][-1:] in ".!?"
        if held and (full or ended):
            yield " ".join(held)
            held, size = [], 0
        held.append(word)
        size += len(word) + 1
    if held:
        yield " ".join(held)
