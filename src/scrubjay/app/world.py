"""``scrubjay world``: build, look at, check and export worlds and their twins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Build, look at, check and export worlds.")

World = Annotated[
    str, typer.Argument(help="atlas, random:N, a saved world, or a file of facts (.nt .csv …).")
]
Seed = Annotated[int, typer.Option(help="Fixes what is drawn.")]
Twin = Annotated[int | None, typer.Option(help="Number of the twin; without it, the real world.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.command()
def build(
    world: World,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    twin: Twin = None,
    seed: Seed = 0,
) -> None:
    """Build a world, or a twin of it, and save it.

    Example: scrubjay world build atlas --twin 0 --out worlds/atlas-twin
    """
    found = _load(world, seed, twin)
    found.save(out)
    typer.echo(f"{found.name}: {found.universe}, {len(found.marked)} pages, in {out}")


@app.command()
def show(
    world: World,
    page: Annotated[str, typer.Argument(help="Name of an entity in that world.")] = "",
    twin: Twin = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Counts of a world, or one page of it.

    Example: scrubjay world show atlas France
    """
    import difflib
    from collections import Counter

    from scrubjay.app.show import emit, table
    from scrubjay.core.errors import InputError

    found = _load(world, seed, twin)
    if page:
        ids = {p.title: p for p in found.documents()}
        if page not in ids:
            near = difflib.get_close_matches(page, ids, n=1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise InputError(f"{found.name} has no page '{page}'{hint}")
        typer.echo(f"{ids[page].title}\n\n{ids[page].text}")
        return
    counts = Counter(e.type for e in found.universe.entities.values())
    rows = [{"type": t, "entities": n} for t, n in counts.most_common()]
    emit(rows, as_json, lambda: table(rows, title=f"{found.name}: {found.universe}"))


@app.command()
def export(
    world: World,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    twin: Twin = None,
    seed: Seed = 0,
    questions: Annotated[int, typer.Option(min=0, help="Questions per task.")] = 100,
) -> None:
    """Write a world as Markdown pages and questions.jsonl, for any other pipeline.

    Example: scrubjay world export atlas --out exports/real
    """
    found = _load(world, seed, twin)
    asked = found.every_question(questions, seed)
    found.export(out, asked)
    typer.echo(f"{len(found.marked)} pages and {len(asked)} questions in {out}")


@app.command()
def audit(
    world: World,
    twin: Annotated[int, typer.Option(help="Number of the twin.")] = 0,
    seed: Seed = 0,
    questions: Annotated[int, typer.Option(min=1, help="Questions per task to check.")] = 100,
    as_json: Json = False,
) -> None:
    """Check that a world and its twin are parallel: structure, leaks, names, questions.

    Example: scrubjay world audit atlas --twin 3
    """
    from scrubjay.app.show import emit, table
    from scrubjay.worlds.audit import audit as run_audit

    real = _load(world, seed, None)
    invented = real.twin(twin)
    pairs = [
        pair
        for task in ("recall", "multihop")
        for pair in zip(
            real.questions(task, questions, seed), invented.questions(task, questions, seed)
        )
    ]
    found = run_audit(real, invented, pairs)
    rows = found.rows()
    emit(rows, as_json, lambda: table(rows, title="Parallel" if found.ok else "NOT parallel"))
    raise typer.Exit(0 if found.ok else 1)


def _load(spec: str, seed: int, twin: int | None):  # type: ignore[no-untyped-def]
    from scrubjay.worlds import load_world

    found = load_world(spec, seed=seed)
    return found if twin is None else found.twin(twin)
