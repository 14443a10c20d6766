"""SourceModel: signals → where an answer came from, and whether it is right; JSON numbers only.

    p(source | x) = softmax(W z + b),   p(right | x) = sigmoid(v z + c),   z = (x - mean) / scale

``x`` are the numbers of ``provenance_signals``. There is a pair of heads for each way to measure
('likelihood', 'sampling') and for answers given with passages at hand ('read') or without ('bare',
where only memory and nowhere are possible). ``training.train_sources`` fits them on constructed
cases. The built-in one (``provenance.json``) was trained on SmolLM2-135M-Instruct; its numbers are
scale-free, so that it is a fair start for another model, but its calibration is that model's: train
your own with ``scrubjay sources train --model …``.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from scrubjay.agents.provenance_signals import NAMES, Signals
from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, write_atomic
from scrubjay.core.nouns import Source

FORMAT = "scrubjay-sources-1"


@dataclass(frozen=True, slots=True)
class Softmax:
    """Multinomial logistic regression over ``classes``."""

    classes: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    """One row a class."""
    bias: tuple[float, ...]

    def __call__(self, x: Sequence[float]) -> dict[str, float]:
        """Probability of each class.

        Raises:
            ValueError: ``x`` has another number of numbers than the regression was trained on.
        """
        z = [(v - m) / s for v, m, s in zip(x, self.mean, self.scale, strict=True)]
        logits = [
            b + sum(w * v for w, v in zip(row, z, strict=True))
            for row, b in zip(self.weights, self.bias, strict=True)
        ]
        top = max(logits)
        odds = [math.exp(v - top) for v in logits]
        return {c: o / sum(odds) for c, o in zip(self.classes, odds, strict=True)}


@dataclass(frozen=True, slots=True)
class Head:
    """What is told from one kind of signals."""

    source: Softmax
    right: Softmax
    """Classes 'wrong' and 'right'."""


@dataclass(frozen=True, slots=True)
class SourceModel:
    """Heads by '<method>/<read or bare>'."""

    heads: dict[str, Head]
    trained_on: str = ""
    """Model and worlds, in words."""

    def __call__(self, signals: Signals) -> tuple[dict[Source, float], float]:
        """Probability of each source, and of the answer being right."""
        head = self.heads[kind(signals)]
        sources = head.source(signals.row)
        return (
            {s: sources.get(str(s), 0.0) for s in Source},
            head.right(signals.row)["right"],
        )

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write it, whole or not at all.

        Raises:
            DiskError: the disk is full or not writable.
        """
        heads = {name: asdict(head) for name, head in self.heads.items()}
        value = {"format": FORMAT, "names": NAMES, "heads": heads, "trained_on": self.trained_on}
        write_atomic(file, dump_json(_rounded(value), indent=1) + "\n")

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> SourceModel:
        """What ``save`` wrote.

        Raises:
            InputError: the file can't be read, is something else, of another version or damaged.
        """
        try:
            value = json.loads(Path(file).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"can't be read as source weights ({error})", file=file) from error
        try:
            if value["format"] != FORMAT or tuple(value["names"]) != NAMES:
                raise InputError(
                    "holds no source weights of this version; make them with "
                    "'scrubjay sources train'",
                    file=file,
                )
            heads = {
                name: Head(_softmax(h["source"]), _softmax(h["right"]))
                for name, h in value["heads"].items()
            }
            for head in heads.values():
                _ = head.source([0.0] * len(NAMES)), head.right([0.0] * len(NAMES))["right"]
            return cls(heads, str(value["trained_on"]))
        except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
            raise InputError(
                f"holds damaged source weights ({error}); make them again with "
                "'scrubjay sources train'",
                file=file,
            ) from error


def kind(signals: Signals) -> str:
    """Name of the head that is for these signals."""
    return f"{signals.method}/{'read' if signals.passages else 'bare'}"


@cache
def default_source_model() -> SourceModel:
    """The built-in weights (see ``trained_on``); ``hand_set`` ones for what wasn't trained."""
    file = resources.files("scrubjay.agents").joinpath("provenance.json")
    with resources.as_file(file) as path:
        trained = SourceModel.load(path)
    return SourceModel(hand_set().heads | trained.heads, trained.trained_on)


def hand_set() -> SourceModel:
    """A rule of thumb in the form of weights, never trained or calibrated; ``trained_on`` says so.

    Memory is in it if the closed-book answer is the same, documents are if a sentence about what
    was asked holds the answer.
    """
    memory, documents = NAMES.index("same"), NAMES.index("backed")

    def regression(rows: dict[str, tuple[float, float, float]]) -> Softmax:
        weights = [[0.0] * len(NAMES) for _ in rows]
        for row, (m, d, _) in zip(weights, rows.values()):
            row[memory], row[documents] = m, d
        zero, one = (0.0,) * len(NAMES), (1.0,) * len(NAMES)
        bias = tuple(b for _, _, b in rows.values())
        return Softmax(tuple(rows), zero, one, tuple(map(tuple, weights)), bias)

    read = regression(
        {
            "memory": (2.0, -4.0, 0.0),
            "documents": (-2.0, 4.0, 0.0),
            "both": (2.0, 4.0, -2.0),
            "nowhere": (-2.0, -4.0, 2.0),
        }
    )
    bare = regression({"memory": (1.0, 0.0, 0.0), "nowhere": (0.0, 0.0, 0.5)})
    right = regression({"wrong": (0.0, 0.0, 1.0), "right": (0.5, 2.0, 0.0)})
    heads = {
        f"{method}/{kind}": Head(source, right)
        for method in ("likelihood", "sampling")
        for kind, source in (("read", read), ("bare", bare))
    }
    return SourceModel(heads, "nothing: weights set by hand, not calibrated")


def _softmax(value: Any) -> Softmax:
    return Softmax(
        tuple(map(str, value["classes"])),
        tuple(map(float, value["mean"])),
        tuple(map(float, value["scale"])),
        tuple(tuple(map(float, row)) for row in value["weights"]),
        tuple(map(float, value["bias"])),
    )


def _rounded(value: Any) -> Any:
    """Six digits are more than a few hundred rows can tell."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    return round(value, 6) if isinstance(value, float) else value
