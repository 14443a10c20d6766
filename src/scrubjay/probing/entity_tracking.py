"""Entity tracking: the circuit that tells what lies in a box, and what each part of it carries.

    find     four groups of heads, backwards by path patching            (``entity_circuit``)
    test     the circuit alone, everything else its mean: faithfulness    (``circuits``)
             beside random circuits of the same size
    name     which variable does a group carry: position, value, label?   (``masks``)
    compare  which group of a tuned model lifts the base to its level?    (``crossing``)

The instrument does the first three with one model; the study compares a base with tuned models. It
refuses a model that doesn't do the task (``gate``): there is nothing to be found in it. Source:
paper 63 of our sheets. Departures: see the parts; a mask chooses among the heads of the group, not
of the model.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress, silent
from scrubjay.probing.box_prompts import BoxPrompts, accuracy, box_prompts
from scrubjay.probing.circuits import (
    Circuit,
    accuracy_with,
    completeness,
    mean_heads,
    random_circuit,
)
from scrubjay.probing.entity_circuit import GROUPS, PLACES, TITLES, find_circuit
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Array
from scrubjay.probing.masks import fit_mask
from scrubjay.probing.open import OpenModel
from scrubjay.worlds.boxes import VARIABLES, Boxes

STEPS = 12
"""A mask learns for so many steps at least: at 0.1 a step it has to come from 1 to below 0.5."""


@dataclass(frozen=True)
class EntityTracking:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "the heads that tell what lies in a box, and what each group carries"

    boxes: int = 3
    scenes: int = 60
    """For path patching; the accuracies use twice as many."""
    means: int = 200
    """Scenes over which heads are averaged."""
    pairs: int = 160
    """For each mask."""
    gate: float = 0.5
    """Least accuracy of a model in which a circuit is looked for."""
    least: float = 0.05
    """A head is kept if it changes the answer's probability by this share."""
    controls: int = 5
    """Random circuits."""
    seed: int = 0

    def measure(
        self, model: OpenModel, data: Boxes | None = None, *, progress: Progress = silent
    ) -> Finding:
        """Find the circuit, test it, and name what it carries.

        Args:
            data: a task of one's own; None: one of ``boxes`` boxes.

        Raises:
            ProbeError: the model doesn't do the task, a group has no head, or the tokenizer splits
                the words.
        """
        began = time.perf_counter()
        if min(self.scenes, self.means, self.controls) < 1 or self.pairs < 8:
            raise ProbeError(
                "entity tracking needs 1 scene, mean and control, and 8 pairs at least"
            )
        task = Boxes(self.boxes, seed=self.seed) if data is None else data
        prompts = box_prompts(model.tokenizer, task.scenes(2 * self.scenes, "test"))
        whole = accuracy(model.model, prompts)
        if whole < self.gate:
            raise ProbeError(
                f"the model tells {whole:.0%} of {task.boxes} boxes, the gate is {self.gate:.0%}: "
                "take fewer boxes or another model"
            )
        circuit, scores = find_circuit(
            model, task, count=self.scenes, least=self.least, seed=self.seed, progress=progress
        )
        means = box_prompts(model.tokenizer, task.scenes(self.means, "means")).ids
        numbers, rows = self._tested(model, prompts, mean_heads(model.model, means), circuit)
        carried = carries(model, task, circuit, self.pairs, progress)
        return Finding(
            "entity-tracking",
            {"accuracy": Number(whole, n=len(prompts))} | numbers,
            tables={"Groups": members(circuit, scores, carried), "Half knocked out": rows},
            figure=figure(scores),
            settings=asdict(self),
            seconds=round(time.perf_counter() - began, 1),
        )

    def _tested(
        self, model: OpenModel, prompts: BoxPrompts, means: Any, circuit: Circuit
    ) -> tuple[dict[str, Number], list[dict[str, Any]]]:
        whole = accuracy_with(model.model, prompts, means, None)
        alone = accuracy_with(model.model, prompts, means, circuit)
        random = [
            accuracy_with(
                model.model, prompts, means, random_circuit(model.model, circuit, self.seed + i)
            )
            for i in range(self.controls)
        ]
        halves = completeness(model.model, prompts, means, circuit, draws=5, seed=self.seed)
        numbers = {
            "circuit alone": Number(alone, n=len(prompts)),
            "faithfulness": Number(alone / whole),
            "random circuits": Number(
                float(np.mean(random)), min(random), max(random), len(random)
            ),
            "heads in the circuit": Number(len(circuit.spots)),
        }
        return numbers, [{"circuit": a, "model": b} for a, b in halves]


def carries(
    model: OpenModel, task: Boxes, circuit: Circuit, pairs: int, progress: Progress = silent
) -> dict[str, dict[str, float]]:
    """Group → variable → how often moving the chosen heads of the group moves that variable."""
    found: dict[str, dict[str, float]] = {}
    done = 0
    for group in GROUPS:
        heads = circuit.groups.get(group)
        found[group] = {}
        for variable in VARIABLES:
            if heads:
                some = task.pairs(variable, pairs, "masks")
                epochs = max(2, -(-STEPS // max(1, pairs // 2 // 32)))
                fitted = fit_mask(model, some, PLACES[group], heads, epochs=epochs)
                found[group][variable] = fitted.test
            done += 1
            progress("masks", done, len(GROUPS) * len(VARIABLES))
    return found


def named(carried: Mapping[str, float], chance: float) -> str:
    """The variable that a group carries: the best one, if it is above twice chance; else none."""
    if not carried:
        return "none"
    best = max(carried, key=lambda v: carried[v])
    return best if carried[best] > 2 * chance else "none"


def members(
    circuit: Circuit, scores: Mapping[str, Array], carried: Mapping[str, Mapping[str, float]]
) -> list[dict[str, Any]]:
    """One row a group."""
    return [
        {
            "group": f"{group} {TITLES[group]}",
            "place": PLACES[group],
            "heads": ", ".join(f"L{i}H{j}" for i, j in circuit.groups[group]),
            "strongest": float(scores[group].min()),
            **carried[group],
        }
        for group in GROUPS
    ]


def figure(scores: Mapping[str, Array]) -> dict[str, Any]:
    """What each head changes, a panel a group (Vega-Lite)."""
    values = [
        {"group": f"{g} {TITLES[g]}", "layer": i, "head": j, "change": float(scores[g][i, j])}
        for g in scores
        for i in range(scores[g].shape[0])
        for j in range(scores[g].shape[1])
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "facet": {"column": {"field": "group", "type": "nominal", "title": None}},
        "spec": {
            "mark": "rect",
            "encoding": {
                "x": {"field": "layer", "type": "ordinal"},
                "y": {"field": "head", "type": "ordinal"},
                "color": {
                    "field": "change",
                    "type": "quantitative",
                    "scale": {"scheme": "redblue", "domainMid": 0},
                    "title": "change of p",
                },
            },
        },
    }
