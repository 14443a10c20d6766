"""One call that says whether a twin is fit to be measured on (SynthWorlds, sheet section 5).

Parity of structure, leaks, distinct names, name lengths per type, unique answers re-derived by
graph query, balance of answer types, and what a frequent-answer rule would score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scrubjay.core.nouns import Question
from scrubjay.worlds.documents import translate
from scrubjay.worlds.leaks import Leak, check_leaks, leaks_in_names
from scrubjay.worlds.lengths import TokenCounter, count_tokens
from scrubjay.worlds.names import NameMap, fold
from scrubjay.worlds.world import World

TOLERANCE = 0.1
"""Largest deviation of a type's mean name length."""
FEW = 20
"""Types with fewer entities are shown but not judged by length: one name would decide."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean name length of a type's names in the twin over that in the real world."""

    count: int
    letters: float
    tokens: float

    @property
    def ok(self) -> bool:
        fits = max(abs(self.letters - 1), abs(self.tokens - 1)) <= TOLERANCE
        return fits or self.count < FEW


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found; ``str`` gives a readable table."""

    parity: Mapping[str, bool]
    """Structural checks by name."""
    leaks: tuple[Leak, ...]
    namesakes: int
    """Entities of the twin that share their name with another (whose real names differ)."""
    lengths: Mapping[str, Lengths]
    """By entity type."""
    questions: int
    ambiguous: tuple[str, ...]
    """Ids of questions whose answers are not exactly those of the graph query."""
    answer_types: Mapping[str, int]
    frequent_answer: float
    """Share of questions that always giving the group's most frequent answer gets right."""

    @property
    def ok(self) -> bool:
        """Nothing is wrong; balance and the frequent-answer share inform only."""
        sound = all(self.parity.values()) and all(x.ok for x in self.lengths.values())
        return sound and not (self.leaks or self.namesakes or self.ambiguous)

    def __str__(self) -> str:
        lines = (
            f"{'  ' if row['fine'] else '✗ '}{row['check']:<32} {row['found']}"
            for row in self.rows()
        )
        return "\n".join([*lines, *(f"    {leak}" for leak in self.leaks[:5])])

    def rows(self) -> list[dict[str, Any]]:
        """One row per check: ``check, found, fine``."""
        return [
            {"check": check, "found": found, "fine": fine} for check, found, fine in self._checks()
        ]

    def _checks(self) -> Iterator[tuple[str, str, bool]]:
        for name, holds in self.parity.items():
            yield name, "same" if holds else "DIFFERENT", holds
        yield "leaks", str(len(self.leaks)), not self.leaks
        yield "namesakes", str(self.namesakes), not self.namesakes
        for type, x in self.lengths.items():
            text = f"{x.letters:.3f} × letters, {x.tokens:.3f} × tokens ({x.count} names)"
            yield f"name length: {type}", text, x.ok
        unique = f"{self.questions - len(self.ambiguous)} of {self.questions}"
        yield "answers as by graph query", unique, not self.ambiguous
        types = ", ".join(f"{t} {n}" for t, n in self.answer_types.items())
        yield "answer types", types or "no questions", True
        yield "frequent-answer rule", f"{self.frequent_answer:.1%} right", True


def audit(
    real: World,
    twin: World,
    questions: Sequence[tuple[Question, Question]] = (),
    *,
    tokens: TokenCounter | None = None,
) -> Audit:
    """Compare a world with one of its twins.

    Args:
        questions: mirrored pairs (real, twin) to check: their texts for leaks, their answers by
            graph query.
    """
    texts = {p.id: p.text for p in twin.documents()}
    texts |= {t.id: "\n".join((t.text, *t.answers)) for _, t in questions}
    leaks = leaks_in_names(twin.names, real.universe)
    leaks += check_leaks(texts, real.universe)
    return Audit(
        _parity(real, twin, questions),
        tuple(leaks),
        max(0, _namesakes(twin.names) - _namesakes(real.names)),
        dict(_lengths(real, twin, tokens or count_tokens)),
        len(questions),
        tuple(t.id for _, t in questions if not _answered_by_graph(twin, t)),
        dict(sorted(Counter(t.answer_type for _, t in questions).items())),
        frequent_answer_share([t for _, t in questions]),
    )


def _parity(
    real: World, twin: World, questions: Sequence[tuple[Question, Question]]
) -> dict[str, bool]:
    pairs = list(zip(real.documents(), twin.documents()))
    same_ids = len(real.documents()) == len(twin.documents())
    return {
        "facts": real.universe.hash == twin.universe.hash,
        "pages": same_ids and all(a.id == b.id for a, b in pairs),
        "links": all([x.target for x in a.links] == [x.target for x in b.links] for a, b in pairs),
        # Dates up to year 1000 are written with CE or BCE: a word more or less per mention.
        "words": all(
            abs(len(a.text.split()) - len(b.text.split())) <= len(a.meta["mentions"])
            for a, b in pairs
        ),
        "real text renamed is the twin's": all(
            translate(a, real.names, twin.names) == b for a, b in pairs
        ),
        "twin's text renamed is the real": all(
            translate(b, twin.names, real.names) == a for a, b in pairs
        ),
        "questions": all(
            (a.id, a.group, a.gold, a.query) == (b.id, b.group, b.gold, b.query)
            for a, b in questions
        ),
    }


def _namesakes(names: NameMap) -> int:
    return len(names.entities) - len({fold(names.name(e)) for e in names.entities})


def _lengths(real: World, twin: World, tokens: TokenCounter) -> Iterator[tuple[str, Lengths]]:
    for type, members in real.universe.by_type.items():
        before = [real.names.name(e.id) for e in members]
        after = [twin.names.name(e.id) for e in members]
        letters = sum(map(len, after)) / max(1, sum(map(len, before)))
        # Names as they stand in running text: after a blank.
        cost, base = (sum(tokens([f" {n}" for n in names])) for names in (after, before))
        yield type, Lengths(len(members), letters, cost / max(1, base))


def _answered_by_graph(world: World, question: Question) -> bool:
    """Whether the question's answers are exactly what the graph query gives (if it has one)."""
    if not question.query:
        return True
    found = world.universe.query(question.query)
    names = {world.names.value(v) for v in found}
    forms = {f for v in found for f in (world.names.forms(v) if isinstance(v, str) else ())}
    given = set(question.answers)
    return names <= given <= names | forms


def frequent_answer_share(questions: Sequence[Question]) -> float:
    """Share of questions answered by the most frequent first answer of their group."""
    groups: dict[tuple[str, str], Counter[str]] = {}
    for q in questions:
        groups.setdefault((q.task, q.group), Counter()).update(q.answers[:1])
    hits = sum(max(c.values()) for c in groups.values() if c)
    return hits / len(questions) if questions else 0.0
