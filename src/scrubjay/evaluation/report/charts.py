"""Charts as inline SVG that keep their text size at every width.

Horizontal places are percentages of the drawing's width and vertical ones are pixels, so nothing is
scaled: a chart is as readable on a phone as on a desk. Colours are CSS classes of the page, which
follow its light and dark theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from scrubjay.evaluation.labels import points

_ROW, _AXIS = 44, 26


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of ``dumbbells``: score in the real world and in the twin, in [0, 1]."""

    label: str
    real: float
    twin: float
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A row of ``forest``: a difference with its interval."""

    label: str
    value: float
    low: float | None
    high: float | None


def dumbbells(rows: Sequence[Pair], title: str) -> Markup:
    """Real and twin score of each row on one scale from 0 to 100 points."""
    parts = [_grid([(t / 100, str(t)) for t in (0, 25, 50, 75, 100)], len(rows), 0.0, 1.0)]
    for i, row in enumerate(rows):
        y = i * _ROW + 16
        real, twin = _at(row.real, 0, 1), _at(row.twin, 0, 1)
        gap = points(row.real - row.twin, sign=True)
        parts.append(
            Markup(
                '<g class="{}"><text x="0" y="{}">{}</text>'
                '<text x="100%" y="{}" class="end"><tspan class="real">{}</tspan> · '
                '<tspan class="twin">{}</tspan> · {}</text>'
                '<line class="bar" x1="{}%" x2="{}%" y1="{}" y2="{}"/>'
                '<circle class="twin" cx="{}%" cy="{}" r="6"/>'
                '<circle class="real" cx="{}%" cy="{}" r="5"/></g>'
            ).format(
                "faint" if row.faint else "row",
                *(y, row.label),
                *(y, points(row.real), points(row.twin), gap),
                *(_pct(min(real, twin)), _pct(max(real, twin)), y + 14, y + 14),
                *(_pct(twin), y + 14),
                *(_pct(real), y + 14),
            )
        )
    return _svg(parts, len(rows), title)


def forest(rows: Sequence[Span], title: str) -> Markup:
    """Each row's difference and interval, on one scale around 0."""
    ends = [abs(v) for r in rows for v in (r.value, r.low, r.high) if v is not None]
    step = next(s for s in (0.05, 0.1, 0.25, 0.5, 1.0) if max(ends, default=0) <= 2 * s)
    edge = 2 * step
    marks = [(k * step, points(k * step, sign=True)) for k in (-2, -1, 0, 1, 2)]
    parts = [_grid(marks, len(rows), -edge, edge)]
    for i, row in enumerate(rows):
        y = i * _ROW + 16
        low, high, text = row.value, row.value, ""
        if row.low is not None and row.high is not None:
            low, high, text = row.low, row.high, f" [{points(row.low)}, {points(row.high)}]"
        sure = "sure" if text and (low > 0 or high < 0) else "open"
        parts.append(
            Markup(
                '<g class="{}"><text x="0" y="{}">{}</text>'
                '<text x="100%" y="{}" class="end">{}{}</text>'
                '<line class="span" x1="{}%" x2="{}%" y1="{}" y2="{}"/>'
                '<circle cx="{}%" cy="{}" r="5"/></g>'
            ).format(
                sure,
                *(y, row.label),
                *(y, points(row.value, sign=True)),
                text,
                *(_pct(_at(low, -edge, edge)), _pct(_at(high, -edge, edge)), y + 14, y + 14),
                *(_pct(_at(row.value, -edge, edge)), y + 14),
            )
        )
    return _svg(parts, len(rows), title)


def _svg(parts: Sequence[Markup], rows: int, title: str) -> Markup:
    height = rows * _ROW + _AXIS
    return Markup(
        '<svg class="chart" width="100%" height="{}" role="img" aria-label="{}">{}</svg>'
    ).format(height, title, Markup("").join(parts))


def _grid(marks: Sequence[tuple[float, str]], rows: int, low: float, high: float) -> Markup:
    bottom = rows * _ROW
    lines = []
    for value, text in marks:
        x = _pct(_at(value, low, high))
        lines.append(
            Markup(
                '<line class="{}" x1="{}%" x2="{}%" y1="4" y2="{}"/>'
                '<text class="tick" x="{}%" y="{}">{}</text>'
            ).format("zero" if value == 0 > low else "grid", x, x, bottom, x, bottom + 16, text)
        )
    return Markup("").join(lines)


def _at(value: float, low: float, high: float) -> float:
    """Place of a value in percent of the width; a margin keeps end marks and ticks inside."""
    share = (min(max(value, low), high) - low) / (high - low)
    return 4 + 92 * share


def _pct(place: float) -> str:
    return f"{place:.2f}"
