"""From raw facts of a file to a universe: the few steps all readers share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from scrubjay.worlds.sources.phrase import derive_relation
from scrubjay.worlds.universe import (
    NUMBER,
    TIME,
    Entity,
    Fact,
    Quantity,
    Relation,
    Timestamp,
    Universe,
    Value,
)


def kind(value: Value, types: Mapping[str, str]) -> str:
    """The range a value speaks for: its entity's type, TIME or NUMBER."""
    if isinstance(value, Timestamp):
        return TIME
    return NUMBER if isinstance(value, Quantity) else types[value]


def uniform(facts: Iterable[Fact]) -> list[Fact]:
    """Keep, of every relation, the facts whose objects are of its most frequent kind.

    A relation's objects are entities, dates or numbers, never a mixture.
    """
    facts = list(dict.fromkeys(facts))
    counts: defaultdict[str, Counter[type]] = defaultdict(Counter)
    for fact in facts:
        counts[fact.relation][type(fact.object)] += 1
    chosen = {r: max(c, key=lambda t: (c[t], t.__name__)) for r, c in counts.items()}
    return [f for f in facts if type(f.object) is chosen[f.relation]]


def derive_relations(
    facts: Iterable[Fact], types: Mapping[str, str], labels: Mapping[str, str]
) -> list[Relation]:
    """Relations for the facts, in order of first use, with phrasings made from their labels.

    Domain and range are the most frequent types of subjects and objects; a relation is functional
    when no subject has two objects; symmetric relations are their own inverse.
    """
    groups: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[fact.relation].append(fact)
    relations = []
    for id, members in groups.items():
        subjects = Counter(types[f.subject] for f in members)
        objects = Counter(kind(f.object, types) for f in members)
        pairs = {(f.subject, f.object) for f in members}
        relations.append(
            derive_relation(
                id,
                labels.get(id, id),
                _most(subjects),
                _most(objects),
                functional=len({s for s, _ in pairs}) == len(pairs),
                inverse=id if all((o, s) in pairs for s, o in pairs) else "",
            )
        )
    return relations


def _most(counts: Counter[str]) -> str:
    """The most frequent; of equally frequent ones the first by name."""
    return min(counts, key=lambda t: (-counts[t], t))


def assemble(
    entities: Iterable[Entity], facts: Iterable[Fact], labels: Mapping[str, str]
) -> Universe:
    """Entities that some fact speaks of, facts of one kind per relation, relations from labels."""
    told = uniform(facts)
    used = {f.subject for f in told} | {f.object for f in told if isinstance(f.object, str)}
    kept = [e for e in entities if e.id in used]
    return Universe(kept, derive_relations(told, {e.id: e.type for e in kept}, labels), told)
