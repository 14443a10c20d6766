"""Items: questions before anybody has chosen names for their entities.

An item speaks of entities, dates and numbers by reference. Filling in a name map gives a
``Question`` of one world; filling in another gives its mirror image with the same id. Whatever
decides which items there are looks at the universe, the marked documents and the real names only,
so that a world and all its twins ask the same things.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from scrubjay.core.nouns import Question
from scrubjay.worlds import documents
from scrubjay.worlds.documents import MarkedDocument, Segment
from scrubjay.worlds.names import NameMap, fold
from scrubjay.worlds.universe import NUMBER, TIME, Fact, Timestamp, Universe, Value

SHORTEST = 4
"""Names with fewer letters ('Au', 'IN') count as a clue only as whole words."""


@dataclass(frozen=True, slots=True)
class Item:
    """A question about a universe, not yet told in any world."""

    task: str
    group: str
    query: tuple[Segment, ...]
    answers: tuple[Value, ...]
    """Every right answer."""
    gold: tuple[str, ...] = ()
    """Entities whose pages together hold the answer, in order of use."""
    answer_type: str = ""
    pattern: tuple[tuple[str, str, str], ...] = ()
    """For ``Universe.query``; the answer is '?answer'."""
    start: str = ""
    goal: str = ""
    id: str = field(init=False)
    """Task and a digest of what is asked: the same in every world, and under every seed."""

    def __post_init__(self) -> None:
        asked = repr((self.task, self.pattern, self.start, self.goal))
        digest = blake2b(asked.encode(), digest_size=6).hexdigest()
        object.__setattr__(self, "id", f"{self.task}-{digest}")

    @property
    def is_time(self) -> bool:
        return isinstance(self.answers[0], Timestamp)


def render(item: Item, names: NameMap) -> Question:
    """The item as a question of the world that calls things by ``names``."""
    usual = [names.value(value) for value in item.answers]
    others = [f for a in item.answers if isinstance(a, str) for f in names.forms(a)]
    return Question(
        item.id,
        documents.render(item.query, names)[0],
        tuple(dict.fromkeys(usual + others)),
        item.task,
        item.group,
        item.gold,
        item.is_time,
        item.answer_type,
        item.pattern,
        item.start,
        item.goal,
    )


def fill(phrase: str, slot: str, inside: Sequence[Segment]) -> tuple[Segment, ...]:
    """A relation's phrase with ``slot`` ('[S]' or '[O]') replaced by what stands there.

    Nothing is said twice: 'pay with the [O]' and 'the currency of …' share their article, 'in the
    region of [O]' and 'the region whose …' their noun.
    """
    before, _, after = phrase.partition(slot)
    if isinstance(inside[0], str) and inside[0].startswith("the "):
        noun = re.escape(inside[0].split()[1])
        before = re.sub(rf"\bthe (?:{noun} of )?$", "", before)
    return (before, *inside, after)


def tidy(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Neighbouring texts joined, empty ones dropped, the first letter a capital."""
    out: list[Segment] = []
    for s in segments:
        if isinstance(s, str) and out and isinstance(out[-1], str):
            out[-1] += s
        elif s != "":
            out.append(s)
    if out and isinstance(out[0], str):
        out[0] = out[0][:1].upper() + out[0][1:]
    return tuple(out)


def value_type(universe: Universe, value: Value) -> str:
    """Type of an entity, or ``TIME`` or ``NUMBER``."""
    if isinstance(value, str):
        return universe.entities[value].type
    return TIME if isinstance(value, Timestamp) else NUMBER


def stated(marked: Iterable[MarkedDocument]) -> frozenset[Fact]:
    """Every fact that the page of its subject states."""
    return frozenset(f for d in marked for f in d.facts if f.subject == d.entity)


class RealNames:
    """Whether real names give each other away.

    Twins need no look of their own: their derived names contain their parts just where real names
    do, and their other names have nothing in common.
    """

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._folded: dict[str, tuple[str, ...]] = {}

    def clue(self, answer: Value, entities: Iterable[str], text: str = "") -> bool:
        """Whether an entity's name resembles the answer's, or the text names the answer.

        'Mexico' is a clue for 'Mexico City', 'Tunisia' for 'Tunis' and 'University of Delft' for
        'Delft' (and the other way round). ``text`` is what the question says besides names.
        """
        forms = self._forms(answer)
        others = [f for e in entities for f in self._forms(e)]
        padded = f" {_words(text)} "
        return any(f" {a} " in padded or any(_alike(a, o) for o in others) for a in forms)

    def _forms(self, value: Value) -> tuple[str, ...]:
        if not isinstance(value, str):
            return (_words(str(value)),)
        if value not in self._folded:
            e = self._universe.entities[value]
            folded = dict.fromkeys(_words(f) for f in (e.name, *e.aliases))
            self._folded[value] = tuple(f for f in folded if f)
        return self._folded[value]


def _words(text: str) -> str:
    """Lower case, no diacritics, words separated by single blanks."""
    return " ".join(re.findall(r"\w+", fold(text)))


def _alike(a: str, b: str) -> bool:
    if a == b or f" {a} " in f" {b} " or f" {b} " in f" {a} ":
        return True
    if min(len(a), len(b)) >= SHORTEST and (a in b or b in a):
        return True
    return any(len(word) >= SHORTEST for word in {*a.split()} & {*b.split()})
