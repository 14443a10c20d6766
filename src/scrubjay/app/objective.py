"""``scrubjay train objective``: search for a rule that agents learn by, and try it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def objective(
    out: Annotated[Path, typer.Option(help="Folder of the objective; a killed search goes on.")],
    base: Annotated[
        str, typer.Option(help="lpo: drifts, on bandits; lpg: policy gradients, on grid worlds.")
    ] = "lpo",
    aware: Annotated[
        bool, typer.Option("--aware/--unaware", help="Told how much of training is left, or not.")
    ] = True,
    pairs: Annotated[int, typer.Option(help="Pairs of candidates a step.")] = 12,
    steps: Annotated[int, typer.Option(help="Steps of the search.")] = 150,
    horizons: Annotated[
        str, typer.Option(help="Updates that an agent lives, as 5,10,20; twice the last is tested.")
    ] = "5,10,20,40",
    tests: Annotated[int, typer.Option(help="Unseen tasks to try it on.")] = 100,
    seed: Annotated[int, typer.Option(help="Fixes everything that is drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Search for an objective by evolution, and set it beside PPO or A2C on unseen tasks.

    Bandits: rewards as a share of the best arm's. Grid worlds: returns, 0 by chance, 1 at best.

    Example: scrubjay train objective --base lpo --aware --out my-objective
    """
    from scrubjay.app.show import bars, emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.training.meta.discover import Recipe, beside, discover

    try:
        lives = tuple(int(part) for part in horizons.split(","))
    except ValueError as error:
        raise InputError(f"horizons are whole numbers, as 5,10,20, not '{horizons}'") from error
    if out.is_file():
        raise InputError("is a file; name a folder", file=out)
    if tests < 1:
        raise InputError("a comparison needs at least one task")
    recipe = Recipe(base, aware, pairs, steps, lives, seed)
    with bars() as progress:
        found = discover(recipe, out, lambda done, score: progress("searching", done, steps))
    rows = beside(found, recipe, tests)
    value = {"objective": str(out), "base": base, "aware": aware, "rules": rows}
    emit(value, as_json, lambda: table(rows, title=f"{out}: final policies on {tests} tasks"))
