"""How alike do two models see the same texts, layer by layer?

    cosine_l(x)  = cos(h_l^a(x), h_l^b(x))                  last token, one number a text
    gap_l        = mean cosine_l(statements) − mean cosine_l(queries)
    CKA_l        = ‖Yᵀ X‖_F² / (‖Xᵀ X‖_F ‖Yᵀ Y‖_F)           columns centred, one number a layer

Hidden states share a large common part (a few huge dimensions, the last token itself), which lifts
every raw cosine towards 1. ``centred`` takes the mean over the texts away first, in each model and
layer; look at both. Texts to be compared should end in the same kind of token. Sources: paper 28,
section 3.5; linear CKA from Kornblith et al. (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gap:
    """Cosines of two models on statements and on queries, per text: (texts, layers)."""

    statements: Array
    queries: Array

    @property
    def by_layer(self) -> Array:
        """Statements minus queries, (layers,)."""
        return np.asarray(self.statements.mean(0) - self.queries.mean(0))

    @property
    def per_probe(self) -> Array:
        """The same averaged over layers instead, one value a probe: what to bootstrap over. Needs
        as many statements as queries, in the same order."""
        return np.asarray(self.statements.mean(1) - self.queries.mean(1))


def last_states(model: Any, texts: Sequence[Sequence[int]], *, batch: int = 64) -> Array:
    """Hidden states of the last token after each layer: (texts, layers, width), embeddings left
    out.

    Args:
        model: a transformers causal model.
        texts: token ids.

    Raises:
        ValueError: no texts, or an empty one.
    """
    import torch

    if not texts or not all(texts):
        raise ValueError("hidden states need at least one text, and every text a token")
    out: list[Array] = []
    with torch.inference_mode():
        for start in range(0, len(texts), batch):
            part = texts[start : start + batch]
            ids = torch.zeros(len(part), max(map(len, part)), dtype=torch.long)
            for row, text in enumerate(part):
                ids[row, : len(text)] = torch.tensor(text)
            last = torch.tensor([len(text) - 1 for text in part])
            # Filler stands on the right, where a causal model's real tokens don't see it.
            layers = model(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
            rows = torch.arange(len(part))
            stacked = torch.stack([layer[rows, last] for layer in layers[1:]], 1)
            out.append(stacked.double().numpy())
    return np.concatenate(out)


def layerwise_cosine(a: Array, b: Array, *, centred: bool = True) -> Array:
    """Cosine of each text's state in two models: (texts, layers). A zero vector's cosine is 0.

    Args:
        a: from ``last_states``, (texts, layers, width).
        b: of the other model, on the same texts.

    Raises:
        ValueError: the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"states of the same texts and layers are due, not {a.shape}, {b.shape}")
    if centred:
        a, b = a - a.mean(0), b - b.mean(0)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosines = np.zeros(norms.shape)
    np.divide((a * b).sum(-1), norms, out=cosines, where=norms > 0)
    return cosines


def query_statement_gap(
    model_a: Any,
    model_b: Any,
    queries: Sequence[Sequence[int]],
    statements: Sequence[Sequence[int]],
    *,
    centred: bool = True,
) -> Gap:
    """Did the two models drift apart more on queries than on statements?

    Queries and statements (token ids) are centred each among themselves.
    """
    return Gap(
        *(
            layerwise_cosine(
                last_states(model_a, texts), last_states(model_b, texts), centred=centred
            )
            for texts in (statements, queries)
        )
    )


def linear_cka(x: Array, y: Array) -> float:
    """Linear centred kernel alignment of (texts, width) and (texts, width'): in [0, 1], unchanged
    by rotation and scaling of either. 0 where one of them doesn't vary."""
    x, y = x - x.mean(0), y - y.mean(0)
    across = np.linalg.norm(y.T @ x) ** 2
    within = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(across / within) if within > 0 else 0.0


def layerwise_cka(a: Array, b: Array) -> Array:
    """``linear_cka`` of every layer: (layers,), from ``last_states`` on the same texts."""
    return np.array([linear_cka(a[:, i], b[:, i]) for i in range(a.shape[1])])
