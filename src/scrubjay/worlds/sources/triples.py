"""Triples as CSV, TSV or JSON Lines.

A table has the columns ``subject``, ``relation`` and ``object``, and may have ``subject_type`` and
``object_type``; names of entities are their ids. How to speak of the relations stands in a file
beside it (``phrasings``).

A JSON Lines file may also hold a whole universe as ``Universe.records`` writes it.
"""

from __future__ import annotations

import math
import re
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.worlds.sources.phrasings import Row, read_phrasings, read_rows
from scrubjay.worlds.sources.shape import derive_relations
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
    value_from_json,
)


def read_triples(
    path: str | Path, relations: str | Path | None = None, *, derive: bool = False
) -> Universe:
    """The universe in a file of triples.

    An object is an entity unless its ``object_type``, or the range of its relation, is ``time``
    (2001, 2001-05, 2001-05-31, -43) or ``number`` (a number, then its unit). What a relation's row
    leaves out is derived from its id and the data.

    Args:
        relations: the file of phrasings; by default ``relations.csv`` or ``.jsonl`` beside it.
        derive: make phrasings for relations that have none out of their ids.

    Raises:
        InputError: with file and line: a malformed row, one entity under two types, two entities
            that differ only in case; or a relation without phrasing.
    """
    path = Path(path)
    rows = read_rows(path, ("subject", "relation", "object"))
    if rows and path.suffix.lower() == ".jsonl" and "subject" not in rows[0][1]:
        return _records(path, rows)
    side = Path(relations) if relations is not None else _beside(path)
    given = read_phrasings(side) if relations is not None or side.exists() else {}
    types: dict[str, str] = {}
    first: dict[str, tuple[str, int]] = {}
    facts: list[Fact] = []
    for line, row in rows:
        fact, kinds = _fact(path, line, row, given)
        for name, type in kinds:
            other, where = first.setdefault(name.casefold(), (name, line))
            if other != name:
                raise InputError(
                    f"'{name}' and '{other}' (line {where}) are two entities of one name; "
                    "write them alike or rename one",
                    file=path,
                    line=line,
                )
            known = types.get(name, "")
            if type and known and type != known:
                raise InputError(
                    f"'{name}' is a {type} here but a {known} before; one name can't stand for two "
                    f"entities, write '{name} ({type})'",
                    file=path,
                    line=line,
                )
            types[name] = known or type
        facts.append(fact)
    types = {name: type or "thing" for name, type in types.items()}
    return Universe(
        (Entity(name, type, name) for name, type in types.items()),
        [
            _told(r, given, side, derive)
            for r in derive_relations(dict.fromkeys(facts), types, {r: r for r in given})
        ],
        facts,
    )


def _fact(
    path: Path, line: int, row: dict[str, Any], given: dict[str, dict[str, Any]]
) -> tuple[Fact, list[tuple[str, str]]]:
    """The fact of a row, and the entities it names with their types ('' for unknown)."""
    subject, relation, object = (row.get(c) for c in ("subject", "relation", "object"))
    for column, cell in (("subject", subject), ("relation", relation)):
        if not isinstance(cell, str) or not cell.strip():
            raise InputError(f"the {column} is missing; write its name", file=path, line=line)
    if object is None or object == "":
        raise InputError("the object is missing; write its name", file=path, line=line)
    says = given.get(str(relation).strip(), {})
    kind = row.get("object_type") or says.get("range") or ""
    subject, relation = str(subject).strip(), str(relation).strip()
    entities = [(subject, row.get("subject_type") or says.get("domain") or "")]
    value = _value(object, kind)
    if value is None:
        raise InputError(f"'{object}' is not a {kind or 'name'}", file=path, line=line)
    if isinstance(value, str):
        entities.append((value, kind))
    return Fact(subject, relation, value), entities


def _value(cell: Any, kind: str) -> Value | None:
    """A cell as a value of that kind; None if it isn't one."""
    if isinstance(cell, dict):
        try:
            value = value_from_json(cell)
        except (KeyError, TypeError):
            return None
        if isinstance(value, Timestamp):
            return value if all(isinstance(part, int) for part in astuple(value)) else None
        number = getattr(value, "value", None)
        return value if isinstance(number, int | float) and math.isfinite(number) else None
    if kind == NUMBER or (isinstance(cell, int | float) and kind != TIME):
        match = re.fullmatch(r"\s*([+-]?[\d,]*\.?\d+(?:[eE][+-]?\d+)?)\s*(.*?)\s*", str(cell))
        number = float(match[1].replace(",", "")) if match else math.inf
        return Quantity(number, match[2]) if match and math.isfinite(number) else None
    text = str(cell).strip()
    if kind == TIME:
        return _date(text)
    return text or None


def _date(text: str) -> Timestamp | None:
    match = re.fullmatch(r"(-?\d{1,6})(?:-(\d{1,2}))?(?:-(\d{1,2}))?", text)
    if not match:
        return None
    year, month, day = (int(part or 0) for part in match.groups())
    return Timestamp(year, month, day) if year and month <= 12 and day <= 31 else None


def _told(
    derived: Relation, given: dict[str, dict[str, Any]], side: Path, derive: bool
) -> Relation:
    """The relation as its row says, completed with what was derived."""
    row = given.get(derived.id, {})
    if "phrasings" not in row and not derive:
        raise InputError(
            f"the relation '{derived.id}' has no phrasing; add a row with its id and a phrasing "
            f'such as "{derived.phrasings[0]}" to {side}'
        )
    return replace(derived, **row)


def _beside(path: Path) -> Path:
    lines = path.with_name("relations.jsonl")
    return lines if lines.exists() else path.with_name("relations.csv")


def _records(path: Path, rows: list[Row]) -> Universe:
    """Our own format; every record is tried by itself first, so that an error has its line."""
    for line, record in rows:
        try:
            Universe.from_records([record])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                "neither a triple nor a record of a universe (entity, relation or fact)",
                file=path,
                line=line,
            ) from error
    return Universe.from_records(record for _, record in rows)
