"""The nouns every room shares: a passage, a hit, a question, an answer and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrubjay.core.trace import Trace


class Source(StrEnum):
    """Where an answer came from."""

    MEMORY = "memory"
    DOCUMENTS = "documents"
    BOTH = "both"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Link:
    """A reference inside a text: characters ``[start, end)`` name the document ``target``."""

    start: int
    end: int
    target: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that can be found, read and cited. Untrusted: data, never instructions."""

    id: str
    text: str
    title: str = ""
    document: str = ""
    """The id of the document it is part of (its own id when it is the whole document)."""
    links: tuple[Link, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.document:
            object.__setattr__(self, "document", self.id)


@dataclass(frozen=True, slots=True)
class Hit:
    """A found passage; higher scores are better, comparable within one search only."""

    passage: Passage
    score: float
    rank: int = 0
    """0 for the best."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something to answer, with its truth. Items of a world and its twin share ``id``."""

    id: str
    text: str
    answers: tuple[str, ...] = ()
    """Every right answer, the usual form first. Empty: the truth is not known."""
    task: str = ""
    """'recall', 'multihop', 'navigation', or a user's own."""
    group: str = ""
    """What results are broken down by: relation (recall), motif (multihop), distance bucket."""
    gold: tuple[str, ...] = ()
    """Ids of the documents that together hold the answer, in order of use."""
    is_time: bool = False
    """The answer is a date; it is scored by the rules for dates."""
    answer_type: str = ""
    """Type of the answer entity, for ranking among all entities of that type."""
    query: tuple[tuple[str, str, str], ...] = ()
    """The question as a graph pattern: (subject, relation, object) ids, variables start with '?',
    the answer is '?answer'."""
    start: str = ""
    goal: str = ""
    """Navigation: ids of the first page and of the page to reach."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent says, and the record of how it got there."""

    text: str
    trace: Trace
    source: Source | None = None
    confidence: float | None = None
    """Probability in [0, 1] that the answer is right, where the agent has one."""
    citations: tuple[str, ...] = ()
    """Ids of the passages it rests on."""
    path: tuple[str, ...] = ()
    """Navigation: the pages visited, the start first."""
    success: bool | None = None
    """Navigation: whether the goal was reached."""
