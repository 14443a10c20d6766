"""How well a concept is read at every depth: probes that are fitted and scored again and again.

    α_l = share of held-out texts whose label a linear probe on layer l's states gets right

Each split fits on 60 % of the groups (a city, an adjective) and scores the others, with both
classes on both sides; intervals resample groups, for texts of one group are no independent news.
Source: paper 49 (concept depth); groups are our addition. Probes are in ``linear``, measures on a
curve in ``curves``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scrubjay.core.finding import Number
from scrubjay.core.randomness import numpy_stream, stream
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.linear import LinearProbe, choose_c
from scrubjay.worlds.concepts import ConceptSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FEWEST = 20
"""Texts of each class that a concept needs."""
LEARN = 0.6


@dataclass(frozen=True, slots=True)
class LayerCurve:
    """Held-out hits of every text at every depth, over some splits."""

    hits: Array
    """(texts, layers + 1): how often the probe was right about a text that it wasn't fitted on."""
    seen: Array
    """(texts,): how often it was asked."""
    groups: tuple[str, ...]

    @property
    def accuracy(self) -> Array:
        """(layers + 1,)."""
        return np.asarray(self.hits.sum(0) / self.seen.sum())

    def number(self, measure: Callable[[Array], float], *, seed: int = 0) -> Number:
        """A measure of the curve with an interval over groups."""
        rows = np.column_stack([self.hits, self.seen])

        def told(x: Any) -> float:
            return measure(x[:, :-1].sum(0) / max(x[:, -1].sum(), 1e-9))

        return bootstrap(rows, told, clusters=self.groups, draws=500, seed=seed)


def layer_curve(
    states: NDArray[np.float32],
    concept: ConceptSet,
    *,
    splits: int = 3,
    shuffle: bool = False,
    seed: int = 0,
) -> LayerCurve:
    """Probe states (texts, depths, width) at every depth.

    Args:
        shuffle: fit and score on labels drawn at random: what a probe finds in nothing.

    Raises:
        ProbeError: the groups can't be split with both classes on each side.
    """
    labels = np.array(concept.labels)
    if shuffle:
        labels = numpy_stream(seed, "random labels").permutation(labels)
    depths = states.shape[1]
    hits, seen = np.zeros((len(labels), depths)), np.zeros(len(labels))
    for split in range(splits):
        learn = _split(concept, seed + split)
        seen[~learn] += 1
        for depth in range(depths):
            x = states[:, depth].astype(np.float64)
            c = choose_c(x[learn], labels[learn], seed=split)
            probe = LinearProbe(c=c).fit(x[learn], labels[learn])
            hits[~learn, depth] += probe.predict(x[~learn]) == labels[~learn]
    return LayerCurve(hits, seen, concept.groups)


def check_concept(concept: ConceptSet) -> None:
    """Whether a concept can be probed at all.

    Raises:
        ProbeError: a class has too few texts, or all are in one group.
    """
    true, n = sum(concept.labels), len(concept.labels)
    if min(true, n - true) < FEWEST:
        raise ProbeError(
            f"the concept '{concept.name}' has {true} true and {n - true} false texts; {FEWEST} of "
            "each are needed"
        )
    if len(set(concept.groups)) < 5:
        raise ProbeError(f"the concept '{concept.name}' has fewer than 5 groups to split")


def _split(concept: ConceptSet, seed: int) -> NDArray[np.bool_]:
    """Which texts are for fitting: 60 % of the groups, with both classes on both sides."""
    groups, labels = sorted(set(concept.groups)), np.array(concept.labels)
    for attempt in range(50):
        order = list(groups)
        stream(seed, "split", concept.name, attempt).shuffle(order)
        chosen = set(order[: max(1, round(LEARN * len(order)))])
        learn = np.array([g in chosen for g in concept.groups])
        if all(0 < labels[part].sum() < part.sum() for part in (learn, ~learn)):
            return learn
    raise ProbeError(
        f"the groups of '{concept.name}' can't be split with both classes on each side"
    )
