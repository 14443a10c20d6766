"""One vector a text at each site: the mean over its tokens, the first left out.

    x[site][i] = mean over t ≥ 1 of the activation at token t of text i

The first token of a text carries the attention sink, whose huge state says nothing about the text;
``skip`` says how many tokens are left out. With ``grad`` the means stay in the graph of autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs, padded
from scrubjay.probing.recording import record
from scrubjay.probing.sites import STREAM, Site, SiteLike

ORDER = ("resid_pre", "attn_out", "resid_mid", "neurons", "mlp_out", "resid_post")
"""Components as a block computes them."""
Texts = Sequence[Sequence[int]]


def whole_sites(anatomy: Anatomy, places: Sequence[SiteLike]) -> tuple[Site, ...]:
    """The places in the order in which the model computes them.

    Raises:
        ProbeError: there is no such place, or it is a head, a neuron or a position alone.
    """
    sites = anatomy.check(*places)
    for site in sites:
        if site.component not in (*STREAM, "neurons") or (site.head, site.position) != (None, None):
            raise ProbeError(
                f"{site}: texts are pooled at whole components of a layer ({', '.join(ORDER)})"
            )
    return tuple(sorted(sites, key=lambda s: (s.layer or 0, ORDER.index(s.component))))


def pooled(
    model: Any, texts: Texts, sites: Sequence[SiteLike], *, skip: int = 1, grad: bool = False
) -> dict[Site, Tensor]:
    """(texts, width), float32, of every site.

    Args:
        model: see ``Anatomy.of``.
        texts: token ids.

    Raises:
        ProbeError: there are no texts, one has no token beyond those skipped or is too long, there
            is no such site, or an activation isn't finite.
    """
    anatomy = Anatomy.of(model)
    places = whole_sites(anatomy, sites)
    if skip < 0 or not texts or min(map(len, texts)) <= skip:
        raise ProbeError(f"pooling needs texts of at least {skip + 1} tokens each")
    inputs = as_inputs(anatomy, padded(texts, side="right"))
    mask = inputs["attention_mask"].clone()
    mask[:, :skip] = 0
    share = (mask / mask.sum(1, keepdim=True))[..., None].float()
    with torch.set_grad_enabled(grad), record(anatomy, *places, grad=grad, budget="1TB") as seen:
        anatomy.body(**inputs, use_cache=False)
    return {site: (seen[site].float() * share.to(seen[site].device)).sum(1) for site in places}
