"""Mixing mechanisms: by position, by word or by a pointer — how does a model look up what is bound?

    for each pair:   h_l = stream entering block l at the last token of the counterfactual
                     run the original with h_l there; softmax over the n groups' target tokens
    layer            the one at which a patch moves the answer most and copies it least, chosen on
                     control pairs whose counterfactual answer isn't in the original at all
    effect           which group is now the likeliest: that of the position, the word (lexical), the
                     pointer (reflexive), the old one (none), or another (mixed)
    mixture          fitted to the distributions (``mixture``), beside all of its variants and
                     beside the same fit with the distributions dealt to the pairs anew

A model that doesn't bind in the first place is refused with its accuracy. Source: paper 04,
sections 3.3 to 3.5 of our sheet. Departures: the readout is the restricted softmax only; the layer
is chosen by the rule above, on pairs of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress, silent
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.carrying import (
    EFFECTS,
    Interchanged,
    chosen_layer,
    effects,
    interchange_pairs,
)
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.mixture import VARIANTS, fit_mixture
from scrubjay.probing.open import OpenModel
from scrubjay.probing.word_tokens import single
from scrubjay.worlds.binding import SCHEMAS, BindingSchema, CounterfactualPair, pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class MixingMechanisms:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "how bound things are looked up: by position, by word or by a pointer"

    schema: str = "objects"
    n: int = 5
    """Groups."""
    target: int = 2
    """Column asked for, from 0."""
    count: int = 96
    control: int = 24
    """Pairs that choose the layer."""
    layers: Sequence[int] = ()
    """Candidates; none: the upper two thirds."""
    filler: str = ""
    """A sentence said after every group."""
    margin: float = 0.15
    """By so much the model must bind better than chance."""
    seed: int = 0

    def measure(
        self,
        model: OpenModel,
        data: Sequence[CounterfactualPair] | None = None,
        *,
        progress: Progress = silent,
    ) -> Finding:
        """Patch, count effects and fit the mixture.

        Args:
            data: split pairs of one's own, of one number of groups.
            progress: called with (what, done, total).

        Raises:
            ProbeError: a setting is out of range, or the model doesn't bind.
        """
        began = time.perf_counter()
        anatomy = Anatomy.of(model.model)
        layers = tuple(self.layers) or tuple(range(anatomy.n_layers // 3, anatomy.n_layers))
        split, control = self._pairs(model, data)
        choosing = interchange_pairs(model, control, layers, progress=progress)
        layer = layers[chosen_layer(control, choosing)]
        found = interchange_pairs(model, split, (layer,), progress=progress)
        accuracy = self._accuracy(split, found)
        shares, which = effects(split, found.after[0])
        numbers = {"accuracy unpatched": accuracy, "layer": Number(layer)}
        for i, effect in enumerate(EFFECTS):
            hit = (which == i).astype(float)
            numbers[f"effect, {effect}"] = bootstrap(hit, np.mean, seed=self.seed)
        numbers["candidates' probability"] = bootstrap(found.mass[0].numpy(), np.mean)
        fits, rows = fitted(split, found.after[0], seed=self.seed)
        nothing, row = shuffled(split, found.after[0], seed=self.seed)
        return Finding(
            "mixing-mechanisms",
            numbers | fits | nothing,
            tables={
                "Mixtures": [*rows, *row],
                "Effects by position": _by_position(split, which),
                "Layers, control pairs": _layers(control, choosing),
            },
            figure=_figure(split, which),
            settings=asdict(self) | {"shares": shares},
            seconds=round(time.perf_counter() - began, 1),
        )

    def _pairs(
        self, model: OpenModel, data: Sequence[CounterfactualPair] | None
    ) -> tuple[list[CounterfactualPair], list[CounterfactualPair]]:
        if self.schema not in SCHEMAS:
            raise ProbeError(f"there is no schema '{self.schema}'; known: {', '.join(SCHEMAS)}")
        schema = SCHEMAS[self.schema]
        schema = schema.keeping([single(model.tokenizer, column) for column in schema.words])

        def made(kind: str, count: int) -> list[CounterfactualPair]:
            return self._made(schema, kind, count)

        return list(data) if data else made("split", self.count), made("new target", self.control)

    def _made(self, schema: BindingSchema, kind: str, count: int) -> list[CounterfactualPair]:
        try:
            return pairs(
                schema,
                self.n,
                self.target,
                count,
                kind=kind,
                filler=self.filler,
                seed=self.seed,
            )
        except ValueError as error:
            raise ProbeError(str(error)) from error

    def _accuracy(self, split: Sequence[CounterfactualPair], found: Interchanged) -> Number:
        right = found.before.argmax(-1) == torch.tensor([p.query for p in split])
        accuracy = bootstrap(right.double().numpy(), np.mean, seed=self.seed)
        chance = 1 / found.before.shape[1]
        if accuracy.value < chance + self.margin:
            raise ProbeError(
                f"the model names the bound thing in {accuracy.value:.0%} of the unpatched texts "
                f"(chance {chance:.0%}); nothing can be said about how it looks it up"
            )
        return accuracy


def fitted(
    some: Sequence[CounterfactualPair],
    after: Tensor,
    *,
    variants: Sequence[str] = tuple(VARIANTS),
    seed: int = 0,
) -> tuple[dict[str, Number], list[dict[str, Any]]]:
    """Each variant's similarity on held-out triples, and the fitted weights of the mixture.

    Raises:
        ProbeError: a pair leaves a mechanism open, or as ``fit_mixture``.
    """
    if any(p.lexical is None or p.reflexive is None for p in some):
        raise ProbeError("a mixture is fitted to pairs that split all three mechanisms")
    index = torch.tensor([(p.position, p.lexical, p.reflexive) for p in some])
    numbers, rows = {}, []
    for name in variants:
        fit = fit_mixture(index, after, name, seed=seed)
        number = bootstrap(fit.similarity.numpy(), np.mean, seed=seed)
        numbers[f"JSS, {name}"] = number
        row = {"mixture": name, "JSS": number.value, "low": number.low, "high": number.high}
        with torch.no_grad():
            model = fit.model
            lexical, reflexive = (w.mean().item() if w is not None else None
                                  for w in (model.w_lex, model.w_ref))  # fmt: skip
            spread = model.positional == "spread"
            row |= {
                "w_pos": float(model.w_pos) if model.positional in ("spread", "one-hot") else None,
                "mean w_lex": lexical,
                "mean w_ref": reflexive,
                "mean σ": float(model.sigma().mean()) if spread else None,
                "test triples": number.n,
            }
        rows.append(row)
    return numbers, rows


def shuffled(
    some: Sequence[CounterfactualPair], after: Tensor, *, seed: int = 0
) -> tuple[dict[str, Number], list[dict[str, Any]]]:
    """The control: what the mixture makes of distributions that belong to other pairs.

    Raises:
        ProbeError: as ``fitted``.
    """
    order = torch.randperm(len(after), generator=torch.Generator().manual_seed(seed))
    numbers, rows = fitted(some, after[order], variants=["M"], seed=seed)
    name = "M, shuffled pairs"
    return {f"JSS, {name}": numbers["JSS, M"]}, [rows[0] | {"mixture": name}]


def _by_position(
    some: Sequence[CounterfactualPair], which: NDArray[np.int64]
) -> list[dict[str, Any]]:
    place = np.array([p.position for p in some])
    return [
        {"group": int(p) + 1, "pairs": int((place == p).sum())}
        | {name: float((which[place == p] == i).mean()) for i, name in enumerate(EFFECTS)}
        for p in sorted(set(place.tolist()))
    ]


def _layers(control: Sequence[CounterfactualPair], found: Interchanged) -> list[dict[str, Any]]:
    return [
        {
            "layer": layer,
            "no effect": effects(control, found.after[i])[0]["none"],
            "group asked for": effects(control, found.after[i])[0]["position"],
            "answer copied": float(found.copied[i].double().mean()),
        }
        for i, layer in enumerate(found.layers)
    ]


def _figure(some: Sequence[CounterfactualPair], which: NDArray[np.int64]) -> dict[str, Any]:
    """Effect shares, stacked, by the group asked for in the counterfactual."""
    values = [
        {"group": row["group"], "effect": name, "share": row[name]}
        for row in _by_position(some, which)
        for name in EFFECTS
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "x": {"field": "group", "type": "ordinal", "title": "group asked for"},
            "y": {"field": "share", "type": "quantitative", "title": "share of patched answers"},
            "color": {"field": "effect", "type": "nominal", "scale": {"domain": list(EFFECTS)}},
        },
    }
