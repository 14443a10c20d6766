"""TemplateWriter: encyclopedia pages, correct by design.

Every entity that is the subject of a fact gets one page, which names it and its type and then
states its facts in sentences of the relations' own phrasings. Nothing in the text depends on a
name (no a/an, no plural, no pronoun that a name would decide), so a twin's page differs in its
names only (SynthWorlds 3.5; the paper lets a language model write, we chose a grammar).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import stream
from scrubjay.worlds.documents import MarkedDocument, Ref, Segment
from scrubjay.worlds.universe import Fact, Relation, Universe, Value

SLOT = re.compile(r"(\[S\]|\[O\])")
WORDS = 150
"""Longest page, in words of the real world: about 250 tokens."""


@dataclass(frozen=True)
class TemplateWriter:
    """Writes the pages of a universe; ``seed`` picks the phrasings.

    A page never grows past ``words`` words, except that the first object of every relation is
    always stated. ``MarkedDocument.facts`` says which facts made it.
    """

    universe: Universe
    seed: int = 0
    words: int = WORDS

    def write(self) -> tuple[MarkedDocument, ...]:
        """The pages of all entities that have one, in the universe's order.

        Raises:
            ScrubjayError: a relation with facts has no phrasing.
        """
        subjects = self.universe.by_subject
        return tuple(self.page(e) for e in self.universe.entities if e in subjects)

    def page(self, entity: str) -> MarkedDocument:
        """The page of one entity."""
        rng = stream(self.seed, "writer", entity)
        groups = self._choose(entity)
        label = type_label(self.universe.entities[entity].type)
        segments: list[Segment] = [Ref(entity), f" is {article(label)} {label}."]
        stated: list[Fact] = []
        for relation, facts in groups:
            for sentence in _sentences(relation, facts, rng):
                segments += [" ", *sentence]
            stated += facts
        return MarkedDocument(entity, tuple(_merged(segments)), tuple(stated))

    def _choose(self, entity: str) -> list[tuple[Relation, list[Fact]]]:
        """The facts to state, by relation in the schema's order.

        Round by round, the next object of every relation, as long as there is room.
        """
        queues: dict[str, list[Fact]] = {}
        for fact in self.universe.by_subject[entity]:
            queues.setdefault(fact.relation, []).append(fact)
        order = [r for r in self.universe.relations if r in queues]
        chosen: dict[str, list[Fact]] = {r: [] for r in order}
        room = self.words
        for turn in range(max(map(len, queues.values()))):
            for relation in order:
                if turn < len(queues[relation]):
                    fact = queues[relation][turn]
                    room -= self._cost(fact, first=turn == 0)
                    if turn == 0 or room >= 0:
                        chosen[relation].append(fact)
        return [(self.universe.relations[r], facts) for r, facts in chosen.items()]

    def _cost(self, fact: Fact, first: bool) -> int:
        """Words of real text that stating the fact takes, about."""
        words = len(self._real(fact.object).split())
        if not first:
            return words
        return words + 4 + len(self.universe.entities[fact.subject].name.split())

    def _real(self, value: Value) -> str:
        return self.universe.entities[value].name if isinstance(value, str) else str(value)


def _sentences(relation: Relation, facts: Sequence[Fact], rng: Random) -> Iterator[list[Segment]]:
    """One sentence with all objects where a phrasing can take them, else a sentence each."""
    if not relation.phrasings:
        raise ScrubjayError(
            f"the relation '{relation.id}' has no phrasing; add one with [S] and [O]"
        )
    joinable = [p for p in relation.phrasings if 0 <= p.find("[S]") < p.find("[O]")]
    if len(facts) > 1 and joinable:
        yield _fill(rng.choice(joinable), facts[0].subject, [f.object for f in facts])
        return
    for fact in facts:
        yield _fill(rng.choice(relation.phrasings), fact.subject, [fact.object])


def _fill(phrasing: str, subject: str, objects: Sequence[Value]) -> list[Segment]:
    """The phrasing with mentions in its slots, several objects joined: A, B and C."""
    segments: list[Segment] = []
    for part in SLOT.split(phrasing):
        if part == "[S]":
            segments.append(Ref(subject))
        elif part == "[O]":
            for at, value in enumerate(objects):
                if at:
                    segments.append(" and " if at == len(objects) - 1 else ", ")
                segments.append(Ref(value))
        elif part:
            segments.append(part)
    return segments


def _merged(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Neighbouring pieces of text as one."""
    text = ""
    for segment in segments:
        if isinstance(segment, str):
            text += segment
        else:
            if text:
                yield text
            text = ""
            yield segment
    if text:
        yield text


def type_label(type: str) -> str:
    """A type's id in words: 'chemical_element' → 'chemical element'."""
    return type.replace("_", " ").replace("-", " ").strip()


def article(label: str) -> str:
    """'a' or 'an' before a type's label (never before a name: that would differ between worlds)."""
    vowel = label[:1].lower() in "aeiou" and not re.match(r"(?i)uni|use|eu|one\b", label)
    return "an" if vowel else "a"
