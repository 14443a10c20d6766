"""Ranking instead of writing: where does the right answer stand among all candidates?

A small model that writes nonsense may still find the truth likelier than the alternatives; ranking
by log-likelihood sees that, and its chance level is not 0 (SynthWorlds, sheet sections 6 and 7).

Ranks are *filtered* (other right answers don't push a right answer down) and *tie-aware*: a model
that gives every candidate the same score gets the middle rank and 1/n of a hit, not the first rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scrubjay.core.trace import Scored, Step
from scrubjay.evaluation.text import normalise


@dataclass(frozen=True, slots=True)
class Rank:
    """``better`` wrong candidates score higher than the best right one, ``tied`` score the same."""

    better: int
    tied: int = 0

    @property
    def mean(self) -> float:
        """Mean rank over all orders of the ties; 1 is best."""
        return 1 + self.better + self.tied / 2

    @property
    def reciprocal(self) -> float:
        """1 / mean rank; its mean over questions is MRR."""
        return 1 / self.mean

    def hit(self, k: int = 1) -> float:
        """Chance of standing among the first ``k`` when ties are broken at random."""
        return min(1.0, max(0, k - self.better) / (1 + self.tied))


def rank(scores: Sequence[float], right: Iterable[int]) -> Rank:
    """Rank of the best right candidate. ``right``: indices into ``scores`` (higher is better).

    Raises:
        ValueError: no candidate is right.
    """
    known = set(right)
    if not known:
        raise ValueError("no candidate is right")
    best = max(scores[i] for i in known)
    wrong = [s for i, s in enumerate(scores) if i not in known]
    return Rank(sum(s > best for s in wrong), sum(s == best for s in wrong))


def ranking_scores(steps: Iterable[Step], golds: Sequence[str]) -> dict[str, float]:
    """``hits@1`` and ``mrr`` from the last step that scored a right answer among others.

    Empty when the agent scored no candidates.
    """
    truth = {normalise(g) for g in golds}
    for step in reversed(list(steps)):
        if isinstance(step, Scored) and len(step.continuations) > 1:
            right = [i for i, c in enumerate(step.continuations) if normalise(c) in truth]
            if right:
                place = rank(step.logprobs, right)
                return {"hits@1": place.hit(1), "mrr": place.reciprocal}
    return {}
