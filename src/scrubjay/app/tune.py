"""``scrubjay tune``: which settings to try next, from a table of what was tried."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer


def tune(
    table: Annotated[Path, typer.Argument(help="CSV or JSON Lines; a row is a setting.")],
    target: Annotated[str, typer.Option(help="Column of results; empty where not tried.")],
    minimise: Annotated[
        bool, typer.Option("--minimise", help="Lower results are better, not higher ones.")
    ] = False,
    method: Annotated[str, typer.Option(help="gp-ei, nap (needs --model) or random.")] = "gp-ei",
    model: Annotated[Path | None, typer.Option(help="A saved neural acquisition process.")] = None,
    next_: Annotated[int, typer.Option("--next", help="How many rows to propose.")] = 1,
    span: Annotated[
        str | None,
        typer.Option(help="For nap: lowest and highest result to be expected, as 0,1."),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="For nap: all trials you will make.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes how ties are broken.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Propose the next rows to try: those with a result are the history, the others candidates.

    Example: scrubjay tune tunings.csv --target accuracy --next 3
    Example: scrubjay tune tunings.csv --target seconds --minimise
    """
    from dataclasses import replace

    from scrubjay.app.show import emit
    from scrubjay.app.show import table as show
    from scrubjay.core.errors import InputError
    from scrubjay.deciding.bo.tune import propose, read_table

    read = read_table(table, target)
    sign = -1.0 if minimise else 1.0
    read = replace(read, target=sign * read.target)
    loaded = None
    if method == "nap":
        if model is None:
            raise InputError("the method 'nap' needs a saved model: --model FILE")
        from scrubjay.deciding.bo.nap import load_nap

        loaded = load_nap(model)
    expected = None if span is None else _span(span)
    if expected is not None and minimise:
        expected = (-expected[1], -expected[0])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        found = propose(read, method, next_, model=loaded, span=expected, trials=trials, seed=seed)
    for warning in said:
        typer.echo(str(warning.message), err=True)
    rows: list[dict[str, Any]] = [
        {"row": p.row, **p.settings}
        | {
            "predicted": None if p.mean is None else sign * p.mean,
            "deviation": p.deviation,
            "expected gain": p.improvement,
        }
        for p in found
    ]
    value = {"method": method, "tried": int(read.known.sum()), "next": rows}
    title = f"Next by {method}, after {value['tried']} of {len(read.rows)} rows"
    emit(value, as_json, lambda: show(rows, title=title))


def _span(text: str) -> tuple[float, float]:
    from scrubjay.core.errors import InputError

    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--span takes two numbers, as 0,1, not '{text}'") from error
    if not low < high or abs(low) == float("inf") or abs(high) == float("inf"):
        raise InputError(f"--span takes the lower number first, not '{text}'")
    return low, high
