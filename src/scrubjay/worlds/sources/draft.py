"""A universe while it is being put together: entities under ids, not yet under unique names."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from scrubjay.worlds.universe import Entity, Fact, Value


@dataclass(slots=True)
class Draft:
    """An entity whose name others may share."""

    id: str
    type: str
    name: str
    fame: float
    """Of those who share a name, the most famous keeps it plain."""
    fuller: tuple[str, ...] = ()
    """Names that set it apart ('Georgia (United States)'), in order of preference."""
    aliases: tuple[str, ...] = ()
    culture: str = ""


@dataclass(slots=True)
class Drafts:
    """Entities and facts in order, first come first kept."""

    entities: dict[str, Draft] = field(default_factory=dict)
    facts: dict[Fact, None] = field(default_factory=dict)

    def add(self, draft: Draft) -> str:
        self.entities.setdefault(draft.id, draft)
        return draft.id

    def say(self, subject: str, relation: str, object: Value) -> None:
        self.facts[Fact(subject, relation, object)] = None

    def named(self) -> tuple[list[Entity], list[Fact]]:
        """The entities under unique names, as an encyclopedia tells them apart, and their facts.

        The plain name stays an alias, so that answers may use it and a leak check looks for it.
        Entities that no fuller name sets apart are left out, and the facts about them.
        """
        taken: set[str] = set()
        names: dict[str, str] = {}
        for draft in sorted(self.entities.values(), key=lambda d: (-d.fame, d.id)):
            forms = (draft.name, *draft.fuller)
            free = next((f for f in forms if key(f) not in taken), None)
            if free is not None:
                taken.add(key(free))
                names[draft.id] = free
        entities = [_entity(d, names[d.id]) for d in self.entities.values() if d.id in names]
        facts = [
            f
            for f in self.facts
            if f.subject in names and (not isinstance(f.object, str) or f.object in names)
        ]
        return entities, facts


def _entity(draft: Draft, name: str) -> Entity:
    forms = [draft.name, *draft.aliases, *map(plain, (draft.name, *draft.aliases))]
    aliases = tuple(a for a in dict.fromkeys(forms) if a and a != name)
    return Entity(draft.id, draft.type, name, aliases, draft.culture)


def plain(text: str) -> str:
    """Without diacritics and with straight apostrophes: 'São Tomé' → 'Sao Tome'."""
    text = text.translate(str.maketrans("’‘ʻʼ`", "'''''"))
    letters = unicodedata.normalize("NFKD", text)
    return "".join(c for c in letters if not unicodedata.combining(c))


def key(text: str) -> str:
    """For comparing names across packages: 'St. George’s' and "Saint George's" agree."""
    words = plain(text).casefold().replace("'", "").replace("-", " ").replace(".", "").split()
    return " ".join("saint" if w == "st" else w for w in words)


def slug(text: str) -> str:
    """A readable id."""
    return "-".join("".join(c if c.isalnum() else " " for c in plain(text).casefold()).split())
