"""The weights of a small network as one flat vector, for a whole population at once.

A search over weights sees a vector (dim,) or a population (C, dim); the network sees named arrays
with the population in front, ready for batched products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from scrubjay.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Layout:
    """Names and shapes of a network's arrays, in order."""

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def dim(self) -> int:
        return sum(prod(s) for s in self.shapes.values())

    def split(self, flat: Any) -> dict[str, Any]:
        """Views (C, *shape) of a flat (dim,) or (C, dim), numpy or torch; (dim,) gives C = 1.

        Raises:
            InputError: the vector is not of this network.
        """
        if flat.ndim == 1:
            flat = flat[None]
        if flat.ndim != 2 or flat.shape[1] != self.dim:
            raise InputError(f"this objective has {self.dim} weights, not {flat.shape[-1]}")
        out, begin = {}, 0
        for name, shape in self.shapes.items():
            end = begin + prod(shape)
            out[name] = flat[:, begin:end].reshape(len(flat), *shape)
            begin = end
        return out

    def draw(self, rng: np.random.Generator, spread: float = 1.0) -> np.ndarray:
        """Random weights with deviation ``spread`` / √inputs; what has one dimension (a bias) 0."""
        parts = [
            rng.normal(0, spread / np.sqrt(shape[0]), shape) if len(shape) > 1 else np.zeros(shape)
            for shape in self.shapes.values()
        ]
        return np.concatenate([p.ravel() for p in parts]).astype(np.float32)
