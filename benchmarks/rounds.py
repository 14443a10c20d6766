"""Rounds of a comparison, ours and the peer's in turns, and the row that they make."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

THREADS = 2


def rounds(
    ours: Callable[[], Any], theirs: Callable[[], Any], count: int
) -> list[tuple[float, float]]:
    """Seconds of both, in turns, after a warm-up."""
    import torch

    with torch.no_grad():
        ours(), theirs()
        return [(seconds_of(ours), seconds_of(theirs)) for _ in range(count)]


def seconds_of(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def row(
    name: str, pairs: list[tuple[float, float]], peer: str, unit: str, *, seconds: bool = False
) -> dict[str, Any]:
    """A row of ``results.json``.

    Args:
        pairs: ours and the peer's, a pair a round.
        seconds: less is faster.
    """
    ratios = [b / a if seconds else a / b for a, b in pairs]
    return {
        "name": name,
        "ours": round(statistics.median(a for a, _ in pairs), 3),
        "peer": round(statistics.median(b for _, b in pairs), 3),
        "peer_name": peer,
        "unit": unit,
        "ratio": round(statistics.median(ratios), 2),
        "low": round(min(ratios), 2),
        "high": round(max(ratios), 2),
        "machine": f"{platform.machine()}, {THREADS} threads, float32",
    }
