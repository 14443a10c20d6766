"""The gallery: pages of the documentation, made from the findings under ``results/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scrubjay.core.files import write_atomic
from scrubjay.core.finding import Finding, Number
from scrubjay.studies.study import get_study, load_finding, papers, study_table

COLUMNS = [
    "paper",
    "slug",
    "title",
    "verdict",
    "scale",
    "seconds",
    "claim",
    "holds",
    "evidence",
    "what",
    "value",
    "interval",
    "setting",
    "task",
    "metric",
    "base",
    "known",
    "real",
    "twins",
    "twin",
    "gap",
    "reduction",
    "low",
    "high",
    "n",
]
"""The order of columns; others follow in the order they come."""


def write_pages(results: Path, docs: Path) -> list[Path]:
    """Write ``index.md`` and a page per finding into ``docs``; returns what was written.

    Raises:
        InputError: a finding can't be read.
        DiskError: the folder can't be written.
    """
    written = [docs / "index.md"]
    write_atomic(written[0], _index(results))
    for row in papers():
        finding = load_finding(row.slug, results)
        if finding is not None:
            page = docs / f"{row.slug}.md"
            write_atomic(page, _page(row.slug, finding))
            written.append(page)
    return written


def _index(results: Path) -> str:
    rows = []
    for row in study_table(results):
        slug = row["slug"]
        linked = (results / slug / "finding.json").exists()
        rows.append({**row, "slug": f"[{slug}]({slug}.md)" if linked else slug})
    return (
        "# The papers\n\nOne row per paper. A verdict is computed by the study's own tests; "
        "`planned` means that the paper has no study yet.\n\n" + _table(rows)
    )


def _page(slug: str, finding: Finding) -> str:
    study = get_study(slug)
    claims = [
        {"claim": c.text, "holds": "yes" if c.holds else "no", "evidence": c.evidence}
        for c in finding.claims
    ]
    numbers = [
        {"what": k, "value": _round(n.value), "interval": _interval(n), "n": n.n or ""}
        for k, n in finding.numbers.items()
    ]
    parts = [
        f"# {study.number:02d} {slug}\n\n{study.title}\n",
        f"Verdict: **{finding.verdict}**, at scale `{finding.settings.get('scale', '')}`, "
        f"in {finding.seconds:.0f} seconds. Again: `scrubjay study run {slug}`.\n",
        "## Claims\n\n" + _table(claims),
        "## Numbers\n\n" + _table(numbers),
        *(f"## Table: {name}\n\n" + _table(rows) for name, rows in finding.tables.items()),
        "## Notes\n\n" + "".join(f"* {note}\n" for note in finding.notes),
    ]
    return "\n".join(parts)


def _table(rows: list[dict[str, Any]]) -> str:
    """Rows of equal keys as a Markdown table."""
    keys = sorted(rows[0], key=_place) if rows else []
    lines = [keys, ["---"] * len(keys), *([_cell(r[k]) for k in keys] for r in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _place(key: str) -> int:
    """Findings are kept with sorted keys; a table reads better in this order."""
    return COLUMNS.index(key) if key in COLUMNS else len(COLUMNS)


def _cell(value: Any) -> str:
    return str(_round(value) if isinstance(value, float) else value).replace("|", "\\|")


def _round(value: float) -> float:
    return round(value, 3) + 0.0


def _interval(number: Number) -> str:
    if number.low is None or number.high is None:
        return ""
    return f"[{_round(number.low)}, {_round(number.high)}]"
