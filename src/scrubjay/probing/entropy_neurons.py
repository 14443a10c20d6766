"""Entropy neurons: last-layer neurons that set how sure a model is without saying what it says.

    LogitVar_i = Var_v cos(w_i, u_v)       w_i: what neuron i writes, u_v: unembedding of token v
    candidates = of the top quarter by ‖w_i‖ the k with the lowest LogitVar

Such a neuron writes where the unembedding hardly looks; it acts through the final norm, whose
denominator grows. With prompts the candidates are also tested: the mean absolute change of the
output entropy, and of the mean logit differences, when one is set to its mean. Source: paper 23,
section 3.4 of our sheet; the test by ablation is ours.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch

from scrubjay.core.finding import Finding, Number
from scrubjay.core.progress import Progress, silent
from scrubjay.core.randomness import numpy_stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs, padded
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.open import OpenModel
from scrubjay.probing.patching import patch
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site


@dataclass(frozen=True, slots=True)
class Neuron:
    """A neuron of the last layer."""

    index: int
    norm: float
    logit_var: float


def entropy_candidates(model: Any, *, top_norm: float = 0.25, k: int = 10) -> list[Neuron]:
    """The candidates, lowest LogitVar first; weights alone are read.

    Raises:
        ProbeError: a setting is out of range, or the last layer is a mixture of experts.
    """
    anatomy = Anatomy.of(model)
    if not 0 < top_norm <= 1 or k < 1:
        raise ProbeError(f"candidates need a share in (0, 1] and a number, not {top_norm}, {k}")
    out = anatomy.w_down(anatomy.n_layers - 1).detach().float()
    table = anatomy.w_u.detach().float()
    table = table / table.norm(dim=0).clamp_min(1e-12)
    norms = out.norm(dim=1)
    strong = norms.argsort(descending=True)[: max(1, round(top_norm * len(norms)))]
    rows = out[strong] / norms[strong, None].clamp_min(1e-12)
    var = (rows @ table).var(1, correction=0)
    found = [Neuron(int(i), float(norms[i]), float(v)) for i, v in zip(strong, var, strict=True)]
    return sorted(found, key=lambda n: (n.logit_var, n.index))[:k]


def overlap(a: Sequence[Neuron], b: Sequence[Neuron]) -> float:
    """Intersection over union of two sets of neurons."""
    left, right = ({n.index for n in x} for x in (a, b))
    return len(left & right) / max(1, len(left | right))


def output_entropy(model: Any, prompts: Sequence[Sequence[int]]) -> list[float]:
    """Nats of the next-token distribution after each prompt.

    Raises:
        ProbeError: there are no prompts, or one is empty or too long.
    """
    log = _logits(Anatomy.of(model), prompts).log_softmax(-1)
    entropy: list[float] = (-(log.exp() * log).sum(-1)).tolist()
    return entropy


def _logits(anatomy: Anatomy, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
    given = as_inputs(anatomy, padded(prompts))
    with torch.no_grad():
        logits: torch.Tensor = anatomy.model(**given, use_cache=False, logits_to_keep=1).logits
    return logits[:, -1].float()


def ablation_effect(
    model: Any, prompts: Sequence[Sequence[int]], neurons: Sequence[int]
) -> list[tuple[float, float]]:
    """Of each neuron, set to its mean: |change of entropy| (nats), and how far the logits move
    against each other (standard deviation over tokens of their change); means over prompts.

    Raises:
        ProbeError: there is no such neuron, or as ``output_entropy``.
    """
    anatomy = Anatomy.of(model)
    last = anatomy.n_layers - 1
    given = as_inputs(anatomy, padded(prompts))
    with torch.no_grad(), record(anatomy, Site("neurons", last, position=-1)) as seen:
        before = anatomy.model(**given, use_cache=False, logits_to_keep=1).logits[:, -1].float()
    mean = seen[Site("neurons", last, position=-1)].mean(0)
    h = _entropy(before)
    found = []
    for n in neurons:
        with torch.no_grad(), patch(anatomy, {Site("neurons", last, n, position=-1): mean[n]}):
            after = anatomy.model(**given, use_cache=False, logits_to_keep=1).logits[:, -1].float()
        moved = (after.log_softmax(-1) - before.log_softmax(-1)).std(-1)
        found.append((float((_entropy(after) - h).abs().mean()), float(moved.mean())))
    return found


def _entropy(logits: torch.Tensor) -> torch.Tensor:
    log = logits.log_softmax(-1)
    return -(log.exp() * log).sum(-1)


@dataclass(frozen=True)
class EntropyNeurons:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "last-layer neurons that regulate confidence, by weights and ablation"

    top_norm: float = 0.25
    k: int = 10
    controls: int = 10
    """Random strong neurons beside them."""
    prompts: int = 16
    seed: int = 0

    def measure(
        self, model: OpenModel, data: Sequence[str] | None = None, *, progress: Progress = silent
    ) -> Finding:
        """Find the candidates and take each out.

        Args:
            data: prompts of one's own.

        Raises:
            ProbeError: as ``entropy_candidates`` and ``ablation_effect``.
        """
        from scrubjay.worlds.concepts import facts

        began = time.perf_counter()
        texts = facts(2 * self.prompts, self.seed).texts[: self.prompts] if data is None else data
        ids = [list(model.tokenizer(t)["input_ids"]) for t in texts]
        found = entropy_candidates(model.model, top_norm=self.top_norm, k=self.k)
        strong = entropy_candidates(model.model, top_norm=self.top_norm, k=10**9)
        others = [n for n in strong if n not in found]
        picks = numpy_stream(self.seed, "controls").permutation(len(others))[: self.controls]
        beside = [others[i] for i in picks]
        progress("ablating", 0, 1)
        effects = ablation_effect(model.model, ids, [n.index for n in (*found, *beside)])
        rows = [
            {
                "neuron": n.index,
                "kind": "candidate" if i < len(found) else "control",
                "norm": n.norm,
                "logit variance": n.logit_var,
                "entropy change": effects[i][0],
                "logits against each other": effects[i][1],
            }
            for i, n in enumerate((*found, *beside))
        ]
        numbers: dict[str, Number] = {}
        for kind in ("candidate", "control"):
            for what in ("entropy change", "logits against each other"):
                values = [float(r[what]) for r in rows if r["kind"] == kind]
                if values:
                    numbers[f"{what}, {kind}s"] = bootstrap(values, _mean, seed=self.seed)
        return Finding(
            "entropy-neurons",
            numbers,
            tables={"Neurons": rows},
            figure=_figure(rows),
            settings=asdict(self),
            seconds=round(time.perf_counter() - began, 1),
        )


def _mean(x: Any) -> float:
    return float(x.mean())


def _figure(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True},
        "encoding": {
            "x": {"field": "logits against each other", "type": "quantitative"},
            "y": {"field": "entropy change", "type": "quantitative"},
            "color": {"field": "kind", "type": "nominal"},
        },
    }
