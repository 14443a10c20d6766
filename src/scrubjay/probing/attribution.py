"""Which words of a prompt does a response depend on? Gradient × input, sparsified into a density.

    I[n, m] = E[x_n] · ∂ p(y_m | x, y_<m) / ∂E[x_n]
    S[n, m] = ⌈ L · max(I, 0)[n, m] / max_n' I[n', m] ⌉,  then S := 0 where S ≤ b
    a_n     = ‖S[n, ·]‖₁ / ‖S[n, ·]‖_p,  divided by its largest         density, 0 to 1
    score   = Σ over the instruction's tokens of a_n / log₂(2 + their number)

The density favours tokens that *many* response tokens use. Longer responses have larger densities:
compare at one length. Response tokens whose gradient vanishes (p near 0 or 1) count for nothing.
The first token is left out of the maximum; its share of the attribution is told. Source: paper 42,
section 3.1 of our sheet (L = 10, b = 7, p = 4).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress, silent
from scrubjay.core.randomness import stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.continuing import continued
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.open import OpenModel
from scrubjay.worlds.instructions import Instruction, everyday

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

VANISHED = 1e-12


def grad_x_input(
    model: Any,
    prompt: Sequence[int],
    response: Sequence[int],
    *,
    target: Literal["prob", "logprob"] = "prob",
) -> Array:
    """I, (prompt tokens, response tokens); one backward pass a response token.

    Raises:
        ProbeError: prompt or response is empty or too long, or a gradient isn't finite.
    """
    anatomy = Anatomy.of(model)
    if not len(prompt) or not len(response):
        raise ProbeError("attribution needs a prompt and a response of a token at least")
    if target not in ("prob", "logprob"):
        raise ProbeError(f"gradients are of 'prob' or 'logprob', not '{target}'")
    ids = as_inputs(anatomy, [*prompt, *response])["input_ids"]
    with torch.enable_grad():
        table = anatomy.embedding(ids).detach().requires_grad_(True)
        logits = anatomy.model(inputs_embeds=table, use_cache=False).logits[0].float()
        log = logits[len(prompt) - 1 : -1].log_softmax(-1)
        said = log.gather(1, ids[0, len(prompt) :, None])[:, 0]
        goal = said.exp() if target == "prob" else said
        columns = []
        for m in range(len(response)):
            (slope,) = torch.autograd.grad(goal[m], table, retain_graph=m + 1 < len(response))
            columns.append((slope[0] * table[0].detach()).sum(-1)[: len(prompt)])
    found = torch.stack(columns, 1).double().cpu().numpy()
    if not np.isfinite(found).all():
        raise ProbeError("the gradients of this model aren't finite")
    return np.asarray(found)


def importance_density(
    attribution: Array, *, levels: int = 10, below: int = 7, p: float = 4.0, skip: int = 1
) -> Array:
    """a, (prompt tokens,), the largest 1; all 0 where nothing is left.

    Args:
        levels: L; ``below`` is b, ``p`` the norm.
        skip: first tokens that don't count.

    Raises:
        ProbeError: the attribution isn't a finite matrix, or a setting is out of range.
    """
    x = np.asarray(attribution, dtype=np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise ProbeError(f"attributions are a finite matrix (prompt, response), not {x.shape}")
    if levels < 1 or not 0 <= below < levels or p <= 1 or not 0 <= skip < len(x):
        raise ProbeError(f"a density needs 0 ≤ b < L and p > 1, not {below}, {levels}, {p}")
    x = np.maximum(x, 0)
    x[:skip] = 0
    top = x.max(0)
    kept = top > VANISHED
    s = np.zeros_like(x)
    s[:, kept] = np.ceil(levels * x[:, kept] / top[kept] - 1e-9)
    s[s <= below] = 0
    norm = (s**p).sum(1) ** (1 / p)
    density = np.divide(s.sum(1), norm, out=np.zeros(len(s)), where=norm > 0)
    return np.asarray(density / density.max() if density.max() > 0 else density)


def instruction_score(density: Array, span: Sequence[int]) -> float:
    """Σ of the density over the tokens of ``span``, over log₂(2 + their number).

    Raises:
        ProbeError: the span is empty or lies outside the prompt.
    """
    if not len(span) or min(span) < 0 or max(span) >= len(density):
        raise ProbeError("the instruction's tokens must lie inside the prompt, one at least")
    return float(density[list(span)].sum() / np.log2(2 + len(span)))


def span_tokens(tokenizer: Any, text: str, span: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Token ids of a text, and which of them overlap characters [from, to).

    Raises:
        ProbeError: no token does, or the tokenizer doesn't tell offsets.
    """
    try:
        told = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    except (NotImplementedError, TypeError) as error:
        raise ProbeError("this tokenizer doesn't say which characters its tokens hold") from error
    inside = [
        i
        for i, (a, b) in enumerate(told["offset_mapping"])
        if a < span[1] and b > span[0] and a < b
    ]
    if not inside:
        raise ProbeError(f"no token lies in characters {span[0]} to {span[1]}")
    return list(told["input_ids"]), inside


@dataclass(frozen=True, slots=True)
class Importance:
    """One prompt's scores."""

    score: float
    """Of the instruction."""
    beside: float
    """Of as many other tokens, drawn at random: the control."""
    raw: float
    """The score with |gradient × input| summed over the response, without steps 2 and 3."""
    first: float
    """The first token's share of the positive attribution."""
    density: tuple[float, ...]


def importance(
    model: Any, prompt: Sequence[int], span: Sequence[int], response: Sequence[int], seed: int = 0
) -> Importance:
    """Score a prompt with its instruction and a response.

    Raises:
        ProbeError: as ``grad_x_input`` and ``instruction_score``.
    """
    x = grad_x_input(model, prompt, response)
    a = importance_density(x)
    others = [i for i in range(1, len(prompt)) if i not in set(span)]
    drawn = stream(seed, "other tokens").sample(others, min(len(others), len(span)))
    plain = np.abs(x).sum(1)
    plain[0] = 0
    positive = np.maximum(x, 0)
    return Importance(
        instruction_score(a, span),
        instruction_score(a, drawn) if drawn else 0.0,
        instruction_score(plain / max(float(plain.max()), VANISHED), span),
        float(positive[0].sum() / max(float(positive.sum()), VANISHED)),
        tuple(a.tolist()),
    )


@dataclass(frozen=True)
class PromptImportance:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "which prompt words a response depends on: does it use the instruction?"

    prompts: int = 12
    tokens: int = 8
    """Of each response, which the model writes itself."""
    seed: int = 0

    def measure(
        self,
        model: OpenModel,
        data: Sequence[Instruction] | None = None,
        *,
        progress: Progress = silent,
    ) -> Finding:
        """Score instructions.

        Args:
            data: prompts of one's own.

        Raises:
            ProbeError: there are none, or as ``importance``.
        """
        began = time.perf_counter()
        asked = everyday(self.prompts, self.seed) if data is None else list(data)
        if not asked or self.tokens < 1:
            raise ProbeError("importance needs a prompt and a response of a token at least")
        rows, empty = [], 0
        for done, one in enumerate(asked):
            progress("prompts", done, len(asked))
            ids, span = span_tokens(model.tokenizer, one.text, one.span)
            (response,) = continued(model, [ids], self.tokens)
            if not response:
                empty += 1
                continue
            found = importance(model.model, ids, span, response, self.seed + done)
            rows.append({"prompt": one.text, **asdict(found)})
        if not rows:
            raise ProbeError("the model answers every prompt with nothing")
        names = {
            "score": "instruction score",
            "beside": "as many other tokens",
            "raw": "without density",
            "first": "share of the first token",
        }
        numbers = {
            label: bootstrap([float(r[key]) for r in rows], _mean, seed=self.seed)
            for key, label in names.items()
        }
        table = [{k: r[k] for k in ("prompt", *names)} for r in rows]
        return Finding(
            "prompt-importance",
            numbers,
            tables={"Prompts": table},
            figure=_figure(rows),
            settings=asdict(self) | {"prompts without a response": empty},
            seconds=round(time.perf_counter() - began, 1),
        )


def _mean(x: Any) -> float:
    return float(x.mean())


def _figure(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    points = [
        {"place": i / max(1, len(r["density"]) - 1), "density": a}
        for r in rows
        for i, a in enumerate(r["density"])
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": points},
        "mark": "line",
        "encoding": {
            "x": {
                "bin": {"maxbins": 10},
                "field": "place",
                "type": "quantitative",
                "title": "place in the prompt",
                "axis": {"format": ".1f"},
            },
            "y": {
                "aggregate": "mean",
                "field": "density",
                "type": "quantitative",
                "title": "importance for the response, mean",
            },
        },
    }
