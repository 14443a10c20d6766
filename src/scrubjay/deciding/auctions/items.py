"""What is sold, and what bidders believe it is worth.

    start prices        two items at each of 1,000 … 5,000 (``standard``), many cheap ones and a few
                        dear ones (``niche``); true value v = 2 s, as in AucArena
    ``ratios``          v = r s with r drawn from [1.2, 2.8]: once v = 2 s is known, strategy is one
                        division; here it isn't
    estimates           v̂_ij = int(v_j (1 + o + e u_ij)),  u_ij uniform in [−1, 1]

With e = 0 all are wrong by the same share o, the paper's built-in winner's curse; with e > 0 each
bidder is wrong in its own way, and the most wrong one wins.

Source: AucArena (paper 48), section 3.1 of our sheet. Ours: ``ratios`` and private errors e.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from scrubjay.core.errors import InputError, UnknownName
from scrubjay.core.files import read_jsonl
from scrubjay.core.randomness import stream
from scrubjay.deciding.auctions.game import AuctionError, Item

Order = Literal["random", "ascending", "descending"]
SETS = ("standard", "niche", "ratios")


@dataclass(frozen=True, slots=True)
class Estimates:
    """How wrong bidders are: ``over`` is o, common to all; ``private`` is e, drawn for each.

    Raises:
        AuctionError: not finite, or an estimate could become negative.
    """

    over: float = 0.1
    private: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.over) and math.isfinite(self.private)):
            raise AuctionError("overestimates must be finite shares, e.g. 0.1")
        if self.private < 0 or self.over - self.private < -1:
            raise AuctionError(
                f"with overestimates of {self.over} ± {self.private} an estimate could be negative"
            )

    def draw(
        self, items: Sequence[Item], bidders: Sequence[str], seed: int
    ) -> dict[str, dict[str, int]]:
        """The estimate of every item, by bidder and item."""
        return {
            bidder: {item.name: self._one(item, bidder, seed) for item in items}
            for bidder in bidders
        }

    def _one(self, item: Item, bidder: str, seed: int) -> int:
        off = self.over
        if self.private:
            off += self.private * stream(seed, "estimate", bidder, item.name).uniform(-1, 1)
        return max(0, int(item.value * (1 + off) + 1e-9))


def item_set(name: str, order: Order = "random", seed: int = 0) -> tuple[Item, ...]:
    """``standard``, ``niche``, ``ratios``, or the items of a file, in the order of sale.

    Files: ``.csv`` with the columns name, start, value, or ``.jsonl`` with the same keys.

    Raises:
        UnknownName: no such set or order.
        InputError: the file can't be read (with its line).
    """
    if order not in get_args(Order):
        raise UnknownName("order of sale", order, get_args(Order))
    items = _read(Path(name)) if Path(name).suffix in (".csv", ".jsonl") else _made(name, seed)
    if order == "random":
        stream(seed, "order of sale").shuffle(items)
    else:
        items.sort(key=lambda i: i.start, reverse=order == "descending")
    return tuple(items)


def _made(name: str, seed: int) -> list[Item]:
    if name not in SETS:
        raise UnknownName("set of items", name, [*SETS, "FILE.csv", "FILE.jsonl"])
    cheap = [1_000] * 16 + [5_000] * 4
    starts = cheap if name == "niche" else [s for s in range(1_000, 6_000, 1_000) for _ in "ab"]
    items = []
    for n, start in enumerate(starts, 1):
        ratio = stream(seed, "ratio", n).uniform(1.2, 2.8) if name == "ratios" else 2
        items.append(Item(f"Item {n}", start, int(start * ratio)))
    return items


def _read(path: Path) -> list[Item]:
    if path.suffix == ".jsonl":
        rows: list[Any] = list(read_jsonl(path))
    else:
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not a CSV file in UTF-8"
            raise InputError(f"can't be read: {why}", file=path) from error
    first = 1 if path.suffix == ".jsonl" else 2
    items = [_item(row, path, line) for line, row in enumerate(rows, first)]
    if not items:
        raise InputError("holds no items", file=path)
    return items


def _item(row: Any, path: Path, line: int) -> Item:
    try:
        if not isinstance(row, Mapping):
            raise TypeError("it is no object")
        start, value = (json.loads(str(row[key])) for key in ("start", "value"))
        return Item(row["name"], start, value)
    except (KeyError, ValueError, TypeError, AuctionError) as error:
        why = str(error) if isinstance(error, AuctionError) else "name, start and value are needed"
        raise InputError(f"not an item: {why}", file=path, line=line) from error
