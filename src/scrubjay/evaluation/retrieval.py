"""Did the search bring up the documents that hold the answer?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scrubjay.core.trace import Searched, Trace

K = 5
"""SynthWorlds reports recall@5."""


def recall_at_k(found: Iterable[str], gold: Iterable[str], k: int | None = None) -> float:
    """Share of the gold documents among the first ``k`` different ones (all when ``k`` is None).

    Raises:
        ValueError: there is no gold document.
    """
    wanted = set(gold)
    if not wanted:
        raise ValueError("recall needs at least one gold document")
    seen = list(dict.fromkeys(found))[:k]
    return len(wanted & set(seen)) / len(wanted)


def retrieval_scores(trace: Trace, gold: Sequence[str]) -> dict[str, float]:
    """``recall@5`` of the first search (the question as asked) and ``recall`` of all together.

    Empty when nothing was searched or no gold document is known.
    """
    first = next((s for s in trace if isinstance(s, Searched)), None)
    if first is None or not gold:
        return {}
    return {
        f"recall@{K}": recall_at_k(first.documents, gold, K),
        "recall": recall_at_k(trace.retrieved, gold),
    }
