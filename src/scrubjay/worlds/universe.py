"""A universe: entities, relations and facts, without any say in what things are called.

Names are a map on the side (``names.NameMap``), so one universe can be told in many worlds. A
fact's object is an entity id (``str``), a ``Timestamp`` or a ``Quantity``.

Source: SynthWorlds (arXiv 2510.24427), objects of section 3.1: U = (E, R, F).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from scrubjay.core.files import dump_json

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
TIME, NUMBER = "time", "number"
"""Range of relations whose objects are timestamps or quantities."""


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A date as precise as the fields that are set; 0 means not set. BCE years are negative.

    >>> str(Timestamp(1969, 7, 20)), str(Timestamp(1969, 7)), str(Timestamp(-43))
    ('July 20, 1969', 'July, 1969', '43 BCE')
    """

    year: int
    month: int = 0
    day: int = 0

    def __str__(self) -> str:
        if self.month and self.day:
            return f"{MONTHS[self.month - 1]} {self.day}, {self._year}"
        return f"{MONTHS[self.month - 1]}, {self._year}" if self.month else self._year

    @property
    def _year(self) -> str:
        if self.year > 1000:
            return str(self.year)
        return f"{self.year} CE" if self.year > 0 else f"{-self.year} BCE"


@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """A number with an optional unit."""

    value: float
    unit: str = ""

    def __str__(self) -> str:
        number = f"{self.value:,.0f}" if float(self.value).is_integer() else f"{self.value:,g}"
        return f"{number} {self.unit}".strip()


Value = str | Timestamp | Quantity


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing. ``name`` and ``aliases`` are its real ones; a twin replaces them."""

    id: str
    type: str
    name: str
    aliases: tuple[str, ...] = ()
    culture: str = ""
    """Flavour for invented names ('slavic', 'arabic', …); empty: none."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A kind of fact and how to speak of it. ``[S]`` and ``[O]`` stand for subject and object."""

    id: str
    domain: str
    range: str
    """Entity types of subject and object; range may be TIME or NUMBER."""
    phrasings: tuple[str, ...]
    """Statements: '[S] has its capital in [O].'"""
    question: str = ""
    """Asks for the object: 'What is the capital of [S]?'"""
    noun: str = ""
    """Describes the object: 'the capital of [S]'."""
    inverse_noun: str = ""
    """Describes the subject: 'the country whose capital is [O]'."""
    condition: str = ""
    """Says it of the subject, after a relative pronoun: 'has its capital in [O]'."""
    functional: bool = False
    """A subject has at most one object."""
    inverse: str = ""
    """Id of the relation that says the same the other way round."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Subject (entity id), relation id, object."""

    subject: str
    relation: str
    object: Value


Pattern = Sequence[tuple[str, str, str]]


class Universe:
    """An immutable set of facts with the look-ups that tasks and agents need."""

    def __init__(
        self, entities: Iterable[Entity], relations: Iterable[Relation], facts: Iterable[Fact]
    ) -> None:
        self.entities: Mapping[str, Entity] = {e.id: e for e in entities}
        self.relations: Mapping[str, Relation] = {r.id: r for r in relations}
        self.facts: tuple[Fact, ...] = tuple(dict.fromkeys(facts))

    def __repr__(self) -> str:
        return f"Universe({len(self.entities)} entities, {len(self.facts)} facts)"

    @cached_property
    def by_subject(self) -> Mapping[str, tuple[Fact, ...]]:
        """Facts that an entity is the subject of, in order."""
        return _grouped((f.subject, f) for f in self.facts)

    @cached_property
    def _forward(self) -> Mapping[tuple[str, str], tuple[Value, ...]]:
        return _grouped(((f.subject, f.relation), f.object) for f in self.facts)

    @cached_property
    def _backward(self) -> Mapping[tuple[str, Value], tuple[str, ...]]:
        return _grouped(((f.relation, f.object), f.subject) for f in self.facts)

    @cached_property
    def by_relation(self) -> Mapping[str, tuple[Fact, ...]]:
        return _grouped((f.relation, f) for f in self.facts)

    @cached_property
    def by_type(self) -> Mapping[str, tuple[Entity, ...]]:
        return _grouped((e.type, e) for e in self.entities.values())

    def objects(self, subject: str, relation: str) -> tuple[Value, ...]:
        return self._forward.get((subject, relation), ())

    def subjects(self, relation: str, object: Value) -> tuple[str, ...]:
        return self._backward.get((relation, object), ())

    def query(self, pattern: Pattern) -> set[Value]:
        """All values of ``?answer`` for which every triple of the pattern is a fact.

        Terms that start with '?' are variables; the relation is always given.

        >>> # u.query([("fr", "capital", "?answer")]) -> {"paris"}
        """
        bindings: list[dict[str, Value]] = [{}]
        rest = list(pattern)
        while rest:
            # Most bound triple first: keeps the intermediate sets small.
            known = set(bindings[0]) if bindings else set()
            rest.sort(key=lambda t: (_free(t[0], known) + _free(t[2], known), t))
            s, r, o = rest.pop(0)
            bindings = [new for b in bindings for new in self._extend(b, s, r, o)]
            if not bindings:
                return set()
        return {b["?answer"] for b in bindings}

    def _extend(
        self, binding: dict[str, Value], s: str, r: str, o: str
    ) -> Iterable[dict[str, Value]]:
        subject = binding.get(s, s)
        obj = binding.get(o, o)
        s_free = isinstance(subject, str) and subject.startswith("?")
        o_free = isinstance(obj, str) and obj.startswith("?")
        if not s_free and not isinstance(subject, str):
            return
        if s_free and o_free:
            for f in self.by_relation.get(r, ()):
                yield {**binding, s: f.subject, o: f.object}
        elif o_free:
            for value in self.objects(str(subject), r):
                yield {**binding, o: value}
        elif s_free:
            for value in self.subjects(r, obj):
                yield {**binding, s: value}
        elif obj in self.objects(str(subject), r):
            yield binding

    @cached_property
    def hash(self) -> str:
        """Stable digest of everything, the same on every machine."""
        digest = hashlib.sha256()
        for record in self.records():
            digest.update(dump_json(record).encode())
        return digest.hexdigest()

    def records(self) -> Iterable[dict[str, Any]]:
        """Plain values for JSON Lines: entities, relations, facts; ``from_records`` inverts."""
        for e in self.entities.values():
            yield {"entity": asdict(e)}
        for r in self.relations.values():
            yield {"relation": asdict(r)}
        for f in self.facts:
            yield {"fact": [f.subject, f.relation, value_to_json(f.object)]}

    @classmethod
    def from_records(cls, records: Iterable[Mapping[str, Any]]) -> Universe:
        entities, relations, facts = [], [], []
        for record in records:
            if "entity" in record:
                e = record["entity"]
                entities.append(Entity(**{**e, "aliases": tuple(e.get("aliases", ()))}))
            elif "relation" in record:
                r = record["relation"]
                relations.append(Relation(**{**r, "phrasings": tuple(r["phrasings"])}))
            else:
                s, r, o = record["fact"]
                facts.append(Fact(s, r, value_from_json(o)))
        return cls(entities, relations, facts)


def value_to_json(value: Value) -> Any:
    """An entity id as text, a timestamp as {'time': [y, m, d]}, a quantity as {'number': …}."""
    if isinstance(value, Timestamp):
        return {"time": [value.year, value.month, value.day]}
    if isinstance(value, Quantity):
        return {"number": value.value, "unit": value.unit}
    return value


def value_from_json(value: Any) -> Value:
    """Inverse of ``value_to_json``."""
    if isinstance(value, str):
        return value
    if "time" in value:
        return Timestamp(*value["time"])
    return Quantity(value["number"], value.get("unit", ""))


def _free(term: str, known: set[str]) -> int:
    return int(term.startswith("?") and term not in known)


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, tuple[Any, ...]]:
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}
