"""Verbatim memory: how much less surprising is a list the second time?

    x1, x2 = mean surprisal of the nouns of list 1 and of list 2, the first noun of each left out
    repeat surprisal = 100 · x2 / x1          per stimulus; the median over stimuli is reported

100 is no memory, 0 is perfect. *Order* is remembered as far as a repeated list is less surprising
than a permuted one, *identity* as far as a permuted one is less surprising than a novel one; a mere
cache of recent words has no order. The novel list of the same kind is the zero line: nouns of one
kind make each other likely. The first noun alone shows recall without a cue from within the list.

Intervals resample base lists, whose shifts belong together. With ``heads`` the heads that look back
at the noun to be said (attention from where it is predicted to where it stood) are found, and taken
out beside as many random ones; with ``control`` query and key weights are permuted, after which a
transformer should remember nothing. Source: paper 52, sections 3 and 7 of our sheet. Departures:
own nouns, texts and prompts; distances are whole sentences; depth is compared between models, in
the study.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress, silent
from scrubjay.core.randomness import stream
from scrubjay.probing.ablation import ablate
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.lookback import looking_back
from scrubjay.probing.open import OpenModel
from scrubjay.probing.repeated import Recall, paired, recall
from scrubjay.probing.shuffling import permute_qk
from scrubjay.worlds.vignettes import CATEGORIES, CONDITIONS, Kind, Vignette, vignettes


@dataclass(frozen=True)
class VerbatimMemory:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "verbatim memory of lists in context: identity and order, by surprisal"

    nouns: Sequence[int] = (3, 5, 10)
    """Lengths of lists."""
    kinds: Sequence[Kind] = ("arbitrary", "coherent")
    words: Sequence[int] = (20, 40, 80, 160, 320)
    """Words between the lists, for arbitrary lists of the greatest length; the others have the
    first of these distances."""
    count: int = 24
    """Stimuli in a cell, each in three conditions."""
    pool: Sequence[Sequence[str]] = CATEGORIES
    heads: int = 0
    """So many heads that look back are taken out, beside as many random ones; 0: none."""
    control: bool = True
    """Also measure with query and key weights permuted."""
    seed: int = 0

    def measure(
        self,
        model: OpenModel,
        data: Sequence[Vignette] | None = None,
        *,
        progress: Progress = silent,
    ) -> Finding:
        """Repeat surprisal in every cell.

        Args:
            data: vignettes of one's own, in at least the condition ``repeat``.
            progress: called with (what, done, total).

        Raises:
            ProbeError: a setting is out of range, a text doesn't fit the context, the model gives
                no numbers, or (for ``heads`` and ``control``) is of no supported family.
        """
        began = time.perf_counter()
        self._check_heads(model)
        stimuli = self.stimuli() if data is None else list(data)
        if not any(v.condition == "repeat" for v in stimuli):
            raise ProbeError("verbatim memory needs vignettes in which the list is repeated")
        found = recall(model, stimuli, progress=progress)
        main = _main_cell(found)
        numbers = _numbers(main, self.seed)
        numbers |= _slope(found, main[0].vignette, self.seed)
        tables: dict[str, list[dict[str, Any]]] = {
            "Cells": _cells(found, self.seed),
            "By place in the list": _places(main),
        }
        again = [r.vignette for r in main if r.vignette.condition == "repeat"]
        if self.control:
            numbers |= self._lesioned(model, again, "query and key weights permuted")
        if self.heads:
            more, rows = self._heads(model, again)
            numbers |= more
            tables["Heads that look back"] = rows
        settings = {k: v for k, v in asdict(self).items() if k != "pool"}
        return Finding(
            "verbatim-memory",
            numbers,
            tables=tables,
            figure=_figure(tables["Cells"]),
            settings=settings,
            seconds=round(time.perf_counter() - began, 1),
        )

    def _check_heads(self, model: OpenModel) -> None:
        """Whether the model has what ``control`` and ``heads`` need, before anything is measured.

        Raises:
            ProbeError: it has not.
        """
        if not self.control and not self.heads:
            return
        anatomy = Anatomy.of(model.model)
        count = anatomy.n_layers * anatomy.n_heads
        if not 0 <= self.heads <= count // 2:
            raise ProbeError(
                f"the model has {count} heads; {self.heads} can't be compared with as many others"
            )

    def stimuli(self) -> list[Vignette]:
        """The vignettes that these settings make.

        Raises:
            ProbeError: a setting is out of range.
        """
        if not self.nouns or not self.kinds or not self.words:
            raise ProbeError("verbatim memory needs at least one length, kind and distance")
        near, most = self.words[0], max(self.nouns)
        cells: list[tuple[int, Kind, int]] = [(n, k, near) for k in self.kinds for n in self.nouns]
        cells += [(most, self.kinds[0], w) for w in self.words[1:]]
        made: list[Vignette] = []
        try:
            for nouns, kind, words in cells:
                made += vignettes(
                    nouns=nouns,
                    kind=kind,
                    words=words,
                    count=self.count,
                    seed=self.seed,
                    pool=self.pool,
                )
        except ValueError as error:
            raise ProbeError(str(error)) from error
        return made

    def _lesioned(
        self,
        model: OpenModel,
        stimuli: Sequence[Vignette],
        name: str,
        lesion: AbstractContextManager[None] | None = None,
    ) -> dict[str, Number]:
        with lesion or permute_qk(model.model, seed=self.seed):
            found = recall(model, stimuli)
        return {f"repeat surprisal, repeat, {name}": _median(found, self.seed)}

    def _heads(
        self, model: OpenModel, stimuli: Sequence[Vignette]
    ) -> tuple[dict[str, Number], list[dict[str, Any]]]:
        """Find the heads that look back, and take them out."""
        scores = looking_back(model, stimuli)
        order = np.argsort(-scores, axis=None, kind="stable")
        every = [(int(i) // scores.shape[1], int(i) % scores.shape[1]) for i in order]
        best, rest = every[: self.heads], every[self.heads :]
        drawn = sorted(stream(self.seed, "random heads").sample(rest, self.heads))
        numbers: dict[str, Number] = {}
        for name, heads in (("looking-back", best), ("random", drawn)):
            told = f"{self.heads} {name} heads taken out"
            lesion = ablate(model.model, *heads)
            numbers |= self._lesioned(model, stimuli, told, lesion)
        rows = [
            {"layer": layer, "head": head, "attention to the noun": float(scores[layer, head])}
            for layer, head in best
        ]
        return numbers, rows


def _cell(v: Vignette) -> tuple[str, int, int]:
    return v.kind, v.nouns, v.words


def _main_cell(found: Sequence[Recall]) -> list[Recall]:
    """The longest lists at the smallest distance, arbitrary ones if there are any."""
    best = min((r.vignette for r in found), key=lambda v: (v.kind, -v.nouns, v.words))
    return [r for r in found if _cell(r.vignette) == _cell(best)]


def _median(found: Sequence[Recall], seed: int, what: str = "repeat_surprisal") -> Number:
    values = [getattr(r, what) for r in found]
    return bootstrap(values, clusters=[r.vignette.base for r in found], seed=seed)


def _numbers(main: Sequence[Recall], seed: int) -> dict[str, Number]:
    numbers = {}
    for condition in CONDITIONS:
        some = [r for r in main if r.vignette.condition == condition]
        if some:
            numbers[f"repeat surprisal, {condition}"] = _median(some, seed)
            numbers[f"first noun, {condition}"] = _median(some, seed, "first_noun")
    for name, a, b in (("order", "permute", "repeat"), ("identity", "novel", "permute")):
        values, bases = paired(main, a, b)
        if values:
            label = f"{name}: {a} minus {b}"
            numbers[label] = bootstrap(values, clusters=bases, seed=seed)
    return numbers


def _slope(found: Sequence[Recall], like: Vignette, seed: int) -> dict[str, Number]:
    """Points by which repeat surprisal grows when the distance in tokens doubles."""
    some = [
        r
        for r in found
        if r.vignette.condition == "repeat"
        and (r.vignette.kind, r.vignette.nouns) == (like.kind, like.nouns)
    ]
    if len({r.vignette.words for r in some}) < 2:
        return {}
    rows = np.array([(np.log2(r.distance), r.repeat_surprisal) for r in some])

    def slope(x: Any) -> float:
        return float(np.polyfit(x[:, 0], x[:, 1], 1)[0]) if np.ptp(x[:, 0]) else 0.0

    clusters = [r.vignette.base for r in some]
    return {"points per doubling of distance": bootstrap(rows, slope, clusters=clusters, seed=seed)}


def _cells(found: Sequence[Recall], seed: int) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[Recall]] = {}
    for r in found:
        groups.setdefault((*_cell(r.vignette), r.vignette.condition), []).append(r)
    rows = []
    for (kind, nouns, words, condition), some in groups.items():
        number = _median(some, seed)
        rows.append(
            {
                "kind": kind,
                "nouns": nouns,
                "words between": words,
                "tokens between": float(np.mean([r.distance for r in some])),
                "condition": condition,
                "repeat surprisal": number.value,
                "low": number.low,
                "high": number.high,
                "first noun": float(np.median([r.first_noun for r in some])),
                "stimuli": len(some),
                "split nouns": float(np.mean([r.split for r in some]) / (2 * nouns)),
            }
        )
    return rows


def _places(main: Sequence[Recall]) -> list[dict[str, Any]]:
    """The time course: mean surprisal (nats) of the second list's nouns."""
    rows = []
    for place in range(main[0].vignette.nouns):
        row: dict[str, Any] = {"place": place + 1}
        for condition in CONDITIONS:
            some = [r.by_place[place] for r in main if r.vignette.condition == condition]
            if some:
                row[condition] = float(np.mean(some))
        rows.append(row)
    return rows


def _figure(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    most = max(c["nouns"] for c in cells)
    values = [c for c in cells if c["nouns"] == most and c["kind"] == cells[0]["kind"]]
    y = {"type": "quantitative", "title": "repeat surprisal (%)", "scale": {"zero": True}}
    x = {"field": "tokens between", "type": "quantitative", "scale": {"type": "log", "nice": False}}
    color = {"field": "condition", "type": "nominal"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "line", "point": True},
                "encoding": {"x": x, "y": {**y, "field": "repeat surprisal"}, "color": color},
            },
            {
                "mark": "rule",
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "low"},
                    "y2": {"field": "high"},
                    "color": color,
                },
            },
        ],
    }
