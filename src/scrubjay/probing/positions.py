"""Which columns of a pass are meant: all, one, several, or each row's own.

Positions count columns of the batch from 0, those in a cache included, or from the end if they are
negative. While a model generates, a position of the prompt is met in the first pass only, and -1 in
every pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.errors import ProbeError
from scrubjay.probing.sites import Site
from scrubjay.probing.taps import Pass

PositionsLike = int | Sequence[int] | Tensor | None
"""None: all; a number: one; a list: the same in every row; a tensor (rows,) or (rows, n): each
row's own."""


class Positions:
    """Positions, ready to be looked for in a pass."""

    def __init__(self, positions: PositionsLike) -> None:
        """Raises:
        ProbeError: these are no positions.
        """
        self.single = False
        """The site's tensors have no axis of positions."""
        self.each: Tensor | None = None
        """(rows or 1, n)."""
        if positions is None:
            return
        if isinstance(positions, Tensor):
            each = positions.detach().cpu()
            if each.is_floating_point() or each.dim() not in (1, 2) or not each.numel():
                raise ProbeError("positions of each row are whole numbers, (rows,) or (rows, n)")
            self.single = each.dim() == 1
            self.each = each.long()[:, None] if self.single else each.long()
        else:
            self.single = isinstance(positions, int)
            given = [positions] if isinstance(positions, int) else list(positions)
            if not given or not all(isinstance(p, int) for p in given):
                raise ProbeError(f"positions are whole numbers, not {positions!r}")
            self.each = torch.tensor([given])

    @classmethod
    def of(cls, site: Site, others: PositionsLike) -> Positions:
        """The site's own position, else ``others``."""
        return cls(others if site.position is None else site.position)

    @property
    def given(self) -> Any:
        """As plain lists, for settings."""
        return None if self.each is None else self.each.tolist()

    def here(self, now: Pass, device: torch.device) -> tuple[Tensor, Tensor]:
        """Columns of this pass (rows, n), and which of them it holds.

        Raises:
            ProbeError: a position before the start, or positions for another number of rows.
        """
        if self.each is None:
            columns = torch.arange(now.length, device=device).expand(now.batch, -1)
            return columns, torch.ones_like(columns, dtype=torch.bool)
        if len(self.each) not in (1, now.batch):
            raise ProbeError(
                f"there are positions for {len(self.each)} rows, the batch has {now.batch}"
            )
        each = self.each.to(device)
        total = now.offset + now.length
        if int(each.min()) < -total:
            raise ProbeError(f"position {int(each.min())}: the prompt has only {total} tokens")
        columns = torch.where(each < 0, each + total, each) - now.offset
        columns = columns.expand(now.batch, -1)
        held = (columns >= 0) & (columns < now.length)
        return columns.clamp(0, now.length - 1), held

    def unreached(self, now: Pass) -> int | None:
        """The highest position, if no pass so far was long enough for it."""
        if self.each is None or now.number < 0:
            return None
        most = int(self.each.max())
        return most if most >= now.longest else None


def check_reached(places: Iterator[tuple[Site, Positions]], now: Pass) -> None:
    """Raises:
    ProbeError: a site's position lies beyond every prompt.
    """
    for site, positions in places:
        most = positions.unreached(now)
        if most is not None:
            raise ProbeError(
                f"{site}: position {most} was never reached, the longest prompt had "
                f"{now.longest} tokens"
            )


def take(x: Tensor, site: Site, positions: Positions, now: Pass) -> Tensor | None:
    """The site's part of its component; None if this pass doesn't hold all of its positions.

    A copy, unless everything is asked for.
    """
    if site.head is not None:
        x = x[:, :, site.head]
    if positions.each is None:
        return x
    columns, held = positions.here(now, x.device)
    if not held.all():
        return None
    rows = torch.arange(now.batch, device=x.device)[:, None]
    part = x[rows, columns]
    return part[:, 0] if positions.single else part
