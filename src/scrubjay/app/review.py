"""``scrubjay review``: the related work of a new paper, from a library, with checked citations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scrubjay.agents.review import Review
    from scrubjay.agents.review.assistant import Settings
    from scrubjay.core.nouns import Passage
    from scrubjay.retrieval.library import Library

MODEL_HELP = "smollm2-135m, a Hugging Face id or folder, endpoint:URL#name, or none (quotes only)."


def review(
    abstract: Annotated[Path, typer.Option(help="The new paper: a text, '# Title' first or not.")],
    library: Annotated[Path, typer.Option(help="papers.bib, papers.jsonl, or a folder of texts.")],
    before: Annotated[str, typer.Option(help="Only papers older than this day: 2023-08-01.")] = "",
    plan: Annotated[str, typer.Option(help="'2 sentences, cite [1] [2] in line 1, …'")] = "",
    papers: Annotated[int, typer.Option(min=1, max=50, help="Papers to cite.")] = 6,
    candidates: Annotated[int, typer.Option(min=1, max=200, help="Papers to debate.")] = 20,
    order: Annotated[str, typer.Option(help="fused, debate or found.")] = "fused",
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "smollm2-135m",
    encoder: Annotated[str, typer.Option(help="For meaning; none: words only.")] = (
        "all-minilm-l6-v2"
    ),
    out: Annotated[Path | None, typer.Option(help="Write Markdown here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Find, order and cite related work; every citation is checked, every repair is listed.

    A killed review goes on where it stopped when the same command is given again.

    Example: scrubjay review --abstract new.txt --library papers.bib --before 2023-08-01
    """
    import asyncio

    from scrubjay.agents.review.assistant import Settings
    from scrubjay.agents.review.plan import SentencePlan
    from scrubjay.app.index import dumped
    from scrubjay.core.errors import InputError
    from scrubjay.core.files import write_atomic
    from scrubjay.retrieval.library import read_library

    if order not in ("fused", "debate", "found"):
        raise InputError(f"there is no order '{order}'; use fused, debate or found")
    if plan:
        SentencePlan.parse(plan, papers)
    title, text = _abstract(abstract)
    cutoff = _day(before)
    held = read_library(library).before(cutoff)
    if not held.papers:
        raise InputError(f"holds no paper that is surely older than {before}", file=library)
    how = "written" if model.startswith("endpoint:") else "scored"
    settings = Settings(papers, candidates, plan, order, how)  # type: ignore[arg-type]
    made = asyncio.run(_made(title, text, held, settings, model, encoder, cutoff))
    if out is not None:
        write_atomic(out, markdown(made, held))
    if as_json:
        print(dumped(as_dict(made, held)))
    elif out is None:
        from scrubjay.retrieval.files import printable

        print("\n".join(map(printable, markdown(made, held).splitlines())))


async def _made(
    title: str,
    abstract: str,
    held: Library,
    settings: Settings,
    model: str,
    encoder: str,
    cutoff: date | None,
) -> Review:
    from scrubjay.agents.review import TwoSourceRetrieval
    from scrubjay.agents.review import review as make
    from scrubjay.agents.session import Session
    from scrubjay.app.show import bars
    from scrubjay.core.files import cache_dir
    from scrubjay.models import load_model

    loaded = None if model == "none" else load_model(model)
    try:
        if loaded is not None:
            await loaded.check()
        words, meaning = _sources(held, encoder)
        # The cut-off holds twice: the index has no newer paper, and the search would drop one.
        sources = TwoSourceRetrieval(words, meaning, 100, cutoff)
        key = _digest([title, abstract, model, encoder, asdict(settings), _papers(held)])
        steps = Steps(cache_dir("reviews", key) / "steps.jsonl")
        clauses = min(settings.papers, len(held.papers))
        with bars() as progress:
            steps.tell = lambda done: progress("review", min(done, clauses + 3), clauses + 3)
            return await make(
                Session(loaded), abstract, held.papers, sources, settings, title=title, keep=steps
            )
    finally:
        if loaded is not None:
            await loaded.close()


class Steps:
    """Results of finished steps, in a file that survives being killed."""

    def __init__(self, path: Path) -> None:
        from scrubjay.core.files import JsonLines

        self._file = JsonLines(path)
        self._done: dict[str, Any] = {r["step"]: r["value"] for r in self._file.read()}
        self.tell: Callable[[int], None] = lambda done: None

    async def __call__(self, step: str, make: Callable[[], Awaitable[Any]]) -> Any:
        if step not in self._done:
            value = await make()
            self._file.append([{"step": step, "value": value}])
            self._done[step] = value
        self.tell(len(self._done))
        return self._done[step]


def as_dict(made: Review, held: Library) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        "text": made.text,
        "queries": list(made.queries),
        "plan": str(made.plan),
        "references": [{"n": n, **_reference(p)} for n, p in enumerate(made.cited, 1)],
        "clauses": [asdict(c) for line in made.draft.lines for c in line],
        "ranking": [{**asdict(d), "paper": d.paper.id} for d in made.ranking],
        "left_out": {
            "without_abstract": list(held.without_abstract),
            "duplicates": list(held.duplicates),
            "too_new": list(held.too_new),
        },
    }


def markdown(made: Review, held: Library) -> str:
    """The section, its references, and what was repaired, dropped or left out."""
    lines = ["## Related work", "", escaped(made.text) or "*Nothing could be supported.*", ""]
    lines += ["## References", ""]
    for n, paper in enumerate(made.cited, 1):
        what = _reference(paper)
        by = " ".join(x for x in (what["authors"], f"({what['date']})" * bool(what["date"])) if x)
        lines.append(f"{n}. {escaped(what['title'])}{'. ' + escaped(by) if by else ''}. "
                     f"`{what['id'].replace('`', '')}`")  # fmt: skip
    troubled = made.draft.troubled
    if troubled:
        lines += ["", "## Not kept as first written", ""]
        for c in troubled:
            why = escaped("; ".join(c.why))
            lines.append(f"- [{c.paper}] {c.fate}: “{escaped(c.first or 'nothing')}” ({why})")
    counts = {
        "without an abstract": held.without_abstract,
        "with the title of another": held.duplicates,
        "not surely older than the cut-off": held.too_new,
    }
    left = [f"{len(ids)} {what}" for what, ids in counts.items() if ids]
    if left:
        lines += ["", f"Left out of the library: {', '.join(left)}."]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text from papers and models as Markdown text: no tags, links or emphasis of its own."""
    from scrubjay.models.prompting.untrusted import one_line

    text = one_line(text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    for mark in "*_`":
        text = text.replace(mark, "\\" + mark)
    return text.replace("](", "]\\(").replace("]:", "]\\:")


def _reference(paper: Passage) -> dict[str, str]:
    meta = paper.meta
    return {
        "id": paper.id,
        "title": paper.title or paper.id,
        "authors": str(meta.get("authors") or ""),
        "date": str(meta.get("date") or ""),
        "place": str(meta.get("place") or ""),
    }


def _abstract(path: Path) -> tuple[str, str]:
    """Title (empty: none) and text.

    Raises:
        InputError: it can't be read, or is empty.
    """
    from scrubjay.core.errors import InputError

    try:
        lines = path.read_text("utf-8-sig").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"can't be read: {reason}", file=path) from error
    title = lines.pop(0).lstrip("# ").strip() if lines and lines[0].startswith("#") else ""
    text = " ".join(" ".join(lines).split())
    if not any(c.isalpha() for c in text):
        raise InputError("the abstract is empty", file=path)
    return title, text


def _day(text: str) -> date | None:
    """The first day that a cut-off such as 2023, 2023-08 or 2023-08-01 can mean.

    Raises:
        InputError: not a day.
    """
    from scrubjay.core.errors import InputError

    if not text:
        return None
    try:
        return date.fromisoformat(text + {4: "-01-01", 7: "-01"}.get(len(text), ""))
    except ValueError as error:
        raise InputError(f"'{text}' is not a day; write --before 2023-08-01") from error


def _sources(held: Library, encoder: str) -> tuple[Any, Any]:
    """Words and meaning of the library, from the user's cache if it was indexed before."""
    from contextlib import suppress

    from scrubjay.core.errors import IndexMismatch
    from scrubjay.core.files import cache_dir
    from scrubjay.retrieval import build_index
    from scrubjay.retrieval.encoders import load_encoder

    folder = cache_dir("libraries") / f"{_digest([encoder, _papers(held)])}.index"
    vectors = None if encoder == "none" else load_encoder(encoder)
    if not folder.exists():
        build_index(held.papers, folder, encoder=vectors)
    with suppress(IndexMismatch):
        return _opened(folder, vectors)
    build_index(held.papers, folder, encoder=vectors)
    return _opened(folder, vectors)


def _opened(folder: Path, vectors: Any) -> tuple[Any, Any]:
    from scrubjay.retrieval import Index

    words = Index.open(folder, mode="text")
    return words, words if vectors is None else Index.open(folder, encoder=vectors, mode="vector")


def _papers(held: Library) -> list[Any]:
    return [[p.id, p.title, p.text, dict(p.meta)] for p in held.papers]


def _digest(value: Any) -> str:
    import hashlib

    from scrubjay.core.files import dump_json

    raw = dump_json(value).encode("utf-8", "replace")
    return hashlib.blake2b(raw, digest_size=12).hexdigest()
