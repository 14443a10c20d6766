"""Reading a world's folder back, with a sentence for every way in which it can be broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from scrubjay.core.errors import InputError
from scrubjay.core.files import read_jsonl
from scrubjay.worlds.documents import MarkedDocument
from scrubjay.worlds.names import NameMap
from scrubjay.worlds.universe import Universe
from scrubjay.worlds.world import SCHEMA, World

T = TypeVar("T")


def load(folder: Path) -> World:
    """The world that ``World.save`` wrote to ``folder``.

    Raises:
        InputError: it holds no world, one of another version, or a damaged one.
    """
    if not (folder / "manifest.json").is_file():
        raise InputError("no world here: there is no manifest.json", file=folder)
    manifest = _json(folder / "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise InputError(
            f"not a world of version {SCHEMA}; build it again with this version of scrubjay",
            file=folder / "manifest.json",
        )
    universe = _reading(folder / "universe.jsonl", lambda p: Universe.from_records(read_jsonl(p)))
    marked = _reading(
        folder / "docs.jsonl", lambda p: tuple(map(MarkedDocument.from_json, read_jsonl(p)))
    )
    names = _reading(
        folder / f"names.{manifest['map']}.json", lambda p: NameMap.from_records(_json(p))
    )
    missing = [e for e in universe.entities if e not in names.entities]
    if missing:
        raise InputError(
            f"the name map has no name for '{missing[0]}'",
            file=f"{folder}/names.{names.label}.json",
        )
    world = World(manifest["name"], universe, names, marked, manifest["seed"])
    if world.hash != manifest["hash"]:
        raise InputError(
            "the files are not the ones that were saved (their digest differs from the "
            "manifest's); build the world again",
            file=folder,
        )
    return world


def _reading(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("damaged; build the world again", file=path) from error


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", file=path) from error
    except ValueError as error:
        raise InputError("not JSON; build the world again", file=path) from error
