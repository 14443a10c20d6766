"""The chemical elements of the atlas: families, discoverers, laboratories, years and places.

Read from the table that the package mendeleev ships; importing the package itself takes many
seconds and gives the same rows. Atomic numbers, symbols and weights are left out on purpose: they
name the element as surely as its name does.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import Any

from scrubjay.core.errors import MissingExtra, ScrubjayError
from scrubjay.worlds.sources import atlas_tables as tables
from scrubjay.worlds.sources.draft import Draft, Drafts, slug
from scrubjay.worlds.universe import Quantity, Timestamp

FAME = 1e8
CLASSES = {
    "litophile": "Lithophiles",
    "siderophile": "Siderophiles",
    "chalcophile": "Chalcophiles",
    "atmophile": "Atmophiles",
}
"""Goldschmidt's classes under their usual names."""


def add_elements(drafts: Drafts) -> None:
    """Add elements and what is known of their discovery; countries are those of ``add_places``.

    Raises:
        MissingExtra: mendeleev isn't installed.
        ScrubjayError: its table isn't the one we know.
    """
    people: dict[str, list[Timestamp]] = {}
    for row in _rows():
        element = _element(drafts, row)
        countries = _countries(row["discovery_location"])
        year = tables.YEARS.get(row["name"], row["discovery_year"])
        if year:
            drafts.say(element, "discovery_year", Timestamp(year))
        for country in countries:
            drafts.say(element, "discovery_country", f"country-{country.lower()}")
        laboratories, names = _discoverers(row["discoverers"])
        for name, country in laboratories:
            laboratory = drafts.add(Draft(slug(f"laboratory {name}"), "laboratory", name, FAME))
            drafts.say(element, "discovering_laboratory", laboratory)
            drafts.say(laboratory, "laboratory_country", f"country-{country.lower()}")
        culture = drafts.entities[f"country-{countries[0].lower()}"].culture if countries else ""
        persons = [drafts.add(_person(name, culture)) for name in names]
        for person in persons:
            drafts.say(element, "discoverer", person)
            people.setdefault(person, []).append(Timestamp(year))
            if len(countries) == 1:
                drafts.say(person, "worked_in", f"country-{countries[0].lower()}")
        for one, other in permutations(persons, 2):
            drafts.say(one, "co_discoverer", other)
    for person, years in people.items():
        drafts.say(person, "first_discovery", min(years))


def _rows() -> list[sqlite3.Row]:
    spec = find_spec("mendeleev")
    if spec is None or spec.origin is None:
        raise MissingExtra("mendeleev", "worlds")
    table = Path(spec.origin).with_name("elements.db")
    try:
        with closing(sqlite3.connect(f"{table.as_uri()}?mode=ro&immutable=1", uri=True)) as found:
            found.row_factory = sqlite3.Row
            return found.execute(
                "SELECT e.name, e.period, e.discoverers, e.discovery_year, e.discovery_location, "
                "e.goldschmidt_class, s.name AS family, g.name AS 'group' FROM elements e "
                "LEFT JOIN series s ON s.id = e.series_id "
                "LEFT JOIN groups g ON g.group_id = e.group_id ORDER BY e.atomic_number"
            ).fetchall()
    except sqlite3.Error as error:
        raise ScrubjayError(
            f"the installed mendeleev keeps its elements in another form ({error}); "
            "install a newer one: pip install -U mendeleev"
        ) from error


def _element(drafts: Drafts, row: sqlite3.Row) -> str:
    name = row["name"]
    aliases = tables.ELEMENT_ALIASES.get(name, ())
    element = drafts.add(
        Draft(slug(f"element {name}"), "element", name, FAME, (f"{name} (element)",), aliases)
    )
    family = _family(drafts, row["family"])
    drafts.say(element, "element_family", family)
    drafts.say(element, "element_period", Quantity(float(row["period"])))
    # "Alkaline earths" and "Alkali metals" repeat the family under a group's name.
    if row["group"] and row["group"].split()[0] != row["family"].split()[0]:
        drafts.say(element, "element_group", _family(drafts, row["group"]))
    if row["goldschmidt_class"] in CLASSES:
        kind = _family(drafts, CLASSES[row["goldschmidt_class"]])
        drafts.say(element, "element_class", kind)
    return element


def _family(drafts: Drafts, name: str) -> str:
    return drafts.add(Draft(slug(f"family {name}"), "element family", name, FAME))


def _person(name: str, culture: str) -> Draft:
    surname = name.split()[-1]
    return Draft(slug(f"person {name}"), "person", name, FAME, aliases=(surname,), culture=culture)


def _countries(location: Any) -> list[str]:
    places = [tables.PLACES[p] for p in (location or "").split("/") if p]
    return list(dict.fromkeys(places))


def _discoverers(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Laboratories (name, country) and persons credited in a line of the package."""
    laboratories: list[tuple[str, str]] = []
    persons: list[str] = []
    if text.startswith("Known to the ancients"):
        return laboratories, persons
    for part in (p.strip() for p in re.split(r"[,;/]", text)):
        if part in tables.LABORATORIES:
            laboratories.append(tables.LABORATORIES[part])
        elif part in tables.PAIRS:
            persons += tables.PAIRS[part]
        elif part != "et al":
            persons.append(tables.PERSONS.get(part, part))
    return list(dict.fromkeys(laboratories)), list(dict.fromkeys(persons))
