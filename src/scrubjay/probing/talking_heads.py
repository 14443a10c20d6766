"""Talking heads: which heads write what others read, and does a channel index the items of a list?

    channels     components that stand out for a later head, from weights alone (``composition``);
                 the control turns every head's writing directions at random
    carried      the channels into the queries of heads that look at the answer, each taken out
                 beside other components of the same writer (``movers``)
    recall       of the thing that a list has left, by its length
    gain         recall on held-out lists when the stream at the last token is moved within the
                 writing directions of the clearest channels (U, at most 3), beside a random
                 subspace and one of most variance with the same search (``list_recall``)

The reader is the head, among ``readers`` that look at the answer most, whose query has the clearest
channel; U is what its three clearest writers write. Source: paper 11 of our sheet. Departures: the
circuit is found by attention and weights instead of taken from publications; the grid is smaller.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress, silent
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.channels import Channel, channels
from scrubjay.probing.composition import SIDES, Side, components
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.list_recall import principal, recall_lists, search
from scrubjay.probing.movers import Carried, carried, last_attention, movers, query_writers
from scrubjay.probing.open import OpenModel
from scrubjay.probing.subspace import basis
from scrubjay.probing.word_tokens import single
from scrubjay.worlds.lists import THINGS, RemainingItem, TwoNames, remaining_items, two_names

DIMENSIONS = 3


@dataclass(frozen=True)
class TalkingHeads:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "channels between heads from weights alone, and lists that they index"

    sides: Sequence[Side] = SIDES
    """Whose channels are counted; none: the weights of the readers' queries only."""
    alpha: float = 0.001
    readers: int = 3
    writers: int = 3
    """Of each reader, for the causal check."""
    others: int = 4
    """Components of the same writer that are taken out for comparison."""
    prompts: int = 32
    """Texts with two names."""
    lengths: Sequence[int] = (2, 3, 4, 6)
    """Of lists."""
    searched: Sequence[int] = (3, 4)
    """Lengths at which the subspace is searched; none: recall only."""
    lists: int = 30
    """In each half, rounded up to a multiple of the length."""
    side: int = 5
    """Points of the grid along each axis."""
    words: Sequence[str] = THINGS
    seed: int = 0

    def measure(
        self,
        model: OpenModel,
        data: Sequence[TwoNames] | None = None,
        *,
        progress: Progress = silent,
    ) -> Finding:
        """Channels, what they carry, and what they index.

        Args:
            data: texts with two names of one's own.
            progress: called with (what, done, total).

        Raises:
            ProbeError: a setting is out of range, there are too few words of one token, or the
                model can't be read.
        """
        began = time.perf_counter()
        anatomy = Anatomy.of(model.model)
        if anatomy.n_layers < 2 or min(self.readers, self.writers, self.others) < 1:
            raise ProbeError("channels need two layers, a reader, a writer and another component")
        if self.readers > (most := (anatomy.n_layers - 1) * anatomy.n_heads):
            raise ProbeError(f"{most} heads have others below them, not {self.readers}")
        prompts = list(data) if data is not None else two_names(self.prompts, seed=self.seed)
        progress("channels, what they carry, lists", 0, 3)
        numbers, found = self._counted(anatomy)
        progress("channels, what they carry, lists", 1, 3)
        tables = {"Clearest channels": [_row(c) for c in found[:20]]} if found else {}
        _, attention = last_attention(model, [p.text for p in prompts], [p.names for p in prompts])
        attention[:, 0, :, 0] = -2  # a head of the first layer has nobody to listen to
        looking = movers(attention, self.readers)
        writing = query_writers(anatomy, [head for head, _ in looking], self.writers)
        told = carried(
            model,
            prompts,
            [c for some in writing.values() for c in some],
            others=self.others,
            seed=self.seed,
        )
        numbers |= _carried_numbers(told, self.seed)
        tables["Channels into the queries of movers"] = _carried_rows(told, looking)
        progress("channels, what they carry, lists", 2, 3)
        reader = max(writing, key=lambda head: writing[head][0].z)
        u = _writing(anatomy, writing[reader])
        recalled, rows = self._lists(model, u, reader[0])
        progress("channels, what they carry, lists", 3, 3)
        tables["Recall of what is left"] = rows
        settings = {k: v for k, v in asdict(self).items() if k != "words"}
        settings |= {"reader": list(reader), "subspace": [str(c) for c in writing[reader]]}
        return Finding(
            "talking-heads",
            numbers | recalled,
            tables=tables,
            figure=_figure(rows),
            settings=settings,
            seconds=round(time.perf_counter() - began, 1),
        )

    def _counted(self, anatomy: Anatomy) -> tuple[dict[str, Number], list[Channel]]:
        """Channels by side, and how many are left when writers are turned at random."""
        numbers, every = {}, []
        for side in self.sides:
            found = channels(anatomy, [side], alpha=self.alpha, seed=self.seed)
            turned = channels(anatomy, [side], alpha=self.alpha, seed=self.seed, rotate=True)
            numbers[f"channels, {side}"] = Number(len(found))
            numbers[f"channels, {side}, writers turned at random"] = Number(len(turned))
            every += found
        return numbers, sorted(every, key=lambda c: -c.z)

    def _lists(
        self, model: OpenModel, u: Tensor, layer: int
    ) -> tuple[dict[str, Number], list[dict[str, Any]]]:
        numbers: dict[str, Number] = {}
        rows: list[dict[str, Any]] = []
        for n in sorted({*self.lengths, *self.searched}):
            halves = self._halves(model, n)
            train, test = (recall_lists(model, half, layer) for half in halves)
            both = np.concatenate([train.right, test.right])
            numbers[f"recall, {n} things"] = bootstrap(both, np.mean, seed=self.seed)
            row = {"things": n, "way": "untouched, both halves"}
            said = float(np.mean([*train.said, *test.said]))
            rows.append(row | _shown(numbers[f"recall, {n} things"]) | {"of all tokens": said})
            if n not in self.searched:
                continue
            ways = {
                "channel": u,
                "random": _drawn(u, self.seed),
                "variance": principal(train.state),
            }
            for way, basis_ in ways.items():
                found = search(
                    model, *halves, basis_, layer=layer, states=train.state, side=self.side
                )
                recall = bootstrap(found.right, np.mean, seed=self.seed)
                gain = bootstrap(found.right - test.right, np.mean, seed=self.seed)
                numbers[f"gain, {way}, {n} things"] = gain
                rows.append(
                    {"things": n, "way": way}
                    | _shown(recall)
                    | {"of all tokens": float(found.said.mean()), "gain": gain.value}
                    | {"gain low": gain.low, "gain high": gain.high}
                    | {"indices apart": found.spread}
                )
        return numbers, rows

    def _halves(self, model: OpenModel, n: int) -> tuple[list[RemainingItem], list[RemainingItem]]:
        words = single(model.tokenizer, self.words)
        middle = len(words) // 2
        count = -(-self.lists // n) * n
        try:
            return (
                remaining_items(n, count, words=words[:middle], seed=self.seed),
                remaining_items(n, count, words=words[middle:], seed=self.seed + 10_000),
            )
        except ValueError as error:
            raise ProbeError(f"{error} (words of one token, in each half)") from error


def _writing(anatomy: Anatomy, found: Sequence[Channel]) -> Tensor:
    """Orthonormal columns that span what the channels write, each new direction once."""
    kept: list[Tensor] = []
    for c in found:
        row = components(anatomy, c.writer).write[c.component]
        left = row - sum(((row @ k) * k for k in kept), torch.zeros_like(row))
        if float(left.norm()) > 0.01 and len(kept) < DIMENSIONS:
            kept.append(left / left.norm())
    return basis(torch.stack(kept))


def _drawn(u: Tensor, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    q: Tensor = torch.linalg.qr(torch.randn(u.shape, generator=random, dtype=u.dtype)).Q
    return q


def _carried_numbers(told: Sequence[Carried], seed: int) -> dict[str, Number]:
    pairs = np.array([(c.top, float(np.mean(c.others))) for c in told if c.others])
    if not len(pairs):
        return {}

    def ratio(x: Any) -> float:
        return float(x[:, 0].mean() / max(x[:, 1].mean(), 1e-12))

    return {
        "attention moved by the channel": bootstrap(pairs[:, 0], np.mean, seed=seed),
        "attention moved by another component": bootstrap(pairs[:, 1], np.mean, seed=seed),
        "channel over another component": bootstrap(pairs, ratio, seed=seed),
    }


def _row(c: Channel) -> dict[str, Any]:
    writer, reader = (".".join(map(str, head)) for head in (c.writer, c.reader))
    return {
        "writer": writer,
        "component": c.component,
        "reader": reader,
        "side": c.side,
        "score": c.score,
        "z": c.z,
    }


def _carried_rows(
    told: Sequence[Carried], looking: Sequence[tuple[Head, float]]
) -> list[dict[str, Any]]:
    extra = dict(looking)
    return [
        _row(c.channel)
        | {
            "reader looks": extra[c.channel.reader],
            "attention moved": c.top,
            "by another": float(np.mean(c.others)) if c.others else None,
        }
        for c in told
    ]


def _shown(number: Number) -> dict[str, Any]:
    return {"recall": number.value, "low": number.low, "high": number.high, "n": number.n}


def _figure(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    x = {"field": "things", "type": "ordinal", "title": "things in the list"}
    offset = {"field": "way", "type": "nominal"}
    shared = {"x": x, "xOffset": offset, "color": {"field": "way", "type": "nominal"}}
    y = {"type": "quantitative", "scale": {"domain": [0, 1]}, "title": "recall of what is left"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": list(rows)},
        "layer": [
            {
                "mark": {"type": "point", "filled": True, "size": 70},
                "encoding": {**shared, "y": {**y, "field": "recall"}},
            },
            {
                "mark": "rule",
                "encoding": {**shared, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
        ],
    }
