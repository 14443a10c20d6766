"""A score for every head, sample by sample, and what is read off it.

    scores.mean, .std          (layers, heads)
    scores.frequency           share of samples in which the head scored at all
    scores.top(14)             the best heads, (layer, head)
    scores.pearson(other)      intrinsic? correlation with another model of the same shape

Kept as ``{"layer-head": [score of each sample, …]}``, the format of the released score files of
paper 18, so that those can be read as well.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.randomness import stream
from scrubjay.probing.errors import ProbeError

Head = tuple[int, int]
Array = NDArray[np.float64]


def ranked(values: Array) -> list[Head]:
    """All heads, the highest value of (layers, heads) first; ties by layer, then head."""
    order = np.argsort(-values, axis=None, kind="stable")
    return [(int(i) // values.shape[1], int(i) % values.shape[1]) for i in order]


@dataclass(frozen=True)
class HeadScores:
    """See the top of this file."""

    samples: Array
    """(samples, layers, heads)."""
    skipped: tuple[str, ...] = ()
    """Why samples weren't used, one reason each."""
    mass: Array | None = None
    """(layers, heads): mean attention on what was to be found, a rival ranking."""

    def __post_init__(self) -> None:
        """Raises:
        ProbeError: there are no samples, or a score isn't a finite number.
        """
        if self.samples.ndim != 3 or not self.samples.size:
            raise ProbeError(
                "head scores need samples, (samples, layers, heads); "
                f"{len(self.skipped)} samples were skipped"
            )
        if not np.isfinite(self.samples).all():
            raise ProbeError("a head's score isn't a finite number")

    @property
    def n_used(self) -> int:
        return len(self.samples)

    @property
    def n_skipped(self) -> int:
        return len(self.skipped)

    @property
    def mean(self) -> Array:
        """(layers, heads)."""
        return np.asarray(self.samples.mean(0))

    @property
    def std(self) -> Array:
        return np.asarray(self.samples.std(0))

    @property
    def frequency(self) -> Array:
        """Share of samples in which the head scored above 0; 1: it is always active."""
        return np.asarray((self.samples > 0).mean(0))

    def top(self, count: int) -> list[Head]:
        """The heads of the highest mean score, best first.

        Raises:
            ProbeError: there aren't so many heads.
        """
        return first(ranked(self.mean), count)

    def above(self, threshold: float = 0.1) -> list[Head]:
        """Heads whose mean score is at least ``threshold``, best first."""
        return [head for head in ranked(self.mean) if self.mean[head] >= threshold]

    def pearson(self, other: HeadScores) -> float:
        """Correlation of the two models' mean scores; NaN if one is the same for every head.

        Raises:
            ProbeError: the models have another number of layers or heads.
        """
        a, b = self.mean, other.mean
        if a.shape != b.shape:
            raise ProbeError(f"head scores of shape {a.shape} and {b.shape} can't be compared")
        if not a.std() or not b.std():
            return float("nan")
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    def save(self, path: str | Path) -> None:
        """Raises:
        DiskError: the file can't be written.
        """
        _, layers, heads = self.samples.shape
        plain = {
            f"{layer}-{head}": self.samples[:, layer, head].tolist()
            for layer in range(layers)
            for head in range(heads)
        }
        write_atomic(path, dump_json(plain))

    @classmethod
    def load(cls, path: str | Path) -> HeadScores:
        """Raises:
        InputError: the file can't be read or holds no head scores.
        """
        try:
            plain = json.loads(Path(path).read_text("utf-8"))
            places = {tuple(map(int, name.split("-"))): row for name, row in plain.items()}
            shape = tuple(1 + max(axis) for axis in zip(*places, strict=True))
            if len(shape) != 2 or len(places) != shape[0] * shape[1]:
                raise ValueError("heads are missing")
            rows = [[places[i, j] for j in range(shape[1])] for i in range(shape[0])]
            samples = np.array(rows, dtype=np.float64).transpose(2, 0, 1)
            return cls(samples)
        except (OSError, ValueError, TypeError, AttributeError, KeyError, ProbeError) as error:
            raise InputError(f"holds no head scores ({error})", file=path) from error


def first(heads: Sequence[Head], count: int) -> list[Head]:
    """The first so many of a ranking.

    Raises:
        ProbeError: there aren't so many.
    """
    if not 1 <= count <= len(heads):
        raise ProbeError(f"the model has {len(heads)} heads; there are no {count} of them to take")
    return list(heads[:count])


def random_heads(
    shape: tuple[int, int],
    like: Sequence[Head],
    *,
    without: Collection[Head] = (),
    matched: bool = True,
    seed: int = 0,
) -> list[Head]:
    """As many heads as ``like`` has, drawn at random: the control of an ablation.

    Args:
        shape: layers and heads of the model.
        without: heads that mustn't be drawn; those of ``like`` never are.
        matched: in the same layers; a layer that has too few others lends from the nearest ones.

    Raises:
        ProbeError: not enough heads are left.
    """
    taken = {*like, *without}
    free = [(i, j) for i in range(shape[0]) for j in range(shape[1]) if (i, j) not in taken]
    if len(free) < len(like):
        raise ProbeError(f"{len(free)} other heads are left, too few for {len(like)} at random")
    random = stream(seed, "random heads", matched)
    random.shuffle(free)
    if not matched:
        return sorted(free[: len(like)])
    drawn: list[Head] = []
    for layer, _ in like:
        free.sort(key=lambda head: abs(head[0] - layer))  # stable: at random within a layer
        drawn.append(free.pop(0))
    return sorted(drawn)
