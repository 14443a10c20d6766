"""A tournament: the same bidders meet again and again; resumable, with the same final table.

    for every setting (order of sale × budget):    new bidders
        for every game:                            seats move on by one
            play → games.jsonl                     a line per chunk of games, whole or not at all

Everything about a game is derived from ``Plan`` and its number; bidders that learn from game to
game are shown the recorded games again when a killed tournament goes on, so that they are as they
were. Games of a setting are played at the same time in chunks (a language model answers them in one
batch), unless somebody learns: then one after another.

Source: AucArena's "standard competition" (paper 48, 3.5). Ours: seats rotate.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.core.files import JsonLines, dump_json
from scrubjay.core.folders import begin, locked
from scrubjay.core.progress import Progress, silent
from scrubjay.core.randomness import derive
from scrubjay.deciding.auctions.auctioneer import play
from scrubjay.deciding.auctions.bidder import Bidder
from scrubjay.deciding.auctions.game import AuctionError, whole
from scrubjay.deciding.auctions.items import Estimates, Order, item_set
from scrubjay.deciding.auctions.log import AuctionLog
from scrubjay.deciding.auctions.measures import By, curse_rate, failure_rate, scores
from scrubjay.deciding.auctions.ratings import bradley_terry, rate
from scrubjay.deciding.auctions.seats import make_bidder

CHUNK = 8
"""Games at the same time, and lines of the record."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played. Equal plans give equal tables.

    Raises:
        AuctionError: fewer than two seats, no setting, no game, a budget below 1, …
        UnknownName: no such order of sale.
    """

    seats: tuple[str, ...]
    """A bidder a seat, as ``make_bidder`` reads it; the same one may sit twice."""
    items: str = "standard"
    """A set of ``items.item_set``, or a file."""
    orders: tuple[Order, ...] = ("random", "ascending", "descending")
    budgets: tuple[int, ...] = (20_000, 40_000)
    games: int = 10
    """Of each setting."""
    over: float = 0.1
    private: float = 0.0
    increment: float = 0.1
    discounts: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.seats) < 2:
            raise AuctionError("a tournament needs at least two bidders")
        if not self.orders or not self.budgets:
            raise AuctionError("a tournament needs at least one order of sale and one budget")
        whole(self.games, "the number of games", 1)
        whole(self.discounts, "the number of discounts")
        for budget in self.budgets:
            whole(budget, "a budget", 1)
        if not 0 < self.increment <= 1:
            raise AuctionError(f"the increment must be a share in (0, 1], not {self.increment!r}")
        Estimates(self.over, self.private)
        for order in self.orders:
            item_set(self.items, order)

    @property
    def names(self) -> tuple[str, ...]:
        """The bidders' names: the seat's text, numbered where it sits more than once."""
        out: list[str] = []
        for seat in self.seats:
            taken = sum(seat == other for other in self.seats[: len(out)])
            out.append(f"{seat} ({taken + 1})" if taken else seat)
        return tuple(out)

    @property
    def settings(self) -> list[tuple[str, Order, int]]:
        """(name, order, budget) of every setting."""
        return [(f"{o}, {b}", o, b) for b in self.budgets for o in self.orders]


def run_tournament(
    plan: Plan,
    folder: Path,
    progress: Progress = silent,
    make: Callable[[str], Bidder] = make_bidder,
) -> list[AuctionLog]:
    """Play what is not played yet; the logs of all games, in order.

    ``make`` turns the text of a seat into a bidder, once; every setting begins with fresh ones.

    Raises:
        RunMismatch: the folder holds another tournament.
        InputError: its record can't be read.
        DiskError: it can't be written.
        ScrubjayError: a bidder's name, its model, or another process playing in this folder.
    """
    folder = Path(folder)
    items = [asdict(i) for i in item_set(plan.items, "ascending", plan.seed)]
    wanted = json.loads(dump_json({**asdict(plan), "sold": items}))
    made = {seat: make(seat) for seat in dict.fromkeys(plan.seats)}  # refused before a folder is
    with locked(folder):
        begin(folder / "plan.json", wanted)
        lines = JsonLines(folder / "games.jsonl")
        done = {log.game: log for log in _logs(folder)}
        asyncio.run(_play_all(plan, done, lines, progress, made))
    return [done[g] for g in sorted(done)]


def load_tournament(folder: Path) -> tuple[Plan, list[AuctionLog]]:
    """A recorded tournament, finished or not.

    Raises:
        InputError: the folder holds none, or one that can't be read.
    """
    path = Path(folder) / "plan.json"
    try:
        raw = json.loads(path.read_text("utf-8"))
        given: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in raw.items() if k != "sold"
        }
        plan = Plan(**given)
    except FileNotFoundError:
        raise InputError("holds no tournament (there is no plan.json)", file=folder) from None
    except (OSError, ValueError, TypeError, AttributeError, AuctionError) as error:
        raise InputError(f"is not the plan of a tournament ({error})", file=path) from error
    return plan, sorted(_logs(Path(folder)), key=lambda log: log.game)


async def _play_all(
    plan: Plan,
    done: dict[int, AuctionLog],
    lines: JsonLines,
    progress: Progress,
    made: Mapping[str, Bidder],
) -> None:
    try:
        if len(done) < len(plan.settings) * plan.games:
            for bidder in made.values():
                await bidder.check()
        await _settings(plan, done, lines, progress, made)
    finally:
        for bidder in made.values():
            await bidder.close()


async def _settings(
    plan: Plan,
    done: dict[int, AuctionLog],
    lines: JsonLines,
    progress: Progress,
    made: Mapping[str, Bidder],
) -> None:
    total = len(plan.settings) * plan.games
    for number, (setting, order, budget) in enumerate(plan.settings):
        bidders = {name: made[seat].fresh() for name, seat in zip(plan.names, plan.seats)}
        games = range(number * plan.games, (number + 1) * plan.games)
        size = 1 if any(b.across for b in bidders.values()) else CHUNK
        for first in range(0, plan.games, size):
            part = games[first : first + size]
            if any(game not in done for game in part):
                for bidder in bidders.values():
                    bidder.settle()
                logs = await asyncio.gather(
                    *(_game(plan, game, setting, order, budget, bidders) for game in part)
                )
                lines.append([{"games": [log.to_dict() for log in logs]}])
                # What is kept equals what a resumed tournament would read back.
                done |= {log.game: AuctionLog.from_dict(_through(log.to_dict())) for log in logs}
            for game in part:
                for who, bidder in bidders.items():
                    bidder.learn(who, done[game])
            progress("auctions", min(part[-1] + 1, total), total)


async def _game(
    plan: Plan, game: int, setting: str, order: Order, budget: int, bidders: Mapping[str, Bidder]
) -> AuctionLog:
    names = list(bidders)
    turn = game % len(names)
    seated = names[turn:] + names[:turn]
    seed = derive(plan.seed, "game", game) % 2**31
    log = await play(
        item_set(plan.items, order, seed),
        # Games at the same time must not share what happens within a game.
        {n: bidders[n] if bidders[n].across else bidders[n].fresh() for n in seated},
        budget,
        estimates=Estimates(plan.over, plan.private),
        increment=plan.increment,
        discounts=plan.discounts,
        seed=seed,
    )
    log.game, log.setting = game, setting
    return log


def table(logs: Sequence[AuctionLog], by: By = "profit", seed: int = 0) -> list[dict[str, Any]]:
    """One row a bidder, best first: TrueSkill, Bradley–Terry, profit (mean and 95 % interval by
    standard error), items won, purchases above value, refused bids."""
    games = [scores(log, by) for log in logs]
    ratings, strengths = rate(games, seed=seed), bradley_terry(games)
    rows = []
    for name in ratings:
        mine = [log for log in logs if name in log.budgets]
        profit = np.array([log.profit(name) for log in mine], dtype=float)
        around = 1.96 * profit.std(ddof=1) / np.sqrt(profit.size) if profit.size > 1 else None
        rows.append(
            {"bidder": name, "games": len(mine)}
            | {"trueskill": ratings[name].mu, "sigma": ratings[name].sigma}
            | {"strength": strengths[name], "profit": float(profit.mean())}
            | {"low": None if around is None else float(profit.mean() - around)}
            | {"high": None if around is None else float(profit.mean() + around)}
            | {"items": float(np.mean([len(log.won(name)) for log in mine]))}
            | {"curse": curse_rate(mine, name), "CFR": failure_rate(mine, name)}
        )
    return sorted(rows, key=lambda r: (-r["trueskill"], r["bidder"]))


def _logs(folder: Path) -> list[AuctionLog]:
    path = folder / "games.jsonl"
    if not path.exists():
        return []
    logs: dict[int, AuctionLog] = {}
    raw = path.read_bytes()
    whole_lines = raw[: raw.rfind(b"\n") + 1].splitlines()  # the last one may still be written
    for number, line in enumerate(whole_lines, 1):
        try:
            for game in json.loads(line)["games"]:
                log = AuctionLog.from_dict(game)
                logs[log.game] = log
        except (ValueError, KeyError, TypeError, InputError) as error:
            raise InputError(
                f"not a line of a tournament ({error})", file=path, line=number
            ) from error
    return list(logs.values())


def _through(value: Any) -> Any:
    return json.loads(dump_json(value))
