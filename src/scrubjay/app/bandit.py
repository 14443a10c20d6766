"""``scrubjay bandit``: race algorithms that explore and exploit, and see what each one promises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from scrubjay.deciding.bandits.curves import RegretCurve

app = typer.Typer(no_args_is_help=True, help="Race algorithms that explore and exploit.")

Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The algorithms by name, and what they see after a round.

    Example: scrubjay bandit list
    """
    from scrubjay.app.show import emit, table
    from scrubjay.deciding.bandits.registry import BANDITS, make_bandit

    rows = []
    for name in BANDITS:
        bandit = make_bandit(name)
        first = (type(bandit).__doc__ or "").strip().split("\n\n")[0]
        rows.append(
            {"name": name, "sees": bandit.feedback, "what it does": " ".join(first.split())}
        )
    emit(rows, as_json, lambda: table(rows, title="bandits"))


@app.command()
def race(
    arms: Annotated[str, typer.Option(help="Mean reward of every arm, as 0.1,0.5,0.6.")],
    algorithms: Annotated[str, typer.Option(help="Names of 'scrubjay bandit list'.")] = (
        "ucb1,thompson,exp3"
    ),
    horizon: Annotated[int, typer.Option(help="Rounds of a run.")] = 10_000,
    runs: Annotated[int, typer.Option(help="Runs of every algorithm.")] = 200,
    rewards: Annotated[str, typer.Option(help="bernoulli (0 or 1) or gaussian.")] = "bernoulli",
    spread: Annotated[float, typer.Option(help="Deviation of gaussian rewards.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Fixes everything that is drawn.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Keep finished parts in this folder; the same command goes on there."),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the curves: a file .svg, .png or .json (Vega-Lite).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Regret of algorithms on the same arms, with 95 % intervals and the proven bounds.

    Example: scrubjay bandit race --arms 0.1,0.5,0.6 --algorithms ucb1,thompson --figure race.svg
    """
    from contextlib import nullcontext

    from scrubjay.app.show import bars, emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.core.figures import check_figure, draw
    from scrubjay.core.folders import begin, locked
    from scrubjay.deciding.bandits import IIDArms, chart
    from scrubjay.deciding.bandits.bounds import lai_robbins
    from scrubjay.deciding.bandits.racing import check_race
    from scrubjay.deciding.bandits.racing import race as run
    from scrubjay.deciding.bandits.registry import make_bandit

    names = [name.strip() for name in algorithms.split(",") if name.strip()]
    raced = [make_bandit(name) for name in names]
    check_figure(figure)
    try:
        means = _numbers(arms)
        environment = IIDArms(means, cast(Any, rewards), spread)
        # Algorithms are no part of it: one more may join a race that was run.
        plan = {"arms": means, "rewards": rewards, "spread": spread, "seed": seed}
        plan |= {"horizon": horizon, "runs": runs}
        check_race(environment, raced, horizon, runs)
        with bars() as progress, nullcontext() if out is None else locked(out):
            if out is not None:
                begin(out / "race.json", plan)
            curves = run(environment, raced, horizon, runs, seed, keep=out, progress=progress)
    except ValueError as error:
        raise InputError(str(error)) from error
    least = None
    if rewards == "bernoulli" and 0 < max(means) < 1:
        least = float(lai_robbins(environment, curves[raced[0].name].rounds)[-1])
    value = {
        "arms": means,
        "rewards": rewards,
        "horizon": horizon,
        "runs": runs,
        "seed": seed,
        "lower bound in the long run": least,
        "algorithms": [_full(curve) for curve in curves.values()],
    }
    if figure is not None:
        draw(chart(curves), figure)
    rows = [
        {"algorithm": c.name, "regret": c.last.value, "low": c.last.low, "high": c.last.high}
        | {"proven bound": None if c.bound is None else float(c.bound[-1])}
        for c in curves.values()
    ]
    title = f"Regret after {horizon:,} rounds, mean of {runs:,} runs"
    if least is not None:
        title += f" (in the long run nobody gets below about {least:.1f})"
    emit(value, as_json, lambda: table(rows, title=title))


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ValueError(f"--arms takes numbers with commas between them, not '{text}'") from error


def _full(curve: RegretCurve) -> dict[str, Any]:
    return {
        "name": curve.name,
        "rounds": curve.rounds.tolist(),
        "mean": curve.mean.tolist(),
        "low": curve.low.tolist(),
        "high": curve.high.tolist(),
        "bound": None if curve.bound is None else curve.bound.tolist(),
    }
