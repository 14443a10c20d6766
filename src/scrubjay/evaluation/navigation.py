"""Page navigation: was the goal reached, in how many steps, against how many at best?"""

from __future__ import annotations

from collections.abc import Sequence

from scrubjay.core.trace import Moved, Trace


def moves_made(trace: Trace, path: Sequence[str]) -> int:
    """Actions taken: every click or back counts, also those that led nowhere."""
    return sum(isinstance(s, Moved) for s in trace) or max(0, len(path) - 1)


def navigation_scores(
    path: Sequence[str], goal: str, *, steps: int, shortest: int | None
) -> dict[str, float]:
    """``success`` (0 or 1) and ``steps``; for a success also ``steps_over_shortest`` (1 is best).

    ``shortest`` is the length of the shortest path, None when it is not known.
    """
    reached = goal in path
    scores = {"success": float(reached), "steps": float(steps)}
    if reached and shortest is not None and shortest > 0:
        scores["steps_over_shortest"] = steps / shortest
    return scores
