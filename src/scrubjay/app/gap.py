"""``scrubjay gap``: how much of a model's score is memory, and how much is reading?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from scrubjay.evaluation.gap import GapRow


def gap(
    world: Annotated[
        str, typer.Option(help="atlas, random:N, a saved world, or a file of facts.")
    ] = "atlas",
    model: Annotated[
        str,
        typer.Option(help="smollm2-135m, a Hugging Face id or folder, or endpoint:URL#name."),
    ] = "smollm2-135m",
    settings: Annotated[
        str, typer.Option(help="Agents to measure, by name, with commas between.")
    ] = "closed-book,one-step-rag,ircot,reading",
    tasks: Annotated[
        str, typer.Option(help="recall, multihop, navigation; with commas between.")
    ] = "recall,multihop",
    questions: Annotated[int, typer.Option(min=1, help="Questions per task.")] = 100,
    twins: Annotated[int, typer.Option(min=1, help="Invented worlds beside the real one.")] = 1,
    encoder: Annotated[
        str,
        typer.Option(help="Search with this encoder as well as by words, e.g. all-minilm-l6-v2."),
    ] = "",
    seed: Annotated[int, typer.Option(help="Fixes worlds, questions and samples.")] = 0,
    sources: Annotated[
        bool, typer.Option("--sources", help="Say of every answer where it came from.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Run folder; the same command goes on with it.")] = Path(
        "runs/gap"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the gap rows for machines.")
    ] = False,
) -> None:
    """Measure a model in the real world and in its invented twins, and show the difference.

    Example: scrubjay gap --world atlas --model smollm2-135m --questions 56 --out runs/mine
    """
    from rich.console import Console, Group

    from scrubjay.app.show import bars, emit
    from scrubjay.core.errors import ModelError
    from scrubjay.evaluation.measure import Plan, measure

    asked, kinds = _names(settings), _names(tasks)
    plan = Plan(world, model, asked, kinds, questions, twins, encoder, seed, sources)
    try:
        with bars() as progress:
            result = measure(plan, out, progress)
    except ModelError as error:
        if not (out / "answers.jsonl").exists():
            raise
        raise ModelError(f"{error}; the same command goes on with the answers so far") from error
    rows = [row.as_dict() for row in result.rows]
    emit(rows, as_json, lambda: Group(*_tables(result.rows)))
    if not as_json:
        console = Console()
        console.print(f"\n{result.reading}\n", highlight=False, markup=False)
        for what, path in (("All metrics", out / "gap.json"), ("Report", result.report)):
            console.print(f"{what}: {path}", highlight=False, markup=False, soft_wrap=True)


def _tables(rows: Sequence[GapRow]) -> Iterator[Table]:
    """What a person looks at first: one table per task, by its main metric, in order of reading."""
    from scrubjay.app.show import table
    from scrubjay.evaluation.labels import TASKS, setting_order, task_order
    from scrubjay.evaluation.scoring import main_metric

    for task in sorted({r.task for r in rows}, key=task_order):
        main = [r for r in rows if r.task == task and r.metric == main_metric(task)]
        main.sort(key=lambda r: setting_order(r.setting))
        if main:
            cells = [
                {k: getattr(r, k) for k in ("setting", "real", "twin", "gap", "low", "high")}
                for r in main
            ]
            yield table(cells, title=f"\n{TASKS[task]}: {main[0].metric}, n = {main[0].n}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
