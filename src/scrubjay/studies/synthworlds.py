"""SynthWorlds (paper 01): how much of a score is memory, how much is reading?

Parallel worlds tell the same facts under different names; memory helps in one of them only. Part 1
makes a world known to a small reader on purpose, so that the instrument is tried where the truth is
known; part 2 measures a model that knows the real world.
"""

from __future__ import annotations

from pathlib import Path

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.studies import synthworlds_judge, synthworlds_made, synthworlds_real
from scrubjay.studies.study import Run, Scale, study

PARTS: dict[str, Run] = {
    "made": synthworlds_made.run_part,
    "real": synthworlds_real.run_part,
}
"""Each part measures for itself; its claims, numbers and tables stand side by side."""


@study("synthworlds", claims=synthworlds_judge.CLAIMS + synthworlds_real.CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """All parts, as one finding."""
    return merge(
        {k: part(scale, out=out, seed=seed, progress=progress) for k, part in PARTS.items()}
    )


def merge(parts: dict[str, Finding]) -> Finding:
    """One finding of several; numbers, tables and settings get the part's name in front."""
    figures = [f.figure for f in parts.values() if f.figure]
    return Finding(
        "synthworlds",
        {f"{k}: {name}": n for k, f in parts.items() for name, n in f.numbers.items()},
        tuple(c for f in parts.values() for c in f.claims),
        {f"{k}: {name}": t for k, f in parts.items() for name, t in f.tables.items()},
        figures[0] if len(figures) == 1 else {"vconcat": figures} if figures else None,
        {k: dict(f.settings) for k, f in parts.items()},
        notes=tuple(n for f in parts.values() for n in f.notes),
    )
