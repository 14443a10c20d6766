"""What a reader gives: blocks in reading order, each with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a function, a record, or a heading (``level`` > 0)."""

    text: str
    line: int = 0
    """Where it starts, from 1; 0: the format has no lines."""
    level: int = 0
    """1 is the topmost heading; 0: not a heading."""
    page: int = 0
    """Page of a PDF, from 1; 0: no pages."""
    keep: bool = False
    """Line breaks carry meaning (code)."""
    term: str = ""
    """What it explains: the entry of a definition list that it belongs to."""
    last: int = 0
    """Where it ends, if that is not as many lines below as its text has (joined lines)."""
    leads: bool = False
    """It introduces the next block (the entry itself) and should stand with it."""
