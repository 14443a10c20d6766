"""The three tasks of a world: single-fact recall, multi-hop questions and page navigation.

    items = sample("multihop", universe, marked, 1200, seed=0)
    questions = [render(item, names) for item in items]

Items are symbolic (``items.Item``): a world and its twins render the same ones with own names.
Source: SynthWorlds (arXiv 2510.24427), sections 3.6 and 3.7; recall is our addition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scrubjay.core.errors import ScrubjayError, UnknownName
from scrubjay.worlds import multihop, navigation, recall
from scrubjay.worlds.documents import MarkedDocument
from scrubjay.worlds.items import Item, render
from scrubjay.worlds.universe import Universe

__all__ = ["TASKS", "Item", "render", "sample"]

Sampler = Callable[[Universe, Sequence[MarkedDocument], int, int], list[Item]]
TASKS: dict[str, Sampler] = {
    "recall": recall.sample,
    "multihop": multihop.sample,
    "navigation": navigation.sample,
}


def sample(
    task: str, universe: Universe, marked: Sequence[MarkedDocument], n: int, seed: int = 0
) -> list[Item]:
    """Up to ``n`` different items of a task, in an order that only the seed decides.

    Groups (relations, motifs, distance buckets) take turns, so any prefix is balanced, and asking
    for fewer gives the beginning of the longer list. Where the universe holds fewer than ``n``
    items, all that were found are returned; a group that runs out leaves its turns to the others.

    Raises:
        UnknownName: no such task.
        ScrubjayError: ``n`` is negative, or the universe holds no item of this task at all.
    """
    if task not in TASKS:
        raise UnknownName("task", task, TASKS)
    if n < 0:
        raise ScrubjayError(f"the number of {task} questions must be 0 or more, not {n}")
    if n == 0:
        return []
    items = TASKS[task](universe, marked, n, seed)
    if not items:
        raise ScrubjayError(
            f"this world holds no {task} question: {_NEEDS[task]}; take a larger world, or another "
            "task"
        )
    return items


_NEEDS = {
    "recall": (
        "it needs a relation with a question and a fact with few right answers, "
        "stated on its subject's page"
    ),
    "multihop": (
        "it needs facts that lead from page to page and together point to one answer, "
        "in relations with a noun or an inverse noun"
    ),
    "navigation": "it needs pages that link to each other",
}
