"""Scores of mirrored items, brought together: the real world beside the mean of its twins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scrubjay.evaluation.runs import Record

REAL = "real"


@dataclass(frozen=True, slots=True)
class Paired:
    """Scores per item, in order of item: (n,) in the real world and averaged over the twins."""

    items: tuple[str, ...]
    groups: tuple[str, ...]
    real: np.ndarray
    twin: np.ndarray

    def only(self, chosen: Iterable[str]) -> Paired:
        """Only the chosen items."""
        wanted = set(chosen)
        keep = [i for i, item in enumerate(self.items) if item in wanted]
        return Paired(
            tuple(self.items[i] for i in keep),
            tuple(self.groups[i] for i in keep),
            self.real[keep],
            self.twin[keep],
        )

    @property
    def gap(self) -> np.ndarray:
        return np.asarray(self.real - self.twin)


Cell = tuple[str, str, str]
"""(setting, task, metric)"""


def pair_records(records: Iterable[Record]) -> dict[Cell, Paired]:
    """Per cell, the items that the real world and all twins of the setting have, sorted."""
    scores: defaultdict[Cell, dict[str, dict[str, float]]] = defaultdict(dict)
    worlds: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    groups: dict[str, str] = {}
    for r in records:
        worlds[r.setting, r.task].add(r.world)
        groups[f"{r.task}\x1f{r.question}"] = r.group
        for metric, value in r.scores.items():
            scores[r.setting, r.task, metric].setdefault(r.question, {})[r.world] = value
    out = {}
    for cell in sorted(scores):
        twins = sorted(worlds[cell[:2]] - {REAL})
        items = sorted(
            item
            for item, by_world in scores[cell].items()
            if REAL in by_world and all(t in by_world for t in twins)
        )
        if items and twins:
            table = [scores[cell][item] for item in items]
            out[cell] = Paired(
                tuple(items),
                tuple(groups[f"{cell[1]}\x1f{item}"] for item in items),
                np.array([row[REAL] for row in table]),
                np.array([[row[t] for t in twins] for row in table]).mean(axis=1),
            )
    return out


def common(a: Paired, b: Paired) -> tuple[Paired, Paired]:
    """Both, on the items that both have."""
    return a.only(b.items), b.only(a.items)
