"""The schema of random universes: twelve types and the relations between them, the spine first.

The spine gives every type one relation that leads towards a country (and countries border each
other), so a universe built from the first ``n`` types and their spine is connected. How to speak of
the relations stands in ``random_relations.csv``: the spine in the order of the types, then others.
"""

from __future__ import annotations

SHARES = {
    "country": 4,
    "city": 14,
    "person": 26,
    "book": 12,
    "company": 10,
    "film": 10,
    "museum": 6,
    "university": 6,
    "river": 4,
    "language": 3,
    "mountain": 3,
    "festival": 2,
}
"""Types in the order in which a universe takes them, with their shares of the entities."""

MOST = {
    "borders": 8,
    "employer": 8,
    "cast": 10,
    "operates_in": 10,
    "translated_into": 8,
    "exhibits": 12,
    "flows_through": 8,
    "alma_mater": 3,
    "guest": 12,
    "book_setting": 3,
}
"""Most objects a subject gets, for relations that are not functional."""

BOUNDS = {
    "birth_date": (1850, 1999),
    "population": (4000, 9000000),
    "founded": (1200, 1990),
    "elevation": (900, 8000),
}
"""Lowest and highest year or number."""

UNITS = {"elevation": "metres"}
