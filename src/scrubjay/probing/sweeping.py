"""Patch many sites one at a time, fast: which activations carry the difference between two prompts?

    for every site s and example (base, source):
        patched[s] = metric(base run with s's activation taken from the source run)

    swept = sweep(model, base_ids, source_ids, sites, logit_difference(right, wrong))
    swept.share                            # 0: nothing changed, 1: as in the source run

The same numbers as one run after another with a hook at one site, to rounding, but sites of one
layer run together as rows of a batch; a batch begins at that layer (see ``tail``), computes only
the positions from the patched one on, and logits only where the metric reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scrubjay.core.progress import Count
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError, byte_count
from scrubjay.probing.inputs import InputsLike, as_inputs, each_position, rows_of
from scrubjay.probing.metrics import Metric, measured
from scrubjay.probing.sites import Site, SiteLike
from scrubjay.probing.tail import Base, example_parts, most_rows
from scrubjay.probing.taps import Pass, Tap, written

OWN_COLUMN = ("z", "attn_out", "resid_mid", "mlp_out", "neurons", "resid_post")
"""Components that change only their own column of their own block, which is then run on that column
alone; the batch begins at the block above."""

ROW_TOKENS = 512
"""Tokens of a batch, about: enough to keep the processor busy, few enough to stay in its cache."""


@dataclass(frozen=True, slots=True)
class Swept:
    """The metric in every run of a sweep."""

    sites: tuple[Site, ...]
    patched: NDArray[np.float64]
    """(sites, examples)."""
    base: NDArray[np.float64]
    """(examples,) without a patch."""
    source: NDArray[np.float64]

    @property
    def effect(self) -> NDArray[np.float64]:
        """What each patch changed, mean over examples: (sites,)."""
        return np.asarray((self.patched - self.base).mean(1))

    @property
    def share(self) -> NDArray[np.float64]:
        """The change as a share of the difference between the two runs: (sites,).

        Raises:
            ProbeError: the two runs don't differ.
        """
        whole = float((self.source - self.base).mean())
        if whole == 0:
            raise ProbeError("the metric is the same in both runs, so there is nothing to share")
        return self.effect / whole

    def grid(self, values: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """``values`` (default: ``effect``) as (layers, heads, positions); NaN where no site is."""
        values = self.effect if values is None else values
        axes = [
            sorted({getattr(s, name) or 0 for s in self.sites})
            for name in ("layer", "head", "position")
        ]
        grid = np.full([len(axis) for axis in axes], np.nan)
        for site, value in zip(self.sites, values, strict=True):
            place = (site.layer or 0, site.head or 0, site.position or 0)
            grid[tuple(axis.index(x) for axis, x in zip(axes, place, strict=True))] = value
        return grid


def sweep(
    model: Any,
    base: InputsLike,
    source: InputsLike,
    sites: Sequence[SiteLike],
    metric: Metric,
    *,
    read: int | Tensor = -1,
    positions: Tensor | None = None,
    budget: int | str = "1GB",
    progress: Count | None = None,
) -> Swept:
    """Patch each site alone, in each example.

    Args:
        model: see ``Anatomy.of``.
        base: prompts (examples, tokens), which are patched.
        source: prompts of the same shape, from which activations are taken.
        sites: where; a site without a position is patched at all of them at once.
        metric: see ``metrics``.
        read: the position whose logits the metric gets, (examples,) if each has its own.
        positions: (examples,) each example's own position, for the sites without one.
        budget: most bytes of activations in memory; examples are taken in parts that fit.
        progress: called with runs done and runs in all.

    Raises:
        ProbeError: there is no such site, the prompts don't align, a position lies outside them,
            or the metric returns no finite number for each row.
        OverBudget: not even one example fits.
    """
    anatomy = Anatomy.of(model)
    places = anatomy.check(*sites)
    into, out = as_inputs(anatomy, base), as_inputs(anatomy, source)
    count, length = into["input_ids"].shape
    if out["input_ids"].shape != (count, length):
        raise ProbeError(
            f"base prompts are {count} × {length} tokens, source prompts "
            f"{' × '.join(map(str, out['input_ids'].shape))}: they can't be aligned"
        )
    if any(site.component in ("attn", "logits") for site in places):
        raise ProbeError("attention weights and logits can't be swept; sweep z, q, k or v")
    where = [_columns(site, positions, count, length) for site in places]
    at = each_position(read, count, length, "read")
    room = byte_count(budget)
    work = _Work(anatomy, places, where, at, metric, progress, len(places) * count)
    work.most = most_rows(anatomy, room)
    parts = [
        work.examples(rows_of(into, part), rows_of(out, part), part)
        for part in example_parts(anatomy, places, count, length, room)
    ]
    patched, first, second = (np.concatenate([p[i] for p in parts], -1) for i in range(3))
    return Swept(places, patched, first, second)


class _Work:
    """A sweep under way."""

    def __init__(
        self,
        anatomy: Anatomy,
        sites: tuple[Site, ...],
        where: list[Tensor | None],
        read: Tensor,
        metric: Metric,
        progress: Count | None,
        total: int,
    ) -> None:
        self.anatomy, self.sites, self.where, self.read = anatomy, sites, where, read
        self.metric, self.progress, self.total, self.done = metric, progress, total, 0
        self.most = ROW_TOKENS
        """Rows of a batch."""

    def examples(
        self, into: dict[str, Tensor], out: dict[str, Tensor], part: Tensor
    ) -> tuple[NDArray[np.float64], ...]:
        """The sweep over some of the examples: patched, base, source."""
        read = self.read[part]
        wanted = tuple(dict.fromkeys(Site(s.component, s.layer) for s in self.sites))
        source = Base(self.anatomy, out, keep=wanted)
        after, seen = measured(self.metric, source.logits(read), part), source.kept
        del source
        base = Base(self.anatomy, into, keep=[Site("z", s.layer) for s in wanted])
        before = measured(self.metric, base.logits(read), part)
        patched = torch.zeros(len(self.sites), len(part), dtype=torch.float64)
        for place in wanted:
            for numbers, rows in self._batches(place, part, read):
                patched[numbers, rows] = self._run(
                    base, place, seen[place], numbers, rows, part, read
                )
                self._tell(len(rows))
        return patched.numpy(), before.numpy(), after.numpy()

    def _start(self, number: int, part: Tensor) -> Tensor:
        """Of each example, the first column that a site changes."""
        where = self.where[number]
        return torch.zeros(len(part), dtype=torch.long) if where is None else where[part]

    def _batches(self, place: Site, part: Tensor, read: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """(site number, example of the part) of each row, in batches of about ``ROW_TOKENS``,
        rows that begin late together. Patches behind the reading position change nothing."""
        mine = [
            number
            for number, site in enumerate(self.sites)
            if (site.component, site.layer) == (place.component, place.layer)
        ]
        starts = torch.stack([self._start(number, part) for number in mine])
        order = starts.flatten().argsort(descending=True, stable=True)
        stop = int(read.max()) + 1
        first = 0
        while first < len(order):
            last = first + 1
            while last < min(len(order), first + self.most):
                begin = int(starts.flatten()[order[last]])
                if (last + 1 - first) * max(1, stop - begin) > ROW_TOKENS:
                    break
                last += 1
            chosen = order[first:last]
            yield torch.tensor(mine)[chosen // len(part)], chosen % len(part)
            first = last

    def _run(
        self,
        base: Base,
        place: Site,
        values: Tensor,
        numbers: Tensor,
        rows: Tensor,
        part: Tensor,
        read: Tensor,
    ) -> Tensor:
        """The metric of each row."""
        assert place.layer is not None
        own = torch.stack([self._start(int(n), part)[r] for n, r in zip(numbers, rows)])
        start = min(int(own.min()), int(read[rows].max()))
        heads = [self.sites[n].head for n in numbers]
        whole = torch.tensor([self.where[n] is None for n in numbers])
        layer, columns, hidden = place.layer, torch.arange(start, base.length), None
        if place.component in OWN_COLUMN and not whole.any():
            put = _putting(values, rows, own, heads, whole, own[:, None])
            held = base.kept[Site("z", layer)][rows, own][:, None]
            taps: list[Any] = [("z", layer, lambda *_: held), (place.component, layer, put)]
            after = base.column(rows, layer=layer, own=own, taps=taps)
            layer, taps = layer + 1, []
            hidden = base.stream[layer][rows, start : int(read[rows].max()) + 1]
            here = (own < start + hidden.shape[1]).nonzero()[:, 0]
            hidden[here, own[here] - start] = after[here]
        else:
            put = _putting(values, rows, own, heads, whole, columns.expand(len(rows), -1))
            taps = [(place.component, layer, put)]
        logits = base.rerun(
            rows, layer=layer, start=start, read=read[rows], taps=taps, hidden=hidden
        )
        return measured(self.metric, logits, part[rows])

    def _tell(self, runs: int) -> None:
        self.done += runs
        if self.progress is not None:
            self.progress(self.done, self.total)


def _putting(
    values: Tensor,
    rows: Tensor,
    own: Tensor,
    heads: list[int | None],
    whole: Tensor,
    columns: Tensor,
) -> Tap:
    """Writes into each row its example's source value, at its own position and head.

    ``columns``: (rows, n) the position of each column of the pass.
    """

    def put(x: Tensor, now: Pass) -> Tensor:
        x = written(x)
        here = columns[:, : now.length]
        n, c = ((here == own[:, None]) | whole[:, None]).nonzero(as_tuple=True)
        new = values[rows[n], here[n, c]].to(x.dtype)
        if any(head is not None for head in heads):
            every = torch.tensor([-1 if head is None else head for head in heads])[n]
            one = every >= 0
            x[n[one], c[one], every[one]] = new[one, every[one]]
            n, c, new = n[~one], c[~one], new[~one]
        x[n, c] = new
        return x

    return put


def _columns(site: Site, positions: Tensor | None, count: int, length: int) -> Tensor | None:
    if site.position is not None:
        return each_position(site.position, count, length, str(site))
    return None if positions is None else each_position(positions, count, length, "positions")
