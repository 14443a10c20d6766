"""Where universes come from: the atlas of real facts, random universes, and files.

``load_universe`` turns a specification into a universe; each kind has its own module, imported when
it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.core.errors import InputError, ScrubjayError, UnknownName

if TYPE_CHECKING:
    from scrubjay.worlds.sources.random import random_universe
    from scrubjay.worlds.sources.rdf import read_rdf
    from scrubjay.worlds.sources.triples import read_triples
    from scrubjay.worlds.sources.wikidata import read_wikidata
    from scrubjay.worlds.universe import Universe

__all__ = [
    "load_universe",
    "random_universe",
    "read_rdf",
    "read_triples",
    "read_wikidata",
]

_HOMES = {
    "atlas": "atlas",
    "random_universe": "random",
    "read_rdf": "rdf",
    "read_triples": "triples",
    "read_wikidata": "wikidata",
}
_READERS = {
    ".nt": "read_rdf",
    ".ttl": "read_rdf",
    ".csv": "read_triples",
    ".tsv": "read_triples",
    ".jsonl": "read_triples",
    ".json": "read_wikidata",
    ".json.gz": "read_wikidata",
    ".json.bz2": "read_wikidata",
}
"""Reader by file ending."""


def load_universe(spec: str | Path, seed: int = 0) -> Universe:
    """The universe that a specification names, checked and in one piece.

    ``atlas``; ``random`` or ``random:ENTITIES`` (drawn with ``seed``); or a file: RDF (.nt, .ttl),
    triples (.csv, .tsv, .jsonl) or a Wikidata dump (.json, .json.gz, .json.bz2).

    Raises:
        UnknownName: neither a known name nor a file.
        InputError: the file's content isn't fit to be told, with file and line where there is one.
    """
    text = str(spec)
    kind, _, size = text.partition(":")
    if text == "atlas":
        return _reader("atlas")()
    if kind == "random":
        if size and not size.isdecimal():
            raise ScrubjayError(
                f"'{text}' asks for '{size}' entities; write a whole number, as in random:300"
            )
        return _reader("random_universe")(int(size) if size else 300, seed)
    path = Path(spec)
    ending = next((e for e in reversed(_READERS) if path.name.lower().endswith(e)), None)
    if not path.exists():
        if ending or len(path.parts) > 1:
            raise InputError("there is no such file", file=path)
        raise UnknownName("world", text, ["atlas", "random", "random:ENTITIES", "a file or folder"])
    if ending is None or path.is_dir():
        raise InputError(
            f"not a kind of file worlds are read from ({', '.join(_READERS)})", file=path
        )
    universe = _reader(_READERS[ending])(path)
    from scrubjay.worlds.check import check_universe

    try:
        check_universe(universe)
    except InputError as error:
        raise InputError(str(error), file=path) from error
    return universe


def _reader(name: str) -> Callable[..., Universe]:
    reader: Callable[..., Universe] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return reader


def __getattr__(name: str) -> Any:
    # ``atlas`` is the submodule here; its function is ``sources.atlas.atlas``.
    if name in _HOMES and name != "atlas":
        return _reader(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
