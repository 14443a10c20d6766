"""``scrubjay graph``: a knowledge graph out of your texts, to look at, to ask and to take away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scrubjay.agents.distil import Distilled, Triple
    from scrubjay.core.nouns import Answer
    from scrubjay.worlds.world import World

app = typer.Typer(no_args_is_help=True, help="A knowledge graph out of your texts.")
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Graph = Annotated[Path, typer.Argument(help="A graph from 'scrubjay graph build'.")]
MODEL_HELP = "none (patterns only), smollm2-135m, a Hugging Face id or folder, endpoint:URL#name."


@app.command()
def build(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of text.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("my.graph"),
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "none",
    patterns: Annotated[bool, typer.Option(help="Try patterns before the model.")] = True,
    verify: Annotated[bool, typer.Option(help="Weigh what the model wrote.")] = True,
    passes: Annotated[int, typer.Option(min=0, max=2, help="Over each question; 0: none.")] = 2,
    as_json: Json = False,
) -> None:
    """Read texts into entities, relations and questions with answers; every fact has its sentence.

    A killed build goes on where it stopped when the same command is given again.

    Example: scrubjay graph build docs --out my.graph
    """
    import asyncio
    import hashlib

    from scrubjay.agents.distil import Distiller, gather, read_sources, save_graph
    from scrubjay.agents.distil.files import check_place
    from scrubjay.app.index import dumped
    from scrubjay.app.show import bars
    from scrubjay.core.errors import ScrubjayError
    from scrubjay.core.files import cache_dir

    if model == "none" and not patterns:
        raise ScrubjayError("without patterns a model has to read; name one with --model")
    check_place(out)
    sources = read_sources(paths, exclude=out)
    record = cache_dir("graphs", hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16])
    settings = {"model": model, "patterns": patterns, "verify": verify, "passes": passes}

    async def distilled() -> Distilled:
        from scrubjay.models import load_model

        loaded = None if model == "none" else load_model(model)
        try:
            if loaded is not None:
                await loaded.check()
            with bars() as progress:
                return await Distiller(loaded, patterns, verify, passes).run(
                    sources.passages,
                    sources.names,
                    record=record / "passages.jsonl",
                    progress=progress,
                )
        finally:
            if loaded is not None:
                await loaded.close()

    found = asyncio.run(distilled())
    made = gather(found.triples, found.types, out.stem or "graph")
    report = save_graph(out, made, found.pairs, found.dropped, sources.skipped, settings)
    (record / "passages.jsonl").unlink(missing_ok=True)
    if as_json:
        print(dumped(report))
        return
    print(
        f"{report['entities']} entities, {report['relations']} relations, {report['facts']} facts "
        f"and {report['pairs accepted']} questions in {_safe(str(out))}"
    )
    for what in ("dropped", "pairs refused"):
        for reason, n in sorted(report[what].items()):
            print(f"{what}, {n}: {_safe(reason)}")
    for name, reason in list(sources.skipped.items())[:20]:
        print(f"skipped {_safe(name)}: {_safe(reason)}")


@app.command()
def show(
    graph: Graph,
    name: Annotated[str, typer.Argument(help="Only what is said of this name.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write a page with a drawing here.")] = None,
    as_json: Json = False,
) -> None:
    """The facts of a graph with the place of each; or a self-contained page that draws them.

    Example: scrubjay graph show my.graph "Petra Oake" --html graph.html
    """
    from dataclasses import asdict

    from scrubjay.agents.distil import load_triples
    from scrubjay.app.graph_page import graph_page
    from scrubjay.app.index import dumped
    from scrubjay.app.show import emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.core.files import write_atomic

    triples, world = load_triples(graph), _world(graph)
    if name:
        ids = world.knowledge.link(name)
        if not ids:
            raise InputError(f"names nothing like '{_safe(name)}'", file=graph)
        forms = {form for id in ids for form in world.names.forms(id)}
        triples = [t for t in triples if {t.subject, t.object} & forms]
    if html is not None:
        write_atomic(html, graph_page(triples, world.name))
        print(f"{len(triples)} facts drawn in {_safe(str(html))}")
        return
    rows = [{k: _safe(getattr(t, k)) for k in ("subject", "relation", "object", "place")}
            for t in triples]  # fmt: skip
    if as_json:
        print(dumped([asdict(t) for t in triples]))
    else:
        emit(rows, False, lambda: table(rows, title=f"{_safe(world.name)}: {len(rows)} facts"))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    graph: Annotated[Path, typer.Option(help="A graph, or any world.")] = Path("my.graph"),
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "smollm2-135m",
    hops: Annotated[int, typer.Option(min=1, max=10, help="Most steps.")] = 3,
    as_json: Json = False,
) -> None:
    """Walk from the names in the question to its answer; every step is shown with its place.

    Example: scrubjay graph ask "Where was the mayor of Tessaly born?" --graph my.graph
    """
    import asyncio

    from scrubjay.agents import KnowledgeSolver, Session
    from scrubjay.app.index import dumped
    from scrubjay.core.errors import InputError
    from scrubjay.core.nouns import Question
    from scrubjay.models import load_model

    if not question.strip():
        raise InputError("the question is empty; say what you want to know")
    world = _world(graph)
    solver = KnowledgeSolver(world, hops=hops)
    steps = _sources(graph)

    async def answered() -> Answer:
        loaded = load_model(model)
        try:
            await loaded.check()
            return await solver.answer(Question("asked", question), Session(loaded))
        finally:
            await loaded.close()

    answer = asyncio.run(answered())
    said = [_step(world, fact, steps) for fact in answer.citations]
    if as_json:
        print(dumped({"answer": answer.text, "confidence": answer.confidence, "path": said}))
        return
    print(_safe(answer.text))
    for step in said:
        print(f"  {_safe(step['says'])}  {_safe(step['place'])}".rstrip())
    if not said:
        print("  (no name of the graph is in the question: answered from memory)")


@app.command()
def export(
    graph: Graph,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
) -> None:
    """Write triples.csv, triples.jsonl and qa.jsonl (accepted pairs), for other programs.

    Example: scrubjay graph export my.graph --out triples
    """
    from scrubjay.agents.distil import load_triples
    from scrubjay.agents.distil.files import as_csv
    from scrubjay.core.errors import InputError
    from scrubjay.core.files import dump_json, read_jsonl, write_atomic

    triples = load_triples(graph)
    if out.exists() and not out.is_dir():
        raise InputError("is a file; name a folder", file=out)
    pairs = [r for r in read_jsonl(graph / "qa.jsonl") if r.get("accepted")]
    write_atomic(out / "triples.csv", as_csv(triples))
    write_atomic(out / "triples.jsonl", (graph / "triples.jsonl").read_text("utf-8"))
    write_atomic(out / "qa.jsonl", "".join(dump_json(r) + "\n" for r in pairs))
    print(f"{len(triples)} triples and {len(pairs)} questions in {_safe(str(out))}")


def _world(graph: Path) -> World:
    from scrubjay.worlds import load_world

    return load_world(str(graph))


def _sources(graph: Path) -> dict[tuple[str, str, str], Triple]:
    """Subject, relation and object in words → the triple, where the graph has triples."""
    from scrubjay.agents.distil import load_triples

    if not (graph / "triples.jsonl").is_file():
        return {}
    return {(t.subject, t.relation, t.object): t for t in load_triples(graph)}


def _step(world: World, cited: str, sources: dict[tuple[str, str, str], Triple]) -> dict[str, Any]:
    """A cited fact in words, with the sentence and the place it was read in."""
    from scrubjay.agents.graph_walk import fact_id
    from scrubjay.worlds.knowledge import Edge

    graph = world.knowledge
    fact = next(f for f in world.universe.facts if fact_id(f) == cited)
    says = graph.statement(Edge(fact.subject, fact.relation, True, fact.object))
    forms = {*world.names.forms(fact.subject)}
    ends = (
        {*world.names.forms(fact.object)} if isinstance(fact.object, str)
        else {world.names.value(fact.object)}
    )  # fmt: skip
    found = [t for (s, _, o), t in sources.items() if s in forms and (o in ends or not ends)]
    told = next((t for t in found if fact.relation.startswith(_slug(t.relation))), None)
    return {"says": says, "quote": told.quote if told else "", "place": told.place if told else ""}


def _slug(text: str) -> str:
    from scrubjay.worlds.sources.draft import slug

    return slug(text)


def _safe(text: str) -> str:
    from scrubjay.retrieval.files import printable

    return printable(text)
