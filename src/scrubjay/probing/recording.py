"""Record chosen activations of any run, in memory or on disk, within a stated number of bytes.

    with record(model, "L3.resid_post", "L5.H2.z@-1", budget="512MB") as seen:
        for ids in batches:
            model(ids)
    seen["L5.H2.z@-1"]                    # (rows of all batches, head size)

Only what a site names is kept: one head, some positions, one neuron; attention rows are computed
for the chosen queries and heads alone. Everything that is kept is a copy on the CPU.

With ``to=folder`` each site goes straight into a file of raw numbers (``<n>.bin``), and a line of
``batches.jsonl`` says that a batch is whole. A killed recording is opened again by the same call;
``seen.done`` is the number of batches to skip:

    with record(model, *sites, to="seen") as seen:
        for ids in batches[seen.done:]:
            model(ids)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.attention import Attention
from scrubjay.probing.errors import OverBudget, ProbeError, byte_count
from scrubjay.probing.positions import Positions, PositionsLike, check_reached, take
from scrubjay.probing.sites import Site, SiteLike, as_site
from scrubjay.probing.stores import Folder, Memory
from scrubjay.probing.taps import Pass, tapped


class Recording(Mapping[Site, Tensor]):
    """What was recorded, by site. Also takes a site's text as key."""

    def __init__(self, sites: tuple[Site, ...], store: Memory | Folder, budget: int) -> None:
        self.sites, self.store, self.budget = sites, store, budget

    @property
    def done(self) -> int:
        """Batches recorded whole, those of earlier runs into the same folder included."""
        return self.store.done

    def batches(self, site: SiteLike) -> list[Tensor]:
        """The site's tensor in each batch.

        Raises:
            ProbeError: the site wasn't recorded, or no pass reached it.
        """
        place = self._known(site)
        if not self.done:
            raise ProbeError(f"nothing was recorded at {place}: no pass reached all of the sites")
        return self.store.batches(place)

    def __getitem__(self, site: SiteLike) -> Tensor:
        """All rows, batch after batch.

        Raises:
            ProbeError: as ``batches``, or the batches have different lengths.
        """
        place, parts = self._known(site), self.batches(site)
        if len({part.shape[1:] for part in parts}) > 1:
            raise ProbeError(
                f"{place}: the batches have different lengths; read them by batches(), or record "
                "chosen positions"
            )
        return self.store.whole(place)

    def __iter__(self) -> Iterator[Site]:
        return iter(self.sites)

    def __len__(self) -> int:
        return len(self.sites)

    def __contains__(self, site: object) -> bool:
        return isinstance(site, (Site, str, tuple)) and as_site(site) in self.sites

    def _known(self, site: SiteLike) -> Site:
        place = as_site(site)
        if place not in self.sites:
            raise ProbeError(
                f"{place} wasn't recorded; recorded: {', '.join(map(str, self.sites))}"
            )
        return place

    def _afford(self, site: Site, bytes_: int) -> None:
        """Raises:
        OverBudget: keeping so much more would pass the budget.
        """
        if self.store.held + bytes_ > self.budget:
            raise OverBudget(
                f"{site}: recording needs more than the budget of {self.budget:,} bytes; ask for "
                "fewer sites or positions, smaller batches, or a folder to record to"
            )

    def _add(self, site: Site, x: Tensor) -> None:
        if self.store.add(site, x):
            self.store.finish_batch()


@contextmanager
def record(
    model: Any,
    *sites: SiteLike,
    positions: PositionsLike = None,
    budget: int | str = "512MB",
    to: str | Path | None = None,
    dtype: torch.dtype | None = None,
    grad: bool = False,
) -> Iterator[Recording]:
    """Inside, every pass of the model that reaches all sites is recorded as a batch.

    Args:
        model: see ``Anatomy.of``.
        sites: what to keep, in the layouts of ``sites``; one axis less where a site names a head,
            and one less where it names a position.
        positions: for the sites without a position of their own.
        budget: most bytes kept in memory; in a folder, of a batch.
        to: a folder on disk.
        dtype: number format to keep; None: the model's (attention: float32).
        grad: keep the tensors in the graph of autograd, where they are, instead of copies.

    Raises:
        ProbeError: there is no such site, a prompt is too long, or an activation isn't finite.
        OverBudget: before more than ``budget`` would be kept.
        RunMismatch: the folder holds a recording of something else.
    """
    anatomy = Anatomy.of(model)
    places = {site: Positions.of(site, positions) for site in anatomy.check(*sites)}
    limit = byte_count(budget)
    if to is not None and grad:
        raise ProbeError("tensors on disk have no gradients; record to memory")
    store: Memory | Folder = Memory(tuple(places))
    if to is not None:
        store = Folder(Path(to), tuple(places), _settings(anatomy, places, dtype))
    seen = Recording(tuple(places), store, limit)
    keep = _Keeper(seen, dtype, grad)
    taps = [
        (s.component, s.layer, keep.attention(s, p) if s.component == "attn" else keep.plain(s, p))
        for s, p in places.items()
    ]
    try:
        with tapped(anatomy, [*_guards(places), *taps]) as now:
            yield seen
        check_reached(iter(places.items()), now)
    finally:
        store.close()


class _Keeper:
    """Makes the taps that copy activations into a recording."""

    def __init__(self, seen: Recording, dtype: torch.dtype | None, grad: bool) -> None:
        self.seen, self.dtype, self.grad = seen, dtype, grad

    def plain(self, site: Site, positions: Positions) -> Any:
        def look(x: Tensor, now: Pass) -> None:
            part = take(x, site, positions, now)
            if part is not None:
                self._keep(site, part, now)

        return look

    def attention(self, site: Site, positions: Positions) -> Any:
        def look(x: Attention, now: Pass) -> None:
            columns, held = positions.here(now, x.query.device)
            if not held.all():
                return
            heads = None if site.head is None else torch.tensor([site.head], device=columns.device)
            count = x.query.shape[1] if heads is None else 1
            # Twice: the scores stand in memory while their softmax is taken.
            self.seen._afford(site, 2 * 4 * columns.numel() * count * x.keys)
            rows = x.rows(columns, heads)
            rows = rows if heads is None else rows[:, :, 0]
            self._keep(site, rows[:, 0] if positions.single else rows, now)

        return look

    def _keep(self, site: Site, part: Tensor, now: Pass) -> None:
        finite(part, str(site))
        if self.grad:
            self.seen._afford(site, part.numel() * part.element_size())
            self.seen._add(site, part.clone())
            return
        dtype = self.dtype or part.dtype
        self.seen._afford(site, part.numel() * torch.empty(0, dtype=dtype).element_size())
        self.seen._add(site, part.detach().to("cpu", dtype, copy=True).contiguous())


def finite(x: Tensor, where: str) -> None:
    """Raises:
    ProbeError: ``x`` (rows, positions, …) holds NaN or infinity; names the first place.
    """
    if math.isfinite(float(x.detach().sum())):  # one pass; a sum of finite numbers may overflow
        return
    bad = ~x.detach().isfinite()
    if bad.any():
        place = bad.nonzero()[0].tolist()
        value = float(x.detach()[tuple(place)])
        raise ProbeError(f"{where} is {value} at {place} (row first); it should be finite")


def _guards(places: Mapping[Site, Positions]) -> Iterator[tuple[str, int, Any]]:
    """Taps that say where in the stream the first number that isn't finite comes from, though
    only later places are recorded."""

    def guard(site: Site) -> Any:
        return lambda x, _: finite(x, str(site))

    last = max(-1 if site.layer is None else site.layer for site in places)
    for layer in range(last):
        yield "attn_out", layer, guard(Site("attn_out", layer))
        yield "resid_post", layer, guard(Site("resid_post", layer))


def _settings(
    anatomy: Anatomy, places: Mapping[Site, Positions], dtype: torch.dtype | None
) -> dict[str, Any]:
    shape = (anatomy.n_layers, anatomy.n_heads, anatomy.n_kv_heads, anatomy.d_model)
    return {
        "model": [anatomy.name, *shape, str(anatomy.dtype)],
        "sites": [str(site) for site in places],
        "positions": [p.given for p in places.values()],
        "dtype": str(dtype),
    }
