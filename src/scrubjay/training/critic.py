"""Train the critic of SIM-RAG on practice rows, and say how good it is.

    learn, held = split_by_group(rows)             # by question, 80 / 20
    w = logistic regression on the evidence of balance(learn)
    Platt: logistic regression of the label on w's score, on ``held`` in its natural mix
    (a cross-validated one instead when the held-out part is small: every question is held out once)

Balanced learning and natural calibration: the weights see both labels equally often, and the
probability is right at the share of right answers that practice had (``EncoderCritic.at_prior``
moves it to another). Source: SIM-RAG (paper 72), sections 3 and 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scrubjay.agents.critics import Platt
from scrubjay.agents.encoder_critic import EncoderCritic, Weights, evidence_rows
from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import stream
from scrubjay.evaluation.statistics import auroc
from scrubjay.training.self_practice import PracticeRow, balance_by_group

if TYPE_CHECKING:
    import numpy as np

    from scrubjay.retrieval.types import Encoder

FOLDS = 5
STRENGTH = 0.1
"""Inverse of the L2 penalty: a few hundred rows, some two dozen numbers that say alike things."""


def train_critic(
    rows: Sequence[PracticeRow],
    encoder: Encoder | None = None,
    *,
    seed: int = 0,
    trained_on: str = "",
) -> EncoderCritic:
    """A calibrated critic from practice.

    Raises:
        ScrubjayError: the rows hold only right or only wrong answers, or too few questions.
    """
    rows = [row for row in rows if row.attempt.answer]
    right = sum(row.label for row in rows)
    groups = sorted({(row.world, row.question) for row in rows})
    if min(right, len(rows) - right) < FOLDS or len(groups) < FOLDS:
        raise ScrubjayError(
            f"a critic can't be trained on {right} right and {len(rows) - right} wrong answers to "
            f"{len(groups)} questions: practise on more questions, or on easier ones"
        )
    table = dict(zip(map(id, rows), evidence_rows([(r.state, r.attempt) for r in rows], encoder)))
    scores, labels = _held_out_scores(rows, table, groups, seed)
    platt = _platt(scores, labels)
    weights = _fit(balance_by_group(rows, seed), table)
    prior = right / len(rows)
    return EncoderCritic(weights, platt, prior, trained_on=trained_on, encoder=encoder)
