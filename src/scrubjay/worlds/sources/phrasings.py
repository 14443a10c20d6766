"""Files that say how to speak of relations: ``relations.csv`` or ``relations.jsonl``.

    id,phrasing,question,noun,inverse_noun,condition,functional,range
    capital,The capital of [S] is [O].|[S] has its capital in [O].,What is the capital of [S]?,…

Columns are the fields of ``Relation``; several phrasings are separated by ``|`` (in JSON Lines: a
list). Only ``id`` must be there. The atlas and random universes keep theirs in the same form.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.worlds.universe import Relation

Row = tuple[int, dict[str, Any]]
"""Line number and record."""
TEXTS = ("question", "noun", "inverse_noun", "condition", "domain", "range", "inverse")


def read_phrasings(path: str | Path) -> dict[str, dict[str, Any]]:
    """What each relation's row says, by relation id: fields of ``Relation``, empty ones left out.

    Raises:
        InputError: with file and line: a malformed row, or a phrasing without [S] or [O].
    """
    path = Path(path)
    given: dict[str, dict[str, Any]] = {}
    for line, row in read_rows(path, ("id",)):
        id = row.get("id")
        if not isinstance(id, str) or not id.strip():
            raise InputError("the id of the relation is missing", file=path, line=line)
        said = row.get("phrasings") or row.get("phrasing") or ()
        phrasings = [p.strip() for p in said.split("|")] if isinstance(said, str) else list(said)
        for text in phrasings:
            if not isinstance(text, str) or "[S]" not in text or "[O]" not in text:
                raise InputError(
                    f"the phrasing \"{text}\" of '{id}' needs [S] and [O]", file=path, line=line
                )
        fields: dict[str, Any] = {k: row[k] for k in TEXTS if row.get(k)}
        if phrasings:
            fields["phrasings"] = tuple(phrasings)
        if row.get("functional") not in (None, ""):
            fields["functional"] = str(row["functional"]).strip().lower() in ("true", "yes", "1")
        given[id.strip()] = fields
    return given


def own_relations(name: str) -> list[Relation]:
    """The relations in a file of this package, all of whose fields are given."""
    given = read_phrasings(Path(__file__).with_name(name))
    return [Relation(id=id, **fields) for id, fields in given.items()]


def read_rows(path: Path, columns: tuple[str, ...]) -> list[Row]:
    """The rows of a table (.csv, .tsv: with these columns in its first line) or of JSON Lines.

    Raises:
        InputError: with file and line, where a row can't be read.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".jsonl":
                return list(_json_rows(path, file))
            return list(_table_rows(path, file, columns))
    except UnicodeDecodeError as error:
        raise InputError("can't be read: it is not UTF-8 text", file=path) from error
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", file=path) from error


def _json_rows(path: Path, file: Any) -> Iterator[Row]:
    for line, text in enumerate(file, 1):
        if text.strip():
            try:
                record = json.loads(text)
            except ValueError as error:
                raise InputError(f"not JSON ({error})", file=path, line=line) from error
            if not isinstance(record, dict):
                raise InputError('not a record; write {"subject": …}', file=path, line=line)
            yield line, record


def _table_rows(path: Path, file: Any, columns: tuple[str, ...]) -> Iterator[Row]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not header:
                header = [c.strip().lower() for c in cells]
                missing = [c for c in columns if c not in header]
                if missing:
                    raise InputError(
                        f"the first line must name the columns {', '.join(columns)}; "
                        f"'{missing[0]}' is missing",
                        file=path,
                        line=1,
                    )
            elif cells and len(cells) != len(header):
                raise InputError(
                    f"{len(cells)} columns where the first line names {len(header)}",
                    file=path,
                    line=reader.line_num,
                )
            elif cells:
                yield reader.line_num, dict(zip(header, cells))
    except csv.Error as error:
        raise InputError(f"not a table ({error})", file=path, line=reader.line_num) from error
