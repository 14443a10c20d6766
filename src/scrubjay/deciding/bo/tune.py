"""The next settings to try, from a table of what was tried: ask an optimiser once.

    read_table      CSV or JSON Lines: a row is a setting; its target is filled (history) or empty
    propose         ranks the empty rows by gp-ei, by a saved NAP, or by chance

A column is numeric if all its cells are numbers; others have levels. Numbers are scaled by their
smallest and largest value in the table, in their logarithm when they span a factor of 100 or more.
Several rows are proposed one after the other: the next is chosen as if the first had brought its
predicted mean. Source: paper 32 (history in context, knowledge in weights); the rest is ours.
"""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scrubjay.core.errors import InputError, UnknownName
from scrubjay.core.files import read_jsonl
from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.bo.env import Online, UnitRange, scaled
from scrubjay.deciding.bo.gp import GP, expected_improvement
from scrubjay.deciding.bo.optimisers import best_untried
from scrubjay.deciding.bo.tasks import Floats

if TYPE_CHECKING:
    from scrubjay.deciding.bo.nap import NeuralAcquisitionProcess

METHODS = ("gp-ei", "nap", "random")
LOGARITHMIC = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of settings, and what some of them brought."""

    rows: tuple[Mapping[str, Any], ...]
    """As read, without the target."""
    settings: Floats
    """(n, d), scaled as tasks are."""
    kinds: tuple[int, ...]
    target: Floats
    """(n,): NaN where it is not known."""

    @property
    def known(self) -> np.ndarray:
        return ~np.isnan(self.target)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A row to try next. Predictions are in units of the target; None where there is no model."""

    row: int
    """Its number in the table, from 1."""
    settings: Mapping[str, Any]
    mean: float | None
    deviation: float | None
    improvement: float | None
    """Expected improvement over the best so far."""


def read_table(path: Path, target: str) -> Table:
    """A table whose column ``target`` holds results, where there are any.

    Raises:
        InputError: a file that can't be read, no such column, a target that is no number.
    """
    rows = _rows(path)
    if not rows:
        raise InputError("there are no rows in this table", file=path)
    if target not in rows[0]:
        raise InputError(
            f"there is no column '{target}'; there are: {', '.join(map(str, rows[0]))}", file=path
        )
    values = []
    for line, row in enumerate(rows, 1):
        if set(row) != set(rows[0]):
            raise InputError(f"row {line} has other columns than row 1", file=path)
        values.append(_target(row[target], line, target, path))
    names = [n for n in rows[0] if n != target]
    if not names:
        raise InputError("a table needs at least one column of settings", file=path)
    return make_table([{n: row[n] for n in names} for row in rows], values, source=path)


def make_table(
    rows: Sequence[Mapping[str, Any]], target: Sequence[float | None], source: Path | None = None
) -> Table:
    """The same from Python values; None (or NaN) where the target is not known.

    Raises:
        InputError: no rows, an empty setting, a target that is infinite.
    """
    if not rows or len(rows) != len(target):
        raise InputError(f"{len(rows)} rows can't have {len(target)} targets", file=source)
    columns, kinds = [], []
    for name in rows[0]:
        cells = [row[name] for row in rows]
        for line, cell in enumerate(cells, 1):
            if cell is None or (isinstance(cell, str) and not cell.strip()):
                raise InputError(f"the setting '{name}' of row {line} is empty", file=source)
        numbers = [_number(cell) for cell in cells]
        if all(n is not None for n in numbers):
            columns.append(_unit(np.array(numbers, dtype=np.float64)))
            kinds.append(0)
        else:
            levels = {text: i for i, text in enumerate(sorted({str(c) for c in cells}))}
            columns.append(np.array([levels[str(c)] for c in cells], dtype=np.float64))
            # A column of one word has a level that never occurs: kinds begin at two.
            kinds.append(max(2, len(levels)))
    known = np.array([np.nan if v is None else v for v in target], dtype=np.float64)
    if np.isinf(known).any():
        raise InputError("a target must be a finite number", file=source)
    return Table(tuple(rows), np.stack(columns, axis=1), tuple(kinds), known)


def propose(
    table: Table,
    method: str = "gp-ei",
    count: int = 1,
    *,
    model: NeuralAcquisitionProcess | None = None,
    span: tuple[float, float] | None = None,
    trials: int | None = None,
    seed: int = 0,
) -> list[Proposal]:
    """The rows to try next, best first; higher targets are better.

    Args:
        model: for "nap".
        span: lowest and highest target that can be expected, for "nap"; without it the targets
            are standardised, which knows nothing of how good the best can be.
        trials: budget T that a "nap" counts with; by default what was tried and ``count``.

    Raises:
        InputError: nothing left to try, no such method, a model that doesn't fit the table.
    """
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    if count < 1:
        raise InputError("at least one row must be asked for")
    if trials is not None and trials < 1:
        raise InputError("a budget is at least one trial")
    if table.known.all():
        raise InputError("every row has a result already: there is nothing left to propose")
    if method == "nap" and model is None:
        raise InputError("the method 'nap' needs a saved model")
    rng, target, out = numpy_stream(seed, "propose"), table.target.copy(), list[Proposal]()
    seen = target[table.known]
    if len(seen) > 1 and np.ptp(seen) == 0:
        warnings.warn("all results are equal: the order of proposals is random", stacklevel=2)
        method = "random"
    budget = trials or len(seen) + count
    for _ in range(min(count, len(target) - len(seen))):
        known = ~np.isnan(target)
        found = _Ranking(np.zeros(len(target)))
        if method == "gp-ei" and known.any():
            found = _by_gp(table, target, known)
        elif method == "nap" and model is not None:
            found = _by_nap(table, target, known, model, span, budget)
        row = int(best_untried(found.scores[None], ~known[None], rng)[0])
        out.append(Proposal(row + 1, table.rows[row], *found.told(row)))
        # Without a prediction the ranking knows nothing, or is random: then any number will do.
        target[row] = (
            out[-1].mean if out[-1].mean is not None else float(seen.mean() if len(seen) else 0)
        )
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    """Scores of all rows, and what they are predicted to bring."""

    scores: Floats
    mean: Floats | None = None
    deviation: Floats | None = None
    gain: Floats | None = None

    def told(self, row: int) -> tuple[float | None, float | None, float | None]:
        if self.mean is None or self.deviation is None or self.gain is None:
            return None, None, None
        return float(self.mean[row]), float(self.deviation[row]), float(self.gain[row])


def _by_gp(table: Table, target: Floats, known: np.ndarray) -> _Ranking:
    process = GP.fit(table.settings[known], target[known], table.kinds)
    mean, deviation = process.predict(table.settings)
    gain = expected_improvement(mean, deviation, target[known].max())
    return _Ranking(gain, mean, deviation, gain)


def _by_nap(
    table: Table,
    target: Floats,
    known: np.ndarray,
    model: NeuralAcquisitionProcess,
    span: tuple[float, float] | None,
    trials: int,
) -> _Ranking:
    import torch

    from scrubjay.deciding.bo.nap import history_inputs

    if model.spec.kinds != table.kinds:
        raise InputError(
            f"the saved model optimises settings of the kinds {model.spec.kinds}, and this table's "
            f"are {table.kinds} (0: a number, else how many levels)"
        )
    seen = target[known][None]
    low, high = (np.array([[edge]]) for edge in span or (0.0, 1.0))
    scaling = UnitRange() if span else Online(model.spec.mean, model.spec.deviation)
    line = scaling.line(seen, low, high)
    inputs = history_inputs(
        table.settings[known][None], scaled(seen, line), table.settings[None], trials
    )
    with torch.no_grad():
        alpha, logits, _ = model(*inputs)
        mean, variance = model.bar.mean(logits), model.bar.variance(logits)
        gain = model.bar.ei(logits, inputs.feats[:, :1])
    scores, means, deviations, gains = (
        np.asarray(t[0].double().numpy()) for t in (alpha, mean, variance.sqrt(), gain)
    )
    offset, slope = float(line[0][0, 0]), float(line[1][0, 0])
    if slope == 0:  # before two results differ nothing is known of the target's units
        return _Ranking(scores)
    return _Ranking(scores, (means - offset) / slope, deviations / slope, gains / slope)


def _rows(path: Path) -> list[Mapping[str, Any]]:
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        rows = list(read_jsonl(path))
        if not all(isinstance(row, dict) for row in rows):
            raise InputError("every line must hold an object with a row's columns", file=path)
        return rows
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            read = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"can't be read: {reason}", file=path) from error
    for line, row in enumerate(read, 2):
        if None in row or None in row.values():
            raise InputError("this row has more or fewer cells than the head", file=path, line=line)
    return list(read)


def _target(cell: Any, line: int, name: str, path: Path) -> float | None:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    value = _number(cell)
    if value is None:
        raise InputError(f"'{name}' of row {line} is no finite number: '{cell}'", file=path)
    return value


def _number(cell: Any) -> float | None:
    """The finite number in a cell; None where there is none (true and false are levels)."""
    if isinstance(cell, bool):
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _unit(column: Floats) -> Floats:
    """Scaled to [0, 1]; ½ where all are equal."""
    if column.min() > 0 and column.max() / column.min() >= LOGARITHMIC:
        column = np.log(column)
    low, high = column.min(), column.max()
    if low == high:
        return np.full_like(column, 0.5)
    return np.asarray((column - low) / (high - low))
