"""Answers from memory without some heads: do those that copy from the context matter there?

A question is asked without its passage. It counts as answered if the first words that the model
says and the answer begin alike. Questions that the intact model doesn't answer say nothing about
heads. Source: paper 18, section 3.4 of our sheet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from scrubjay.core.progress import Count
from scrubjay.probing.ablation import ablate
from scrubjay.probing.decoding import Prefilled
from scrubjay.probing.heads import Array, Head
from scrubjay.probing.open import OpenModel
from scrubjay.worlds.needle import Sourced

Mode = Literal["uniform", "zero", "mean"]
"""What stands in the place of a head's reading; see ``ablate``."""
REMEMBERED = 3
"""Tokens of an answer that are looked at."""


def remembered(
    model: OpenModel,
    asked: Sequence[Sourced],
    without: Mapping[str, Sequence[Head]],
    *,
    mode: Mode = "uniform",
    progress: Count | None = None,
) -> dict[str, Array]:
    """Whether each question from memory is answered, (questions,), under every condition; questions
    that the intact model doesn't answer are left out, for all conditions alike."""
    answers = [q.remember_answer for q in asked]
    lines = [model.tokenizer(q.remember)["input_ids"] for q in asked]
    read = Prefilled(model.model, lines)

    def right() -> Array:
        told = read.greedy(REMEMBERED)
        texts = (model.tokenizer.decode(ids).strip() for ids in told)
        right = [_begins(t, a) for t, a in zip(texts, answers)]
        return np.array(right, dtype=np.float64)

    known = right() > 0
    found: dict[str, Array] = {}
    for number, (name, heads) in enumerate(without.items()):
        if heads:
            with ablate(model.model, *heads, mode=mode, scope="decode"):
                found[name] = right()[known]
        else:
            found[name] = np.ones(int(known.sum()))
        if progress is not None:
            progress(number + 1, len(without))
    return found


def _begins(told: str, answer: str) -> bool:
    """The one is the beginning of the other; a letter or two are none."""
    return told.startswith(answer) or (len(told) > 2 and answer.startswith(told))
