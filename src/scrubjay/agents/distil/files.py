"""A graph on disk: a world's folder, with where every fact was read beside it.

universe.jsonl names.real.json docs.jsonl manifest.json       what ``load_world`` reads
triples.jsonl     subject, relation, object, quote, place (file:line), by
qa.jsonl          question, answer, accepted, reason, quote, place
report.json       what was read, kept, dropped (by reason) and merged
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from scrubjay.agents.distil.mentions import is_name, plain
from scrubjay.agents.distil.merging import Gathered
from scrubjay.agents.distil.pairs import QAPair
from scrubjay.agents.distil.triples import Triple
from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, folder_atomic, read_jsonl, write_atomic
from scrubjay.core.nouns import Passage
from scrubjay.retrieval import readers
from scrubjay.retrieval.chunks import WORDS, passages
from scrubjay.retrieval.files import File, Unreadable, common_folder, find, read_bytes
from scrubjay.retrieval.readers.isolated import IsolatedReader

PROSE = frozenset({"markdown", "html", "docx", "epub", "pdf"})
"""Kinds of files that are read; code and records hold no sentences."""
_MARK = "triples.jsonl"


@dataclass(slots=True)
class Sources:
    """The passages of a user's files, the names they show to be names, and what wasn't read."""

    passages: list[Passage] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def read_sources(
    paths: Sequence[Path], *, words: int = WORDS, exclude: Path | None = None
) -> Sources:
    """The prose below ``paths``, in passages of whole paragraphs.

    Raises:
        InputError: a path doesn't exist, or no file holds text.
    """
    common_folder(paths)
    out = Sources()
    with IsolatedReader() as helper:
        for file in find(paths, exclude=[exclude.resolve()] if exclude else ()):
            kind = readers.kind_of(file.name)
            if not isinstance(file, File):
                out.skipped[file.name] = file.reason
            elif kind in PROSE:
                try:
                    blocks = helper.blocks(kind, read_bytes(file))
                    out.passages += passages(file.name, blocks, words)
                except Unreadable as error:
                    out.skipped[file.name] = str(error)
                    continue
                for block in blocks:
                    text, labels = plain(block.text)
                    out.names += [*labels, *([text] if block.level and is_name(text) else [])]
    if not out.passages:
        raise InputError(
            "no Markdown, text, HTML, PDF, DOCX or EPUB file with text is there",
            file=", ".join(map(str, paths)),
        )
    return out


def save_graph(
    folder: Path,
    gathered: Gathered,
    pairs: Sequence[QAPair],
    dropped: Mapping[str, int],
    skipped: Mapping[str, str],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Write a graph, whole or not at all; returns the report.

    Raises:
        InputError: something else is there that is no graph.
        DiskError: the disk is full or not writable.
    """
    check_place(folder)
    universe = gathered.world.universe
    triples = [t for group in gathered.sources.values() for t in group]
    report = {
        "entities": len(universe.entities),
        "relations": len(universe.relations),
        "facts": len(universe.facts),
        "triples": len(triples),
        "by": dict(Counter(t.by for t in triples)),
        "dropped": dict(dropped),
        "merged": [list(m) for m in gathered.merged],
        "pairs": len(pairs),
        "pairs accepted": sum(p.accepted for p in pairs),
        "pairs refused": dict(Counter(p.reason for p in pairs if not p.accepted)),
        "skipped": dict(skipped),
        "settings": dict(settings),
    }
    with folder_atomic(folder) as new:
        gathered.world.save(new)
        write_atomic(new / _MARK, "".join(dump_json(asdict(t)) + "\n" for t in triples))
        write_atomic(new / "qa.jsonl", "".join(dump_json(pair_record(p)) + "\n" for p in pairs))
        write_atomic(new / "report.json", dump_json(report, indent=1) + "\n")
    return report


def check_place(folder: Path) -> None:
    """Whether a graph may be written there.

    Raises:
        InputError: something is there that is no graph, and must not be replaced.
    """
    ours = all((folder / name).is_file() for name in (_MARK, "universe.jsonl", "manifest.json"))
    if folder.exists() and not ours:
        empty = folder.is_dir() and not any(folder.iterdir())
        if not empty:
            raise InputError("is there already and is no graph; name another place", file=folder)


def load_triples(folder: Path) -> list[Triple]:
    """The triples of a graph.

    Raises:
        InputError: there is no graph, or it is damaged.
    """
    path = folder / _MARK
    if not path.is_file():
        raise InputError(
            "no graph is here; make one with: scrubjay graph build FOLDER --out my.graph",
            file=folder,
        )
    known = {f.name for f in fields(Triple)}
    try:
        return [Triple(**{k: v for k, v in r.items() if k in known}) for r in read_jsonl(path)]
    except (TypeError, AttributeError) as error:
        raise InputError("damaged; build the graph again", file=path) from error


def pair_record(pair: QAPair) -> dict[str, Any]:
    """A pair for ``qa.jsonl``."""
    return {
        "question": pair.question,
        "answer": pair.answer,
        "accepted": pair.accepted,
        "reason": pair.reason,
        "by": pair.by,
        "quote": pair.triple.quote,
        "place": pair.triple.place,
    }


def as_csv(triples: Sequence[Triple]) -> str:
    """Triples as a table.

    A cell that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["subject", "relation", "object", "object_kind", "place", "quote"])
    for t in triples:
        cells = (t.subject, t.relation, t.object, t.kind, t.place, t.quote)
        rows.writerow([f"'{c}" if c[:1] in "=+-@\t\r" and c else c for c in cells])
    return out.getvalue()
