"""Trees by name or from a user's own data.

    icd10cm          98,000 diagnosis codes, from the package simple-icd-10-cm
    random:4x3       an invented tree with 4 children a node on 3 levels
    tree.csv         columns id, parent, name (a root's parent is empty); .tsv and .jsonl alike,
                     optionally with "terms": other wordings, '|' between them (a list in JSON)
    some/folder      folders and files as they lie there; links are not followed

The medical codes take about three seconds to read from the package's XML, so the tree is kept in
the user's cache, under the package's version, and read from there in about half a second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scrubjay.core.errors import DiskError, InputError, MissingExtra, UnknownName
from scrubjay.core.files import cache_dir, dump_json, read_jsonl, write_atomic
from scrubjay.worlds.hierarchy import Node, Tree
from scrubjay.worlds.sources.phrasings import read_rows
from scrubjay.worlds.trees import TreeWorld

TABLES = (".csv", ".tsv", ".jsonl")
_RANDOM = re.compile(r"random:(\d+)x(\d+)")
_RANGE = re.compile(r"\s*\([A-Z0-9]{3}(?:-[A-Z0-9]{3})?\)$")


def load_tree(spec: str, *, seed: int = 0) -> Tree:
    """The tree that ``spec`` names; see the top of this file.

    Raises:
        UnknownName: nothing is called that.
        InputError: a file that can't be read (with line), or isn't a tree.
        MissingExtra: icd10cm without its package.
    """
    if spec == "icd10cm":
        return icd10cm()
    if (sizes := _RANDOM.fullmatch(spec)) is not None:
        branching, depth = int(sizes[1]), int(sizes[2])
        if not (1 <= branching <= 10 and depth >= 1 and branching**depth <= 100_000):
            raise InputError(
                f"'{spec}' is out of range: 1 to 10 children a node, and at most 100,000 leaves"
            )
        return TreeWorld(branching, depth, seed=seed).tree
    path = Path(spec).expanduser()
    if path.is_dir():
        return read_folder(path)
    if path.suffix.lower() in TABLES or path.exists():
        return read_tree(path)
    raise UnknownName("tree", spec, ["icd10cm", "random:4x3", "a .csv, .tsv or .jsonl", "a folder"])


def read_tree(path: str | Path) -> Tree:
    """A table or JSON Lines file of ``id, parent, name`` and maybe ``terms``.

    Parents may stand after their children.

    Raises:
        InputError: with file and line.
    """
    path = Path(path)
    if path.suffix.lower() not in TABLES:
        raise InputError("a tree is a .csv, .tsv or .jsonl file, or a folder", file=path)
    nodes: list[Node] = []
    lines: dict[str, int] = {}
    for line, row in read_rows(path, ("id", "parent", "name")):
        node = _node(path, line, row)
        if node.id in lines:
            raise InputError(
                f"'{node.id}' stands already in line {lines[node.id]}", file=path, line=line
            )
        lines[node.id] = line
        nodes.append(node)
    for node in nodes:
        if node.parent and node.parent not in lines:
            raise InputError(
                f"the parent '{node.parent}' of '{node.id}' is not in the file",
                file=path,
                line=lines[node.id],
            )
    try:
        return Tree(path.stem, nodes)
    except InputError as error:
        raise InputError(str(error), file=path) from error


def _node(path: Path, line: int, row: dict[str, Any]) -> Node:
    values: dict[str, str] = {}
    for key in ("id", "parent", "name"):
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, (str, int, type(None))):
            raise InputError(f"'{key}' must be text", file=path, line=line)
        values[key] = "" if value is None else " ".join(str(value).split())
    for key in ("id", "name"):
        if not values[key]:
            raise InputError(f"'{key}' is missing", file=path, line=line)
    terms = row.get("terms") or ()
    if isinstance(terms, str):
        terms = [t.strip() for t in terms.split("|") if t.strip()]
    if not isinstance(terms, (list, tuple)) or not all(isinstance(t, str) for t in terms):
        raise InputError("'terms' must be a list of texts", file=path, line=line)
    return Node(values["id"], values["name"], values["parent"], tuple(terms))


def read_folder(folder: str | Path) -> Tree:
    """Folders and files as a tree: the id is the path from ``folder``, the name the last part of
    it, made readable. Links, hidden entries and what can't be opened are left out.

    Raises:
        InputError: there is nothing in the folder.
    """
    folder = Path(folder)
    nodes = list(_entries(folder, folder))
    if not nodes:
        raise InputError("holds no files or folders to make a tree of", file=folder)
    return Tree(folder.resolve().name or "folder", nodes)


def _entries(folder: Path, top: Path) -> Iterator[Node]:
    try:
        entries = sorted(os.scandir(folder), key=lambda e: os.fsencode(e.name))
    except OSError:
        return
    parent = "" if folder == top else _text(folder.relative_to(top).as_posix())
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        path = Path(entry.path)
        words = re.sub(r"[_\-\s]+", " ", _text(path.stem)).strip()
        yield Node(_text(path.relative_to(top).as_posix()), words or _text(path.name), parent)
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(path, top)


def _text(name: str) -> str:
    """A file name as text that can be printed and written, whatever bytes it is."""
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else "?" for c in shown)


def icd10cm() -> Tree:
    """The diagnosis codes of ICD-10-CM: chapter, block, category, and up to four more levels.

    Names are the full descriptions; ``terms`` are the inclusion terms of the tabular list. The
    range of codes at the end of a chapter's or block's name is dropped: it is not part of the name,
    and would show a navigator which letter to look for.

    Raises:
        MissingExtra: the package simple-icd-10-cm isn't installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        edition = version("simple-icd-10-cm")
    except PackageNotFoundError as error:
        raise MissingExtra("simple-icd-10-cm", "worlds") from error
    return _kept(f"icd10cm-{edition}", _icd10cm_nodes)


def _icd10cm_nodes() -> Iterator[Node]:
    import simple_icd_10_cm as codes

    for code in dict.fromkeys(codes.get_all_codes()):
        name = " ".join(_RANGE.sub("", codes.get_description(code)).split())
        # The package passes a code's inclusion terms on to its seventh-character extensions.
        terms = tuple(" ".join(t.split()) for t in codes.get_inclusion_term(code))
        parent = codes.get_parent(code)
        if parent == code:  # a block of one category has its code: one node stands for both
            parent = codes.get_parent(code, prioritize_blocks=True)
        yield Node(code, name, parent, terms)


def _kept(name: str, nodes: Callable[[], Iterator[Node]]) -> Tree:
    """The tree from the cache; made, and put there if that is possible, when it isn't."""
    path = cache_dir("trees") / f"{name}.jsonl"
    if not path.exists():
        made = list(nodes())
        rows = (dump_json([n.id, n.name, n.parent, n.terms]) for n in made)
        try:
            write_atomic(path, "\n".join(rows) + "\n")
        except DiskError:
            return Tree(name, made)
    return Tree(name, [Node(i, n, p, tuple(t)) for i, n, p, t in read_jsonl(path)])
