"""How good is a written path through a hierarchy, and how steady are answers over several runs?

    f1  = 2 |P ∩ G| / (|P| + |G|)               nodes, as sets
    css = LCS(p, g) / max(|p|, |g|)             order kept (longest common subsequence)
    pms = 2 f1 css / (f1 + css), 0 if both are 0

Source: paper 28, section 3.4; the form of css is our sheet's choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

Bin = Literal["all correct", "majority correct", "majority incorrect", "all incorrect"]
BINS: tuple[Bin, ...] = (
    "all correct",
    "majority correct",
    "majority incorrect",
    "all incorrect",
)


@dataclass(frozen=True, slots=True)
class PathMatch:
    """How well a path fits the true one; all in [0, 1]."""

    f1: float
    css: float
    pms: float
    """Path matching score."""


def path_matching(pred: Sequence[Hashable], gold: Sequence[Hashable]) -> PathMatch:
    """Compare a predicted path with the true one, both root first. An empty prediction scores 0.

    Raises:
        ValueError: the true path is empty.
    """
    if not gold:
        raise ValueError("there is no true path to compare with")
    p, g = set(pred), set(gold)
    f1 = 2 * len(p & g) / (len(p) + len(g))
    css = _common(pred, gold) / max(len(pred), len(gold))
    return PathMatch(f1, css, 2 * f1 * css / (f1 + css) if f1 + css else 0.0)


def levels_right(pred: Sequence[Hashable], gold: Sequence[Hashable]) -> int:
    """Levels on which both are on the same way, from the root down, before they part."""
    return next(
        (i for i, (a, b) in enumerate(zip(pred, gold)) if a != b), min(len(pred), len(gold))
    )


def answer_bins(runs: Sequence[Sequence[bool]]) -> dict[Bin, int]:
    """Questions by how often they were answered right: ``runs[r][q]``, r repetitions.

    Exactly half right counts as majority incorrect.

    Raises:
        ValueError: no runs, or runs over different numbers of questions.
    """
    if not runs or len({len(run) for run in runs}) > 1:
        raise ValueError("answer bins need runs over the same questions")
    counts = Counter(_bin(sum(answers), len(runs)) for answers in zip(*runs))
    return {name: counts[name] for name in BINS}


def _bin(right: int, runs: int) -> Bin:
    if right in (0, runs):
        return "all correct" if right else "all incorrect"
    return "majority correct" if 2 * right > runs else "majority incorrect"


def _common(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence; one row of the table at a time."""
    row = [0] * (len(b) + 1)
    for x in a:
        diagonal = 0
        for j, y in enumerate(b, 1):
            above = row[j]
            row[j] = diagonal + 1 if x == y else max(above, row[j - 1])
            diagonal = above
    return row[-1]
