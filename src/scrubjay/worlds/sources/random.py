"""Random universes: connected, of any size, with names of our own making.

Nothing in them is true of the real world, so no model can remember it; their own names serve as the
"real" map. Sizes follow SynthWorlds' smoke setting (sheet 01, section 6, part 1: 300 entities, 12
types, 20 relations, about 1,500 facts) and grow linearly.
"""

from __future__ import annotations

from random import Random

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import stream
from scrubjay.worlds.sources.phrasings import own_relations
from scrubjay.worlds.sources.random_names import RandomNames
from scrubjay.worlds.sources.random_schema import BOUNDS, MOST, SHARES, UNITS
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


def random_universe(
    entities: int = 300,
    seed: int = 0,
    types: int = 12,
    relations: int = 20,
    facts_per_entity: float = 5,
) -> Universe:
    """A connected universe of so many entities and about ``entities * facts_per_entity`` facts.

    The first ``types`` types of the schema are used, each with its spine relation, and then further
    relations between them up to ``relations``. The number of facts is exact as long as the
    relations can hold it; the spine and the functional relations are always filled.

    Raises:
        ScrubjayError: too few entities, or more types or relations than the schema has.
    """
    chosen = _relations(types, relations)
    if entities < 4 * types:
        raise ScrubjayError(
            f"a random universe of {types} types needs at least {4 * types} entities, "
            f"not {entities}"
        )
    ids = _ids(entities, list(SHARES)[:types])
    facts = _Facts(chosen, ids, stream(seed, "random universe", "facts"))
    facts.fill(round(entities * facts_per_entity))
    names = RandomNames(stream(seed, "random universe", "names"))
    homes = {f.subject: f.object for f in facts.drawn if f.relation.endswith("_city")}
    named: dict[str, str] = {}
    for type, members in ids.items():
        for id in members:
            named[id] = names.fresh(type, named.get(str(homes.get(id)), ""))
    return Universe(
        (Entity(id, type, named[id]) for type, members in ids.items() for id in members),
        chosen,
        facts.drawn,
    )


def _relations(types: int, relations: int) -> list[Relation]:
    """The spine of the first types, then relations between them."""
    known = list(SHARES)
    if not 1 <= types <= len(known):
        raise ScrubjayError(f"a random universe has 1 to {len(known)} types, not {types}")
    schema = own_relations("random_relations.csv")
    usable = {*known[:types], TIME, NUMBER}
    more = [r for r in schema[len(known) :] if r.domain in usable and r.range in usable]
    if not types <= relations <= types + len(more):
        raise ScrubjayError(
            f"a random universe of {types} types has {types} to {types + len(more)} relations, "
            f"not {relations}"
        )
    return [*schema[:types], *more[: relations - types]]


def _ids(entities: int, types: list[str]) -> dict[str, list[str]]:
    """Ids of every type, in proportion to ``SHARES``, at least two each."""
    total, free = sum(SHARES[t] for t in types), entities - 2 * len(types)
    ids: dict[str, list[str]] = {}
    seen = given = 0
    for type in types:
        seen += SHARES[type]
        upto = round(free * seen / total)
        ids[type] = [f"{type}-{n}" for n in range(1, 2 + upto - given + 1)]
        given = upto
    return ids


class _Facts:
    """Draws facts, never the same twice."""

    def __init__(self, relations: list[Relation], ids: dict[str, list[str]], rng: Random) -> None:
        self._relations, self._ids, self._rng = relations, ids, rng
        self.drawn: dict[Fact, None] = {}

    def fill(self, target: int) -> None:
        """First the spine and the functional relations, then others up to ``target`` facts."""
        slots = []
        for relation in self._relations:
            subjects = self._ids[relation.domain]
            if relation.id == "borders":
                self._border_tree(subjects)
            if relation.id == "capital":
                self._capitals()
            elif relation.functional:
                for subject in subjects:
                    self.drawn[Fact(subject, relation.id, self._object(relation))] = None
            else:
                slots += [(relation, subject, [MOST[relation.id]]) for subject in subjects]
        self._rng.shuffle(slots)
        while slots and len(self.drawn) < target:
            # Round after round, so that facts are spread evenly; full slots drop out.
            slots = [s for s in slots if len(self.drawn) < target and self._add(*s)]

    def _add(self, relation: Relation, subject: str, left: list[int]) -> bool:
        """One more fact for this slot; whether there is room for another."""
        left[0] -= 1
        other = self._object(relation)
        if other != subject:
            self.drawn[Fact(subject, relation.id, other)] = None
            if relation.inverse == relation.id:
                self.drawn[Fact(str(other), relation.id, subject)] = None
        return left[0] > 0

    def _object(self, relation: Relation) -> Value:
        rng = self._rng
        if relation.range == TIME:
            year = rng.randint(*BOUNDS[relation.id])
            if relation.id == "founded":
                return Timestamp(year)
            return Timestamp(year, rng.randint(1, 12), rng.randint(1, 28))
        if relation.range == NUMBER:
            low, high = BOUNDS[relation.id]
            # Log-uniform, as sizes of cities and mountains are.
            value = low * (high / low) ** rng.random()
            return Quantity(float(round(value)), UNITS.get(relation.id, ""))
        return rng.choice(self._ids[relation.range])

    def _border_tree(self, countries: list[str]) -> None:
        """Every country borders an earlier one near it: connected, and not one big hub."""
        for n, country in enumerate(countries[1:], 1):
            other = countries[self._rng.randint(max(0, n - 6), n - 1)]
            self.drawn[Fact(country, "borders", other)] = None
            self.drawn[Fact(other, "borders", country)] = None

    def _capitals(self) -> None:
        """The first city drawn for a country is its capital; countries without a city have none."""
        capitals: dict[Value, str] = {}
        for fact in [f for f in self.drawn if f.relation == "city_country"]:
            capitals.setdefault(fact.object, fact.subject)
        for country in self._ids["country"]:
            if country in capitals:
                self.drawn[Fact(country, "capital", capitals[country])] = None
