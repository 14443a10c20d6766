"""A library: papers with abstracts, from BibTeX, JSON Lines or a folder of texts.

    library = read_library("papers.bib")            # Library(papers, without_abstract, duplicates)
    old = library.before(date(2023, 8, 1))          # a paper without a date is not older: it goes

A paper is a ``Passage``: ``text`` is its abstract, ``meta`` holds ``date`` (as much of it as is
known: "2023", "2023-08" or "2023-08-01"), ``authors`` and ``place`` (file and line).
"""

from __future__ import annotations

import calendar
import datetime
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.core.files import read_jsonl
from scrubjay.core.nouns import Passage
from scrubjay.retrieval.bibtex import MONTHS, Entry, parse_bibtex

_DATE = re.compile(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?(?!\d)")


@dataclass(frozen=True, slots=True)
class Library:
    """Papers that can be searched, and what was left out."""

    papers: tuple[Passage, ...]
    without_abstract: tuple[str, ...] = ()
    """Ids of papers that have none; they can't be ranked or checked."""
    duplicates: tuple[str, ...] = ()
    """Ids of papers whose title is that of an earlier one."""
    too_new: tuple[str, ...] = ()
    """Ids of papers not known to be older than the cut-off."""

    def before(self, cutoff: datetime.date | None) -> Library:
        """Only papers surely published before the cut-off: a date that is only a year counts as the
        year's last day, none at all as today or later."""
        if cutoff is None:
            return self
        old = [p for p in self.papers if is_before(p, cutoff)]
        kept = {p.id for p in old}
        new = tuple(p.id for p in self.papers if p.id not in kept)
        return replace(self, papers=tuple(old), too_new=new)


def read_library(path: str | os.PathLike[str]) -> Library:
    """The library at ``path``: a .bib or .jsonl file, or a folder of .txt and .md files.

    Raises:
        InputError: it can't be read, is malformed, or holds no paper with an abstract.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            "there is no such library; give a .bib or .jsonl file, or a folder", file=path
        )
    if path.is_dir():
        papers = _folder(path)
    elif path.suffix.lower() == ".bib":
        papers = [_entry(e, path) for e in parse_bibtex(_text(path), file=str(path))]
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        papers = _records(path)
    else:
        raise InputError("a library is a .bib or .jsonl file, or a folder", file=path)
    library = deduplicated(papers)
    if not library.papers:
        found = f"{len(papers)} papers, none with an abstract" if papers else "no papers"
        raise InputError(f"holds {found}; a review needs abstracts", file=path)
    return library


def deduplicated(papers: Iterable[Passage]) -> Library:
    """Papers with an abstract, each title once (the first wins; case, accents and punctuation don't
    count). A duplicate with an abstract replaces an earlier one without."""
    kept: dict[str, Passage] = {}
    bare: list[str] = []
    twice: list[str] = []
    for paper in papers:
        key = title_key(paper.title) or paper.id
        if not paper.text.strip():
            bare.append(paper.id)
        elif key in kept:
            twice.append(paper.id)
        else:
            kept[key] = paper
    return Library(tuple(kept.values()), tuple(bare), tuple(twice))


def is_before(paper: Passage, cutoff: datetime.date) -> bool:
    """Whether the paper's date, read as late as it can be meant, is before the cut-off."""
    latest = latest_day(str(paper.meta.get("date") or ""))
    return latest is not None and latest < cutoff


def latest_day(text: str) -> datetime.date | None:
    """The last day that a date like "2023", "2023-08" or "2023-08-14" can mean; None: no date.

    >>> latest_day("2024-02")
    datetime.date(2024, 2, 29)
    """
    match = _DATE.match(text.strip())
    if match is None:
        return None
    year, month, day = int(match[1]), int(match[2] or 12), match[3]
    try:
        first = datetime.date(year, month, 1)
        if day:
            return datetime.date(year, month, int(day))
    except ValueError:
        return None
    return first.replace(day=calendar.monthrange(year, month)[1])


def title_key(title: str) -> str:
    """Title without case, accents, blanks and punctuation: equal for the same paper."""
    letters = unicodedata.normalize("NFKD", title).casefold()
    return "".join(c for c in letters if c.isalnum())


def _entry(entry: Entry, path: Path) -> Passage:
    f = entry.fields
    date = f.get("date") or f.get("year", "")
    month = f.get("month", "").lower()[:3]
    if re.fullmatch(r"\d{4}", date) and (number := _month(month)):
        date = f"{date}-{number:02d}"
    meta = {"date": date, "authors": f.get("author", ""), "place": f"{path}:{entry.line}"}
    return Passage(entry.key, f.get("abstract", ""), f.get("title", ""), meta=meta)


def _month(text: str) -> int | None:
    if text in MONTHS:
        return MONTHS.index(text) + 1
    return int(text) if text.isdigit() and 1 <= int(text) <= 12 else None


def _records(path: Path) -> list[Passage]:
    papers: dict[str, Passage] = {}
    for number, record in enumerate(read_jsonl(path), 1):
        if not isinstance(record, dict):
            raise InputError(f"record {number} is not an object with title and abstract", file=path)
        paper = _record(record, number, path)
        if paper.id in papers:
            raise InputError(
                f"record {number} has the id '{paper.id}' of an earlier one", file=path
            )
        papers[paper.id] = paper
    return list(papers.values())


def _record(record: dict[str, Any], number: int, path: Path) -> Passage:
    for name in ("title", "abstract"):
        if not isinstance(record.get(name, ""), str | None):
            raise InputError(f"record {number}: '{name}' is not text", file=path)
    authors = record.get("authors") or record.get("author") or ""
    if isinstance(authors, Sequence) and not isinstance(authors, str):
        authors = " and ".join(map(str, authors))
    date = str(record.get("date") or record.get("year") or "")
    meta = {"date": date, "authors": str(authors), "place": f"{path}, record {number}"}
    name = str(record.get("id") or record.get("key") or f"record-{number}")
    text = record.get("abstract") or record.get("text") or ""
    return Passage(name, str(text).strip(), str(record.get("title") or ""), meta=meta)


def _folder(path: Path) -> list[Passage]:
    """One paper a file: its first line is the title, the rest the abstract; the date is a line
    "Date: 2023-08" anywhere, or a year that the file's name begins with. Links are not followed."""
    papers = []
    for file in sorted(path.iterdir()):
        if file.suffix.lower() not in (".txt", ".md") or file.is_symlink() or not file.is_file():
            continue
        lines = [line.strip() for line in _text(file).splitlines()]
        dates = [line[5:].strip() for line in lines if line.lower().startswith("date:")]
        named = re.match(r"\d{4}(?:-\d\d){0,2}(?!\d)", file.name)
        date = dates[0] if dates else named[0] if named else ""
        body = [x for x in lines if x and not x.lower().startswith("date:")] or [file.stem]
        meta = {"date": date, "authors": "", "place": str(file)}
        papers.append(Passage(file.name, " ".join(body[1:]), body[0].lstrip("# "), meta=meta))
    return papers


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"can't be read: {reason}", file=path) from error
