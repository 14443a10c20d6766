"""The NameMap: what every entity, date and number is called in one world.

A universe says nothing about names; a world is a universe and a NameMap (σ in SynthWorlds, section
3.1). Maps are saved, inverted (``identify``) and compared: a page told with one map can be
translated to any other with ``documents.translate``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.worlds.documents import Ref
from scrubjay.worlds.universe import Quantity, Timestamp, Universe, Value


class _Folding(dict[int, str]):
    """Character → lower case without diacritics, exactly one character for one."""

    def __missing__(self, code: int) -> str:
        base = unicodedata.normalize("NFKD", chr(code).casefold())
        self[code] = next((c for c in base if not unicodedata.combining(c)), chr(code))
        return self[code]


_FOLDING = _Folding()


def fold(text: str) -> str:
    """Lower case without diacritics, character by character: positions stay the same.

    >>> fold("São Tomé")
    'sao tome'
    """
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def shift_year(year: int, by: int) -> int:
    """``by`` years later, on a calendar without a year 0 (1 BCE is followed by 1 CE)."""
    astronomical = (year if year > 0 else year + 1) + by
    return astronomical if astronomical > 0 else astronomical - 1


@dataclass(frozen=True)
class NameMap:
    """Entity → forms (its name, then its aliases); dates and numbers → those of this world."""

    entities: Mapping[str, tuple[str, ...]]
    label: str = "real"
    shift: int = 0
    """Years added to every date."""
    times: Mapping[Timestamp, Timestamp] = field(default_factory=dict)
    """Dates with a month, whose month and day are mapped too (see ``values``)."""
    numbers: Mapping[Quantity, Quantity] = field(default_factory=dict)

    @classmethod
    def real(cls, universe: Universe) -> NameMap:
        """Everything called what it is really called."""
        return cls({e.id: (e.name, *e.aliases) for e in universe.entities.values()})

    def name(self, entity: str) -> str:
        """The entity's name in this world."""
        return self.entities[entity][0]

    def forms(self, entity: str) -> tuple[str, ...]:
        """Its name, then its aliases in the order of ``Entity.aliases``."""
        return self.entities[entity]

    def map(self, value: Value) -> Value:
        """The date or number that stands for ``value`` in this world; entity ids stay."""
        if isinstance(value, Timestamp):
            known = self.times.get(value)
            return known or Timestamp(shift_year(value.year, self.shift), value.month, value.day)
        if isinstance(value, Quantity):
            return self.numbers.get(value, value)
        return value

    def value(self, value: Value) -> str:
        """How ``value`` is written in this world."""
        return self.name(value) if isinstance(value, str) else str(self.map(value))

    def mention(self, ref: Ref) -> str:
        """How a mention is written: ``Ref.form`` picks the name or one of the aliases."""
        if ref.form == "name" or not isinstance(ref.value, str):
            return self.value(ref.value)
        return self.entities[ref.value][1 + int(ref.form.removeprefix("alias."))]

    @cached_property
    def _surfaces(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for key in (str, str.casefold, fold):
            for alias in (False, True):
                for id, forms in self.entities.items():
                    for form in forms[1:] if alias else forms[:1]:
                        found.setdefault(key(form), id)
        return found

    def identify(self, surface: str) -> str | None:
        """The entity that ``surface`` names here; None if nobody.

        An exact match wins over one in another case, that over one without diacritics; a name wins
        over an alias. Names are injective, so ``identify(name(e)) == e`` for every entity.
        """
        for key in (surface, surface.casefold(), fold(surface)):
            if key in self._surfaces:
                return self._surfaces[key]
        return None

    def to_records(self) -> list[dict[str, Any]]:
        """Plain values for JSON; ``from_records`` inverts."""
        head: dict[str, Any] = {"label": self.label, "shift": self.shift}
        forms = [{"id": i, "forms": list(f)} for i, f in self.entities.items()]
        times = [{"time": [[t.year, t.month, t.day] for t in pair]} for pair in self.times.items()]
        numbers = [
            {"number": [old.value, new.value], "unit": old.unit}
            for old, new in self.numbers.items()
        ]
        return [head, *forms, *times, *numbers]

    @classmethod
    def from_records(cls, records: Iterable[Mapping[str, Any]]) -> NameMap:
        """The map that ``to_records`` wrote.

        Raises:
            InputError: a record is not what ``to_records`` writes.
        """
        head: Mapping[str, Any] = {"label": "real", "shift": 0}
        entities: dict[str, tuple[str, ...]] = {}
        times: dict[Timestamp, Timestamp] = {}
        numbers: dict[Quantity, Quantity] = {}
        for at, record in enumerate(records):
            try:
                if "forms" in record:
                    entities[record["id"]] = tuple(record["forms"])
                elif "time" in record:
                    old, new = record["time"]
                    times[Timestamp(*old)] = Timestamp(*new)
                elif "number" in record:
                    (old, new), unit = record["number"], record["unit"]
                    numbers[Quantity(old, unit)] = Quantity(new, unit)
                else:
                    head = {"label": record["label"], "shift": record["shift"]}
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(
                    f"record {at} of a name map is damaged; save the world again"
                ) from error
        return cls(entities, head["label"], head["shift"], times, numbers)
