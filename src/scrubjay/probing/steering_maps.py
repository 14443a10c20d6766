"""Element-wise affine maps at several places of a model, used as one thing.

    T(z) = ω ⊙ z + b                       at each site
    T^λ(z) = (1 + λ (ω - 1)) ⊙ z + λ b     strength λ: 0 leaves the model as it is

    with maps.applied(model, strength=0.5):
        model.generate(ids)

Maps come from ``fit_lineas``, ``fit_linear_act``, ``fit_mean_shift``, ``fit_gaussian`` and
``fit_classifier_shift``. Two sets of maps don't commute, so one inside another is refused unless it
is asked for. Source: LinEAS (paper 19), section 3 of our sheet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor

from scrubjay.core.errors import InputError
from scrubjay.core.files import write_atomic
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.recording import finite
from scrubjay.probing.sites import Site
from scrubjay.probing.steering import steer

_STEERED: WeakSet[Any] = WeakSet()
"""Models that are inside ``applied`` now."""


@dataclass(frozen=True, slots=True)
class SteeringMaps:
    """See the top of this file."""

    maps: Mapping[Site, tuple[Tensor, Tensor]]
    """Site → (ω, b), both (width,)."""
    method: str = ""

    def __post_init__(self) -> None:
        """Raises:
        ProbeError: there are no maps, ω and b aren't vectors of one width, or aren't finite.
        """
        if not self.maps:
            raise ProbeError("a set of steering maps needs at least one map")
        for site, (scale, shift) in self.maps.items():
            if scale.dim() != 1 or scale.shape != shift.shape:
                raise ProbeError(
                    f"{site}: scales and shifts are two vectors of one width, not "
                    f"{tuple(scale.shape)} and {tuple(shift.shape)}"
                )
            finite(scale, f"the scale for {site}")
            finite(shift, f"the shift for {site}")

    @contextmanager
    def applied(self, model: Any, strength: float = 1.0, *, within: bool = False) -> Iterator[None]:
        """Inside, the model computes with the maps, also while it generates.

        Args:
            strength: λ, 0 to 1 (other numbers extrapolate).
            within: allow this inside another set of maps.

        Raises:
            ProbeError: the model has no such site or another width, or is steered already.
        """
        inner = Anatomy.of(model).model
        if inner in _STEERED and not within:
            raise ProbeError(
                "the model is steered already; maps don't commute, so say within=True if one set "
                "shall act inside another"
            )
        outermost = inner not in _STEERED
        with steer(model, {**self.maps}, how="affine", scale=strength):
            _STEERED.add(inner)
            try:
                yield
            finally:
                if outermost:
                    _STEERED.discard(inner)

    def inverse(self) -> SteeringMaps:
        """Maps that undo these at each site: z = (T(z) - b) / ω.

        Raises:
            ProbeError: a scale is 0.
        """
        undone = {}
        for site, (scale, shift) in self.maps.items():
            if bool((scale == 0).any()):
                neuron = int((scale == 0).nonzero()[0])
                raise ProbeError(f"{site}: the scale of coordinate {neuron} is 0: no way back")
            undone[site] = (1 / scale, -shift / scale)
        return SteeringMaps(undone, f"{self.method}, inverse" if self.method else "inverse")

    def support(self) -> dict[Site, Tensor]:
        """Site → the coordinates whose map isn't the identity."""
        return {s: ((w != 1) | (b != 0)).nonzero()[:, 0] for s, (w, b) in self.maps.items()}

    @property
    def share(self) -> float:
        """Share of all coordinates that are changed."""
        changed = sum(len(x) for x in self.support().values())
        return changed / sum(len(w) for w, _ in self.maps.values())

    def save(self, path: Path) -> None:
        """Into a file of safetensors.

        Raises:
            DiskError: it can't be written.
        """
        from safetensors.torch import save

        tensors = {}
        for site, (scale, shift) in self.maps.items():
            tensors[f"{site} scale"] = scale.detach().cpu().contiguous()
            tensors[f"{site} shift"] = shift.detach().cpu().contiguous()
        write_atomic(Path(path), save(tensors, {"method": json.dumps(self.method)}))

    @classmethod
    def load(cls, path: Path) -> SteeringMaps:
        """Raises:
        InputError: the file can't be read or holds no steering maps.
        ProbeError: a map isn't finite.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "pt") as file:
                method = json.loads((file.metadata() or {})["method"])
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            names = sorted({name.rpartition(" ")[0] for name in found})
            maps = {Site.parse(n): (found[f"{n} scale"], found[f"{n} shift"]) for n in names}
        except (OSError, SafetensorError, KeyError, ValueError, ProbeError) as error:
            raise InputError(f"holds no steering maps ({error})", file=Path(path)) from error
        return cls(maps, str(method))


def identity(sites: Mapping[Site, int]) -> SteeringMaps:
    """Maps that change nothing; site → width."""
    return SteeringMaps({s: (torch.ones(w), torch.zeros(w)) for s, w in sites.items()}, "identity")
