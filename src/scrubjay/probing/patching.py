"""Put other values in the place of activations: interchange between two runs.

    with record(model, "L4.H2.z@-1") as seen:
        model(other_prompt)
    with patch(model, seen):                      # a mapping from sites to values
        logits = model(prompt).logits             # as if head (4, 2) had read the other prompt

    with patch(model, [{site: value} for site in sites]):   # one mapping a row: row i of the
        model(prompt.expand(len(sites), -1))                # batch carries patch i alone

Values have the shapes that ``record`` gives, or shapes that broadcast to them: a vector goes to
every row and position. Sweeps over many sites have ``sweep``, which doesn't compute again what a
patch can't change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.attention import Attention
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import InputsLike, as_inputs
from scrubjay.probing.positions import Positions, PositionsLike, check_reached
from scrubjay.probing.recording import finite, record
from scrubjay.probing.sites import Site, SiteLike
from scrubjay.probing.taps import AttentionTap, Pass, Tap, tapped, written


@dataclass(slots=True)
class _Patch:
    site: Site
    positions: Positions
    value: Tensor
    row: int | None
    """The only row that carries it; None: every row."""


@contextmanager
def patch(
    model: Any,
    patches: Mapping[Any, Tensor] | Sequence[Mapping[Any, Tensor]],
    *,
    positions: PositionsLike = None,
) -> Iterator[None]:
    """Inside, the model computes with the given values at the given sites.

    Args:
        model: see ``Anatomy.of``.
        patches: site → value for every row, or one such mapping for each row of the batch.
        positions: for the sites without a position of their own.

    Raises:
        ProbeError: there is no such site, a value isn't finite or doesn't fit, there are patches
            for another number of rows, or a position lies beyond every prompt.
    """
    anatomy = Anatomy.of(model)
    together = isinstance(patches, Mapping)
    rows: list[Mapping[Any, Tensor]] = [patches] if isinstance(patches, Mapping) else [*patches]
    by_place: dict[tuple[str, int | None], list[_Patch]] = {}
    for number, mapping in enumerate(rows):
        for place, value in mapping.items():
            (site,) = anatomy.check(place)
            finite(value, f"the value for {site}")
            one = _Patch(site, Positions.of(site, positions), value, None if together else number)
            by_place.setdefault((site.component, site.layer), []).append(one)
    if not by_place:
        raise ProbeError("no patches given")
    due = None if together else len(rows)
    taps = [(c, n, writer(found, due, c == "attn")) for (c, n), found in by_place.items()]
    with tapped(anatomy, taps) as now:
        yield
    check_reached(((p.site, p.positions) for found in by_place.values() for p in found), now)


def writer(found: list[_Patch], due: int | None, attention: bool) -> Tap | AttentionTap:
    """The tap that writes these patches, all of one component and layer."""

    def check(now: Pass) -> None:
        if due is not None and now.batch != due:
            raise ProbeError(f"there are patches for {due} rows, the batch has {now.batch}")

    def write(x: Tensor, now: Pass) -> Tensor:
        check(now)
        x = written(x)
        for one in found:
            rows, columns, value = _fitted(one, tuple(x.shape[2:]), x.device, now)
            value = value.to(x.dtype)
            if one.site.head is None:
                x[rows, columns] = value
            else:
                x[rows, columns, one.site.head] = value
        return x

    def weigh(x: Attention, now: Pass) -> None:
        check(now)
        for one in found:
            tail = (x.query.shape[1], x.keys)
            rows, columns, value = _fitted(one, tail, x.query.device, now)
            heads = range(tail[0]) if one.site.head is None else [one.site.head]
            for head in heads:
                new = value[:, head] if one.site.head is None else value
                x.put(rows, columns, torch.full_like(rows, head), new)

    return weigh if attention else write


def _fitted(
    one: _Patch, tail: tuple[int, ...], device: torch.device, now: Pass
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows and columns (n,) of the pass to write to, and the value for each (n, …)."""
    columns, held = one.positions.here(now, device)
    if one.row is not None:
        held = held & (torch.arange(now.batch, device=device) == one.row)[:, None]
    tail = tail if one.site.head is None else tail[1:]
    each = (1 if one.row is not None else now.batch,)
    shape = each + (() if one.positions.single else (columns.shape[1],)) + tail
    value = one.value.to(device)
    if one.row is not None and value.dim() == len(shape) - 1:
        value = value[None]
    try:
        value = value.expand(shape)
    except RuntimeError as error:
        raise ProbeError(
            f"{one.site}: a value of shape {tuple(one.value.shape)} doesn't fit into {shape} "
            "(rows, positions, …); both runs need the same number of tokens, or a position"
        ) from error
    if one.positions.single:
        value = value[:, None]
    value = value.expand(now.batch, *value.shape[1:])
    rows, slots = held.nonzero(as_tuple=True)
    return rows, columns[rows, slots], value[rows, slots]


def interchange(
    model: Any,
    base: InputsLike,
    source: InputsLike,
    sites: Sequence[SiteLike],
    *,
    positions: PositionsLike = None,
    source_positions: PositionsLike = None,
    read: int | None = -1,
) -> Tensor:
    """Logits of ``base`` with the activations that ``source`` has at ``sites``.

    Args:
        base: prompts (see ``as_inputs``), one row each.
        source: as many prompts, or one for all.
        positions: in ``base``, for sites without a position; ``source_positions`` in ``source``,
            the same where not given.
        read: the position whose logits are returned, (rows, vocabulary); None: all of them.

    Raises:
        ProbeError: the prompts have different lengths and a site has no position, or as ``patch``.
    """
    anatomy = Anatomy.of(model)
    into, out = as_inputs(anatomy, base), as_inputs(anatomy, source)
    places = anatomy.check(*sites)
    unequal = into["input_ids"].shape[1] != out["input_ids"].shape[1]
    if unequal and positions is None and any(site.position is None for site in places):
        raise ProbeError(
            f"the prompts have {into['input_ids'].shape[1]} and {out['input_ids'].shape[1]} tokens "
            "and can't be aligned; name positions"
        )
    there = positions if source_positions is None else source_positions
    with torch.no_grad():
        with record(anatomy, *places, positions=there, budget="1TB") as seen:
            anatomy.model(**out, use_cache=False)
        with patch(anatomy, seen, positions=positions):
            logits: Tensor = anatomy.model(**into, use_cache=False).logits
    return logits if read is None else logits[:, read]
