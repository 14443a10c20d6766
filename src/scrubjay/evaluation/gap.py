"""The knowledge advantage: how much of a score is memory?

With P_R and P_S the scores in the real world and in its twins (invented names), per setting:

    KA = P_R - P_S                                  the knowledge advantage gap
    gap reduction = KA_base - KA_setting            what an aid closes; negative: it widened the gap

Items mirror each other, so every gap is a paired difference with a paired bootstrap interval; with
several twins an item's P_S is its mean over them. An item counts once it is answered in the real
world and in every twin of the setting. Baselines (frequent answer, random walker, oracle) are
settings like any other.

Source: SynthWorlds (arXiv 2510.24427), section 3.9 of our sheet; the interval is our choice, the
paper's was not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scrubjay.core.files import dump_json, write_atomic
from scrubjay.evaluation.pairing import Paired, common, pair_records
from scrubjay.evaluation.runs import Record, Run
from scrubjay.evaluation.scoring import UNBOUNDED
from scrubjay.evaluation.statistics import Interval, bootstrap_mean

LINKS_ONLY, CLOSED_BOOK, READING, RANKING = "links-only", "closed-book", "reading", "-ranking"


def base_setting(task: str, setting: str = "") -> str:
    """The setting that opens no source but memory, of the same kind (writing or ranking)."""
    if task == "navigation":
        return LINKS_ONLY
    return CLOSED_BOOK + (RANKING if setting.endswith(RANKING) else "")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, floats rounded to 6 digits."""
        # Adding 0.0 turns -0.0 into 0.0.
        return {
            k: round(v, 6) + 0.0 if isinstance(v, float) else v for k, v in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class GapRow(Row):
    """One setting, task and metric: score in the real world, in the twins, and the difference."""

    setting: str
    task: str
    metric: str
    real: float
    twin: float
    gap: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class GroupRow(Row):
    """A gap row of one group only: a relation, a motif, a distance bucket."""

    setting: str
    task: str
    metric: str
    group: str
    real: float
    twin: float
    gap: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class ReductionRow(Row):
    """How much of the base setting's gap a setting closes."""

    setting: str
    task: str
    metric: str
    base: str
    reduction: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class EffectRow(Row):
    """A number of the decomposition.

    ``what`` is 'reasoning' (P_S with the evidence given: no memory), 'memory beside evidence'
    (P_R - P_S with the evidence given), 'reading, …' and 'looking up, …' (what the evidence, or a
    search, adds to closed book in the real world and in the twin).
    """

    task: str
    metric: str
    what: str
    setting: str
    value: float
    low: float | None
    high: float | None
    n: int


def gap_table(records: Iterable[Record], *, seed: int = 0) -> list[GapRow]:
    """One row per setting, task and metric that was measured in the real world and a twin."""
    return [
        GapRow(*cell, *_row(pairs, metric=cell[2], seed=seed))
        for cell, pairs in pair_records(records).items()
    ]


def group_table(records: Iterable[Record], *, seed: int = 0) -> list[GroupRow]:
    """The gap table broken down by relation, motif or distance bucket."""
    rows = []
    for cell, pairs in pair_records(records).items():
        for group in sorted(set(pairs.groups)):
            part = pairs.only(i for i, g in zip(pairs.items, pairs.groups) if g == group)
            rows.append(GroupRow(*cell, group, *_row(part, metric=cell[2], seed=seed)))
    return rows


def reduction_table(records: Iterable[Record], *, seed: int = 0) -> list[ReductionRow]:
    """What each setting closes of the gap of its task's base setting, on the items both have."""
    cells, rows = pair_records(records), []
    for cell, pairs in cells.items():
        setting, task, metric = cell
        base_name = base_setting(task, setting)
        base = cells.get((base_name, task, metric))
        if base is None or setting == base_name:
            continue
        closed = _difference(base, pairs, metric, seed)
        if closed is not None:
            rows.append(ReductionRow(setting, task, metric, base_name, *_values(closed)))
    return rows


def gap_difference(
    records: Iterable[Record], task: str, metric: str, first: str, second: str, *, seed: int = 0
) -> Interval | None:
    """KA of the first setting minus KA of the second, on the items both have; None without any."""
    cells = pair_records(records)
    a, b = cells.get((first, task, metric)), cells.get((second, task, metric))
    return None if a is None or b is None else _difference(a, b, metric, seed)


def _difference(a: Paired, b: Paired, metric: str, seed: int) -> Interval | None:
    a, b = common(a, b)
    return _interval(a.gap - b.gap, metric, seed, span=2) if a.items else None


def decomposition(records: Iterable[Record], *, seed: int = 0) -> list[EffectRow]:
    """The numbers that say what memory, reading and looking up are each worth (sheet, 3.9)."""
    records = list(records)
    searching = {r.setting for r in records if r.cost.get("searches")}
    cells, rows = pair_records(records), []
    for (setting, task, metric), pairs in cells.items():
        parts: list[tuple[str, np.ndarray, float]] = []
        given = setting in (READING, READING + RANKING)
        if given:
            parts += [("reasoning", pairs.twin, 0), ("memory beside evidence", pairs.gap, 1)]
        closed = cells.get((base_setting(task, setting), task, metric))
        if closed is not None and task != "navigation" and (given or setting in searching):
            aided, alone = common(pairs, closed)
            if aided.items:
                verb = "reading" if given else "looking up"
                parts.append((f"{verb}, real", aided.real - alone.real, 1))
                parts.append((f"{verb}, twin", aided.twin - alone.twin, 1))
        for what, values, span in parts:
            got = _interval(values, metric, seed, span=span)
            rows.append(EffectRow(task, metric, what, setting, *_values(got)))
    return rows


def write_tables(run: Run, *, seed: int = 0) -> list[GapRow]:
    """Write ``gap.json``, ``groups.json``, ``reduction.json`` and ``decomposition.json``.

    Each is a JSON list of rows, floats rounded to 6 digits, the same bytes for the same answers.
    Returns the gap rows.

    Raises:
        DiskError: the folder can't be written.
    """
    records = run.records()
    gaps = gap_table(records, seed=seed)
    tables: Mapping[str, Sequence[Row]] = {
        "gap": gaps,
        "groups": group_table(records, seed=seed),
        "reduction": reduction_table(records, seed=seed),
        "decomposition": decomposition(records, seed=seed),
    }
    for name, rows in tables.items():
        write_atomic(run.folder / f"{name}.json", table_json(rows))
    return gaps


def table_json(rows: Sequence[Row]) -> str:
    """Rows as a JSON list, one row a line."""
    lines = (dump_json(row.as_dict()) for row in rows)
    return "[\n" + ",\n".join(lines) + "\n]\n" if rows else "[]\n"


def _row(pairs: Paired, *, metric: str, seed: int) -> tuple[Any, ...]:
    gap = _interval(pairs.gap, metric, seed)
    return float(pairs.real.mean()), float(pairs.twin.mean()), *_values(gap)


def _interval(values: np.ndarray, metric: str, seed: int, span: float = 1) -> Interval:
    """``span``: how far from 0 a value can be; 0 means it lies in [0, 1]."""
    bounds = None if metric in UNBOUNDED else (-float(span), float(span or 1))
    return bootstrap_mean(values, seed=seed, bounds=bounds)


def _values(interval: Interval) -> tuple[float, float | None, float | None, int]:
    return interval.value, interval.low, interval.high, interval.n
