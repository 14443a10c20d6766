"""``scrubjay tree``: find the place of a description in a hierarchy, and look at hierarchies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scrubjay.agents.session import Session
    from scrubjay.retrieval.index import Index
    from scrubjay.worlds.hierarchy import Tree

app = typer.Typer(no_args_is_help=True, help="Find the place of a description in a hierarchy.")

Spec = Annotated[
    str,
    typer.Option(
        "--tree", help="icd10cm, random:4x3, a folder, or a .csv .tsv .jsonl of id, parent, name."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.command()
def ask(
    description: Annotated[str, typer.Argument(help="What to find the place of.")],
    tree: Spec = "icd10cm",
    model: Annotated[
        str, typer.Option(help="smollm2-135m, a Hugging Face id or folder, or endpoint:URL#name.")
    ] = "smollm2-135m",
    agent: Annotated[
        str, typer.Option(help="navigator (chooses level by level), written, or flat-search.")
    ] = "navigator",
    beam: Annotated[int, typer.Option(min=1, help="Ways followed side by side.")] = 3,
    guide: Annotated[
        bool, typer.Option(help="Let one word search over all nodes guide the navigator.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Walk down a hierarchy to the node that fits a description; the way is the answer.

    Example: scrubjay tree ask "type 2 diabetes with ketoacidosis with coma" --tree icd10cm
    """
    import asyncio

    from scrubjay.agents import Session
    from scrubjay.app.show import emit, table
    from scrubjay.core.errors import InputError, UnknownName
    from scrubjay.core.nouns import Answer, Question
    from scrubjay.models import load_model
    from scrubjay.worlds.sources.hierarchies import load_tree

    if not description.strip():
        raise InputError("the description is empty; say what to look for")
    known = ("navigator", "written", "flat-search")
    if agent not in known:
        raise UnknownName("way to ask a tree", agent, known)
    found = load_tree(tree)
    searched = agent == "flat-search" or (agent == "navigator" and guide)
    asked = Session(
        model=None if agent == "flat-search" else load_model(model),
        retriever=_index(found) if searched else None,
    )

    way_down = _agent(agent, found, beam)

    async def answer() -> Answer:
        try:
            if asked.model is not None:
                await asked.model.check()
            said: Answer = await way_down.answer(Question("ask", description), asked)
            return said
        finally:
            if asked.model is not None:
                await asked.model.close()

    said = asyncio.run(answer())
    rows = [
        {"level": level, "id": id, "name": found.nodes[id].name}
        for level, id in enumerate(said.path, 1)
    ]
    spent = said.trace.cost
    value = {
        "id": said.text,
        "path": rows,
        "confidence": said.confidence,
        "calls": spent.calls,
        "searches": spent.searches,
        "seconds": round(spent.seconds, 3),
        "trace": said.trace.to_list(),
    }
    sure = "" if said.confidence is None else f", sure to {said.confidence:.0%}"
    title = f"{said.text or 'nothing fits'} ({spent.calls} calls, {spent.searches} searches{sure})"
    emit(value, as_json, lambda: table(rows, title=title))


@app.command()
def show(
    tree: Annotated[str, typer.Argument(help="As for --tree of ask.")],
    node: Annotated[str, typer.Argument(help="Id of a node; without one, the first level.")] = "",
    as_json: Json = False,
) -> None:
    """The way to a node and what lies right below it; without a node, the size of the tree.

    Example: scrubjay tree show icd10cm E11.1
    """
    from scrubjay.app.show import emit, table
    from scrubjay.worlds.sources.hierarchies import load_tree

    found = load_tree(tree)
    way = found.path(node)
    rows = [
        {"level": len(found.path(id)), "id": id, "name": found.nodes[id].name}
        | {"children": len(found.children(id))}
        for id in (*way, *found.children(node))
    ]
    title = node or f"{found.name}: {len(found)} nodes, {len(found.leaves)} of them leaves"
    emit(rows, as_json, lambda: table(rows, title=title))


@app.command()
def measure(
    tree: Annotated[str, typer.Argument(help="As for --tree of ask; needs nodes with terms.")],
    model: Annotated[str, typer.Option(help="As for ask.")] = "smollm2-135m",
    agents: Annotated[
        str, typer.Option(help="Of random, flat-search, navigator, unguided, written.")
    ] = "random,flat-search,navigator,unguided",
    questions: Annotated[int, typer.Option(min=1, help="Other wordings to ask for.")] = 100,
    beam: Annotated[int, typer.Option(min=1, help="Ways followed side by side.")] = 3,
    calibrate: Annotated[
        bool, typer.Option(help="Correct the model's leaning to some names.")
    ] = True,
    stopping: Annotated[
        float, typer.Option(min=0, help="How readily to stop above a leaf; 0: never.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Fixes which wordings are drawn.")] = 0,
    as_json: Json = False,
) -> None:
    """Ask for nodes by wordings the agents never see, and hold the ways against the true ones.

    Example: scrubjay tree measure icd10cm --questions 100
    """
    import asyncio
    from dataclasses import asdict, replace

    from scrubjay.agents import HierarchyNavigator, RandomDescent, Session
    from scrubjay.app.show import bars, emit, table
    from scrubjay.core.errors import InputError, UnknownName
    from scrubjay.evaluation import TreeScore, measure_tree_agent
    from scrubjay.models import load_model
    from scrubjay.worlds.sources.hierarchies import load_tree

    found = load_tree(tree)
    ways: dict[str, Any] = {
        n: _agent(n, found, beam) for n in ("flat-search", "navigator", "written")
    }
    guided = HierarchyNavigator(found, beam, calibrate=calibrate, stopping=stopping)
    ways["navigator"], ways["unguided"] = guided, replace(guided, hits=0, name="unguided")
    ways["random"] = RandomDescent(found)
    names = tuple(dict.fromkeys(name.strip() for name in agents.split(",") if name.strip()))
    for name in names:
        if name not in ways:
            raise UnknownName("way to ask a tree", name, ways)
    asked = found.questions(questions, seed)
    if not asked:
        raise InputError(f"no node of the tree {found.name} has other wordings ('terms') to ask")
    index = _index(found) if {"flat-search", "navigator"} & {*names} else None
    loaded = load_model(model) if {*names} - {"flat-search", "random"} else None
    session = Session(loaded, index, seed=seed)

    async def measured() -> list[TreeScore]:
        try:
            if loaded is not None:
                await loaded.check()
            with bars() as progress:
                return [
                    await measure_tree_agent(ways[n], asked, lambda: _fresh(session), progress)
                    for n in names
                ]
        finally:
            if loaded is not None:
                await loaded.close()

    scores = asyncio.run(measured())
    rows = [
        {"agent": s.agent, "exact": s.exact.value, "low": s.exact.low, "high": s.exact.high}
        | {f"level {i}": share for i, share in enumerate(s.levels[:4], 1)}
        | {"PMS": s.pms, "calls": s.calls, "tokens": s.tokens, "seconds": s.seconds}
        for s in scores
    ]
    emit(
        [asdict(s) for s in scores],
        as_json,
        lambda: table(rows, title=f"{found.name}: {len(asked)} questions"),
    )


def _fresh(session: Session) -> Session:
    """A session of its own for a question, with the same model and index."""
    from scrubjay.agents import Session

    return Session(session.model, session.retriever, seed=session.seed)


def _agent(name: str, tree: Tree, beam: int) -> Any:
    from scrubjay.agents import FlatSearch, HierarchyNavigator, WrittenTraversal

    if name == "flat-search":
        return FlatSearch(tree)
    return HierarchyNavigator(tree, beam=beam) if name == "navigator" else WrittenTraversal(tree)


def _index(tree: Tree) -> Index:
    """The word index of all nodes, from the user's cache if these nodes were indexed before."""
    import hashlib
    from contextlib import suppress

    from scrubjay.core.errors import IndexMismatch
    from scrubjay.core.files import cache_dir
    from scrubjay.retrieval import Index, build_index

    passages = tree.passages()
    digest = hashlib.blake2b(digest_size=12)
    for passage in passages:
        digest.update(f"{passage.id}\x1f{passage.text}\x1e".encode("utf-8", "replace"))
    folder: Path = cache_dir("trees") / f"{digest.hexdigest()}.index"
    if folder.exists():
        with suppress(IndexMismatch):
            return Index.open(folder, mode="text")
    return build_index(passages, folder)
