"""Questions in both worlds with every setting's answer and trace, and what it all cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scrubjay.evaluation.labels import TASKS, setting_label, setting_order, task_order
from scrubjay.evaluation.pairing import REAL
from scrubjay.evaluation.report.traces import StepView, titles_of, view_steps
from scrubjay.evaluation.runs import Record
from scrubjay.evaluation.scoring import main_metric


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One answer in one world."""

    text: str
    score: str
    grade: str
    """'right', 'partly' or 'wrong'."""
    note: str
    source: str
    cost: str
    steps: list[StepView]
    hidden: int
    """Steps of the trace that are not shown."""


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting's answers to one question: real world, twin (None: not answered there)."""

    label: str
    real: AnswerView | None
    twin: AnswerView | None


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question as asked in both worlds."""

    task: str
    group: str
    real: str
    twin: str
    real_gold: str
    twin_gold: str
    settings: list[SettingView]


@dataclass(frozen=True, slots=True)
class Spent:
    """What one setting cost on average per question."""

    label: str
    answers: int
    tokens_in: float
    tokens_out: float
    calls: float
    searches: float
    moves: float
    seconds: float
    partial: int
    """Answers cut short by the budget."""


def mirrored(
    records: Sequence[Record], shown: int, titles: Mapping[str, Mapping[str, str]]
) -> list[QuestionView]:
    """About ``shown`` questions, spread evenly over each task, in the real world and first twin.

    ``titles``: world -> page id -> title, as far as they are known.
    """
    twins = sorted({r.world for r in records} - {REAL})
    if not twins:
        return []
    by_question: defaultdict[tuple[str, str], dict[tuple[str, str], Record]] = defaultdict(dict)
    for r in records:
        if r.world in (REAL, twins[0]):
            by_question[r.task, r.question][r.setting, r.world] = r
    tasks = sorted({task for task, _ in by_question}, key=task_order)
    out = []
    for task in tasks:
        ids = sorted(
            (q for t, q in by_question if t == task),
            key=lambda q: (min(r.index for r in by_question[task, q].values()), q),
        )
        for question in _spread(ids, max(1, shown // len(tasks))):
            view = _question(by_question[task, question], twins[0], titles)
            if view is not None:
                out.append(view)
    return out


def spending(records: Sequence[Record]) -> list[Spent]:
    """Average cost per setting, over all worlds and tasks."""
    by_setting: defaultdict[str, list[Record]] = defaultdict(list)
    for r in records:
        by_setting[r.setting].append(r)
    out = []
    for setting in sorted(by_setting, key=setting_order):
        rows = by_setting[setting]
        means = {
            key: sum(r.cost.get(key, 0) for r in rows) / len(rows)
            for key in ("tokens_in", "tokens_out", "calls", "searches", "moves", "seconds")
        }
        partial = sum(bool(r.note) for r in rows)
        out.append(Spent(setting_label(setting), len(rows), **means, partial=partial))
    return out


def _spread(items: Sequence[str], n: int) -> list[str]:
    if len(items) <= n:
        return list(items)
    return [items[i * len(items) // n] for i in range(n)]


def _question(
    by_cell: Mapping[tuple[str, str], Record], twin: str, titles: Mapping[str, Mapping[str, str]]
) -> QuestionView | None:
    real_one = next((r for (_, w), r in sorted(by_cell.items()) if w == REAL), None)
    twin_one = next((r for (_, w), r in sorted(by_cell.items()) if w == twin), None)
    if real_one is None or twin_one is None:
        return None
    settings = sorted({s for s, _ in by_cell}, key=setting_order)
    return QuestionView(
        task=TASKS.get(real_one.task, real_one.task),
        group=real_one.group.replace("_", " "),
        real=real_one.text,
        twin=twin_one.text,
        real_gold=" / ".join(real_one.gold),
        twin_gold=" / ".join(twin_one.gold),
        settings=[
            SettingView(
                setting_label(s),
                _answer(by_cell.get((s, REAL)), titles.get(REAL, {})),
                _answer(by_cell.get((s, twin)), titles.get(twin, {})),
            )
            for s in settings
        ],
    )


def _answer(record: Record | None, known: Mapping[str, str]) -> AnswerView | None:
    if record is None:
        return None
    score = record.scores.get(main_metric(record.task), 0.0)
    titles = {**known, **titles_of(record.steps)}
    text = _way([titles.get(p, p) for p in record.path]) or record.prediction
    steps, hidden = view_steps(record.steps, titles)
    return AnswerView(
        text=text if len(text) <= 300 else text[:300] + " …",
        score=f"{100 * score:.0f}",
        grade="right" if score == 1 else "partly" if score > 0 else "wrong",
        note=record.note,
        source=record.source,
        cost=_cost(record.cost),
        steps=steps,
        hidden=hidden,
    )


def _way(pages: Sequence[str]) -> str:
    """The pages visited, the middle of a long way left out."""
    if len(pages) > 8:
        pages = [*pages[:4], f"{len(pages) - 7} more pages", *pages[-3:]]
    return " → ".join(pages)


def _cost(cost: Mapping[str, float]) -> str:
    parts = [
        f"{cost.get('tokens_in', 0):,.0f} tokens in",
        f"{cost.get('tokens_out', 0):,.0f} out",
        _many(cost.get("searches", 0), "search", "searches"),
        _many(cost.get("moves", 0), "move", "moves"),
        f"{cost.get('seconds', 0):.2f} s",
    ]
    return " · ".join(p for p in parts if not p.startswith("0 "))


def _many(n: float, one: str, more: str) -> str:
    return f"{n:.0f} {one if n == 1 else more}"
