"""Mixing mechanisms: by position, by word or by a pointer — how does a model look up what is bound?

    for each pair:   h_l = stream entering block l at the last token of the counterfactual
                     run the original with h_l there; softmax over the n groups' target tokens
    layer            the one at which a patch moves the answer most and copies it least, chosen on
                     control pairs whose counterfactual answer isn't in the original at all
    effect           which group is now the likeliest: that of the position, the word (lexical), the
                     pointer (reflexive), the old one (none), or another (mixed)
    mixture          fitted to the distributions (``mixture``), beside all of its variants

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
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs, padded
from scrubjay.probing.instruments import Progress, silent
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.list_recall import words_of
from scrubjay.probing.mixture import VARIANTS, fit_mixture
from scrubjay.probing.open import OpenModel
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site
from scrubjay.probing.tail import Base
from scrubjay.probing.taps import Pass
from scrubjay.worlds.binding import SCHEMAS, BindingSchema, CounterfactualPair, pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

EFFECTS = ("position", "lexical", "reflexive", "none", "mixed")
ROWS = 24
"""Pairs of a batch."""
COPIED = 0.1
"""A layer with more copied answers than this share holds the answer, not a pointer to it."""


@dataclass(frozen=True, slots=True)
class Interchanged:
    """What patching did."""

    layers: tuple[int, ...]
    before: Tensor
    """(pairs, n) distribution over groups of the originals, unpatched."""
    after: Tensor
    """(layers, pairs, n)."""
    mass: Tensor
    """(layers, pairs) probability of all candidates together."""
    copied: Tensor
    """(layers, pairs) whether the likeliest of all tokens is the counterfactual's answer."""


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
        return Finding(
            "mixing-mechanisms",
            numbers | fits,
            tables={
                "Mixtures": rows,
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
        schema = schema.keeping([words_of(model, column) for column in schema.words])

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


def interchange_pairs(
    model: OpenModel,
    some: Sequence[CounterfactualPair],
    layers: Sequence[int],
    *,
    progress: Progress = silent,
) -> Interchanged:
    """Carry the counterfactual's last token, entering each layer in turn, into the original.

    Raises:
        ProbeError: there are no pairs, they differ in groups, a word is more than one token, or
            there is no such layer.
    """
    anatomy = Anatomy.of(model.model)
    sites = anatomy.check(*(Site("resid_pre", layer, position=-1) for layer in layers))
    if not some or len({len(p.candidates) for p in some}) != 1:
        raise ProbeError("patching needs pairs, all of one number of groups")
    one = _tokens(model, {w for p in some for w in (*p.candidates, p.answer)})
    parts = []
    for start in range(0, len(some), ROWS):
        batch = some[start : start + ROWS]
        tokens = torch.tensor([[one[w] for w in p.candidates] for p in batch])
        answers = torch.tensor([one[p.answer] for p in batch])
        parts.append(_batch(model, anatomy, batch, sites, tokens, answers))
        progress(f"pairs, {len(sites)} layers", start + len(batch), len(some))
    before = torch.cat([p[0] for p in parts])
    after, mass, copied = (torch.cat([p[i] for p in parts], 1) for i in (1, 2, 3))
    return Interchanged(tuple(layers), before, after, mass, copied)


def _batch(
    model: OpenModel,
    anatomy: Anatomy,
    batch: Sequence[CounterfactualPair],
    sites: Sequence[Site],
    tokens: Tensor,
    answers: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    def inputs(texts: Sequence[str]) -> dict[str, Tensor]:
        return as_inputs(anatomy, padded([model.tokenizer(t)["input_ids"] for t in texts]))

    source = inputs([p.counterfactual for p in batch])
    with torch.no_grad(), record(anatomy, *sites) as seen:
        anatomy.body(**source, use_cache=False)
    base = Base(anatomy, inputs([p.original for p in batch]))
    rows = torch.arange(len(batch))
    read = torch.full_like(rows, base.length - 1)

    def among(logits: Tensor) -> Tensor:
        return logits.cpu().float().gather(1, tokens).softmax(-1)

    after, mass, copied = [], [], []
    for site in sites:

        def put(x: Tensor, _: Pass, value: Tensor = seen[site]) -> Tensor:
            return value.to(x)[:, None].expand_as(x)

        layer = site.layer or 0
        taps = [("resid_pre", layer, put)]
        logits = base.rerun(rows, layer=layer, start=base.length - 1, read=read, taps=taps).cpu()
        after.append(among(logits))
        mass.append(logits.float().softmax(-1).gather(1, tokens).sum(-1))
        copied.append(logits.argmax(-1) == answers)
    return among(base.logits(read)), torch.stack(after), torch.stack(mass), torch.stack(copied)


def _tokens(model: OpenModel, words: set[str]) -> dict[str, int]:
    found = {}
    for word in sorted(words):
        ids = model.tokenizer(" " + word, add_special_tokens=False)["input_ids"]
        if len(ids) != 1:
            raise ProbeError(f"'{word}' is more than one token for this model")
        found[word] = int(ids[0])
    return found


def effects(
    some: Sequence[CounterfactualPair], after: Tensor
) -> tuple[dict[str, float], NDArray[np.int64]]:
    """Share of each effect, and the effect of each pair as a place in ``EFFECTS``.

    Args:
        after: (pairs, n) distributions of the patched runs.

    Raises:
        ProbeError: there isn't a distribution for each pair.
    """
    if len(some) != len(after) or not len(some):
        raise ProbeError(f"there are {len(some)} pairs and {len(after)} distributions")
    which = []
    for pair, group in zip(some, after.argmax(-1).tolist(), strict=True):
        said = (pair.position, pair.lexical, pair.reflexive, pair.query)
        which.append(said.index(group) if group in said else len(said))
    told = np.array(which)
    return {name: float((told == i).mean()) for i, name in enumerate(EFFECTS)}, told


def chosen_layer(control: Sequence[CounterfactualPair], found: Interchanged) -> int:
    """The place in ``found.layers`` where patches move the answer most without copying it.

    If every layer copies, the one that copies least.
    """
    copied = found.copied.double().mean(1)
    moved = torch.tensor([1 - effects(control, after)[0]["none"] for after in found.after])
    if bool((copied > COPIED).all()):
        return int(copied.argmin())
    moved[copied > COPIED] = -1
    return int((moved == moved.max()).nonzero()[-1])


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
