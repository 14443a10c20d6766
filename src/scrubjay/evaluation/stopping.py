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
from scrubjay.evaluation.statistics import Interval

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

    def points(self) -> list[tuple[float, float]]:
        """(mean searches, exact match) per threshold, fewest searches first."""
        return list(zip(self._stops.mean(axis=1).tolist(), self._right.mean(axis=1).tolist()))

    def at(self, budgets: Sequence[float], weights: np.ndarray) -> np.ndarray:
        """Exact match at mean searches (k, budgets), between neighbouring thresholds in proportion
        (a coin), over questions that count ``weights`` (k, questions) times."""
        x, y = (_weighted_mean(weights, of) for of in (self._stops, self._right))
        return np.array([np.interp(budgets, a, b) for a, b in zip(x, y)])

    def value(self, budgets: Sequence[float]) -> float:
        """Exact match over all questions, mean over budgets."""
        return float(self.at(budgets, np.ones((1, self._stops.shape[1]))).mean())


def curve_gain(
    ours: Curve, other: Curve, n: int, budgets: Sequence[float], *, seed: int = 0
) -> Interval:
    """Exact match of one curve above another, mean over budgets; bootstrap over the n questions."""

    def gain(weights: np.ndarray) -> np.ndarray:
        gained: np.ndarray = (ours.at(budgets, weights) - other.at(budgets, weights)).mean(1)
        return gained

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
    hit, common = (p >= 0.5) == y, y == (y.mean() >= 0.5)
    area, base = _Area(p, y), _Area(b, y)

    def of(measure: _Measure) -> Interval:
        return resampled(measure, groups, seed=seed)

    return Sufficiency(
        len(p),
        float(y.mean()),
        of(lambda w: _weighted_mean(w, hit)),
        max(float(y.mean()), 1 - float(y.mean())),
        of(lambda w: _weighted_mean(w, hit) - _weighted_mean(w, common)),
        of(area),
        float(base(np.ones((1, len(b))))[0]),
        of(lambda w: area(w) - base(w)),
    )


_Measure = Callable[[np.ndarray], np.ndarray]
"""From weights (k, items) to k values: each of data in which item i stands ``weights[:, i]``
times. All resamples of a bootstrap are measured at once."""


def _weighted_mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weighted means of ``values`` (…, items): (k, …)."""
    means: np.ndarray = weights @ values.T / weights.sum(1).reshape(-1, *[1] * (values.ndim - 1))
    return means


class _Area:
    """AUROC of scores as a measure; nan where all that count have one label."""

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self._order = np.argsort(scores, kind="stable")
        ranked = scores[self._order]
        self._first = np.flatnonzero(np.append(True, ranked[1:] > ranked[:-1]))
        """Where each run of equal scores begins."""
        self._positive = positive[self._order]

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        ranked = weights[:, self._order]
        yes, no = (
            np.add.reduceat(ranked * of, self._first, axis=1)
            for of in (self._positive, ~self._positive)
        )
        below = np.cumsum(no, axis=1) - no / 2  # ties count half
        pairs, area = yes.sum(1) * no.sum(1), np.full(len(weights), np.nan)
        np.divide((yes * below).sum(1), pairs, area, where=pairs > 0)
        return area


def resampled(measure: _Measure, groups: Sequence[object], *, seed: int = 0) -> Interval:
    """``measure`` of all items, with a percentile interval that resamples groups of them.

    A resample in which the measure is undefined (nan: one label only) is left out.
    """
    number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    many = len(number)
    drawn = numpy_stream(seed, "resampled groups").integers(0, many, (RESAMPLES, many))
    times = np.array([np.bincount(one, minlength=many) for one in drawn], dtype=float)
    values = measure(times[:, [number[g] for g in groups]])
    kept = values[~np.isnan(values)]
    low, high = np.quantile(kept, [0.025, 0.975]).tolist() if kept.size else (None, None)
    return Interval(float(measure(np.ones((1, len(groups))))[0]), low, high, many)


def _mean(values: object) -> float:
    return float(np.mean([float(v) for v in values]))  # type: ignore[attr-defined]
