"""Several rankings into one, by rank alone: scores of different searches can't be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], k: float = 60.0
) -> list[tuple[str, float]]:
    """Reciprocal rank fusion: ids with their fused score, best first, ties by id.

        RRF(d) = Σ_r 1 / (k + rank_r(d)),   rank 1 for the best; a ranking without d adds nothing.

    Source: Cormack, Clarke and Büttcher (SIGIR 2009), with their k = 60.

    >>> reciprocal_rank_fusion([["a", "b"], ["b", "c"]])[0][0]
    'b'
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for ranking in rankings:
        for rank, name in enumerate(dict.fromkeys(ranking), 1):
            scores[name].append(1.0 / (k + rank))
    # Sorted terms: the sum must not depend on the order in which the rankings are given.
    fused = {name: sum(sorted(terms)) for name, terms in scores.items()}
    return sorted(fused.items(), key=lambda item: (-item[1], item[0]))
