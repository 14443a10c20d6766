"""Page navigation: was the goal reached, in how many steps, against how many at best?"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from scrubjay.core.nouns import Passage
from scrubjay.core.trace import Moved, Trace


def shortest_path(pages: Mapping[str, Passage], start: str, goal: str) -> int | None:
    """Number of clicks from ``start`` to ``goal`` at best; None if there is no way."""
    steps, queue = {start: 0}, deque([start])
    while queue:
        here = queue.popleft()
        if here == goal:
            return steps[here]
        for link in pages[here].links if here in pages else ():
            if link.target not in steps:
                steps[link.target] = steps[here] + 1
                queue.append(link.target)
    return None


def moves_made(trace: Trace, path: Sequence[str]) -> int:
    """Actions taken: every click or back counts, also those that led nowhere."""
    return sum(isinstance(s, Moved) for s in trace) or max(0, len(path) - 1)


def navigation_scores(
    path: Sequence[str], goal: str, *, steps: int, shortest: int | None
) -> dict[str, float]:
    """``success`` (0 or 1) and ``steps``; for a success also ``steps_over_shortest`` (1 is best).

    ``shortest`` is the length of the shortest path, None or 0 when there is none to compare with.
    """
    reached = goal in path
    scores = {"success": float(reached), "steps": float(steps)}
    if reached and shortest:
        scores["steps_over_shortest"] = steps / shortest
    return scores
