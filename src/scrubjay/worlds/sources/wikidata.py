"""A Wikidata JSON dump, read as a stream.

The dump (one entity a line, plain, gzip or bzip2) is read several times and never held: a pass
looks for seeds, the next ones grow a connected sample around them, the last one looks up the labels
of types and units. Memory grows with the sample alone.

Source: SynthWorlds (arXiv 2510.24427), section 3.2. What the sheet leaves open, we chose: growing
breadth-first along facts in both directions, at least three facts per entity, caps per relation.
"""

from __future__ import annotations

import bz2
import gzip
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import IO, Any

from scrubjay.core.errors import InputError
from scrubjay.worlds.check import largest_component
from scrubjay.worlds.sources.draft import Draft, Drafts
from scrubjay.worlds.sources.shape import assemble
from scrubjay.worlds.universe import Quantity, Timestamp, Universe, Value

LIMIT = 20_000
SEEDS = 20
OUT, IN = 8, 50
"""Most objects per subject and relation, most subjects per relation and object that draw others in:
hubs ("human", countries) must not swallow the sample."""
FEWEST = 3
"""Facts that an entity must have."""
PRECISIONS = {9: 1, 10: 2, 11: 3}
"""Wikidata's precision of a time → fields that are known: year, month, day."""


@dataclass(slots=True)
class Item:
    """What is kept of an entity: a few short strings instead of many kilobytes of JSON."""

    id: str
    name: str
    aliases: tuple[str, ...]
    type: str
    claims: list[tuple[str, Value, str]] = field(default_factory=list)
    """Property, value (items by id), id of the unit."""

    @property
    def targets(self) -> Iterator[tuple[str, str]]:
        """Property and id of the items it points to."""
        return ((p, v) for p, v, _ in self.claims if isinstance(v, str))


def read_wikidata(
    path: str | Path,
    *,
    languages: Sequence[str] = ("en",),
    limit: int | None = LIMIT,
    keep: Collection[str] | None = None,
    seeds: Sequence[str] = (),
) -> Universe:
    """A connected sample of a Wikidata dump.

    Args:
        languages: of labels and aliases, best first; what has no label in them is left out.
        limit: most entities read into the sample; None for all there are.
        keep: the properties to keep ("P36"); None for all.
        seeds: the items to start from; by default those with the most facts.

    Raises:
        InputError: a line that isn't JSON (file:line), no property labels, or nothing left.
    """
    path = Path(path)
    reader = _Reader(path, tuple(languages), None if keep is None else frozenset(keep))
    items, labels = _grow(reader, tuple(seeds), limit)
    if not labels:
        raise InputError(
            f"no property has a label in {'/'.join(languages)}; keep the lines of the properties "
            "(ids that begin with P) in the dump",
            file=path,
        )
    looked_up = {i.type for i in items.values()} | {u for i in items.values() for *_, u in i.claims}
    things = reader.labels(looked_up - {""})
    drafts = Drafts()
    for item in _pruned(items, labels).values():
        type = things.get(item.type, "thing")
        fuller = (f"{item.name} ({type})",)
        drafts.add(Draft(item.id, type, item.name, len(item.claims), fuller, item.aliases))
        for property, value, unit in item.claims:
            if isinstance(value, Quantity) and unit:
                value = Quantity(value.value, things.get(unit, ""))
            drafts.say(item.id, property, value)
    entities, facts = drafts.named()
    return largest_component(assemble(entities, facts, labels))


def _grow(
    reader: _Reader, seeds: tuple[str, ...], limit: int | None
) -> tuple[dict[str, Item], dict[str, str]]:
    """Items around the seeds, breadth-first in passes, and the labels of all properties."""
    labels: dict[str, str] = {}
    best: list[tuple[int, int, str]] = []
    for number, item in enumerate(reader.entities()):
        if item.id.startswith("P"):
            labels[item.id] = item.name
        elif not seeds:
            best.append((-len(item.claims), number, item.id))
            if len(best) > 50 * SEEDS:
                best = sorted(best)[:SEEDS]
    wanted = set(seeds or [id for *_, id in sorted(best)[:SEEDS]])
    items: dict[str, Item] = {}
    drawn: Counter[tuple[str, str]] = Counter()
    most = limit if limit is not None else float("inf")
    grown = True
    while grown and len(items) < most:
        grown = False
        centre = set(items)
        following: set[str] = set()
        for item in reader.entities():
            if item.id in items or item.id.startswith("P") or len(items) >= most:
                continue
            ties = [t for t in item.targets if t[1] in centre and drawn[t] < IN]
            if item.id in wanted or ties:
                drawn.update(ties)
                items[item.id] = item
                following.update(target for _, target in item.targets)
                grown = True
        wanted = following - set(items)
    return items, labels


def _pruned(items: dict[str, Item], labels: dict[str, str]) -> dict[str, Item]:
    """Items with at least ``FEWEST`` facts about each other; drops claims that lead outside."""
    while True:
        degree: Counter[str] = Counter()
        for item in items.values():
            item.claims = [
                (p, v, u)
                for p, v, u in item.claims
                if p in labels and (not isinstance(v, str) or v in items)
            ]
            degree.update([item.id] * len(item.claims))
            degree.update(target for _, target in item.targets)
        kept = {id: item for id, item in items.items() if degree[id] >= FEWEST}
        if len(kept) == len(items):
            return items
        items = kept


class _Reader:
    """The entities of a dump, one at a time."""

    def __init__(self, path: Path, languages: tuple[str, ...], keep: frozenset[str] | None) -> None:
        self._path, self._languages, self._keep = path, languages, keep

    def entities(self) -> Iterator[Item]:
        """Items and properties that have a label, with the claims to keep."""
        for number, line in self._lines():
            record = self._parsed(number, line)
            try:
                item = self._item(record)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise InputError(
                    f"the entity {record['id']} is not written as Wikidata writes its entities",
                    file=self._path,
                    line=number,
                ) from error
            if item is not None:
                yield item

    def labels(self, ids: Collection[str]) -> dict[str, str]:
        """Labels of these ids, where there are any."""
        found = {}
        for number, line in self._lines():
            # The id stands near the front; no need to parse the megabytes after it.
            match = re.search(r'"id"\s*:\s*"(\w+)"', line[:200])
            if match and match[1] in ids:
                name = self._name(self._parsed(number, line))
                if name:
                    found[match[1]] = name
        return found

    def _lines(self) -> Iterator[tuple[int, str]]:
        try:
            with self._open() as file:
                for number, raw in enumerate(file, 1):
                    line = raw.strip().rstrip(",")
                    if line not in ("", "[", "]"):
                        yield number, line
        except (OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "it ends too early"
            raise InputError(f"can't be read: {reason}", file=self._path) from error
        except UnicodeDecodeError as error:
            raise InputError("can't be read: it is not UTF-8 text", file=self._path) from error

    def _open(self) -> IO[str]:
        openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}
        return openers.get(self._path.suffix.lower(), open)(self._path, "rt", encoding="utf-8")  # type: ignore[no-any-return]

    def _parsed(self, number: int, line: str) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"not a Wikidata entity: a dump holds one JSON object a line ({error})",
                file=self._path,
                line=number,
            ) from error
        if not isinstance(record, dict) or not isinstance(record.get("id"), str):
            raise InputError("not a Wikidata entity: it has no id", file=self._path, line=number)
        return record

    def _name(self, record: dict[str, Any]) -> str:
        labels = record.get("labels") or {}
        return next((labels[code]["value"] for code in self._languages if code in labels), "")

    def _item(self, record: dict[str, Any]) -> Item | None:
        name = self._name(record)
        if not name:
            return None
        forms = [
            form["value"]
            for code in self._languages
            for form in (record.get("aliases") or {}).get(code, ())
        ]
        aliases = tuple(f for f in dict.fromkeys(forms) if f != name)
        claims = record.get("claims") or {}
        types = [v for v, _ in _values(claims.get("P31", ())) if isinstance(v, str)]
        item = Item(record["id"], name, aliases, types[0] if types else "")
        for property, statements in claims.items():
            if property != "P31" and (self._keep is None or property in self._keep):
                values = [(v, u) for v, u in _values(statements) if v != item.id]
                item.claims += [(property, v, u) for v, u in values[:OUT]]
        return item


def _values(statements: Sequence[dict[str, Any]]) -> list[tuple[Value, str]]:
    """Values of the best rank: preferred, else normal; deprecated ones never."""
    ranked: dict[str, list[tuple[Value, str]]] = {"preferred": [], "normal": []}
    for statement in statements:
        value = _value(statement.get("mainsnak") or {})
        if value is not None and statement.get("rank", "normal") in ranked:
            ranked[statement.get("rank", "normal")].append(value)
    return list(dict.fromkeys(ranked["preferred"] or ranked["normal"]))


def _value(snak: dict[str, Any]) -> tuple[Value, str] | None:
    """An item, a time or a quantity with the id of its unit; None for strings, ids, media, …"""
    if snak.get("snaktype") != "value":
        return None
    data = snak["datavalue"]["value"]
    match snak.get("datatype"):
        case "wikibase-item":
            return (data.get("id") or f"Q{data['numeric-id']}"), ""
        case "time":
            return _time(data)
        case "quantity":
            unit = data.get("unit", "1").rsplit("/", 1)[-1]
            amount = float(data["amount"])
            return (Quantity(amount), "" if unit == "1" else unit) if isfinite(amount) else None
    return None


def _time(data: dict[str, Any]) -> tuple[Timestamp, str] | None:
    match = re.match(r"([+-]\d+)-(\d\d)-(\d\d)T", data["time"])
    known = PRECISIONS.get(data["precision"], 0)
    if not match or not known or not int(match[1]):
        return None
    return Timestamp(*(int(part) for part in match.groups()[:known])), ""
