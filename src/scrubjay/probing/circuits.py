"""A circuit: groups of heads, each at a place of the prompt, and how much it does alone.

    means = mean_heads(model, many_prompts)
    accuracy_with(model, prompts, means, circuit)   # all other heads are their mean

Heads outside are replaced by their mean over many scenes, position by position (paper 63, section
3.3 of our sheet):

    faithfulness   accuracy(circuit) / accuracy(model)
    completeness   the same random half of its heads is knocked out of circuit and model: do both
                   fall alike?
    minimality     without a third of its group, does it matter that a head is gone as well?

Means are of absolute positions, so all prompts have one length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scrubjay.core.randomness import stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.box_prompts import BoxPrompts, chunks
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import Head
from scrubjay.probing.recording import record
from scrubjay.probing.taps import Pass, Tap, tapped
from scrubjay.worlds.boxes import PLACES

Spot = tuple[str, Head]
"""A group and one of its heads."""


@dataclass(frozen=True)
class Circuit:
    """Heads by group, and the place of each group."""

    groups: Mapping[str, Sequence[Head]]
    places: Mapping[str, str]

    def __post_init__(self) -> None:
        """Raises:
        ProbeError: there is no head, or a group has no known place.
        """
        if not any(self.groups.values()):
            raise ProbeError("a circuit needs a head at least")
        for name in self.groups:
            if self.places.get(name) not in PLACES:
                raise ProbeError(f"group {name} stands at one of {', '.join(PLACES)}")

    @property
    def spots(self) -> list[Spot]:
        """Every head with its group."""
        return [(name, head) for name, heads in self.groups.items() for head in heads]

    def without(self, spots: Sequence[Spot]) -> Circuit:
        """The circuit without some of its heads.

        Raises:
            ProbeError: none would be left.
        """
        gone = {*spots}
        left = {n: [h for h in hs if (n, h) not in gone] for n, hs in self.groups.items()}
        return Circuit(left, self.places)

    def overlap(self, other: Circuit) -> float:
        """Jaccard index of the two circuits' heads (with their groups)."""
        a, b = {*self.spots}, {*other.spots}
        return len(a & b) / len(a | b)


def mean_heads(model: Any, ids: Tensor) -> list[Tensor]:
    """Of each layer, the mean z over prompts: (positions, heads, size)."""
    anatomy = Anatomy.of(model)
    sites = anatomy.sites("z")
    total: list[Any] = [0.0] * len(sites)
    for part in chunks(ids):
        with torch.no_grad(), record(anatomy, *sites, budget="4GB") as seen:
            anatomy.body(input_ids=part, use_cache=False)
        total = [t + seen[s].sum(0) for t, s in zip(total, sites)]
    return [t / len(ids) for t in total]


@contextmanager
def replaced(model: Any, keep: Tensor, means: Sequence[Tensor]) -> Iterator[None]:
    """Inside, z is its mean wherever ``keep`` (layers, rows, positions, heads) is false.

    Raises:
        ProbeError: the means are of prompts of another length.
    """
    anatomy = Anatomy.of(model)
    if means[0].shape[0] != keep.shape[2]:
        raise ProbeError(
            f"the means are of {means[0].shape[0]} positions, the prompts have {keep.shape[2]}"
        )

    def tap(layer: int) -> Tap:
        def write(x: Tensor, now: Pass) -> Tensor:
            return torch.where(keep[layer][..., None], x, means[layer].to(x))

        return write

    with tapped(anatomy, [("z", layer, tap(layer)) for layer in range(anatomy.n_layers)]):
        yield


def held(model: Any, circuit: Circuit, prompts: BoxPrompts) -> Tensor:
    """(layers, rows, positions, heads): true where a head of the circuit stands."""
    anatomy = Anatomy.of(model)
    anatomy.check(*(head for _, head in circuit.spots))
    rows, length = prompts.ids.shape
    keep = torch.zeros(anatomy.n_layers, rows, length, anatomy.n_heads, dtype=torch.bool)
    for name, (layer, head) in circuit.spots:
        keep[layer, torch.arange(rows), prompts.at[circuit.places[name]], head] = True
    return keep


def accuracy_with(
    model: Any,
    prompts: BoxPrompts,
    means: Sequence[Tensor],
    circuit: Circuit | None,
    knocked: Circuit | None = None,
) -> float:
    """Accuracy of the circuit alone (None: of the model), with some heads knocked out as well."""
    anatomy = Anatomy.of(model)
    right = 0
    for part in chunks(torch.arange(len(prompts))):
        some = prompts.rows(part)
        if circuit is None:
            shape = (anatomy.n_layers, *some.ids.shape, anatomy.n_heads)
            keep = torch.ones(shape, dtype=torch.bool)
        else:
            keep = held(anatomy, circuit, some)
        if knocked is not None:
            keep = keep & ~held(anatomy, knocked, some)
        with torch.no_grad(), replaced(anatomy, keep, means):
            logits = anatomy.model(input_ids=some.ids, use_cache=False).logits[:, -1]
        right += int((logits.argmax(-1) == some.answers).sum())
    return right / len(prompts)


def faithfulness(
    model: Any, prompts: BoxPrompts, means: Sequence[Tensor], circuit: Circuit
) -> float:
    """See the top of this file.

    Raises:
        ProbeError: the model never answers right, so that nothing can be faithful to it.
    """
    whole = accuracy_with(model, prompts, means, None)
    if not whole:
        raise ProbeError("the model answers no prompt, so no circuit can be faithful to it")
    return accuracy_with(model, prompts, means, circuit) / whole


def completeness(
    model: Any,
    prompts: BoxPrompts,
    means: Sequence[Tensor],
    circuit: Circuit,
    *,
    draws: int = 20,
    seed: int = 0,
) -> list[tuple[float, float]]:
    """Accuracy of circuit and of model without the same random half of the circuit, each draw."""
    random = stream(seed, "completeness")
    found = []
    for _ in range(draws):
        gone = [spot for spot in circuit.spots if random.random() < 0.5]
        groups = {n: [h for m, h in gone if m == n] for n in circuit.groups}
        knocked = Circuit(groups, circuit.places) if gone else None
        found.append(
            (
                accuracy_with(model, prompts, means, circuit, knocked),
                accuracy_with(model, prompts, means, None, knocked),
            )
        )
    return found


def minimal(
    model: Any,
    prompts: BoxPrompts,
    means: Sequence[Tensor],
    circuit: Circuit,
    *,
    share: float = 0.3,
    least: float = 0.01,
) -> tuple[Circuit, dict[Spot, float]]:
    """The circuit without heads that don't matter, and the score of every head.

    For head v the third of its group that matters most together with v is taken out as K; the score
    is acc(C - K) / acc(C - K - v) - 1.
    """

    def acc(gone: Sequence[Spot]) -> float:
        groups = {n: [h for m, h in gone if m == n] for n in circuit.groups}
        knocked = Circuit(groups, circuit.places) if gone else None
        return accuracy_with(model, prompts, means, circuit, knocked)

    whole, scores = acc([]), {}
    for spot in circuit.spots:
        others = [s for s in circuit.spots if s[0] == spot[0] and s != spot]
        drops = sorted(((whole - acc([spot, other]), other) for other in others), reverse=True)
        near = [other for drop, other in drops if drop > 0][: int(share * len(others) + 0.5)]
        after = acc([*near, spot])
        scores[spot] = acc(near) / after - 1 if after else float(acc(near) > 0)
    unneeded = [spot for spot, score in scores.items() if score < least]
    if len(unneeded) == len(circuit.spots):
        return circuit, scores
    return circuit.without(unneeded), scores


def random_circuit(model: Any, circuit: Circuit, seed: int = 0) -> Circuit:
    """As many heads in every group, drawn from all that aren't in it."""
    anatomy = Anatomy.of(model)
    random = stream(seed, "random circuit")
    every = [(i, j) for i in range(anatomy.n_layers) for j in range(anatomy.n_heads)]
    groups: dict[str, list[Head]] = {}
    for name, heads in circuit.groups.items():
        free = [head for head in every if head not in {*heads}]
        if len(free) < len(heads):
            raise ProbeError(f"group {name} leaves too few other heads to draw from")
        groups[name] = sorted(random.sample(free, len(heads)))
    return Circuit(groups, circuit.places)
