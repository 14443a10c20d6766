"""Concept depth: at which layer does a concept become linearly readable?

    for every layer l: a probe on the last token's states, fitted on 60 % of the texts,
    α_l = its accuracy on the other 40 %                       (mean over several splits)
    depth = how far up the stack α_l gets to 95 % of the best it gets above chance

A depth means something only if the concept is readable at all, not already in the words, and
because of what was learned. So every curve comes with its controls: the same probe on random
labels, on a bag of embeddings, on the same architecture with fresh weights, and the model's own
answer yes or no (can it *say* it?). Noise before the text and coarser weights (``bits``) show
whether the depth moves.

Groups (a city, an adjective) are never split between fitting and scoring; intervals resample
groups. Source: paper 49 (concept depth). Departures, all in our sheet: scaled features and a chosen
C, ``depth95`` beside the paper's jump and converging points, generated concepts. Measures on a
curve are in ``curves``, how one is made in ``layer_curves``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress, silent
from scrubjay.models.quantise import quantise
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.curves import converging, depth_at, jump
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.layer_curves import LEARN, LayerCurve, check_concept, layer_curve
from scrubjay.probing.open import OpenModel
from scrubjay.probing.states import States, Where, last_token_states, mean_embeddings
from scrubjay.probing.yes_no import says_yes
from scrubjay.worlds.concepts import CONCEPTS, ConceptSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class ConceptDepth:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "the layer at which concepts become linearly readable, with controls"

    concepts: Sequence[str] = tuple(CONCEPTS)
    """Names of generated sets (see ``worlds.concepts``)."""
    items: int = 240
    site: Where = "resid_post"
    every: int = 1
    """Probe every so-manieth layer (and the last)."""
    noise: bool = False
    """Also with a noise string before every text."""
    bits: Sequence[int] = ()
    """Also with the weights rounded to so many bits."""
    fresh: bool = True
    """Also with fresh weights: what architecture and words alone make readable."""
    splits: int = 3
    seed: int = 0

    def measure(
        self,
        model: OpenModel,
        data: ConceptSet | Sequence[ConceptSet] | None = None,
        *,
        progress: Progress = silent,
    ) -> Finding:
        """Curves of every concept in every condition.

        Args:
            data: concept sets of one's own.
            progress: called with (what, done, total).

        Raises:
            ProbeError: a set has too few texts of a class, a prompt is too long, an activation
                isn't finite, or a setting is out of range.
        """
        began = time.perf_counter()
        if self.splits < 1 or self.every < 1:
            raise ProbeError(f"at least one split and every layer, not {self.splits}, {self.every}")
        sets = self.sets() if data is None else [data] if isinstance(data, ConceptSet) else [*data]
        rows, curves, numbers = [], list[dict[str, Any]](), dict[str, Number]()
        conditions = self._conditions(model)
        for i, concept in enumerate(sets):
            check_concept(concept)
            for j, (name, make, noisy) in enumerate(conditions):
                done, total = i * len(conditions) + j, len(sets) * len(conditions)
                progress("concepts and conditions", done, total)
                told = concept.noisy(self.seed) if noisy else concept
                one = make()
                states = last_token_states(one.model, _encoded(one, told), site=self.site)
                row, curve = self._measured(one, states, told)
                rows.append({"concept": concept.name, "condition": name, **row})
                numbers |= self._numbers(concept.name, name, curve)
                curves += _points(concept.name, name, curve)
                if one is model and not noisy:
                    control = self._controls(model, states, concept)
                    numbers |= {f"{concept.name}, {k}": v for k, v in control.items()}
        return Finding(
            "concept-depth",
            numbers,
            tables={"Depths": rows, "Curves": curves},
            figure=_figure(curves),
            settings=asdict(self),
            seconds=round(time.perf_counter() - began, 1),
        )

    def sets(self) -> list[ConceptSet]:
        """The generated concept sets that these settings name.

        Raises:
            ProbeError: there is no such concept, or there are too few items.
        """
        unknown = next((c for c in self.concepts if c not in CONCEPTS), None)
        if unknown is not None:
            raise ProbeError(f"there is no concept '{unknown}'; known: {', '.join(CONCEPTS)}")
        return [CONCEPTS[name](self.items, self.seed) for name in self.concepts]

    def curve(
        self, states: NDArray[np.float32], concept: ConceptSet, *, shuffle: bool = False
    ) -> LayerCurve:
        """Probe states (texts, depths, width) at every depth.

        Args:
            shuffle: fit and score on labels drawn at random: what a probe finds in nothing.
        """
        return layer_curve(states, concept, splits=self.splits, shuffle=shuffle, seed=self.seed)

    def _conditions(self, model: OpenModel) -> list[tuple[str, Callable[[], OpenModel], bool]]:
        """(name, what makes the model, whether the texts are noisy)."""
        found: list[tuple[str, Callable[[], OpenModel], bool]] = [
            ("as it is", lambda: model, False)
        ]
        if self.noise:
            found.append(("noise", lambda: model, True))
        for bits in self.bits:
            found.append((f"{bits} bits", partial(_coarse, model, bits), False))
        if self.fresh:
            found.append(("fresh weights", partial(_fresh, model, self.seed), False))
        return found

    def _measured(
        self, model: OpenModel, states: States, concept: ConceptSet
    ) -> tuple[dict[str, Any], LayerCurve]:
        curve = self.curve(states.at[:, self._depths(states.at.shape[1])], concept)
        try:
            said = float((says_yes(model, states.final) == np.array(concept.labels)).mean())
        except ProbeError:  # a tokenizer without these words: nothing can be said
            said = None
        alpha = curve.accuracy
        error = float(np.sqrt(0.25 / max(1.0, len(set(concept.groups)) * (1 - LEARN))))
        row = {
            "peak": float(alpha.max()),
            "embedding": float(alpha[0]),
            "jump": jump(alpha, error=error),
            "converging": converging(alpha),
            "depth95": depth_at(alpha),
            "says it": said,
            "texts": len(concept.texts),
        }
        return row, curve

    def _depths(self, count: int) -> list[int]:
        return sorted({*range(0, count, self.every), count - 1})

    def _numbers(self, concept: str, name: str, curve: LayerCurve) -> dict[str, Number]:
        def deep(alpha: Array) -> float:
            found = depth_at(alpha)
            return 1.0 if found is None else found

        return {
            f"{concept}, depth95, {name}": curve.number(deep, seed=self.seed),
            f"{concept}, peak, {name}": curve.number(lambda a: float(a.max()), seed=self.seed),
        }

    def _controls(self, model: OpenModel, states: States, concept: ConceptSet) -> dict[str, Number]:
        bag = mean_embeddings(model.model, _encoded(model, concept))[:, None]
        some = states.at[:, self._depths(states.at.shape[1])]
        shuffled = self.curve(some, concept, shuffle=True)

        def best(alpha: Array) -> float:
            return float(alpha.max())

        return {
            "bag of embeddings": self.curve(bag, concept).number(best, seed=self.seed),
            "random labels, best layer": shuffled.number(best, seed=self.seed),
            "random labels, mean layer": shuffled.number(lambda a: float(a.mean()), seed=self.seed),
        }


def _points(concept: str, name: str, curve: LayerCurve) -> list[dict[str, Any]]:
    alpha = curve.accuracy
    return [
        {"concept": concept, "condition": name, "depth": i / (len(alpha) - 1), "accuracy": a}
        for i, a in enumerate(alpha.tolist())
    ]


def _encoded(model: OpenModel, concept: ConceptSet) -> list[list[int]]:
    return [list(model.tokenizer(p)["input_ids"]) for p in concept.prompts]


def _coarse(model: OpenModel, bits: int) -> OpenModel:
    return OpenModel(quantise(Anatomy.of(model.model).model, bits), model.tokenizer)


def _fresh(model: OpenModel, seed: int) -> OpenModel:
    """The same architecture with weights as they are before any training."""
    import torch

    trained = Anatomy.of(model.model).model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        new = type(trained)(trained.config).to(trained.dtype)
    return OpenModel(new.train(False).requires_grad_(False), model.tokenizer)


def _figure(curves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lowest = min([0.5, *(c["accuracy"] for c in curves)])
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": list(curves)},
        "mark": {"type": "line", "point": False},
        "encoding": {
            "x": {"field": "depth", "type": "quantitative"},
            "y": {
                "field": "accuracy",
                "type": "quantitative",
                "scale": {"domain": [lowest, 1], "nice": True},
            },
            "color": {"field": "concept", "type": "nominal"},
            "strokeDash": {"field": "condition", "type": "nominal"},
        },
    }
