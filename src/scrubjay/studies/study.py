"""Studies: one paper's claim as a test that can fail, run at one of three scales.

    @study("hiring-agents", claims=("…",))
    def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding: ...

A study lives in ``studies/<slug with underscores>.py``; nothing else needs to know of it. What it
measured is kept as ``results/<slug>/finding.json`` with ``figure.json`` (Vega-Lite) beside it.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any, Literal, Protocol, cast, get_args

from scrubjay.core.errors import InputError, ScrubjayError, UnknownName
from scrubjay.core.files import cache_dir, dump_json, write_atomic
from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.core.registry import Registry

Scale = Literal["smoke", "laptop", "full"]


class Run(Protocol):
    """What a study does. ``out`` is a folder for parts of the work, kept until it is done."""

    def __call__(self, scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding: ...


@dataclass(frozen=True, slots=True)
class Paper:
    """One of the 72 papers; ``title`` is what the study asks, in our words."""

    number: int
    slug: str
    title: str
    room: str


@dataclass(frozen=True, slots=True)
class Study:
    """A paper's claims and the function that re-measures them."""

    paper: Paper
    claims: tuple[str, ...]
    measure: Run

    @property
    def number(self) -> int:
        return self.paper.number

    @property
    def slug(self) -> str:
        return self.paper.slug

    @property
    def title(self) -> str:
        return self.paper.title

    def run(
        self,
        scale: str = "laptop",
        results: Path = Path("results"),
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Finding:
        """Measure, and keep the finding under ``results/<slug>``; a killed run goes on.

        Raises:
            ScrubjayError: no such scale.
            DiskError: the finding can't be written.
        """
        if scale not in get_args(Scale):
            raise ScrubjayError(f"there is no scale '{scale}'; known: smoke, laptop, full")
        size = cast(Scale, scale)
        work = cache_dir("studies", self.slug, f"{size}-{seed}")
        clock = _Clock(work / "seconds", progress)
        found = self.measure(size, out=work, seed=seed, progress=clock)
        seconds = round(clock.stop(), 1)
        settings = {**found.settings, "scale": size, "seed": seed}
        found = replace(found, name=self.slug, settings=settings, seconds=seconds)
        save_finding(found, results)
        return found


REGISTRY = Registry("study")


def study(slug: str, *, claims: tuple[str, ...]) -> Callable[[Run], Run]:
    """Decorator: the function re-measures the paper with this slug.

    Raises:
        UnknownName: no paper has that slug.
    """
    row = paper(slug)

    def add(measure: Run) -> Run:
        REGISTRY.register(slug)(Study(row, claims, measure))
        return measure

    return add


@lru_cache(maxsize=1)
def papers() -> tuple[Paper, ...]:
    """The 72 papers, in order of their numbers."""
    text = resources.files("scrubjay.studies").joinpath("papers.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(Paper(int(r["number"]), r["slug"], r["title"], r["room"]) for r in rows)


def paper(slug: str) -> Paper:
    """The paper with this slug.

    Raises:
        UnknownName: there is none.
    """
    for row in papers():
        if row.slug == slug:
            return row
    raise UnknownName("paper", slug, [p.slug for p in papers()])


def _module(row: Paper) -> str | None:
    """The module of a paper's study, if it has one."""
    name = row.slug.replace("-", "_")
    home = resources.files("scrubjay.studies")
    return f"scrubjay.studies.{name}" if home.joinpath(f"{name}.py").is_file() else None


def get_study(slug: str) -> Study:
    """The study of a paper.

    Raises:
        UnknownName: no paper has that slug, and no other package brings such a study.
        ScrubjayError: the paper has no study yet.
    """
    if slug not in REGISTRY:
        module = _module(paper(slug))
        if module is None:
            raise ScrubjayError(
                f"the study '{slug}' is planned but not written yet; "
                "'scrubjay study list' shows those that can be run"
            )
        import_module(module)
    return cast(Study, REGISTRY.get(slug))


def list_studies() -> list[Study]:
    """The studies that can be run, in order of their papers."""
    known = {p.slug for p in papers() if _module(p)} | set(REGISTRY)
    return sorted((get_study(slug) for slug in known), key=lambda s: s.number)


def save_finding(finding: Finding, results: Path) -> Path:
    """Write ``finding.json`` and ``figure.json`` under ``results/<name>``; returns that folder.

    Raises:
        DiskError: the folder can't be written.
    """
    folder = Path(results) / finding.name
    write_atomic(folder / "figure.json", dump_json(finding.figure or {}, indent=1) + "\n")
    write_atomic(folder / "finding.json", dump_json(finding.to_dict(), indent=1) + "\n")
    return folder


def load_finding(slug: str, results: Path) -> Finding | None:
    """The kept finding of a study; None when there is none.

    Raises:
        InputError: the file is not a finding.
    """
    path = Path(results) / slug / "finding.json"
    if not path.exists():
        return None
    try:
        return Finding.from_dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"is not a finding ({error}); delete it and run again", file=path
        ) from error


def study_table(results: Path = Path("results")) -> list[dict[str, Any]]:
    """One row per paper: ``paper, slug, title, verdict, scale, seconds``.

    The verdict is that of the kept finding; 'not run' where a study has none, 'planned' where the
    paper has no study yet.
    """
    return [_row(p, Path(results)) for p in papers()]


def _row(row: Paper, results: Path) -> dict[str, Any]:
    found = load_finding(row.slug, results)
    has_study = _module(row) is not None or row.slug in REGISTRY
    return {
        "paper": row.number,
        "slug": row.slug,
        "title": row.title,
        "verdict": str(found.verdict) if found else "not run" if has_study else "planned",
        "scale": str(found.settings.get("scale", "")) if found else "",
        "seconds": found.seconds if found else None,
    }


class _Clock:
    """Counts the seconds of all attempts together, also of those that were killed."""

    PAUSE = 5.0

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path, self._progress = path, progress
        self._before = float(path.read_text()) if path.exists() else 0.0
        self._began = self._kept = time.perf_counter()

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._progress:
            self._progress(what, done, total)
        if time.perf_counter() - self._kept > self.PAUSE:
            self.stop()

    def stop(self) -> float:
        """Keep and return the seconds so far."""
        self._kept = time.perf_counter()
        spent = self._before + self._kept - self._began
        write_atomic(self._path, f"{spent:.1f}")
        return spent
