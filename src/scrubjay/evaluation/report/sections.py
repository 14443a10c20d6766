"""What the report shows per task: charts, the gap table, and the breakdown by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from scrubjay.evaluation.gap import GapRow, GroupRow, ReductionRow
from scrubjay.evaluation.labels import (
    CONTROLS,
    GROUPS,
    TASKS,
    points,
    setting_label,
    setting_order,
    task_order,
)
from scrubjay.evaluation.report.charts import Pair, Span, dumbbells, forest
from scrubjay.evaluation.scoring import UNBOUNDED, main_metric

METRICS = {
    "f1": "F1",
    "em": "exact match",
    "hits@1": "hits@1",
    "mrr": "MRR",
    "recall@5": "recall@5 of the gold documents",
    "recall": "recall of the gold documents, all searches",
    "success": "goal reached",
    "steps": "steps",
    "steps_over_shortest": "steps over shortest path",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table, ready to print."""

    setting: str
    label: str
    control: bool
    real: str
    twin: str
    gap: str
    interval: str
    sure: bool
    """The interval excludes 0."""
    closes: str
    closes_interval: str
    n: int


@dataclass(frozen=True, slots=True)
class Table:
    metric: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One setting's scores and gaps by group."""

    label: str
    scores: Markup
    gaps: Markup


@dataclass(frozen=True, slots=True)
class Section:
    """Everything about one task."""

    task: str
    title: str
    n: int
    group: str
    scores: Markup
    gaps: Markup
    main: Table
    others: list[Table]
    breakdowns: list[Breakdown]


def task_sections(
    gaps: Sequence[GapRow], reductions: Sequence[ReductionRow], groups: Sequence[GroupRow]
) -> list[Section]:
    """One section per task that has a gap row."""
    tasks = sorted({r.task for r in gaps}, key=task_order)
    return [
        _section(
            task,
            [r for r in gaps if r.task == task],
            {(r.setting, r.metric): r for r in reductions if r.task == task},
            [r for r in groups if r.task == task and r.metric == main_metric(task)],
        )
        for task in tasks
    ]


def _section(
    task: str,
    rows: Sequence[GapRow],
    closed: dict[tuple[str, str], ReductionRow],
    groups: Sequence[GroupRow],
) -> Section:
    title, metric = TASKS.get(task, task), main_metric(task)
    metrics = [m for m in METRICS if any(r.metric == m for r in rows)]
    metrics += sorted({r.metric for r in rows} - set(METRICS))
    main = sorted((r for r in rows if r.metric == metric), key=lambda r: setting_order(r.setting))
    return Section(
        task=task,
        title=title,
        n=max(r.n for r in rows),
        group=GROUPS.get(task, "group"),
        scores=dumbbells(
            [Pair(setting_label(r.setting), r.real, r.twin, r.setting in CONTROLS) for r in main],
            f"{title}: scores in the real world and in the twin",
        ),
        gaps=forest(
            [Span(setting_label(r.setting), r.gap, r.low, r.high) for r in _models(main)],
            f"{title}: gap between the worlds",
        ),
        main=_table(metric, main, closed),
        others=[
            _table(m, [r for r in rows if r.metric == m], closed) for m in metrics if m != metric
        ],
        breakdowns=_breakdowns(groups),
    )


def _models(rows: Sequence[GapRow]) -> list[GapRow]:
    return [r for r in rows if r.setting not in CONTROLS]


def _breakdowns(groups: Sequence[GroupRow]) -> list[Breakdown]:
    settings = sorted({g.setting for g in groups} - CONTROLS, key=setting_order)
    out = []
    for setting in settings:
        rows = sorted((g for g in groups if g.setting == setting), key=lambda g: _natural(g.group))
        if len(rows) > 1:
            label = setting_label(setting)
            names = [f"{g.group.replace('_', ' ')} (n = {g.n})" for g in rows]
            out.append(
                Breakdown(
                    label,
                    dumbbells(
                        [Pair(name, g.real, g.twin) for name, g in zip(names, rows)],
                        f"{label}: scores by group",
                    ),
                    forest(
                        [Span(name, g.gap, g.low, g.high) for name, g in zip(names, rows)],
                        f"{label}: gap by group",
                    ),
                )
            )
    return out


def _table(
    metric: str, rows: Sequence[GapRow], closed: dict[tuple[str, str], ReductionRow]
) -> Table:
    lines = [
        _line(r, None if r.setting in CONTROLS else closed.get((r.setting, metric)))
        for r in sorted(rows, key=lambda r: setting_order(r.setting))
    ]
    return Table(METRICS.get(metric, metric), lines)


def _line(row: GapRow, closed: ReductionRow | None) -> Line:
    show = _count if row.metric in UNBOUNDED else points
    sure = row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
    if row.metric in UNBOUNDED:
        closed = None
    return Line(
        setting=row.setting,
        label=setting_label(row.setting),
        control=row.setting in CONTROLS,
        real=show(row.real),
        twin=show(row.twin),
        gap=show(row.gap, sign=True),
        interval=_range(row),
        sure=sure,
        closes="" if closed is None else points(closed.reduction, sign=True),
        closes_interval="" if closed is None else _range(closed),
        n=row.n,
    )


def _range(row: GapRow | ReductionRow) -> str:
    if row.low is None or row.high is None:
        return ""
    show = _count if row.metric in UNBOUNDED else points
    return f"[{show(row.low)}, {show(row.high)}]"


def _count(value: float, *, sign: bool = False) -> str:
    return f"{value:+.2f}".replace("-", "−") if sign else f"{value:.2f}".replace("-", "−")


def _natural(text: str) -> tuple[int, float, str]:
    """Numbers in order of size, then texts in order of the alphabet."""
    try:
        return 0, float(text.split("-")[0].split("–")[0]), text
    except ValueError:
        return 1, 0.0, text
