"""``scrubjay sources``: train and measure what says where an answer came from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Where answers come from: measure how often it is named right, train the weights.",
)

Model = Annotated[
    str, typer.Option(help="smollm2-135m, a Hugging Face id or folder, or endpoint:URL#name.")
]
WorldSpec = Annotated[str, typer.Option(help="atlas, a saved world, or a file of real facts.")]
Questions = Annotated[
    int, typer.Option(min=50, help="Questions in which to look for what the model knows.")
]
Multihop = Annotated[
    int, typer.Option(min=0, help="The same for multi-hop questions; 0: single facts only.")
]
Each = Annotated[int, typer.Option(min=4, help="Answers per case and world.")]
Method = Annotated[str, typer.Option(help="likelihood or sampling; empty: what the model can do.")]
Folder = Annotated[Path, typer.Option(help="Answers are kept here; the same command goes on.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.command()
def measure(
    model: Model = "smollm2-135m",
    world: WorldSpec = "atlas",
    questions: Questions = 2400,
    multihop: Multihop = 4000,
    each: Each = 40,
    method: Method = "",
    weights: Annotated[
        Path | None, typer.Option(help="Weights of 'sources train'; by default the built-in ones.")
    ] = None,
    runs: Folder = Path("runs/sources"),
    out: Annotated[
        Path | None, typer.Option(help="Write finding.json (sampling.json) into this folder too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Name the source of answers in five constructed cases, on unseen subjects and unseen twins.

    Example: scrubjay sources measure --each 40 --out results/sources
    """
    import asyncio
    import time

    from rich.console import Group

    from scrubjay.agents.provenance_classifier import SourceModel, default_source_model
    from scrubjay.app.show import bars, emit, table
    from scrubjay.core.files import dump_json, write_atomic
    from scrubjay.evaluation.sources_measure import measure_sources
    from scrubjay.evaluation.sources_plan import SourcesPlan, collect

    judge = SourceModel.load(weights) if weights else default_source_model()
    plan = SourcesPlan(model, world, questions, multihop, each, method, "test")
    began = time.monotonic()
    with bars() as progress:
        rows = asyncio.run(collect(plan, runs, progress))
    finding = measure_sources(
        rows,
        judge,
        settings={**plan.as_dict(), "weights": judge.trained_on},
        seconds=round(time.monotonic() - began, 1),
    )
    if out is not None:
        name = "sampling.json" if method == "sampling" else "finding.json"
        write_atomic(out / name, dump_json(finding.to_dict(), indent=1) + "\n")
    numbers = [
        {"what": what, "value": n.value, "from": n.low, "to": n.high, "n": n.n}
        for what, n in finding.numbers.items()
    ]
    emit(
        finding.to_dict(),
        as_json,
        lambda: Group(
            *(table(rows, title=f"\n{what}") for what, rows in finding.tables.items()),
            table(numbers, title="\nNumbers"),
            *(
                f"{'holds' if c.holds else 'FAILS'}: {c.text} ({c.evidence})"
                for c in finding.claims
            ),
        ),
    )


@app.command()
def train(
    model: Model = "smollm2-135m",
    world: WorldSpec = "atlas",
    questions: Questions = 2400,
    multihop: Multihop = 4000,
    each: Each = 40,
    methods: Annotated[
        str, typer.Option(help="Ways to measure that weights are learned for.")
    ] = "likelihood,sampling",
    runs: Folder = Path("runs/sources"),
    out: Annotated[Path, typer.Option(help="The weights, as JSON.")] = Path("sources.json"),
) -> None:
    """Train the weights on practice worlds: the other half of the subjects, other twins.

    A killed command goes on with its answers when it is given again.

    Example: scrubjay sources train --model smollm2-135m --out sources.json
    """
    import asyncio

    from rich.console import Console

    from scrubjay.app.show import bars
    from scrubjay.core.errors import InputError
    from scrubjay.evaluation.sources_plan import SourcesPlan, collect
    from scrubjay.training.sources import train_sources

    if out.is_dir() or not out.absolute().parent.is_dir():
        raise InputError("is no place for weights; name a file in a folder that exists", file=out)
    rows = []
    for method in dict.fromkeys(m.strip() for m in methods.split(",") if m.strip()):
        plan = SourcesPlan(model, world, questions, multihop, each, method, "practice")
        with bars() as progress:
            rows += asyncio.run(collect(plan, runs, progress))
    told = (
        f"{model} in {world} and its twins 101 and 102, and in random worlds: {len(rows)} answers"
    )
    train_sources(rows, trained_on=told).save(out)
    Console().print(f"{out}: {told}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def cascade(
    model: Model = "smollm2-135m",
    world: WorldSpec = "atlas",
    questions: Annotated[int, typer.Option(min=20, help="Per world and task.")] = 300,
    price: Annotated[
        float, typer.Option(min=0, help="Score that a search has to earn to be worth making.")
    ] = 0.05,
    runs: Folder = Path("runs/cascade"),
    out: Annotated[Path, typer.Option(help="The gate, as JSON.")] = Path("cascade.json"),
    as_json: Json = False,
) -> None:
    """Calibrate when the cascade trusts its memory; on practice subjects and a practice twin.

    Prints what that does on test subjects and an unseen twin, beside closed book and one search.

    Example: scrubjay sources cascade --price 0.05 --out cascade.json
    """
    import asyncio

    from scrubjay.app.show import bars, emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.evaluation.statistics import Interval
    from scrubjay.training.cascade import CascadePlan, calibrate, judge_gate

    if out.is_dir() or not out.absolute().parent.is_dir():
        raise InputError("is no place for a gate; name a file in a folder that exists", file=out)
    plan = CascadePlan(model, world, questions, price)
    with bars() as progress:
        gate, rows = asyncio.run(calibrate(plan, runs, progress))
    gate.save(out)
    judged = judge_gate(gate, rows)
    title = f"{out}: threshold {gate.threshold:.3f}, on questions it was not calibrated on"
    short = [
        {
            **{k: row[k] for k in ("task", "world", "n")},
            "closed": row["closed-book"],
            "search": row["one-step-rag"],
            "cascade": row["cascade"],
            "gain": Interval(row["gain"], row["from"], row["to"], row["n"]).signed,
            "searches": row["searches"],
        }
        for row in judged
    ]
    emit(judged, as_json, lambda: table(short, title=title))
