"""How long work tells how far it is: it calls a function, and whoever shows it passes one."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with (what, done, total) as often as there is news."""

Count = Callable[[int, int], None]
"""The same where there is one thing to count: (done, total)."""


def silent(*_: object) -> None:
    """Nobody watches."""
