"""The same page in two worlds, with names that correspond in the same colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scrubjay.core.nouns import Passage

COLOURS = 10
"""Distinguishable tints in the style sheet; the eleventh name starts over."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text, and the number of its colour (None: not a name)."""

    text: str
    colour: int | None = None


@dataclass(frozen=True, slots=True)
class TwoPages:
    real_title: str
    twin_title: str
    real: list[Piece]
    twin: list[Piece]


def side_by_side(pages: Sequence[tuple[Passage, Passage]]) -> list[TwoPages]:
    """Pairs of pages cut into pieces; an entity has one colour in both."""
    out = []
    for real, twin in pages:
        colours = {real.id: 0}
        for link in (*real.links, *twin.links):
            colours.setdefault(link.target, len(colours) % COLOURS)
        out.append(TwoPages(real.title, twin.title, _cut(real, colours), _cut(twin, colours)))
    return out


def _cut(page: Passage, colours: dict[str, int]) -> list[Piece]:
    pieces, place = [], 0
    for link in sorted(page.links, key=lambda link: (link.start, -link.end)):
        if link.start < place:  # inside another name
            continue
        pieces.append(Piece(page.text[place : link.start]))
        pieces.append(Piece(page.text[link.start : link.end], colours[link.target]))
        place = link.end
    pieces.append(Piece(page.text[place:]))
    return [p for p in pieces if p.text]
