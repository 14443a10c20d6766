"""How a list is recalled: the surprisal of its words the second time, vignette by vignette.

    x1, x2 = mean surprisal of the nouns of list 1 and of list 2, the first noun of each left out
    repeat surprisal = 100 · x2 / x1

Source: paper 52, section 3 of our sheet. See ``verbatim`` for the instrument.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from scrubjay.core.progress import Progress, silent
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.open import OpenModel
from scrubjay.probing.surprisal import WordSurprisal, word_surprisal
from scrubjay.worlds.vignettes import Vignette


@dataclass(frozen=True, slots=True)
class Recall:
    """What one vignette showed."""

    vignette: Vignette
    repeat_surprisal: float
    """Per cent."""
    first_noun: float
    """The same of the first noun alone."""
    by_place: tuple[float, ...]
    """Surprisal of the second list's nouns, nats."""
    distance: int
    """Tokens between the two lists' first nouns."""
    split: int
    """Nouns of both lists that the tokenizer splits (their pieces are summed)."""


def recall(
    model: OpenModel,
    stimuli: Sequence[Vignette],
    lesion: AbstractContextManager[None] | None = None,
    progress: Progress = silent,
) -> list[Recall]:
    """Repeat surprisal of each vignette.

    Raises:
        ProbeError: as ``word_surprisal``; or a first list that doesn't surprise at all.
    """
    with lesion or nullcontext():
        words = word_surprisal(
            model.model,
            model.tokenizer,
            [v.text for v in stimuli],
            [[*v.first, *v.second] for v in stimuli],
            progress=progress,
        )
    return [_recall(v, w) for v, w in zip(stimuli, words)]


def _recall(vignette: Vignette, words: Sequence[WordSurprisal]) -> Recall:
    first, second = words[: len(vignette.first)], words[len(vignette.first) :]
    x1, x2 = (float(np.mean([w.nats for w in ws[1:]])) for ws in (first, second))
    if x1 <= 0 or first[0].nats <= 0:
        raise ProbeError("a list of a vignette doesn't surprise the model at all: no ratio exists")
    return Recall(
        vignette,
        100 * x2 / x1,
        100 * second[0].nats / first[0].nats,
        tuple(w.nats for w in second),
        second[0].first - first[0].first,
        sum(w.tokens > 1 for w in words),
    )


def paired(found: Sequence[Recall], a: str, b: str) -> tuple[list[float], list[int]]:
    """Repeat surprisal under condition ``a`` minus that under ``b``, stimulus by stimulus, and the
    base list of each."""
    by_key: dict[tuple[str, str], Recall] = {
        (r.vignette.key, r.vignette.condition): r for r in found
    }
    told = [
        (r.repeat_surprisal - by_key[r.vignette.key, b].repeat_surprisal, r.vignette.base)
        for r in found
        if r.vignette.condition == a and (r.vignette.key, b) in by_key
    ]
    return [t[0] for t in told], [t[1] for t in told]
