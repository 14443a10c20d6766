"""``scrubjay study``: the 72 papers, each re-measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List and run the studies that re-measure papers.")

Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Results = Annotated[Path, typer.Option(help="Folder with findings.")]


@app.command("list")
def list_() -> None:
    """The studies that can be run, with their claims.

    Example: scrubjay study list
    """
    from scrubjay.studies import list_studies

    for study in list_studies():
        typer.echo(f"{study.number:02d} {study.slug}: {study.title}")
        for claim in study.claims:
            typer.echo(f"   - {claim}")


@app.command()
def table(results: Results = Path("results"), as_json: Json = False) -> None:
    """One row per paper: verdict, scale and seconds of its last finding, or 'planned'.

    Example: scrubjay study table --json
    """
    from scrubjay.app.show import emit
    from scrubjay.app.show import table as show
    from scrubjay.studies import study_table

    rows = study_table(results)
    emit(rows, as_json, lambda: show(rows, title="The 72 papers"))


@app.command()
def run(
    slug: Annotated[str, typer.Argument(help="Name of the study, e.g. synthworlds.")],
    scale: Annotated[str, typer.Option(help="smoke, laptop or full.")] = "laptop",
    seed: Annotated[int, typer.Option(help="Fixes everything that is drawn.")] = 0,
    results: Results = Path("results"),
    as_json: Json = False,
) -> None:
    """Run a study; a killed one goes on where it stopped.

    Example: scrubjay study run synthworlds --scale smoke --results runs/results
    """
    from scrubjay.app.show import bars, emit
    from scrubjay.app.show import table as show
    from scrubjay.studies import get_study

    study = get_study(slug)
    with bars() as progress:
        finding = study.run(scale, results, seed, progress)
    rows = [{"holds": c.holds, "claim": c.text, "evidence": c.evidence} for c in finding.claims]
    emit(finding.to_dict(), as_json, lambda: show(rows, title=f"{slug}: {finding.verdict}"))


@app.command()
def pages(
    results: Results = Path("results"),
    out: Annotated[Path, typer.Option(help="Folder of the pages.")] = Path("docs/studies"),
) -> None:
    """Write the gallery: a page per finding and a table of all papers, in Markdown.

    Example: scrubjay study pages
    """
    from scrubjay.studies.pages import write_pages

    for page in write_pages(results, out):
        typer.echo(str(page))
