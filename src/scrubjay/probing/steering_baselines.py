"""Steering maps in closed form, the simpler relatives of LinEAS, in the same frame.

    mean shift     ω = 1                          b = m_y - m_x
    Gaussian       ω = s_y / s_x                  b = m_y - ω m_x
    linear AcT     ω = Σ x̃ỹ / Σ x̃²  (x, y sorted, centred)    b = m_y - ω m_x
    classifier     ω = 1                          b = θ θᵀ(m_y - m_x), θ a unit normal of a probe

x are pooled source activations of a coordinate, y target ones. Linear AcT is fitted layer after
layer, each on what the maps before it produce (``incremental``), or all at once. Source: paper 19,
section 3 of our sheet ("closest baselines"). Departures: a coordinate that is constant on the
source side keeps ω = 1, instead of noise in the denominator; sides of unequal size are sorted by
quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.linear import LinearProbe
from scrubjay.probing.lineas import default_sites
from scrubjay.probing.pooled import Texts, pooled, whole_sites
from scrubjay.probing.sites import Site, SiteLike
from scrubjay.probing.steering_maps import SteeringMaps

Sites = Sequence[SiteLike] | None
_Closed = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def fit_mean_shift(
    model: Any, source: Texts, target: Texts, sites: Sites = None, *, skip: int = 1
) -> SteeringMaps:
    """Move each site by the difference of means.

    Raises:
        ProbeError: as ``pooled``.
    """
    return _at_once(model, source, target, sites, skip, _mean_shift, "mean shift")


def fit_gaussian(
    model: Any, source: Texts, target: Texts, sites: Sites = None, *, skip: int = 1
) -> SteeringMaps:
    """Match mean and standard deviation of each coordinate.

    Raises:
        ProbeError: as ``pooled``.
    """
    return _at_once(model, source, target, sites, skip, _gaussian, "gaussian")


def fit_linear_act(
    model: Any,
    source: Texts,
    target: Texts,
    sites: Sites = None,
    *,
    incremental: bool = True,
    skip: int = 1,
) -> SteeringMaps:
    """Regress sorted target on sorted source activations.

    Args:
        incremental: fit a site on what the maps before it produce; one pass a site.

    Raises:
        ProbeError: as ``pooled``.
    """
    if not incremental:
        return _at_once(model, source, target, sites, skip, _regressed, "linear act, at once")
    anatomy, places = _places(model, sites)
    wanted = pooled(anatomy, target, places, skip=skip)
    maps: dict[Site, tuple[Tensor, Tensor]] = {}
    for site in places:
        if not maps:
            x = pooled(anatomy, source, [site], skip=skip)[site]
        else:
            with SteeringMaps(maps).applied(anatomy):
                x = pooled(anatomy, source, [site], skip=skip)[site]
        maps[site] = _regressed(x, wanted[site])
    return SteeringMaps(maps, "linear act")


def fit_classifier_shift(
    model: Any, source: Texts, target: Texts, sites: Sites = None, *, skip: int = 1
) -> SteeringMaps:
    """Move each site along the normal of a logistic probe (ITI), as far as the means are apart.

    Raises:
        ProbeError: as ``pooled``.
    """
    return _at_once(model, source, target, sites, skip, _classified, "classifier shift")


def _places(model: Any, sites: Sites) -> tuple[Anatomy, tuple[Site, ...]]:
    anatomy = Anatomy.of(model)
    return anatomy, whole_sites(anatomy, default_sites(anatomy) if sites is None else sites)


def _at_once(
    model: Any, source: Texts, target: Texts, sites: Sites, skip: int, closed: _Closed, name: str
) -> SteeringMaps:
    anatomy, places = _places(model, sites)
    x, y = (pooled(anatomy, t, places, skip=skip) for t in (source, target))
    return SteeringMaps({s: closed(x[s], y[s]) for s in places}, name)


def _mean_shift(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return torch.ones_like(x[0]), y.mean(0) - x.mean(0)


def _gaussian(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    sx, sy = x.std(0, correction=0), y.std(0, correction=0)
    scale = torch.where(_varies(x), sy / sx, 1.0)
    return scale, y.mean(0) - scale * x.mean(0)


def _regressed(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    if len(x) != len(y):
        level = (torch.arange(max(len(x), len(y))) + 0.5) / max(len(x), len(y))
        x, y = (t.quantile(level.to(t), dim=0) for t in (x, y))
    a, b = x.sort(0).values - x.mean(0), y.sort(0).values - y.mean(0)
    scale = torch.where(_varies(x), (a * b).sum(0) / a.square().sum(0), 1.0)
    return scale, y.mean(0) - scale * x.mean(0)


def _classified(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    both = torch.cat([x, y]).double().cpu().numpy()
    labels = np.arange(len(both)) >= len(x)
    normal = torch.from_numpy(LinearProbe(c=0.1).fit(both, labels).direction).to(x)
    return torch.ones_like(x[0]), normal * (normal @ (y.mean(0) - x.mean(0)))


def _varies(x: Tensor) -> Tensor:
    """(d,): whether a column has a spread beyond rounding."""
    return x.std(0, correction=0) > 1e-6 * x.abs().amax(0).clamp_min(1e-30)
