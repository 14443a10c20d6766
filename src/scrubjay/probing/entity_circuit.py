"""Which heads find what lies in a box? Four groups, found backwards by path patching.

    group                  place      speaks to              by
    A value fetcher        last       the logits             directly
    B position transmitter last       A                      queries
    C position detector    query      B                      values
    D structure reader     earlier    C                      values

    score(head) = mean (p_patched - p) / p         p: probability of the right object

when the head alone speaks to its receivers as in a scene that has other words and asks for a letter
that no box has. The most negative heads are kept. Prompts that the model gets wrong are left out
(their p is next to nothing). Source: paper 63, section 3.2 of our sheet. Departures: a head is kept
only if it moves p by ``least``; D is taken from a random letter of the counterfactual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from torch import Tensor

from scrubjay.core.progress import Progress, silent
from scrubjay.core.randomness import stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.box_prompts import BoxPrompts, box_prompts, predictions
from scrubjay.probing.circuits import Circuit
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Array, Head
from scrubjay.probing.open import OpenModel
from scrubjay.probing.paths import path_patch
from scrubjay.probing.sites import Site
from scrubjay.worlds.boxes import Boxes

GROUPS = ("A", "B", "C", "D")
PLACES = {"A": "last", "B": "last", "C": "query", "D": "earlier"}
TITLES = {
    "A": "value fetcher",
    "B": "position transmitter",
    "C": "position detector",
    "D": "structure reader",
}
MOST = {"A": 20, "B": 5, "C": 10, "D": 5}
"""Heads of a group at most (the paper's defaults)."""


def find_circuit(
    model: OpenModel,
    task: Boxes,
    *,
    count: int = 100,
    most: Mapping[str, int] = MOST,
    least: float = 0.05,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Circuit, dict[str, Array]]:
    """The circuit, and the scores (layers, heads) by which each group was chosen.

    Args:
        count: scenes.
        most: heads of a group at most.
        least: a head is kept only if p changes by this share at least.

    Raises:
        ProbeError: the model gets no scene right, or a group has no head.
    """
    anatomy = Anatomy.of(model.model)
    scenes = task.scenes(count, "path patching", seed)
    others = task.counterfactuals(scenes, seed)
    random = stream(seed, "box letters of counterfactuals")
    base = box_prompts(model.tokenizer, scenes)
    source = box_prompts(model.tokenizer, others, [random.randrange(task.boxes) for _ in others])
    right = (predictions(anatomy, base.ids) == base.answers).nonzero()[:, 0]
    if not len(right):
        raise ProbeError(f"the model gets none of {count} scenes right: it has no such circuit")
    base, source = base.rows(right), source.rows(right)
    found: dict[str, list[Head]] = {}
    scores: dict[str, Array] = {}
    for number, group in enumerate(GROUPS):
        receivers = _receivers(anatomy, group, found)
        scores[group] = _scores(anatomy, base, source, PLACES[group], receivers)
        ranking = np.argsort(scores[group], axis=None, kind="stable")[: most[group]]
        heads = [divmod(int(i), anatomy.n_heads) for i in ranking]
        found[group] = [h for h in heads if scores[group][h] <= -least]
        if not found[group]:
            raise ProbeError(
                f"no head is a {TITLES[group]}: none changes the answer by {least:.0%} through "
                "the group before it; the model does the task in another way"
            )
        progress("path patching", number + 1, len(GROUPS))
    found["A"] = [h for h in found["A"] if h not in found["B"]]
    return Circuit(found, PLACES), scores


def _receivers(
    anatomy: Anatomy, group: str, found: Mapping[str, Sequence[Head]]
) -> list[Site] | Literal["logits"]:
    if group == "A":
        return "logits"
    if group == "B":
        return [Site("q", layer, head) for layer, head in found["A"]]
    sites = [
        Site("v", layer, anatomy.kv_head(head))
        for layer, head in found["B" if group == "C" else "C"]
    ]
    return list(dict.fromkeys(sites))


def _scores(
    anatomy: Anatomy,
    base: BoxPrompts,
    source: BoxPrompts,
    place: str,
    receivers: list[Site] | Literal["logits"],
) -> Array:
    def probability(logits: Tensor, examples: Tensor) -> Tensor:
        p = logits.float().softmax(-1)
        return p.gather(1, base.answers.to(examples)[examples, None])[:, 0]

    swept = path_patch(
        anatomy,
        base.ids,
        source.ids,
        [(i, j) for i in range(anatomy.n_layers) for j in range(anatomy.n_heads)],
        receivers,
        probability,
        position=base.at[place],
        source_position=source.at[place],
        read=-1,
    )
    change = (swept.patched - swept.base) / swept.base
    return np.asarray(change.mean(1).reshape(anatomy.n_layers, anatomy.n_heads))
