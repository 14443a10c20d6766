"""A learned objective on disk: ``objective.json`` (its card) and ``weights.npz`` (numbers only)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scrubjay.core.arrays import load_arrays, save_arrays
from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.training.meta.drift import DriftNet
from scrubjay.training.meta.objectives import LPGNet

CARD, WEIGHTS = "objective.json", "weights.npz"
KINDS: dict[str, type[LPGNet] | type[DriftNet]] = {"lpg": LPGNet, "lpo": DriftNet}


@dataclass(frozen=True, slots=True)
class Objective:
    """A learned rule: the network's shape and its weights (dim,)."""

    net: LPGNet | DriftNet
    weights: np.ndarray

    @property
    def base(self) -> str:
        return "lpg" if isinstance(self.net, LPGNet) else "lpo"

    def save(self, folder: Path) -> None:
        """Write both files into ``folder``, the card last.

        Raises:
            DiskError: it can't be written.
        """
        save_arrays(folder / WEIGHTS, {"weights": np.asarray(self.weights, np.float64)})
        card = {"base": self.base, "net": asdict(self.net)}
        write_atomic(folder / CARD, dump_json(card, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Objective:
        """What ``save`` wrote.

        Raises:
            InputError: a file is missing, or they are not of a learned objective.
        """
        path = folder / CARD
        try:
            card: dict[str, Any] = json.loads(path.read_text("utf-8"))
            net = KINDS[card["base"]](**card["net"])
        except OSError as error:
            raise InputError(f"can't be read: {error.strerror}", file=path) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError("is not the card of a learned objective", file=path) from error
        weights = load_arrays(folder / WEIGHTS).get("weights")
        if weights is None or weights.shape != (net.layout.dim,):
            raise InputError(f"has no {net.layout.dim} weights for its card", file=folder / WEIGHTS)
        return cls(net, weights)
