"""A small recurrent language model with the face of a transformers one: what has no attention.

    h_t = LSTM(embedding(x_t), h_{t-1})        logits_t = W_out · W_proj h_t

Input and output embeddings are tied. Everything it knows of a text it has to carry in ``h``, so it
is the baseline for whatever heads do by looking back. ``training.pretrain.train_causal`` trains it
as it does a Llama, and instruments that need logits only (``word_surprisal``) read it.

Source: the recurrent baseline of paper 52, section 3.3 of our sheet. Departure: a plain LSTM with
dropout between layers; no weight drop, no averaged gradient descent.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class RecurrentSpec:
    """Shape and seed."""

    vocabulary: int
    width: int = 128
    """Of the embeddings."""
    hidden: int = 256
    layers: int = 1
    dropout: float = 0.0
    context: int = 512
    seed: int = 0


class _Body(nn.Module):
    """From token ids to the states that predict: what transformers calls the base model."""

    def __init__(self, spec: RecurrentSpec) -> None:
        super().__init__()
        self.embedding = nn.Embedding(spec.vocabulary, spec.width)
        self.recurrent = nn.LSTM(
            spec.width, spec.hidden, spec.layers, batch_first=True, dropout=spec.dropout
        )
        self.project = nn.Linear(spec.hidden, spec.width)

    def forward(self, input_ids: Tensor, **_: Any) -> SimpleNamespace:
        states, _ = self.recurrent(self.embedding(input_ids))
        return SimpleNamespace(last_hidden_state=self.project(states))


class RecurrentModel(nn.Module):
    """``model(input_ids=…).logits``, (rows, tokens, vocabulary)."""

    def __init__(self, spec: RecurrentSpec) -> None:
        super().__init__()
        self.model = _Body(spec)
        self.lm_head = nn.Linear(spec.width, spec.vocabulary, bias=False)
        self.lm_head.weight = self.model.embedding.weight
        nn.init.normal_(self.model.embedding.weight, std=spec.width**-0.5)
        self.config = SimpleNamespace(
            model_type="lstm", max_position_embeddings=spec.context, vocab_size=spec.vocabulary
        )

    def forward(self, input_ids: Tensor, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(logits=self.lm_head(self.model(input_ids).last_hidden_state))


def build_recurrent(spec: RecurrentSpec) -> RecurrentModel:
    """A randomly initialised model, the same for the same spec.

    Raises:
        ValueError: a size is below 1.
    """
    if min(spec.vocabulary, spec.width, spec.hidden, spec.layers) < 1:
        raise ValueError(f"every size of a recurrent model must be at least 1: {spec}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return RecurrentModel(spec)
