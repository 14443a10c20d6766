"""Checks that a universe is fit to be told, before anything is written.

Each failure is one sentence that names the entity, relation or fact at fault.
"""

from __future__ import annotations

from scrubjay.core.errors import InputError
from scrubjay.worlds.universe import NUMBER, TIME, Fact, Quantity, Timestamp, Universe


def check_universe(universe: Universe) -> None:
    """Check names, facts, phrasings, functional relations and connectedness, in that order.

    Raises:
        InputError: the first thing that is wrong, in a sentence.
    """
    if not universe.entities or not universe.facts:
        raise InputError(
            f"the universe is empty: {len(universe.entities)} entities, {len(universe.facts)} "
            "facts; a world needs both"
        )
    _check_names(universe)
    for fact in universe.facts:
        _check_fact(universe, fact)
    _check_relations(universe)
    _check_functional(universe)
    parts = components(universe)
    if len(parts) > 1:
        stray = universe.entities[parts[1][0]]
        raise InputError(
            f"the universe falls into {len(parts)} parts that no fact connects; one of them holds "
            f"'{stray.name}' ({stray.id}); add facts, or keep the largest part with "
            "largest_component"
        )


def _check_names(universe: Universe) -> None:
    owners: dict[str, str] = {}
    for entity in universe.entities.values():
        if not entity.name.strip():
            raise InputError(f"the entity {entity.id} has no name; give it one")
        other = owners.setdefault(entity.name.casefold(), entity.id)
        if other != entity.id:
            raise InputError(
                f"two entities share the name '{entity.name}': {other} and {entity.id}; rename one"
            )


def _check_fact(universe: Universe, fact: Fact) -> None:
    said = f"the fact ({fact.subject}, {fact.relation}, {fact.object})"
    if fact.relation not in universe.relations:
        raise InputError(f"{said} uses the unknown relation '{fact.relation}'; define it")
    for end in (fact.subject, fact.object):
        if isinstance(end, str) and end not in universe.entities:
            raise InputError(f"{said} names the unknown entity '{end}'; add it or drop the fact")
    wanted = {TIME: Timestamp, NUMBER: Quantity}.get(universe.relations[fact.relation].range, str)
    if not isinstance(fact.object, wanted):
        kind = universe.relations[fact.relation].range
        raise InputError(f"{said} has an object that is not of the relation's range '{kind}'")


def _check_relations(universe: Universe) -> None:
    for relation in universe.relations.values():
        if not relation.phrasings:
            raise InputError(f"the relation '{relation.id}' has no phrasing; add at least one")
        for text in relation.phrasings:
            _check_text(relation.id, text, "[S]", "[O]")
        for text, mark in (
            (relation.question, "[S]"),
            (relation.noun, "[S]"),
            (relation.inverse_noun, "[O]"),
            (relation.condition, "[O]"),
        ):
            if text:
                _check_text(relation.id, text, mark)


def _check_text(relation: str, text: str, *marks: str) -> None:
    for mark in marks:
        if mark not in text:
            raise InputError(f"the relation '{relation}' says \"{text}\", which lacks {mark}")


def _check_functional(universe: Universe) -> None:
    seen: dict[tuple[str, str], Fact] = {}
    for fact in universe.facts:
        if universe.relations[fact.relation].functional:
            other = seen.setdefault((fact.subject, fact.relation), fact)
            if other != fact:
                raise InputError(
                    f"the relation '{fact.relation}' is functional, but {fact.subject} has two "
                    f"objects: {other.object} and {fact.object}; drop one or make it not functional"
                )


def components(universe: Universe) -> list[list[str]]:
    """Entity ids of every weakly connected part, the largest first (ties: the earliest)."""
    parent = {id: id for id in universe.entities}

    def root(id: str) -> str:
        while parent[id] != id:
            parent[id] = id = parent[parent[id]]
        return id

    for fact in universe.facts:
        if isinstance(fact.object, str):
            parent[root(fact.subject)] = root(fact.object)
    parts: dict[str, list[str]] = {}
    for id in universe.entities:
        parts.setdefault(root(id), []).append(id)
    return sorted(parts.values(), key=len, reverse=True)


def largest_component(universe: Universe) -> Universe:
    """The universe without what no chain of facts connects to its largest part."""
    parts = components(universe)
    if len(parts) < 2:
        return universe
    kept = set(parts[0])
    facts = [f for f in universe.facts if f.subject in kept]
    used = {f.relation for f in facts}
    return Universe(
        (e for e in universe.entities.values() if e.id in kept),
        (r for r in universe.relations.values() if r.id in used),
        facts,
    )
