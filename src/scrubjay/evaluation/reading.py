"""The gap table in plain words: one paragraph, every clause computed from the numbers.

Nothing is concluded that an interval doesn't support: a difference whose interval includes 0 is
called just that, in either direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scrubjay.evaluation.gap import GapRow, ReductionRow, base_setting
from scrubjay.evaluation.labels import CONTROLS, points, setting_order, task_order
from scrubjay.evaluation.scoring import main_metric

NEAR = 0.03
"""How far from the floor a twin may score and still be called 'at' it (sheet, section 6)."""

_INTERVAL = "95 % interval "
_TASKS = {
    "recall": "single-fact questions",
    "multihop": "multi-hop questions",
    "navigation": "page navigation",
}
_HOW = {
    "closed-book": "from memory alone",
    "closed-book-ranking": "ranking candidate answers from memory",
    "links-only": "seeing only the titles of links",
    "content-links": "seeing each page's text and links",
    "one-step-rag": "after one search",
    "ircot": "searching while it reasons",
    "reading": "with the right passages in front of it",
    "reading-ranking": "ranking candidate answers with the right passages in front of it",
}


def read_gap(rows: Sequence[GapRow], reductions: Iterable[ReductionRow] = ()) -> str:
    """One paragraph that says what a gap table shows, task by task, by each task's main metric.

    ``reductions`` add, setting by setting, how much of the base setting's gap is closed, with its
    interval; without them only the gaps themselves are told.
    """
    return " ".join(task_readings(rows, reductions)) or (
        "Nothing can be read yet: no model has answered in both the real world and a twin."
    )


def task_readings(rows: Sequence[GapRow], reductions: Iterable[ReductionRow] = ()) -> list[str]:
    """The sentences of ``read_gap``, one text per task."""
    main = [r for r in rows if r.metric == main_metric(r.task)]
    closed = {(r.setting, r.task): r for r in reductions if r.metric == main_metric(r.task)}
    told = [
        _task({r.setting: r for r in main if r.task == task}, task, closed)
        for task in sorted({r.task for r in main}, key=task_order)
    ]
    return [t for t in told if t]


def _task(
    rows: Mapping[str, GapRow], task: str, closed: Mapping[tuple[str, str], ReductionRow]
) -> str:
    told, base = [], base_setting(task)
    if base in rows:
        told.append(_base(rows[base], rows.get("frequent-answer")))
    for setting in sorted(set(rows) - CONTROLS - {base}, key=setting_order):
        reduction = closed.get((setting, task))
        against = rows.get(reduction.base) if reduction else None
        told.append(_aid(rows[setting], against, reduction))
    if not told:
        return ""
    n = max(r.n for r in rows.values())
    # The first interval says what it is; the others are as short as can be.
    text = f"On {_TASKS.get(task, task)} ({n} in each world), " + " ".join(told)
    first, found, rest = text.partition(_INTERVAL)
    return first + found + rest.replace(_INTERVAL, "")


def _base(row: GapRow, floor: GapRow | None) -> str:
    text = (
        f"{_how(row.setting)} the model scores {points(row.real)} points in the real world and "
        f"{points(row.twin)} in the invented one: {_gap(row)}."
    )
    if floor is None:
        return text
    above = row.twin - floor.twin
    if above > NEAR:
        place = f"{points(above)} points above"
    elif above < -NEAR:
        place = f"{points(-above)} points below"
    else:
        place = "at"
    more = ", so more than known names helps it there" if above > NEAR else ""
    return (
        f"{text} In the invented world that is {place} what the most frequent answer gets "
        f"({points(floor.twin)}){more}."
    )


def _aid(row: GapRow, base: GapRow | None, closed: ReductionRow | None) -> str:
    how = _how(row.setting)
    scores = f"{points(row.real)} and {points(row.twin)}"
    text = f"{how[0].upper()}{how[1:]} it scores {scores}: {_gap(row)}"
    if closed is not None and base is not None and _side(base) > 0:
        text += f"; {_closing(closed, base)}"
    return text + "."


def _gap(row: GapRow) -> str:
    side, interval = _side(row), _interval(row)
    if side > 0:
        return f"knowing the real names is worth {points(row.gap)} points ({interval})"
    if side < 0:
        return f"the invented world is ahead by {points(-row.gap)} points ({interval})"
    return f"a difference of {points(row.gap)} points ({interval}), which may be chance"


def _closing(closed: ReductionRow, base: GapRow) -> str:
    side, interval = _side(closed), _interval(closed)
    size = f"{points(abs(closed.reduction))} points ({interval})"
    if side < 0:
        return f"this widens memory's advantage by {size}"
    if side == 0:
        change = f"{points(closed.reduction)} points, {interval}"
        return f"whether this closes any of memory's advantage is open ({change})"
    share = 100 * closed.reduction / base.gap
    if share > 105:
        return f"this takes away more than memory's whole advantage, {size}"
    return f"this closes {share:.0f} % of memory's advantage, {size}"


def _side(row: GapRow | ReductionRow) -> int:
    """1 or -1 when the interval lies on one side of 0, else 0."""
    if row.low is None or row.high is None:
        return 0
    return 1 if row.low > 0 else -1 if row.high < 0 else 0


def _interval(row: GapRow | ReductionRow) -> str:
    if row.low is None or row.high is None:
        return "a single item, no interval"
    return f"{_INTERVAL}{points(row.low)} to {points(row.high)}"


def _how(setting: str) -> str:
    return _HOW.get(setting, f"in the setting '{setting}'")
