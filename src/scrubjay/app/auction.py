"""``scrubjay auction``: tournaments of bidders, their tables, and games played again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scrubjay.deciding.auctions import AuctionLog, State

app = typer.Typer(no_args_is_help=True, help="Open ascending auctions between any bidders.")

Json = Annotated[bool, typer.Option("--json", help="For machines.")]
By = Annotated[str, typer.Option(help="What a game is ranked by: profit or items.")]


@app.command()
def run(
    out: Annotated[Path, typer.Option(help="Folder of the record; a killed run goes on there.")],
    bidder: Annotated[
        list[str],
        typer.Option(
            help="A seat: rule, greedy:0.8, adaptive+bias, thompson, lm:MODEL, …; once per seat."
        ),
    ],
    items: Annotated[
        str,
        typer.Option(help="standard, niche, ratios, or a .csv or .jsonl of name, start, value."),
    ] = "standard",
    order: Annotated[
        list[str] | None, typer.Option(help="random, ascending, descending; all by default.")
    ] = None,
    budget: Annotated[
        list[int] | None, typer.Option(help="Money of every bidder; 20000 and 40000 by default.")
    ] = None,
    games: Annotated[int, typer.Option(help="Games of each order and budget.")] = 10,
    over: Annotated[float, typer.Option(help="Share by which all estimates are too high.")] = 0.1,
    private: Annotated[float, typer.Option(help="Share by which each bidder errs, too.")] = 0.0,
    increment: Annotated[float, typer.Option(help="Least raise, of the start price.")] = 0.1,
    discounts: Annotated[int, typer.Option(help="Times an unwanted lot is halved.")] = 0,
    seed: Annotated[int, typer.Option(help="Fixes everything that is drawn.")] = 0,
    by: By = "profit",
    as_json: Json = False,
) -> None:
    """Play a tournament and rank the bidders.

    Example: scrubjay auction run --out runs/auction --bidder rule --bidder adaptive+bias
    --bidder thompson
    """
    from scrubjay.app.show import bars
    from scrubjay.deciding.auctions import Plan, run_tournament

    _ranked(by)
    chosen: dict[str, Any] = {"orders": order, "budgets": budget}
    plan = Plan(
        tuple(bidder),
        items=items,
        games=games,
        over=over,
        private=private,
        increment=increment,
        discounts=discounts,
        seed=seed,
        **{name: tuple(given) for name, given in chosen.items() if given},
    )
    with bars() as progress:
        logs = run_tournament(plan, out, progress)
    _show(logs, by, str(out), as_json)


@app.command("table")
def table_(
    folder: Annotated[Path, typer.Argument(help="Folder of a tournament, finished or not.")],
    by: By = "profit",
    setting: Annotated[str, typer.Option(help="One setting only, e.g. 'random, 20000'.")] = "",
    as_json: Json = False,
) -> None:
    """The ranking of a recorded tournament.

    Example: scrubjay auction table runs/auction --setting "random, 20000"
    """
    from scrubjay.core.errors import InputError, UnknownName
    from scrubjay.deciding.auctions import load_tournament

    _ranked(by)
    _, logs = load_tournament(folder)
    if setting and setting not in {log.setting for log in logs}:
        raise UnknownName("setting", setting, {log.setting for log in logs})
    logs = [log for log in logs if setting in ("", log.setting)]
    if not logs:
        raise InputError("holds no finished game yet", file=folder)
    _show(logs, by, str(folder), as_json)


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(help="Folder of a tournament.")],
    game: Annotated[int, typer.Argument(help="Number of the game, from 0.")] = 0,
    as_json: Json = False,
) -> None:
    """Play a recorded game again, state by state, and check every sale against the record.

    Example: scrubjay auction replay runs/auction 3
    """
    from dataclasses import asdict

    from scrubjay.app.show import emit, table
    from scrubjay.core.errors import InputError
    from scrubjay.deciding.auctions import load_tournament
    from scrubjay.deciding.auctions import replay as again

    _, logs = load_tournament(folder)
    found = next((log for log in logs if log.game == game), None)
    if found is None:
        raise InputError(f"holds no game {game}; it has {len(logs)}", file=folder)
    states = list(again(found))
    value = {
        "states": [{**asdict(s), "out": sorted(s.out)} for s in states],
        "log": found.to_dict(),
    }
    rows = _rounds(found, states)
    profits = ", ".join(f"{b} {found.profit(b):+d}" for b in found.bidders)
    emit(value, as_json, lambda: table(rows, title=f"game {game} ({found.setting}): {profits}"))


def _rounds(log: AuctionLog, states: list[State]) -> list[dict[str, object]]:
    """A row a round: what was answered, and what came of it."""
    rows: list[dict[str, object]] = []
    for played, before, state in zip(log.rounds, states, states[1:]):
        said = {b: "–" if b not in played.answers else "out" for b in log.bidders}
        said |= {b: str(a) for b, a in played.answers.items() if a is not None}
        sold = ""
        if state.at != before.at:
            sale = state.sales[-1]
            sold = f"{sale.winner} for {sale.price}" if sale.winner else "unsold"
        rows.append({"item": before.lot.name, "floor": before.floor, **said, "sold": sold})
    return rows


def _ranked(by: str) -> None:
    from scrubjay.core.errors import UnknownName

    if by not in ("profit", "items"):
        raise UnknownName("way to rank a game", by, ("profit", "items"))


def _show(logs: list[AuctionLog], by: str, title: str, as_json: bool) -> None:
    from scrubjay.app.show import emit, table
    from scrubjay.deciding.auctions import table as ranking

    rows = ranking(logs, by)  # type: ignore[arg-type]
    shown = [
        {"bidder": r["bidder"], "TrueSkill": f"{r['trueskill']:.1f} ± {r['sigma']:.1f}"}
        | {"profit": _around(r["profit"], r["high"]), "items": f"{r['items']:.1f}"}
        | {"above value": _percent(r["curse"]), "refused": _percent(r["CFR"])}
        for r in rows
    ]
    emit(rows, as_json, lambda: table(shown, title=f"{title}: {len(logs)} games"))


def _around(value: float, high: float | None) -> str:
    return f"{value:.0f}" + ("" if high is None else f" ± {high - value:.0f}")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
