"""``scrubjay probe``: point an instrument at an open model.

Every instrument is a verb of its own, so that another package's instrument is one, too:

    scrubjay probe list
    scrubjay probe concept-depth --model smollm2-135m --set items=120 --out runs/depth
    scrubjay probe panel --model smollm2-135m --out runs/panel
    scrubjay probe compare BASE TUNED --out runs/tuned
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Model = Annotated[str, typer.Option(help="smollm2-135m, a folder, or a Hugging Face id.")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or auto.")]
Only = Annotated[
    str, typer.Option(help="Instruments, with commas between; all of 'probe list' if empty.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE, as often as you like; --settings shows them."),
]


class _Verbs(TyperGroup):
    """The verbs of this file, and each instrument's name."""

    def list_commands(self, ctx: Any) -> list[str]:
        from scrubjay.probing.instruments import INSTRUMENTS

        return [*super().list_commands(ctx), *INSTRUMENTS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from scrubjay.probing.instruments import INSTRUMENTS, get_instrument

        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in INSTRUMENTS:
            return own
        about = getattr(get_instrument(cmd_name), "about", "")
        return _verb(cmd_name, str(about))


app = typer.Typer(
    cls=_Verbs, no_args_is_help=True, help="Look inside an open model with an instrument."
)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The instruments, with what each measures.

    Example: scrubjay probe list
    """
    from scrubjay.app.show import emit, table
    from scrubjay.probing.instruments import list_instruments

    rows = list_instruments()
    emit(rows, as_json, lambda: table(rows, title="Instruments"))


@app.command()
def panel(
    out: Annotated[Path, typer.Option(help="Folder of findings, figures and panel.html.")],
    model: Model = "smollm2-135m",
    only: Only = "",
    dtype: Dtype = "float32",
    as_json: Json = False,
) -> None:
    """All instruments of one model on one page; a killed run goes on with the next instrument.

    An instrument that can't measure this model says why on the page; the others go on.

    Example: scrubjay probe panel --model smollm2-135m --only concept-depth --out runs/panel
    """
    from scrubjay.app.panel import write_panel
    from scrubjay.app.panel_runs import measure_all
    from scrubjay.app.show import bars, emit, table

    with bars() as progress:
        results = measure_all(model, out, names=_names(only), dtype=dtype, progress=progress)
    page = write_panel(results, out, title=f"Instruments of {model}")
    value = {r.instrument: r.finding.to_dict() if r.finding else r.obstacle for r in results}
    rows = [
        {"instrument": r.instrument, "numbers": len(r.finding.numbers) if r.finding else 0}
        | {"obstacle": r.obstacle or ""}
        for r in results
    ]
    emit(value, as_json, lambda: table(rows, title=f"Written to {page}"))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A model, as for --model.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another of the same family and shape.")],
    out: Annotated[Path, typer.Option(help="Folder of findings, figures and panel.html.")],
    only: Only = "",
    dtype: Dtype = "float32",
    as_json: Json = False,
) -> None:
    """Two checkpoints of one family: each number of each instrument side by side.

    Example: scrubjay probe compare ./base ./tuned --only verbatim-memory --out runs/compare
    """
    from scrubjay.app.panel import write_panel
    from scrubjay.app.panel_runs import check_family, differences, measure_all
    from scrubjay.app.show import bars, emit, table
    from scrubjay.probing.open import load_open

    models = {spec: load_open(spec, dtype=dtype) for spec in (a, b)}
    check_family(models)
    with bars() as progress:
        first, second = (
            measure_all(
                spec,
                out / side,
                opened=models[spec],
                names=_names(only),
                dtype=dtype,
                progress=progress,
            )
            for side, spec in (("a", a), ("b", b))
        )
    rows = differences(first, second)
    page = write_panel([*first, *second], out, title=f"{a} and {b}", rows=rows)
    emit(rows, as_json, lambda: table(rows, title=f"A is {a}, B is {b}; page: {page}"))


def _verb(name: str, about: str) -> Any:
    """The command of one instrument."""
    one = typer.Typer(add_completion=False)

    def run(
        model: Model = "smollm2-135m",
        out: Annotated[
            Path | None, typer.Option(help="Folder for finding.json, figure.svg and figure.png.")
        ] = None,
        settings: Settings = None,
        show: Annotated[
            bool, typer.Option("--settings", help="Show the settings and their defaults.")
        ] = False,
        dtype: Dtype = "float32",
        as_json: Json = False,
    ) -> None:
        from scrubjay.app.panel_runs import (
            measure_one,
            number_rows,
            parse_settings,
            save,
            settings_of,
        )
        from scrubjay.app.show import bars, emit, table

        if show:
            rows = settings_of(name)
            emit(rows, as_json, lambda: table(rows, title=f"Settings of {name}"))
            return
        chosen = parse_settings(name, settings or [])
        with bars() as progress:
            finding = measure_one(name, model, chosen, dtype=dtype, progress=progress)
        if out is not None:
            save(finding, out)
        found = number_rows(finding)
        emit(finding.to_dict(), as_json, lambda: table(found, title=f"{name} of {model}"))

    run.__doc__ = (
        f"{about[:1].upper()}{about[1:]}.\n\n"
        f"Example: scrubjay probe {name} --model smollm2-135m --out runs/{name}"
    )
    one.command(name)(run)
    return typer.main.get_command(one)


def _names(only: str) -> list[str]:
    return [name.strip() for name in only.split(",") if name.strip()]
