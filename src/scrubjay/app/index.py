"""``scrubjay index``: make an index of your own files, look at it, search it, measure it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scrubjay.core.nouns import Hit
    from scrubjay.evaluation.own_files import OwnFilesScore
    from scrubjay.retrieval.sync import Report

app = typer.Typer(no_args_is_help=True, help="Make an index of your own files, and search it.")
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Folder = Annotated[Path, typer.Argument(help="An index.")]
SHOWN = 20
"""Skipped files named one by one; --json names them all."""


@app.command()
def build(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    out: Annotated[Path, typer.Option(help="The index: a folder.")] = Path("my.index"),
    encoder: Annotated[
        str, typer.Option(help="Also search by meaning with this encoder; none: words only.")
    ] = "all-minilm-l6-v2",
    hidden: Annotated[
        bool, typer.Option(help="Also hidden, version-control and environment folders.")
    ] = False,
    words: Annotated[int, typer.Option(min=20, max=1000, help="Words a passage.")] = 120,
    as_json: Json = False,
) -> None:
    """Index Markdown, text, HTML, PDF, DOCX, EPUB, source code and JSON Lines.

    The same command again reads only what changed; a killed one goes on where it was.

    Example: scrubjay index build docs README.md --out my.index
    """
    from dataclasses import asdict

    from scrubjay.app.show import bars
    from scrubjay.retrieval.encoders import load_encoder
    from scrubjay.retrieval.files import common_folder
    from scrubjay.retrieval.sync import sync

    common_folder(paths)  # complains about a path before an encoder is loaded
    with bars() as progress:
        report = sync(
            paths,
            out,
            encoder=None if encoder == "none" else load_encoder(encoder),
            hidden=hidden,
            words=words,
            progress=progress,
        )
    if as_json:
        print(dumped(asdict(report)))
    else:
        _tell(report, out)


@app.command()
def show(index: Folder, as_json: Json = False) -> None:
    """The files of an index, with what they hold.

    Example: scrubjay index show my.index
    """
    from scrubjay.app.show import emit, table
    from scrubjay.core.errors import IndexMismatch
    from scrubjay.retrieval.store import Manifest
    from scrubjay.retrieval.sync import Account

    manifest, account = Manifest.load(index), Account.load(index)
    if account is None:
        raise IndexMismatch(f"{index} was not made from files, so there are none to show")
    rows = [
        {"file": name, "passages": len(e.ids), "bytes": e.size, "skipped": e.skipped or None}
        for name, e in sorted(account.files.items())
    ]
    value = {"encoder": manifest.encoder, "folder": account.base, "files": rows}
    held = sum(row["passages"] for row in rows)  # type: ignore[misc]
    title = f"{len(rows)} files, {held} passages, encoder {manifest.encoder or 'none'}"
    emit(value, as_json, lambda: table(rows, title=title))


@app.command()
def search(
    index: Folder,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option(min=1, help="Passages.")] = 5,
    as_json: Json = False,
) -> None:
    """The passages that fit a query best, without a language model.

    Example: scrubjay index search my.index "how are builds resumed"
    """
    import asyncio

    from scrubjay.app.asking import wrapped
    from scrubjay.retrieval import Index
    from scrubjay.retrieval.chunks import place
    from scrubjay.retrieval.files import printable

    hits: list[Hit] = asyncio.run(Index.open(index).search(query, k))
    if as_json:
        rows = [
            {"id": h.passage.id, "place": place(h.passage), "score": h.score}
            | {"title": h.passage.title, "text": h.passage.text}
            for h in hits
        ]
        print(dumped(rows))
    for hit in hits if not as_json else ():
        title = wrapped(printable(hit.passage.title), "  ")
        quote = wrapped(quoted(hit.passage.text), "    ")
        print("\n".join([printable(place(hit.passage)), *title, *quote]))
    if not hits and not as_json:
        print("nothing found")


@app.command()
def evaluate(
    questions: Annotated[
        Path | None,
        typer.Option(help="Your own, as JSON Lines: question, answers, and the file and line."),
    ] = None,
    index: Annotated[
        Path | None, typer.Option(help="An index that these questions are about.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="smollm2-135m, a Hugging Face id or folder, endpoint:URL#name.")
    ] = "smollm2-135m",
    agents: Annotated[
        str, typer.Option(help="Agents to measure, by name, with commas between.")
    ] = "closed-book,one-step-rag,focused-rag",
    encoder: Annotated[str, typer.Option(help="As for build; without --index.")] = (
        "all-minilm-l6-v2"
    ),
    words: Annotated[
        int, typer.Option(min=20, max=1000, help="Words a passage; without --index.")
    ] = 120,
    passages: Annotated[
        int | None, typer.Option(min=1, help="Passages to search for; by default as in ask.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure searching and answering on questions with known answers.

    By default 20 questions about the documentation of installed packages, and 4 that it does not
    answer. An own question without answers is one that the documents don't answer.

    Example: scrubjay index evaluate --agents one-step-rag,ircot
    """
    import asyncio
    from dataclasses import asdict

    from rich.console import Group

    from scrubjay.app.asking import reader
    from scrubjay.app.show import emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.evaluation.own_files import measure_own_files, measure_questions, read_items
    from scrubjay.retrieval.sync import Account

    if (questions is None) != (index is None):
        raise InputError("--questions and --index go together: give both, or none")
    readers = [reader(n.strip(), model, passages) for n in agents.split(",") if n.strip()]
    if questions is not None and index is not None:
        account = Account.load(index)
        base = Path(account.base) if account else Path()
        measured = asyncio.run(
            measure_questions(read_items(questions), index, base, readers, model)
        )
    else:
        measured = asyncio.run(measure_own_files(readers, model, encoder, words))
    rows = [_short(row) for row in measured.agents]
    asked = f"{measured.questions} questions, {measured.unanswerable} of them without an answer"
    emit(
        asdict(measured),
        as_json,
        lambda: Group(
            table(
                [
                    {k.replace("recall_at_", "recall@"): v for k, v in asdict(s).items()}
                    for s in measured.searches
                ],
                title="Finding the evidence",
            ),
            table(rows, title=f"\nAnswering: {asked}"),
        ),
    )


def _short(row: OwnFilesScore) -> dict[str, Any]:
    """A score in columns that fit a terminal."""
    return {
        "agent": row.agent, "EM": row.exact_match, "F1": row.f1, "from": row.low, "to": row.high,
        "declined": row.declined, "wrongly": row.wrongly_declined, "cited": row.cited,
        "calls": row.calls,
    }  # fmt: skip


def dumped(value: Any) -> str:
    """JSON that a terminal may show: what isn't printable is escaped (JSON itself leaves some)."""
    from scrubjay.core.files import dump_json

    lines = dump_json(value, indent=1).split("\n")
    return "\n".join("".join(c if c.isprintable() else _escape(c) for c in line) for line in lines)


def _escape(character: str) -> str:
    import json

    return json.dumps(character)[1:-1]


def quoted(text: str, longest: int = 200) -> str:
    """A passage's beginning on one line, safe for a terminal."""
    from scrubjay.retrieval.files import printable

    line = printable(" ".join(text.split()))
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _tell(report: Report, out: Path) -> None:
    from scrubjay.retrieval.files import printable

    for skipped in report.skipped[:SHOWN]:
        print(f"skipped {printable(skipped.name)}: {printable(skipped.reason)}")
    if len(report.skipped) > SHOWN:
        print(f"… and {len(report.skipped) - SHOWN} more (--json names them all)")
    if report.binary:
        kinds = ", ".join(f"{n} {printable(s)}" for s, n in sorted(report.binary.items()))
        print(f"passed over, not text: {kinds}")
    tail = f", {len(report.skipped)} skipped" if report.skipped else ""
    print(f"{report.sentence()}{tail}")
    print(f"{report.passages} passages in {printable(str(out))}")
