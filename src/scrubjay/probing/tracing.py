"""Causal tracing: at which layers and tokens does a model keep the fact that it is about to say?

    true prompt     The city of Lyon lies in the country of      → France
    false prompt    The city of Oslo lies in the country of      → Norway
    trace[l, t] =   M(false run with h_l[t] from the true run),  M = logit(France) - logit(Norway)

Both prompts have the same form and number of tokens and differ in their subject. 0 is the run on
the false prompt, 1 the run on the true one. With another ``source`` model its states are put into
the run of ``model``: does one model read what the other has stored?

Source: paper 23, section 3.1 of our sheet, in its variant without a question behind. Departures:
effects are stated as a share of the distance between the two runs; the paper's binning, which sets
the lower half of the range to 0, is ``bin_normalise`` and stands beside the raw numbers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Count, Progress, silent
from scrubjay.core.randomness import stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.metrics import logit_difference
from scrubjay.probing.open import OpenModel
from scrubjay.probing.patching import patch
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site
from scrubjay.probing.sweeping import sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FactPairs:
    """Prompts that stop before an object, as token ids; row i of both belong together."""

    true: Sequence[Sequence[int]]
    false: Sequence[Sequence[int]]
    right: Sequence[int]
    """First token of the true prompt's object."""
    wrong: Sequence[int]
    """Of the false prompt's object."""
    subject: tuple[int, int]
    """Tokens [from, to) of the subject, the same in every prompt."""

    def __post_init__(self) -> None:
        """Raises:
        ProbeError: there are no pairs, lengths differ, or the objects of a pair are the same.
        """
        sizes = {len(self.true), len(self.false), len(self.right), len(self.wrong)}
        if sizes == {0} or len(sizes) > 1:
            raise ProbeError("tracing needs pairs of prompts, and two objects for each")
        lengths = {len(p) for p in (*self.true, *self.false)}
        if len(lengths) > 1:
            raise ProbeError(
                f"prompts of {min(lengths)} to {max(lengths)} tokens can't be aligned; keep those "
                "of the most frequent pattern"
            )
        same = next((i for i, (a, b) in enumerate(zip(self.right, self.wrong)) if a == b), None)
        if same is not None:
            raise ProbeError(f"pair {same} has the same object twice: nothing to tell apart")
        if not 0 <= self.subject[0] < self.subject[1] <= min(lengths):
            raise ProbeError(f"the subject's tokens {self.subject} lie outside the prompts")


@dataclass(frozen=True, slots=True)
class Trace:
    """What patching each layer and token does."""

    share: Array
    """(layers, tokens): mean effect, as a share of true minus false run."""
    each: Array
    """(pairs, layers, tokens): effect of each pair in logits."""
    gap: Array
    """(pairs,) true minus false run, in logits."""
    knows: float
    """Share of runs, true and false, that rank their own object above the other one."""


def trace(
    model: Any,
    pairs: FactPairs,
    *,
    source: Any = None,
    progress: Count | None = None,
) -> Trace:
    """Patch ``resid_post`` of every layer and token from the true into the false run.

    Args:
        model: see ``Anatomy.of``.
        source: the model whose true run is taken; None: the same.
        progress: called with runs done and runs in all.

    Raises:
        ProbeError: the models differ in shape or vocabulary, a prompt is too long, an activation
            isn't finite, or the two runs don't differ.
    """
    anatomy = Anatomy.of(model)
    length = len(pairs.true[0])
    metric = logit_difference(pairs.right, pairs.wrong)
    sites = [Site("resid_post", n, position=t) for n in range(anatomy.n_layers) for t in range(length)]  # fmt: skip  # noqa: E501
    swept = sweep(anatomy, pairs.false, pairs.true, sites, metric, progress=progress)
    gap = swept.source - swept.base
    patched = swept.patched if source is None else _across(anatomy, source, pairs, sites)
    if abs(gap.mean()) < 1e-6:
        raise ProbeError("the true and the false run say the same: there is nothing to trace")
    each = (patched - swept.base).T.reshape(len(gap), anatomy.n_layers, length)
    knows = float(((swept.source > 0).mean() + (swept.base < 0).mean()) / 2)
    return Trace(each.mean(0) / gap.mean(), each, gap, knows)


def _across(anatomy: Anatomy, source: Any, pairs: FactPairs, sites: Sequence[Site]) -> Array:
    """(sites, pairs): the metric with each site taken from the other model."""
    other = Anatomy.of(source)
    same_pair(anatomy, other)
    with torch.no_grad(), record(other, *other.sites("resid_post"), budget="1TB") as seen:
        other.body(**as_inputs(other, list(pairs.true)), use_cache=False)
    out = np.zeros((len(sites), len(pairs.true)))
    for i, prompt in enumerate(pairs.false):
        rows = [{s: seen[Site("resid_post", s.layer)][i, s.position]} for s in sites]
        ids = torch.tensor(prompt).expand(len(rows), -1).to(anatomy.device)
        with torch.no_grad(), patch(anatomy, rows):
            logits = anatomy.model(ids, use_cache=False).logits[:, -1].float()
        out[:, i] = (logits[:, pairs.right[i]] - logits[:, pairs.wrong[i]]).cpu().numpy()
    return out


def same_pair(one: Anatomy, other: Anatomy) -> None:
    """Raises:
    ProbeError: the two aren't a model and its tuning.
    """
    shapes = [(a.n_layers, a.n_heads, a.d_model, a.w_e.shape[0]) for a in (one, other)]
    if shapes[0] != shapes[1]:
        raise ProbeError(
            f"the models have (layers, heads, width, vocabulary) {shapes[0]} and {shapes[1]}: take "
            "a model and its own tuning"
        )


def bin_normalise(values: Array, bins: int = 20) -> Array:
    """The paper's display: the range in equal bins, the lower half 0, the upper ones up to 1.

    Raises:
        ProbeError: all values are the same, or the number of bins is odd.
    """
    low, high = float(values.min()), float(values.max())
    if high <= low or bins < 2 or bins % 2:
        raise ProbeError("binning needs values that differ, and an even number of bins")
    number = np.minimum(((values - low) / (high - low) * bins).astype(int), bins - 1)
    return np.asarray(np.maximum(number + 1 - bins // 2, 0) / (bins // 2), dtype=np.float64)


def correlation(a: Array, b: Array) -> float:
    """Pearson's r of two maps, 0 where one is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@dataclass(frozen=True)
class FactTracing:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "where facts are kept: causal tracing over layers and tokens"

    pairs: int = 24
    seed: int = 0

    def measure(
        self, model: OpenModel, data: FactPairs | None = None, *, progress: Progress = silent
    ) -> Finding:
        """Trace facts of cities and countries, or pairs of one's own.

        Raises:
            ProbeError: too few prompts share a pattern of tokens, or as ``trace``.
        """
        began = time.perf_counter()
        pairs = city_pairs(model, self.pairs, self.seed) if data is None else data
        found = trace(
            model.model, pairs, progress=lambda done, total: progress("tracing", done, total)
        )
        layers, tokens = found.share.shape
        top = np.unravel_index(int(found.share[:, : tokens - 1].argmax()), (layers, tokens - 1))
        a, b = pairs.subject
        last = b - 1

        def at(cells: Array) -> Any:
            rows = np.column_stack([cells, found.gap])
            return bootstrap(rows, lambda x: float(x[:, 0].mean() / x[:, 1].mean()), seed=self.seed)

        half = layers // 2
        numbers = {
            "share at the subject's last token, first half of layers": at(
                found.each[:, :half, last].mean(1)
            ),
            "share at the subject's last token, second half": at(
                found.each[:, half:, last].mean(1)
            ),
            "share at the last token, first half of layers": at(found.each[:, :half, -1].mean(1)),
            "share at the last token, second half": at(found.each[:, half:, -1].mean(1)),
            "own object above the other": Number(found.knows, n=2 * len(found.gap)),
        }
        rows = [
            {"layer": n, "token": t, "subject": a <= t < b, "share": float(found.share[n, t])}
            for n in range(layers) for t in range(tokens)
        ]  # fmt: skip
        return Finding(
            "fact-tracing",
            numbers,
            tables={"Share by layer and token": rows},
            figure=heat_map(rows),
            settings=asdict(self)
            | {"pairs": len(found.gap), "strongest before the last token": [int(x) for x in top]},
            seconds=round(time.perf_counter() - began, 1),
        )


def city_pairs(model: OpenModel, count: int, seed: int = 0) -> FactPairs:
    """Cities and countries that share the most frequent number of tokens.

    Raises:
        ProbeError: fewer than two cities of different countries have it.
    """
    from scrubjay.worlds.concepts import facts

    told = facts(2 * max(count, 60), seed)
    head, tail = "The city of", " lies in the country of"
    by_size: dict[int, list[tuple[str, list[int], int]]] = {}

    def ids(text: str) -> list[int]:
        return list(model.tokenizer(text, add_special_tokens=False)["input_ids"])

    for text, label, city in zip(told.texts, told.labels, told.groups, strict=True):
        if label:
            country = text.removesuffix(".").partition(" lies in ")[2]
            subject = ids(f" {city}")
            by_size.setdefault(len(subject), []).append((country, subject, ids(f" {country}")[0]))
    pattern = max(by_size.values(), key=len) if by_size else []
    stream(seed, "city pairs").shuffle(pattern)
    couples = [(a, b) for a, b in pairwise(pattern) if a[2] != b[2]][:count]
    if not couples:
        raise ProbeError("no two cities of different countries have the same number of tokens")
    start, end = ids(head), ids(tail)
    size = len(couples[0][0][1])
    return FactPairs(
        [[*start, *a[1], *end] for a, _ in couples],
        [[*start, *b[1], *end] for _, b in couples],
        [a[2] for a, _ in couples],
        [b[2] for _, b in couples],
        (len(start), len(start) + size),
    )


def heat_map(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Vega-Lite of ``layer, token, share``."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": list(rows)},
        "mark": "rect",
        "encoding": {
            "x": {"field": "token", "type": "ordinal"},
            "y": {"field": "layer", "type": "ordinal", "sort": "descending"},
            "color": {"field": "share", "type": "quantitative"},
        },
    }
