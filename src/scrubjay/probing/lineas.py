"""LinEAS: steering maps learned end to end, so that activations everywhere look like the target's.

    ξ_l = pooled activations of the source texts after T_l, all maps active
    η_l = pooled activations of the target texts in the model as it is (computed once)
    C(ω, b) = Σ_l Σ_j W2²(ξ_lj, η_lj)            W2² of two columns = mean (sorted - sorted)²
    R(ω, b) = λ1 Σ (‖ω-1‖₁ + ‖b‖₁) + λG Σ √d (‖ω-1‖₂ + ‖b‖₂)

    repeat: ω, b ← gradient step on C; then the proximal step of γR, which makes maps exactly the
            identity where they don't help

The texts are unpaired; a change at one layer is seen by the losses of all later ones.

Source: paper 19, section 3 and Algorithm 1 of our sheet. Departures: (1) maps stand where ``steer``
can write, by default what attention and MLP add to the stream, not at the outputs of norms; (2) by
default everything is counted in standard deviations of the pooled texts (``scaled``), because at
those places coordinates differ by factors of 1,000 and one learning rate can't fit them; (3) sides
of unequal size are compared exactly, by their quantile functions; (4) the first token is left out
of the pooling but not of the steering; (5) a step that raises loss plus penalty is taken back and
the rate halved, because the losses of later layers make early maps far steeper than their own; (6)
scales stay at 0 or above, since a mirrored map would do as well on a symmetric column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.pooled import Texts, pooled, whole_sites
from scrubjay.probing.sites import Site, SiteLike
from scrubjay.probing.steering import steer
from scrubjay.probing.steering_maps import SteeringMaps

Look = Callable[[int, float], None]
"""Called with steps done and the loss."""


@dataclass(frozen=True, slots=True)
class LinEAS:
    """How maps are learned."""

    steps: int = 1000
    rate: float = 0.1
    """Of plain gradient descent; falls to 0 along a cosine."""
    sparsity: float = 0.0
    """γ."""
    l1: float = 1.0
    """λ1."""
    group: float = 1.0
    """λG."""
    scaled: bool = True
    """Count in standard deviations of the pooled texts; False: raw, as printed."""
    prox_rate: bool = True
    """Thresholds are multiplied by the learning rate, as the proximal operator asks; False: as
    printed."""
    skip: int = 1
    """First tokens that are left out of the pooling."""
    clip: float | None = None
    """Longest slope of one site's ω or b, where early sites are far steeper than late ones; None:
    as it is."""

    def __post_init__(self) -> None:
        """Raises:
        ProbeError: a setting is out of range.
        """
        if self.clip is not None and not self.clip > 0:
            raise ProbeError(f"slopes are clipped at a positive length, not {self.clip}")
        if self.steps < 1 or not self.rate > 0 or min(self.sparsity, self.l1, self.group) < 0:
            raise ProbeError(
                f"LinEAS needs at least one step, a positive rate and no negative penalty, not "
                f"{self.steps}, {self.rate}, {self.sparsity}, {self.l1}, {self.group}"
            )


def wasserstein(u: Tensor, v: Tensor) -> Tensor:
    """Σ_j W2²(u_j, v_j) of the columns of (n, d) and (m, d); flows back to both.

    >>> float(wasserstein(torch.tensor([[1.0], [5.0]]), torch.tensor([[6.0], [2.0]])))
    1.0

    Raises:
        ProbeError: a side is empty, or the widths differ.
    """
    if u.dim() != 2 or v.dim() != 2 or not len(u) or not len(v) or u.shape[1] != v.shape[1]:
        raise ProbeError(
            f"two sets of rows of one width are compared, not {tuple(u.shape)} and {tuple(v.shape)}"
        )
    n, m = len(u), len(v)
    if n == m:
        return (u.sort(0).values - v.sort(0).values).square().mean(0).sum()
    # Both quantile functions are constant between the levels i/n and j/m, in n·m-ths: exactly.
    levels = torch.tensor(sorted({i * m for i in range(n + 1)} | {j * n for j in range(m + 1)}))
    weight = levels.diff().to(u) / (n * m)
    left = levels[:-1]
    gaps = u.sort(0).values[left // m] - v.sort(0).values[left // n]
    return (weight[:, None] * gaps.square()).sum()


def sparse_group_lasso(x: Tensor, centre: float, step: float, l1: float, group: float) -> Tensor:
    """Proximal operator of step · (l1 ‖x - c‖₁ + group √d ‖x - c‖₂): what helps little is c."""
    v = x - centre
    v = v.sign() * (v.abs() - step * l1).clamp_min(0)
    norm = float(v.norm())
    keep = max(0.0, 1 - step * group * math.sqrt(v.numel()) / norm) if norm > 0 else 0.0
    return centre + keep * v


def default_sites(anatomy: Anatomy) -> tuple[Site, ...]:
    """What attention and MLP of every layer add to the stream."""
    return tuple(Site(c, n) for n in range(anatomy.n_layers) for c in ("attn_out", "mlp_out"))


def spread(x: Tensor, y: Tensor) -> Tensor:
    """(d,) a standard deviation for each column, of both sides together, never near 0."""
    both = (x.var(0, correction=0) + y.var(0, correction=0)) / 2
    floor = 1e-4 * both.mean() + torch.finfo(torch.float32).tiny
    return (both + floor).sqrt()


def distances(
    model: Any,
    source: Texts,
    target: Texts,
    sites: Sequence[SiteLike],
    maps: SteeringMaps | None = None,
    *,
    skip: int = 1,
) -> dict[Site, float]:
    """Site → Σ_j W2² between steered source and plain target texts, in plain standard deviations.

    Raises:
        ProbeError: as ``pooled``.
    """
    plain, wanted = (pooled(model, t, sites, skip=skip) for t in (source, target))
    moved = plain
    if maps is not None:
        with maps.applied(model):
            moved = pooled(model, source, sites, skip=skip)
    unit = {s: spread(plain[s], wanted[s]) for s in plain}
    return {s: float(wasserstein(moved[s] / unit[s], wanted[s] / unit[s])) for s in plain}


def fit_lineas(
    model: Any,
    source: Texts,
    target: Texts,
    sites: Sequence[SiteLike] | None = None,
    how: LinEAS = LinEAS(),
    *,
    look: Look = lambda done, loss: None,
) -> SteeringMaps:
    """Maps under which source texts look like target texts.

    Args:
        model: see ``Anatomy.of``; its weights stay as they are.
        source: token ids of texts with the behaviour to leave.
        target: of texts with the behaviour to reach; unpaired.
        sites: whole components; None: ``default_sites``.

    Raises:
        ProbeError: a side is empty, a text is too short or too long, there is no such site, an
            activation isn't finite.
    """
    anatomy = Anatomy.of(model)
    places = whole_sites(anatomy, default_sites(anatomy) if sites is None else sites)
    wanted = pooled(anatomy, target, places, skip=how.skip)
    plain = pooled(anatomy, source, places, skip=how.skip)
    units = _Units.of(plain, wanted, how.scaled)
    work = _Descent(anatomy, source, wanted, units, how)
    now = work.at({s: (torch.ones_like(x[0]), torch.zeros_like(x[0])) for s, x in plain.items()})
    most = how.rate
    for step in range(how.steps):
        rate = min(most, how.rate * (1 + math.cos(math.pi * step / how.steps)) / 2)
        try:
            trial = work.at(work.moved(now, rate))
        except ProbeError:  # so far off that an activation overflows
            trial = None
        better = trial is not None and trial.objective <= now.objective
        now = trial if better and trial is not None else now
        most = min(how.rate, 1.2 * most) if better else rate / 2
        look(step + 1, now.loss)
    return SteeringMaps(units.maps(now.free), "lineas")


Free = dict[Site, tuple[Tensor, Tensor]]
"""ω and β of each site."""


@dataclass(frozen=True, slots=True)
class _Point:
    free: Free
    loss: float
    objective: float
    """With the penalty."""
    slopes: dict[Site, tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class _Descent:
    """The loss at a point, and the step from it."""

    anatomy: Anatomy
    source: Texts
    wanted: dict[Site, Tensor]
    units: _Units
    how: LinEAS

    def at(self, free: Free) -> _Point:
        leaves = [x.detach().requires_grad_(True) for pair in free.values() for x in pair]
        held = dict(zip(free, zip(leaves[::2], leaves[1::2], strict=True), strict=True))
        with steer(self.anatomy, {**self.units.maps(held)}, how="affine"):
            got = pooled(self.anatomy, self.source, [*free], skip=self.how.skip, grad=True)
        unit = self.units.unit
        loss = torch.stack(
            [wasserstein(got[s] / unit[s], self.wanted[s] / unit[s]) for s in free]
        ).sum()
        slopes = torch.autograd.grad(loss, leaves)
        if not all(bool(g.isfinite().all()) for g in slopes):
            raise ProbeError("the loss has no finite slope")
        pairs = zip(slopes[::2], slopes[1::2], strict=True)
        value = float(loss.detach())
        penalty = self.how.sparsity * sum(
            self._penalty(w - 1) + self._penalty(b) for w, b in free.values()
        )
        return _Point(free, value, value + penalty, dict(zip(free, pairs, strict=True)))

    def moved(self, point: _Point, rate: float) -> Free:
        """A gradient step, and the proximal one."""
        how = self.how
        size = how.sparsity * (rate if how.prox_rate else 1.0)

        def one(x: Tensor, slope: Tensor, centre: float) -> Tensor:
            if how.clip is not None:
                slope = slope * min(1.0, how.clip / max(float(slope.norm()), 1e-30))
            return sparse_group_lasso(x - rate * slope, centre, size, how.l1, how.group)

        return {  # a mirrored map would have the same loss on symmetric columns
            s: (one(w, point.slopes[s][0], 1.0).clamp_min(0), one(b, point.slopes[s][1], 0.0))
            for s, (w, b) in point.free.items()
        }

    def _penalty(self, v: Tensor) -> float:
        group = self.how.group * math.sqrt(v.numel()) * float(v.norm())
        return self.how.l1 * float(v.abs().sum()) + group


@dataclass(frozen=True, slots=True)
class _Units:
    """T(z) = m + s (ω (z - m)/s + β): the identity is ω = 1, β = 0 in any units."""

    centre: dict[Site, Tensor]
    unit: dict[Site, Tensor]

    @classmethod
    def of(cls, x: dict[Site, Tensor], y: dict[Site, Tensor], scaled: bool) -> _Units:
        if scaled:
            return cls({s: a.mean(0) for s, a in x.items()}, {s: spread(x[s], y[s]) for s in x})
        return cls(
            {s: torch.zeros_like(a[0]) for s, a in x.items()},
            {s: torch.ones_like(a[0]) for s, a in x.items()},
        )

    def maps(self, free: dict[Site, tuple[Tensor, Tensor]]) -> dict[Site, tuple[Tensor, Tensor]]:
        """As scales and raw shifts."""
        return {s: (w, (1 - w) * self.centre[s] + self.unit[s] * b) for s, (w, b) in free.items()}
