"""Is there one direction of truth? Mass-mean probes at a statement's last token, tested elsewhere.

    θ = μ_true - μ_false at layer l, every set centred on its own mean
    held-out accuracy: θ from all sets but one, a threshold on hᵀθ, on the set that was left out

The layer is chosen on the sets that θ is made of. Controls: θ from shuffled labels, and a random
direction. ``flip`` asks whether the model *uses* it: it adds ∓θ at a statement's last two tokens
and reads P(true) - P(false) of what the model says next. Source: paper 23, section 3.2 of our
sheet.
Departures: generated sets in place of seven public ones; with one set, half of its groups is left
out instead of a set.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress, silent
from scrubjay.core.randomness import numpy_stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.directions import Direction, mass_mean, random_direction
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs, padded
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.open import OpenModel
from scrubjay.probing.states import last_token_states
from scrubjay.worlds.concepts import CONCEPTS, ConceptSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statements:
    """States of the last token of statements of several sets."""

    at: Array
    """(texts, layers, width): ``resid_post`` of every layer."""
    labels: NDArray[np.bool_]
    sets: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def of(cls, model: OpenModel, told: Sequence[ConceptSet]) -> Statements:
        """Raises:
        ProbeError: there are no statements, or as ``last_token_states``.
        """
        if not told:
            raise ProbeError("truth needs at least one set of statements")
        texts = [t for one in told for t in one.texts]
        ids = [list(model.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
        return cls(
            last_token_states(model.model, ids).at[:, 1:].astype(np.float64),
            np.array([z for one in told for z in one.labels]),
            tuple(one.name for one in told for _ in one.texts),
            tuple(f"{one.name} {g}" for one in told for g in one.groups),
        )

    def held_out(self, name: str, seed: int = 0) -> NDArray[np.bool_]:
        """(texts,): the set of that name, or half of its groups if it is the only one."""
        chosen = np.array([s == name for s in self.sets])
        if chosen.all():
            groups = sorted(set(self.groups))
            order = numpy_stream(seed, "held out").permutation(len(groups))
            half = {groups[i] for i in order[: len(groups) // 2]}
            chosen = np.array([g in half for g in self.groups])
        return chosen

    def direction(
        self, learn: NDArray[np.bool_], layer: int | None = None, *, labels: Any = None
    ) -> Direction:
        """θ from some of the texts; the layer where it tells them apart best, if none is given.

        Raises:
            ProbeError: there is no such layer, or no text of one class.
        """
        z = self.labels if labels is None else labels
        sets = [s for s, x in zip(self.sets, learn, strict=True) if x]
        if layer is not None and not 0 <= layer < self.at.shape[1]:
            raise ProbeError(f"the model has {self.at.shape[1]} layers, counted from 0, no {layer}")
        layers = range(self.at.shape[1]) if layer is None else [layer]
        made = [mass_mean(self.at[learn, n], z[learn], n, groups=sets) for n in layers]
        hits = [d.accuracy(self.at[learn, d.layer], z[learn]) for d in made]
        return made[int(np.argmax(hits))]

    def hits(self, direction: Direction, test: NDArray[np.bool_]) -> float:
        """Accuracy on ``test``, by a threshold fitted there: the better of two halves each way."""
        x, z = self.at[test, direction.layer], self.labels[test]
        part = np.arange(len(z)) % 4 < 2
        both = (direction.accuracy(x, z, learn=part), direction.accuracy(x, z, learn=~part))
        return float(np.mean(both))


def flip(
    model: Any,
    prompts: Sequence[Sequence[int]],
    direction: Direction | None,
    said: tuple[int, int],
    *,
    c: float = 1.0,
    behind: int = 0,
    width: int = 0,
) -> Array:
    """P(true) - P(false) of the next token after each prompt, (prompts,).

    Args:
        direction: added c times at the last two tokens of the statement; None: nothing is.
        said: the tokens of "true" and "false".
        behind: tokens of every prompt that come after its statement.
        width: also at so many layers before the direction's.

    Raises:
        ProbeError: a prompt is too short or too long, or an activation isn't finite.
    """
    anatomy = Anatomy.of(model)
    if min(map(len, prompts), default=0) < behind + 2:
        raise ProbeError("a statement needs two tokens at least")
    given = as_inputs(anatomy, padded(prompts))
    with torch.no_grad():
        if direction is None:
            logits = anatomy.model(**given, use_cache=False, logits_to_keep=1).logits
        else:
            where = [-behind - 2, -behind - 1]
            with direction.added(anatomy, c, positions=where, width=width):
                logits = anatomy.model(**given, use_cache=False, logits_to_keep=1).logits
    p = logits[:, -1].double().softmax(-1)
    return np.asarray((p[:, said[0]] - p[:, said[1]]).cpu().numpy())


@dataclass(frozen=True)
class TruthDirection:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "one direction of truth: mass-mean probes tested on another set"

    sets: Sequence[str] = ("fact", "two-hop")
    items: int = 120
    layer: int | None = None
    seed: int = 0

    def measure(
        self,
        model: OpenModel,
        data: Sequence[ConceptSet] | None = None,
        *,
        progress: Progress = silent,
    ) -> Finding:
        """Held-out accuracy of each set, and the cosines between the sets' own directions.

        Args:
            data: sets of statements of one's own, true and false.

        Raises:
            ProbeError: there is no such set or layer, or as ``Statements.of``.
        """
        began = time.perf_counter()
        unknown = next((s for s in self.sets if s not in CONCEPTS), None)
        if data is None and unknown is not None:
            raise ProbeError(f"there is no set '{unknown}'; known: {', '.join(CONCEPTS)}")
        told = [CONCEPTS[s](self.items, self.seed) for s in self.sets] if data is None else [*data]
        states = Statements.of(model, told)
        random = numpy_stream(self.seed, "shuffled labels")
        rows, numbers = [], dict[str, Number]()
        own: dict[str, Direction] = {}
        for done, one in enumerate(told):
            progress("sets", done, len(told))
            test = states.held_out(one.name, self.seed)
            theta = states.direction(~test, self.layer)
            shuffled = [
                states.hits(states.direction(~test, theta.layer, labels=mixed), test)
                for mixed in (random.permutation(states.labels) for _ in range(20))
            ]
            controls = [states.hits(random_direction(theta, s), test) for s in range(20)]
            right = states.hits(theta, test)
            row = {
                "left out": one.name,
                "layer": theta.layer,
                "accuracy": right,
                "shuffled labels": float(np.mean(shuffled)),
                "random directions": float(np.mean(controls)),
            }
            rows.append(row)
            numbers[f"accuracy, {one.name} left out"] = _share(right, int(test.sum()))
            for name, draws in (("shuffled labels", shuffled), ("random directions", controls)):
                numbers[f"{name}, {one.name}"] = bootstrap(draws, _mean, seed=self.seed)
            whole = np.array([s == one.name for s in states.sets])
            own[one.name] = states.direction(whole, theta.layer)
        names = list(own)
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                cosine = own[a].cosine(
                    states.direction(np.array([s == b for s in states.sets]), own[a].layer)
                )
                numbers[f"cosine, {a} and {b}"] = Number(cosine)
        return Finding(
            "truth-direction",
            numbers,
            tables={"Sets": rows},
            figure=_figure(rows),
            settings=asdict(self),
            seconds=round(time.perf_counter() - began, 1),
        )


def _mean(x: Any) -> float:
    return float(x.mean())


def _share(value: float, n: int) -> Number:
    """A share with Wilson's interval."""
    z = 1.96
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(value * (1 - value) / n + z * z / (4 * n * n)))
    return Number(value, max(0.0, middle - half), min(1.0, middle + half), n)


def _figure(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    values = [
        {"set": r["left out"], "probe": k, "accuracy": r[k]}
        for r in rows
        for k in ("accuracy", "shuffled labels", "random directions")
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "x": {"field": "set", "type": "nominal"},
            "xOffset": {"field": "probe"},
            "y": {"field": "accuracy", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "color": {"field": "probe", "type": "nominal"},
        },
    }
