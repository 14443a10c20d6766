"""Take heads, neurons or whole blocks out, and see what the model can't do without them.

    mode       what stands in the place of the activation
    zero       nothing
    mean       its mean over samples of other prompts
    resample   its value in another prompt, drawn at random
    uniform    (heads) the head's scores are all 0: it attends alike to everything it may see

    with ablate(model, (5, 3), "L7.N100.neurons", "L9"):        # a head, a neuron, a block
        model.generate(ids)

``scope`` says where: at all positions, from a position on, or only in "decode": the prompt is read
intact but for its last token, and every token written is computed without the heads. That is how
retrieval heads are judged (paper 18, section 3.4): the prompt's keys and values stay clean, and the
ablation acts on reading them. A head is its output before W_O, also where heads share keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.attention import Attention
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.recording import finite
from scrubjay.probing.sites import Site, SiteLike, as_site
from scrubjay.probing.taps import Pass, tapped, written

Mode = Literal["zero", "mean", "resample", "uniform"]
Scope = Literal["all", "decode"] | int


@contextmanager
def ablate(
    model: Any,
    *targets: SiteLike,
    mode: Mode = "zero",
    scope: Scope = "all",
    reference: Mapping[Any, Tensor] | None = None,
    seed: int = 0,
) -> Iterator[None]:
    """Inside, the model runs without the targets.

    Args:
        model: see ``Anatomy.of``.
        targets: heads as (layer, head) or "L5.H3"; neurons as "L5.N7"; blocks as "L5"; any other
            site by its name ("L5.attn_out"), a position included.
        scope: "all" positions, "decode", or the first position to ablate.
        reference: for ``mean`` and ``resample``: site → samples, (samples, …) or (samples,
            positions, …), such as a ``Recording``; None: the rows of the batch at hand.
        seed: of the draws of ``resample``.

    Raises:
        ProbeError: there is no such target, the mode doesn't suit it, or there are no samples for
            it.
    """
    anatomy = Anatomy.of(model)
    if mode not in get_args(Mode):
        raise ProbeError(f"there is no mode '{mode}'; known: {', '.join(get_args(Mode))}")
    if scope not in ("all", "decode") and (not isinstance(scope, int) or scope < 0):
        raise ProbeError(f"scope is 'all', 'decode' or the first position, not {scope!r}")
    sites = anatomy.check(*(site for target in targets for site in _sites(target)))
    if mode == "uniform" and any(site.component != "z" or site.head is None for site in sites):
        raise ProbeError("mode 'uniform' is for heads, such as (5, 3) or 'L5.H3'")
    if any(site.component in ("attn", "logits") for site in sites):
        raise ProbeError("attention weights and logits can't be ablated; ablate heads or blocks")
    where = _Where(scope)
    if mode == "uniform":
        taps = [("attn", site.layer, _uniform(site, where)) for site in sites]
    else:
        fill = _Filling(mode, reference, seed)
        for site in sites:
            fill.check(site)
        taps = [(site.component, site.layer, _replacing(site, where, fill)) for site in sites]
    with tapped(anatomy, taps):
        yield


def _sites(target: SiteLike) -> tuple[Site, ...]:
    """Short forms: "L5" is a block, "L5.H3" a head's output, "L5.N7" a neuron."""
    if not isinstance(target, str) or "_" in target:
        return (as_site(target),)
    last = target.rsplit("@", 1)[0].rsplit(".", 1)[-1]
    kind, number = last[:1], last[1:]
    if not number.isdigit() or kind not in "LHN":
        return (as_site(target),)
    path, *at = target.split("@")
    ends = {"H": ("z",), "N": ("neurons",), "L": ("attn_out", "mlp_out")}[kind]
    return tuple(Site.parse("@".join([f"{path}.{end}", *at])) for end in ends)


class _Where:
    """Which columns of a pass are ablated."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, site: Site, now: Pass, device: torch.device) -> Tensor:
        """(columns,) of this pass."""
        columns = torch.arange(now.offset, now.offset + now.length, device=device)
        keep = torch.ones_like(columns, dtype=torch.bool)
        if self.scope == "decode" and now.length > 1:
            keep = columns == now.offset + now.length - 1
        elif isinstance(self.scope, int):
            keep = columns >= self.scope
        if site.position is not None:
            own = site.position
            keep = keep & (columns == (own if own >= 0 else own + now.offset + now.length))
        return keep.nonzero()[:, 0]


def _uniform(site: Site, where: _Where) -> Any:
    def blank(x: Attention, now: Pass) -> None:
        columns = where(site, now, x.query.device).expand(now.batch, -1)
        heads = torch.tensor([site.head], device=columns.device)
        x.blank(columns, torch.ones_like(columns, dtype=torch.bool), heads)

    return blank


def _replacing(site: Site, where: _Where, fill: _Filling) -> Any:
    def replace(x: Tensor, now: Pass) -> Tensor | None:
        columns = where(site, now, x.device)
        if not len(columns):
            return None
        old = x if site.head is None else x[:, :, site.head]
        new = fill(site, old, columns, now)
        x = written(x)
        if site.head is None:
            x[:, columns] = new
        else:
            x[:, columns, site.head] = new
        return x

    return replace


class _Filling:
    """What stands in the place of an ablated activation."""

    def __init__(self, mode: Mode, reference: Mapping[Any, Tensor] | None, seed: int) -> None:
        self.mode, self.random = mode, torch.Generator().manual_seed(seed)
        self.samples = None if reference is None else {as_site(k): reference[k] for k in reference}

    def check(self, site: Site) -> None:
        """Raises:
        ProbeError: there are no samples for the site.
        """
        if self.mode == "zero" or self.samples is None:
            return
        if site not in self.samples:
            raise ProbeError(f"there are no samples of {site} in the reference")
        finite(self.samples[site], f"the reference of {site}")

    def __call__(self, site: Site, old: Tensor, columns: Tensor, now: Pass) -> Tensor:
        """New values (rows, columns, …) or what broadcasts to them."""
        if self.mode == "zero":
            return old.new_zeros(())
        if self.samples is None:
            pool = old[:, columns]
            if len(pool) < 2:
                raise ProbeError(
                    f"mode '{self.mode}' needs a reference or a batch of several prompts"
                )
        else:
            pool = self._pool(site, old, columns + now.offset)
        if self.mode == "mean":
            return pool.mean(0, keepdim=True)
        rows = len(old)
        if self.samples is None:  # another row, never its own
            shift = 1 + torch.randint(rows - 1, (rows,), generator=self.random)
            chosen = (torch.arange(rows) + shift) % rows
        else:
            chosen = torch.randint(len(pool), (rows,), generator=self.random)
        return pool[chosen.to(pool.device)]

    def _pool(self, site: Site, old: Tensor, columns: Tensor) -> Tensor:
        """Samples (samples, columns or 1, …) of the reference."""
        assert self.samples is not None
        pool, tail = self.samples[site].to(old.device, old.dtype), old.shape[2:]
        if pool.dim() == old.dim() - 1 and pool.shape[1:] == tail:
            return pool[:, None]
        if pool.dim() != old.dim() or pool.shape[2:] != tail:
            raise ProbeError(
                f"{site}: samples of shape {tuple(pool.shape)}, not (samples, …) or (samples, "
                f"positions, …) with {tuple(tail)} last"
            )
        if int(columns.max()) >= pool.shape[1]:
            raise ProbeError(
                f"{site}: the samples have {pool.shape[1]} positions, the prompt more; sample one "
                "position, or prompts of the same length"
            )
        return pool[:, columns]
