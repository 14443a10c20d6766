"""What settings and tasks are called for people, and in which order they are shown."""

from __future__ import annotations

TASKS = {
    "recall": "Single facts",
    "multihop": "Multi-hop questions",
    "navigation": "Page navigation",
}
GROUPS = {"recall": "relation", "multihop": "motif", "navigation": "distance bucket"}
SETTINGS = {
    "closed-book": "From memory",
    "closed-book-ranking": "From memory, ranking candidates",
    "links-only": "Link titles only",
    "one-step-rag": "One search",
    "ircot": "Searching while reasoning",
    "content-links": "Page text and links",
    "reading": "Given the right passages",
    "reading-ranking": "Given the right passages, ranking candidates",
    "random-answer": "Random answer of the type",
    "frequent-answer": "Most frequent answer",
    "random-walker": "Random walk",
    "greedy-walker": "Greedy walk by title",
    "oracle": "The graph of facts itself",
    "shortest-path": "Shortest path",
}
CONTROLS = frozenset(list(SETTINGS)[-6:])
"""Floors and ceilings: no language model, nothing to read a result from."""


def setting_label(setting: str) -> str:
    """A setting in words; its own name if it isn't one of ours."""
    return SETTINGS.get(setting, setting)


def setting_order(setting: str) -> tuple[int, str]:
    """Sort key: memory first, then looking up, then being given the evidence, then controls."""
    known = list(SETTINGS)
    if setting in SETTINGS:
        return known.index(setting), setting
    return known.index("random-answer"), setting


def task_order(task: str) -> tuple[int, str]:
    """Sort key of tasks."""
    known = list(TASKS)
    return (known.index(task) if task in TASKS else len(known)), task


def points(value: float, *, sign: bool = False) -> str:
    """A share in points, with a true minus: 0.4231 is '42.3'."""
    number = f"{100 * value:.1f}"
    number = "0.0" if number == "-0.0" else number
    return ("+" if sign and value > 0 and number != "0.0" else "") + number.replace("-", "−")
