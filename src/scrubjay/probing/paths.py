"""Path patching: what does one head tell another, with every other route between them cut?

Senders are heads at a position; receivers are projections (q, k, v of later heads) at the same
position, or the logits. For every sender (paper 63, section 3.2):

    1. z of all heads in the base and in the source run
    2. base run, every head's z from the position on held at its base value, but the sender's at its
       source value; MLPs compute anew. Note what reaches the receivers.
    3. base run with the receivers' projections as noted; metric of the logits

With all heads held, nothing moves between positions, so run 2 can differ from the base run at the
sender's position only: it is computed on that one position (each row sees itself alone, and its
heads are written anyway), for all senders in one batch. Run 3 begins at the first receiver and at
the position (see ``tail``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

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
from scrubjay.probing.sweeping import Swept
from scrubjay.probing.tail import Base, example_parts, most_rows
from scrubjay.probing.taps import Pass, Tap, written

ROWS = 512
"""Senders × examples in one batch."""


def path_patch(
    model: Any,
    base: InputsLike,
    source: InputsLike,
    senders: Sequence[SiteLike],
    receivers: Sequence[SiteLike] | Literal["logits"],
    metric: Metric,
    *,
    position: int | Tensor = -1,
    source_position: int | Tensor | None = None,
    read: int | Tensor = -1,
    budget: int | str = "1GB",
    progress: Count | None = None,
) -> Swept:
    """The metric when each sender alone speaks to the receivers as in the source run.

    Args:
        model: see ``Anatomy.of``.
        base: prompts (examples, tokens).
        source: as many prompts, perhaps of another length.
        senders: heads, as (layer, head) or sites of z; a sender that isn't below any receiver can't
            reach it and changes nothing.
        receivers: sites of q, k or v with a head (k and v count key-value heads), or "logits".
        metric: see ``metrics``.
        position: of senders and receivers; (examples,) if each has its own.
        source_position: where the senders are taken from in ``source``; None: the same.
        read: the position whose logits the metric gets.
        budget: most bytes of activations in memory.
        progress: called with runs done and runs in all.

    Raises:
        ProbeError: a sender is no head or a receiver no projection of one, a position lies outside
            the prompts, or the receivers are the logits of another position than the senders'.
        OverBudget: not even one example fits.
    """
    anatomy = Anatomy.of(model)
    heads = _senders(anatomy, senders)
    ends = _receivers(anatomy, receivers)
    into, out = as_inputs(anatomy, base), as_inputs(anatomy, source)
    (count, length), (others, away) = into["input_ids"].shape, out["input_ids"].shape
    if others != count:
        raise ProbeError(f"there are {count} base prompts and {others} source prompts")
    here = each_position(position, count, length, "position")
    there = position if source_position is None else source_position
    places = _Places(
        here,
        each_position(there, count, away, "source_position"),
        each_position(read, count, length, "read"),
    )
    if ends is None and not bool((places.here == places.read).all()):
        raise ProbeError("heads speak to the logits of their own position only; read that one")
    room = byte_count(budget)
    work = _Work(anatomy, heads, ends, metric, places, progress, len(heads) * count)
    work.most = min(ROWS, most_rows(anatomy, room))
    everything = [*anatomy.sites("z"), *heads]
    parts = [
        work.examples(rows_of(into, part), rows_of(out, part), part)
        for part in example_parts(anatomy, everything, count, max(length, away), room)
    ]
    patched, first, second = (np.concatenate([p[i] for p in parts], -1) for i in range(3))
    return Swept(heads, patched, first, second)


def _senders(anatomy: Anatomy, senders: Sequence[SiteLike]) -> tuple[Site, ...]:
    sites = anatomy.check(*senders)
    for site in sites:
        if site.component != "z" or site.head is None or site.position is not None:
            raise ProbeError(f"{site} is no sender; senders are heads such as (5, 3) or L5.H3.z")
    return sites


def _receivers(anatomy: Anatomy, receivers: Sequence[SiteLike] | str) -> tuple[Site, ...] | None:
    if receivers == "logits":
        return None
    if isinstance(receivers, str):
        raise ProbeError(f"receivers are 'logits' or a list of sites, not '{receivers}'")
    sites = anatomy.check(*receivers)
    for site in sites:
        if site.component not in ("q", "k", "v") or site.position is not None:
            raise ProbeError(f"{site} is no receiver; receivers are such as L7.H2.q")
    return sites


@dataclass(slots=True)
class _Places:
    """(examples,) each."""

    here: Tensor
    there: Tensor
    read: Tensor


class _Work:
    """Path patching under way."""

    def __init__(
        self,
        anatomy: Anatomy,
        senders: tuple[Site, ...],
        receivers: tuple[Site, ...] | None,
        metric: Metric,
        places: _Places,
        progress: Count | None,
        total: int,
    ) -> None:
        self.anatomy, self.senders, self.receivers = anatomy, senders, receivers
        self.metric, self.places, self.progress = metric, places, progress
        self.total, self.done = total, 0
        self.most = ROWS

    def examples(
        self, into: dict[str, Tensor], out: dict[str, Tensor], part: Tensor
    ) -> tuple[NDArray[np.float64], ...]:
        """Metrics of some of the examples: patched, base, source."""
        z, where = self.anatomy.sites("z"), self.places
        here, read = where.here[part], where.read[part]
        own = torch.arange(len(part))
        source = Base(self.anatomy, out, keep=z)
        after = self._source_metric(source, out, part)
        theirs = torch.stack([source.kept[site][own, where.there[part]] for site in z])
        del source
        base = Base(self.anatomy, into, keep=z)
        held = torch.stack([base.kept[site][own, here] for site in z])
        before = measured(self.metric, base.logits(read), part)
        patched = before.repeat(len(self.senders), 1)
        pairs = [
            (number, row)
            for number, site in enumerate(self.senders)
            if self._reaches(site)
            for row in range(len(part))
        ]
        for first in range(0, len(pairs), self.most):
            numbers, rows = (torch.tensor(x) for x in zip(*pairs[first : first + self.most]))
            patched[numbers, rows] = self._run(base, held, theirs, numbers, rows, part)
        self.done += patched.numel()
        if self.progress is not None:
            self.progress(self.done, self.total)
        return patched.numpy(), before.numpy(), after.numpy()

    def _source_metric(self, source: Base, out: dict[str, Tensor], part: Tensor) -> Tensor:
        """At ``read``, if the source is as long, else at its own end."""
        last = out["input_ids"].shape[1] - 1
        return measured(self.metric, source.logits(self.places.read[part].clamp(max=last)), part)

    def _reaches(self, sender: Site) -> bool:
        assert sender.layer is not None
        if self.receivers is None:
            return True
        return any((site.layer or 0) > sender.layer for site in self.receivers)

    def _run(
        self,
        base: Base,
        held: Tensor,
        theirs: Tensor,
        numbers: Tensor,
        rows: Tensor,
        part: Tensor,
    ) -> Tensor:
        """Runs 2 and 3 of each row."""
        here, read = self.places.here[part][rows], self.places.read[part][rows]
        layers = torch.tensor([self.senders[n].layer for n in numbers])
        heads = torch.tensor([self.senders[n].head for n in numbers])
        first = int(layers.min())
        taps: list[Any] = [
            ("z", layer, _holding(held[layer], theirs[layer], rows, layers == layer, heads))
            for layer in range(first, self.anatomy.n_layers)
        ]
        if self.receivers is None:
            logits = base.rerun(rows, layer=first, read=read, taps=taps, alone=here)
            return measured(self.metric, logits, part[rows])
        noted: dict[Site, Tensor] = {}
        taps += [(s.component, s.layer, _noting(noted, s)) for s in self.receivers]
        base.rerun(rows, layer=first, taps=taps, alone=here)
        start = min(int(here.min()), int(read.max()))
        logits = base.rerun(
            rows,
            layer=min(site.layer or 0 for site in self.receivers),
            start=start,
            read=read,
            taps=[
                (s.component, s.layer, _overwriting(noted[s], s, here - start))
                for s in self.receivers
            ],
        )
        return measured(self.metric, logits, part[rows])


def _holding(held: Tensor, theirs: Tensor, rows: Tensor, mine: Tensor, heads: Tensor) -> Tap:
    """Base z of every head (one position a row), source z of the senders of this layer."""

    def write(x: Tensor, now: Pass) -> Tensor:
        new = held[rows].clone()
        senders = mine.nonzero()[:, 0]
        new[senders, heads[senders]] = theirs[rows[senders], heads[senders]]
        return new[:, None]

    return write


def _noting(noted: dict[Site, Tensor], site: Site) -> Tap:
    def look(x: Tensor, now: Pass) -> None:
        noted[site] = (x if site.head is None else x[:, :, site.head])[:, 0].clone()

    return look


def _overwriting(value: Tensor, site: Site, columns: Tensor) -> Tap:
    def write(x: Tensor, now: Pass) -> Tensor | None:
        rows = (columns < now.length).nonzero()[:, 0]
        x = written(x)
        if site.head is None:
            x[rows, columns[rows]] = value[rows]
        else:
            x[rows, columns[rows], site.head] = value[rows]
        return x

    return write
