"""Two instruments on the weights alone: words that heads relate, concepts of feed-forward layers.

``WordRelations``: how many relations of each head (see ``words``) join two words of one category,
beside the same count with the words' categories shuffled. ``ConceptVectors``: the share of the
leading directions of each layer whose nearest words are of one category, beside random directions.
Source: paper 42, sections 3.2 and 3.3 of our sheet; the controls are ours.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress, silent
from scrubjay.core.randomness import numpy_stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.open import OpenModel
from scrubjay.probing.words import WordTable, ffn_concepts, head_word_pairs, label
from scrubjay.worlds.vignettes import CATEGORIES

Categories = Mapping[str, Sequence[str]]


def _given(data: Categories | None) -> dict[str, Sequence[str]]:
    """Raises:
    ProbeError: there are fewer than two categories.
    """
    if data is None:
        data = {words[0]: words for words in CATEGORIES}
    found: dict[str, Sequence[str]] = {}
    seen: set[str] = set()
    for name, words in data.items():
        found[name] = [w for w in words if w not in seen]
        seen |= set(words)
    if len(found) < 2:
        raise ProbeError("at least two categories of words are needed")
    return found


@dataclass(frozen=True)
class WordRelations:
    """See the top of this file."""

    about: ClassVar[str] = "word pairs that attention heads relate, by weights alone"

    top: int = 8
    """Words of a coordinate."""
    every: int = 1
    """Look at every so-manieth layer."""
    seed: int = 0

    def measure(
        self, model: OpenModel, data: Categories | None = None, *, progress: Progress = silent
    ) -> Finding:
        """Count relations within categories.

        Args:
            data: category → words.

        Raises:
            ProbeError: there are fewer than two categories, or a setting is out of range.
        """
        began = time.perf_counter()
        if self.top < 1 or self.every < 1:
            raise ProbeError(f"at least one word and layer, not {self.top}, {self.every}")
        categories = _given(data)
        anatomy = Anatomy.of(model.model)
        words = [w for c in categories.values() for w in c]
        of = np.array([i for i, c in enumerate(categories.values()) for _ in c])
        table = WordTable.of(anatomy, model.tokenizer, words)
        mixed = numpy_stream(self.seed, "shuffled categories").permutation(of)
        off = ~np.eye(len(words), dtype=bool)
        rows = []
        for layer in range(0, anatomy.n_layers, self.every):
            progress("layers", layer, anatomy.n_layers)
            for head in range(anatomy.n_heads):
                real, chance = (
                    len(
                        head_word_pairs(
                            anatomy, layer, head, table, (g[:, None] == g) & off, top=self.top
                        )
                    )
                    for g in (of, mixed)
                )
                rows.append({"layer": layer, "head": head, "relations": real, "shuffled": chance})
        numbers = {
            "relations a head": bootstrap([r["relations"] for r in rows], _mean, seed=self.seed),
            "relations a head, shuffled": bootstrap(
                [r["shuffled"] for r in rows], _mean, seed=self.seed
            ),
            "heads with more than shuffled": Number(
                float(np.mean([r["relations"] > r["shuffled"] for r in rows])), n=len(rows)
            ),
        }
        return Finding(
            "word-relations",
            numbers,
            tables={"Heads": rows},
            figure=_bars(rows, "relations", "relations a head"),
            settings=asdict(self),
            seconds=round(time.perf_counter() - began, 1),
        )


@dataclass(frozen=True)
class ConceptVectors:
    """See the top of this file."""

    about: ClassVar[str] = "what the leading directions of feed-forward layers spell"

    k: int = 10
    """Nearest words of a direction."""
    r: int = 50
    """Directions of a layer."""
    seed: int = 0

    def measure(
        self, model: OpenModel, data: Categories | None = None, *, progress: Progress = silent
    ) -> Finding:
        """Label the directions of every layer.

        Args:
            data: category → words.

        Raises:
            ProbeError: there are fewer than two categories, or as ``ffn_concepts``.
        """
        began = time.perf_counter()
        categories = _given(data)
        anatomy = Anatomy.of(model.model)
        table = WordTable.of(anatomy, model.tokenizer, [w for c in categories.values() for w in c])
        random = numpy_stream(self.seed, "random directions")
        rows, labelled, chance = [], [], []
        for layer in range(anatomy.n_layers):
            progress("layers", layer, anatomy.n_layers)
            for i, one in enumerate(ffn_concepts(anatomy, layer, table, k=self.k, r=self.r)):
                told = label(one.words, categories)
                labelled.append(float(told != "none"))
                rows.append(
                    {
                        "layer": layer,
                        "direction": i,
                        "label": told,
                        "words": " ".join(one.words[:6]),
                    }
                )
                order = np.argsort(-np.abs(table.out @ random.normal(size=anatomy.d_model)))
                near = [table.words[j] for j in order[: self.k]]
                chance.append(float(label(near, categories) != "none"))
        numbers = {
            "directions with a category": bootstrap(labelled, _mean, seed=self.seed),
            "random directions with a category": bootstrap(chance, _mean, seed=self.seed),
        }
        values = [{"layer": r["layer"], "labelled": x} for r, x in zip(rows, labelled, strict=True)]
        return Finding(
            "concept-vectors",
            numbers,
            tables={"Directions": rows},
            figure=_bars(values, "labelled", "share of directions with a category"),
            settings=asdict(self),
            seconds=round(time.perf_counter() - began, 1),
        )


def _mean(x: Any) -> float:
    return float(x.mean())


def _bars(rows: Sequence[Mapping[str, Any]], what: str, title: str) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": [{"layer": r["layer"], what: r[what]} for r in rows]},
        "mark": "bar",
        "encoding": {
            "x": {"field": "layer", "type": "ordinal"},
            "y": {"aggregate": "mean", "field": what, "type": "quantitative", "title": title},
        },
    }
