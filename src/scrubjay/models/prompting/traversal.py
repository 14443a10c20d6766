"""Structured traversal: make a model walk down a hierarchy it holds in memory before it answers.

The answer is begun for the model (*forced prefix*), so that it can't answer at once:

    Levels, in this order: Chapter, Block, Category
    Chapter: 4 Endocrine diseases        <- written by the model after the forced "Chapter:"
    Block: E08-E13 Diabetes mellitus
    Category: E11 Type 2 diabetes

Source: paper 28, section 3.3: recall how the system is built, write its levels from the top to the
leaf, then answer. The forced prefix is our sheet's form of it for small models.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LABEL = re.compile(r"[\W_]*")


@dataclass(frozen=True, slots=True)
class StructuredTraversal:
    """The levels of a system from the top down, and what is already known of the way.

    Raises:
        ValueError: no levels, or more ``given`` entries than levels.
    """

    levels: tuple[str, ...]
    given: tuple[str, ...] = ()
    """Entries of the first levels that are written for the model. They are information: a
    comparison must give the same to everybody."""

    def __post_init__(self) -> None:
        if not self.levels or len(self.given) > len(self.levels):
            raise ValueError("a traversal needs levels, and at most one given entry a level")

    @property
    def beginning(self) -> str:
        """The forced prefix: the given entries, then the next level's name and a colon."""
        known = [f"{level}: {entry}" for level, entry in zip(self.levels, self.given)]
        following = self.levels[len(self.given) :][:1]
        return "\n".join([*known, *(f"{level}:" for level in following)])

    def parse(self, reply: str) -> tuple[str, ...]:
        """The entries of a reply to the beginning, from the top down, the given ones first.

        Ends at the first line that isn't the next level's, at an empty entry, or after the last
        level: what a model writes beyond its answer is not part of the way.
        """
        entries = list(self.given)
        for place, line in enumerate(reply.strip().splitlines()):
            if len(entries) == len(self.levels):
                break
            label, entry = self.levels[len(entries)], line.strip()
            start = _LABEL.sub("", entry, count=1)
            if start.casefold().startswith(f"{label.casefold()}:"):
                entry = start[len(label) + 1 :]
            elif place:
                break
            entry = entry.strip(" *_")
            if not entry:
                break
            entries.append(entry)
        return tuple(entries)


def best_entry(
    written: str, entries: Sequence[tuple[str, str]], *, least: float = 0.6
) -> int | None:
    """Which of ``entries`` (code, name) a model meant: by its code if that stands in front, else by
    the share of words in common (Jaccard), at least ``least``; None if none is meant."""
    words = _words(written)
    first = written.split()[0].strip("():,;-").casefold() if written.split() else ""
    for place, (code, _) in enumerate(entries):
        if first and first == code.casefold():
            return place
    scores = [_jaccard(words, _words(name)) for _, name in entries]
    best = max(range(len(scores)), key=scores.__getitem__, default=None)
    return best if best is not None and scores[best] >= least else None


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0
