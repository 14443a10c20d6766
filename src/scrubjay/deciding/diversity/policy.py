"""Small policies, one a genome, all of them acting at once.

    h_0 = observation;   h_l = tanh(W_l h_{l-1} + b_l);   action = h_L, in (−1, 1)

The weights of row i of ``genomes`` move agent i: a batch of n policies takes a step in a few
products of (n, out, in) with (n, in).

Source: STAX (paper 27), 3.5: multi-layer perceptrons of a few units.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from scrubjay.deciding.diversity.types import Floats, SearchError


class Actor(Protocol):
    """Policies that were made from genomes."""

    def act(self, observations: Floats) -> Floats:
        """Actions (n, outputs) for observations (n, inputs)."""
        ...


class Policy:
    """The shape of a policy: ``size`` numbers make one.

    Raises:
        SearchError: a layer without a unit.
    """

    def __init__(self, inputs: int, outputs: int, hidden: Sequence[int] = (5, 5)) -> None:
        self.layers = (inputs, *hidden, outputs)
        if min(self.layers) < 1:
            raise SearchError(f"every layer of a policy needs a unit, not {self.layers}")
        self.size = sum((a + 1) * b for a, b in pairwise(self.layers))

    def actors(self, genomes: Floats) -> Actor:
        """The policies of genomes (n, size), ready to act."""
        return _Actors(self, genomes)


class _Actors:
    def __init__(self, policy: Policy, genomes: Floats) -> None:
        self._parts = []
        at, n = 0, len(genomes)
        for a, b in pairwise(policy.layers):
            weights = np.ascontiguousarray(genomes[:, at : at + a * b].reshape(n, b, a))
            self._parts.append((weights, genomes[:, at + a * b : at + (a + 1) * b]))
            at += (a + 1) * b

    def act(self, observations: Floats) -> Floats:
        h = observations
        for weights, bias in self._parts:
            h = np.tanh((weights @ h[:, :, None])[:, :, 0] + bias)
        return h
