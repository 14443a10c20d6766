"""When a multi-round search stopped, and when it should have: errors, curves, and the critic
itself.

A *walk* is a question answered after 0, 1, … T searches, whether the rule would stop or not; a stop
rule with threshold τ ends it at the first round whose score reaches τ, else at T. So one walk tells
what every rule and threshold would have done:

    stop(τ) = min{t : score_t >= τ or t = T}
    over-confidence   an answer was accepted (score reached τ) and is wrong
    over-retrieval    a right answer was refused, and the search went on
    regret            rightness of the oracle's stop (the first right answer) minus the rule's

Both error rates are shares of questions. An answer that stands because the rounds are over was not
accepted, so it is no over-confidence. Source: SIM-RAG (paper 72), sheet, section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.evaluation.statistics import Interval, auroc

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Walk:
    """One question, round by round."""

    right: tuple[bool, ...]
    score: tuple[float, ...]
    """What the rule gives each round's answer."""

    def stop(self, threshold: float) -> int:
        """The round at which a rule with this threshold ends: as many searches were made."""
        last = len(self.score) - 1
        return next((t for t, s in enumerate(self.score) if s >= threshold), last)

    def over_confident(self, threshold: float) -> bool:
        """Whether a wrong answer is accepted."""
        end = self.stop(threshold)
        return self.score[end] >= threshold and not self.right[end]

    def over_retrieved(self, threshold: float) -> bool:
        """Whether a right answer is refused."""
        return any(self.right[: self.stop(threshold)])


@dataclass(frozen=True, slots=True)
class StopScore:
    """Means over questions."""

    exact: float
    searches: float
    over_confidence: float
    over_retrieval: float
    regret: float
    """In exact match."""
    extra_searches: float
    """Searches beyond the oracle's; below 0 for a rule that stops too early."""


def stop_scores(walks: Sequence[Walk], threshold: float) -> StopScore:
    """How a rule with this threshold fares.

    Raises:
        ValueError: there are no walks.
    """
    if not walks:
        raise ValueError("a stop rule is judged on at least one question")
    stops = [w.stop(threshold) for w in walks]
    best = [oracle_stop(w) for w in walks]
    return StopScore(
        _mean(w.right[s] for w, s in zip(walks, stops)),
        _mean(stops),
        _mean(w.over_confident(threshold) for w in walks),
        _mean(w.over_retrieved(threshold) for w in walks),
        _mean(w.right[b] - w.right[s] for w, s, b in zip(walks, stops, best)),
        _mean(s - b for s, b in zip(stops, best)),
    )


def oracle_stop(walk: Walk) -> int:
    """The first round with a right answer, else the last round."""
    return next((t for t, right in enumerate(walk.right) if right), len(walk.right) - 1)


class Curve:
    """Exact match against mean searches, for all thresholds; means over any sample of questions."""

    def __init__(self, walks: Sequence[Walk], most: int = 200) -> None:
        scores = np.unique([s for w in walks for s in w.score])
        if scores.size > most:
            scores = np.unique(np.quantile(scores, np.linspace(0, 1, most)))
        thresholds = [-np.inf, *scores, np.inf]
        stops = [[w.stop(t) for w in walks] for t in thresholds]
        self._stops = np.array(stops, dtype=float)  # (thresholds, questions)
        self._right = np.array([[w.right[s] for w, s in zip(walks, row)] for row in stops], float)

    @classmethod
    def fixed(cls, walks: Sequence[Walk]) -> Curve:
        """The rule that always makes as many searches: 0, 1, … T."""
        rounds = range(len(walks[0].right))
        same = cls([Walk(w.right, (0.0,) * len(w.right)) for w in walks])
        same._stops = np.array([[t] * len(walks) for t in rounds], dtype=float)
        same._right = np.array([[w.right[t] for w in walks] for t in rounds], dtype=float)
        return same

    def points(self, sample: np.ndarray | None = None) -> list[tuple[float, float]]:
        """(mean searches, exact match) per threshold, fewest searches first."""
        s, r = self._stops, self._right
        if sample is not None:
            s, r = s[:, sample], r[:, sample]
        return list(zip(s.mean(axis=1).tolist(), r.mean(axis=1).tolist()))

    def at(self, budgets: Sequence[float], sample: np.ndarray | None = None) -> np.ndarray:
        """Exact match at mean searches, between neighbouring thresholds in proportion (a coin)."""
        x, y = zip(*self.points(sample))
        return np.asarray(np.interp(budgets, x, y))


def curve_gain(
    ours: Curve, other: Curve, n: int, budgets: Sequence[float], *, seed: int = 0
) -> Interval:
    """Exact match of one curve above another, mean over budgets; bootstrap over the n questions."""

    def gain(sample: np.ndarray) -> float:
        return float(np.mean(ours.at(budgets, sample) - other.at(budgets, sample)))

    return resampled(gain, range(n), seed=seed)


@dataclass(frozen=True, slots=True)
class Sufficiency:
    """How well probabilities tell right answers from wrong ones, beside two baselines."""

    n: int
    right: float
    """Share of right answers."""
    accuracy: Interval
    """At threshold 0.5."""
    majority: float
    """Accuracy of always saying the more frequent label of this very data."""
    over_majority: Interval
    auroc: Interval
    baseline: float
    """AUROC of the baseline's scores: the answer's log-probability."""
    over_baseline: Interval


def sufficiency(
    probabilities: Sequence[float],
    right: Sequence[bool],
    baseline: Sequence[float],
    groups: Sequence[str],
    *,
    seed: int = 0,
) -> Sufficiency:
    """Judge probabilities; intervals resample ``groups`` (questions), whose rows hang together.

    Raises:
        ValueError: all answers are right, or all wrong, or the lengths differ.
    """
    p, y, b = np.asarray(probabilities, float), np.asarray(right, bool), np.asarray(baseline, float)
    if not p.size == y.size == b.size == len(groups):
        raise ValueError("probabilities, labels, baseline and groups must be equally many")
    if y.all() or not y.any():
        raise ValueError("sufficiency needs right and wrong answers")
    common = bool(y.mean() >= 0.5)

    def of(measure: Callable[[np.ndarray], float]) -> Interval:
        return resampled(measure, groups, seed=seed)

    return Sufficiency(
        len(p),
        float(y.mean()),
        of(lambda s: float(((p[s] >= 0.5) == y[s]).mean())),
        max(float(y.mean()), 1 - float(y.mean())),
        of(lambda s: float(((p[s] >= 0.5) == y[s]).mean() - (y[s] == common).mean())),
        of(lambda s: _auroc(p[s], y[s])),
        _auroc(b, y),
        of(lambda s: _auroc(p[s], y[s]) - _auroc(b[s], y[s])),
    )


def resampled(
    measure: Callable[[np.ndarray], float], groups: Sequence[object], *, seed: int = 0
) -> Interval:
    """``measure`` of the places of all items, with a percentile interval that resamples groups.

    A resample in which the measure is undefined (nan: one label only) is left out.
    """
    places: dict[object, list[int]] = {}
    for i, group in enumerate(groups):
        places.setdefault(group, []).append(i)
    blocks = [np.array(v) for v in places.values()]
    rng = numpy_stream(seed, "resampled groups")
    values = [
        measure(np.concatenate([blocks[i] for i in rng.integers(0, len(blocks), len(blocks))]))
        for _ in range(RESAMPLES)
    ]
    kept = [v for v in values if not np.isnan(v)]
    low, high = np.quantile(kept, [0.025, 0.975]) if kept else (None, None)
    value = measure(np.arange(len(groups)))
    return Interval(
        value, None if low is None else float(low), None if high is None else float(high),
        len(blocks),
    )  # fmt: skip


def _auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    value = auroc(scores.tolist(), positive.tolist())
    return float("nan") if value is None else value


def _mean(values: object) -> float:
    return float(np.mean([float(v) for v in values]))  # type: ignore[attr-defined]
