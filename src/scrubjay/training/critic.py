"""Train the critic of SIM-RAG on practice rows, and say how good it is.

    for each fifth of the questions:              # a question's rows are never on both sides
        w = logistic regression on the evidence of balance(rows of the other four fifths)
        keep w's scores of the fifth               # so that every row is scored unseen, once
    Platt: logistic regression of the label on those scores, in their natural mix
    w = logistic regression on the evidence of balance(all rows)

Cross-validation stands for SIM-RAG's single 80/20 split, which leaves too few rows to calibrate on
when practice is small; logistic regression stands for its Flan-T5, as our sheet has it.
Balanced learning and natural calibration: the weights see both labels equally often, and the
probability is right at the share of right answers that practice had (``EncoderCritic.at_prior``
moves it to another). Source: SIM-RAG (paper 72), sections 3 and 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scrubjay.agents.critics import Platt
from scrubjay.agents.encoder_critic import EncoderCritic, Weights, evidence_rows
from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import stream
from scrubjay.training.practice import PracticeRow, balance_by_group

if TYPE_CHECKING:
    from scrubjay.retrieval.types import Encoder

FOLDS = 5
STRENGTH = 0.1
"""Inverse of the L2 penalty: a few hundred rows, some two dozen numbers that say alike things."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A critic, and its scores of its own practice when each question was held out."""

    critic: EncoderCritic
    probabilities: tuple[float, ...]
    """Calibrated, one per row of ``rows``."""
    rows: tuple[PracticeRow, ...]
    """The rows with an answer: an empty one is refused without asking."""


def train_critic(
    rows: Sequence[PracticeRow],
    encoder: Encoder | None = None,
    *,
    seed: int = 0,
    trained_on: str = "",
) -> Trained:
    """A calibrated critic from practice.

    Raises:
        ScrubjayError: the rows hold only right or only wrong answers, or too few questions.
    """
    rows = [row for row in rows if row.attempt.answer]
    right = sum(row.label for row in rows)
    groups = sorted({(row.world, row.question) for row in rows})
    if min(right, len(rows) - right) < 2 * FOLDS or len(groups) < 2 * FOLDS:
        raise ScrubjayError(
            f"a critic can't be trained on {right} right and {len(rows) - right} wrong answers to "
            f"{len(groups)} questions: practise on more questions, or on easier ones"
        )
    x = np.array(evidence_rows([(r.state, r.attempt) for r in rows], encoder))
    labels = np.array([row.label for row in rows], dtype=float)
    scores = _held_out_scores(rows, x, labels, groups, seed)
    platt = fit_platt(scores, labels)
    weights = _fit(rows, x, labels, range(len(rows)), seed)
    critic = EncoderCritic(
        weights, platt, right / len(rows), trained_on=trained_on, encoder=encoder
    )
    return Trained(critic, tuple(platt(s) for s in scores), tuple(rows))


def _held_out_scores(
    rows: Sequence[PracticeRow],
    x: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[tuple[str, str]],
    seed: int,
) -> list[float]:
    """Every row's score by weights that never saw its question."""
    order = list(groups)
    stream(seed, "folds").shuffle(order)
    fold = {group: i % FOLDS for i, group in enumerate(order)}
    of = [fold[row.world, row.question] for row in rows]
    scores = [0.0] * len(rows)
    for held in range(FOLDS):
        weights = _fit(rows, x, labels, [i for i, f in enumerate(of) if f != held], seed)
        for i, f in enumerate(of):
            if f == held:
                scores[i] = weights(x[i].tolist())
    return scores


def _fit(
    rows: Sequence[PracticeRow], x: np.ndarray, labels: np.ndarray, of: Sequence[int], seed: int
) -> Weights:
    """Logistic regression on the balanced part of the rows ``of``; constants weigh nothing."""
    place = {id(rows[i]): i for i in of}
    kept = [place[id(row)] for row in balance_by_group([rows[i] for i in of], seed)]
    mean, spread = x[kept].mean(axis=0), x[kept].std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    weight, intercept = logistic((x[kept] - mean) / scale, labels[kept], STRENGTH)
    return Weights(tuple(mean.tolist()), tuple(scale.tolist()), tuple(weight.tolist()), intercept)


def fit_platt(scores: Sequence[float], labels: np.ndarray) -> Platt:
    """Slope and offset, with Platt's soft targets: a side with few rows is never certain."""
    right, wrong = labels.sum(), (1 - labels).sum()
    soft = np.where(labels > 0, (right + 1) / (right + 2), 1 / (wrong + 2))
    slope, offset = logistic(np.array(scores)[:, None], soft, strength=1e6)
    return Platt(float(slope[0]), offset)


def logistic(x: np.ndarray, target: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """Weights (d,) and intercept that minimise

        Σ_i softplus(z_i) - y_i z_i + |w|² / (2 strength),   z_i = w · x_i + b

    for rows ``x`` (n, d) and targets ``y`` in [0, 1]. Convex, so the start doesn't matter.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        w, z = theta[:-1], x @ theta[:-1] + theta[-1]
        error = expit(z) - target
        value = np.logaddexp(0, z).sum() - target @ z + w @ w / (2 * strength)
        return float(value), np.append(x.T @ error + w / strength, error.sum())

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return found[:-1], float(found[-1])
