"""How long to keep asking a server that is busy or broken.

Waits double from ``first`` to ``longest`` with a seeded jitter (so that a run is repeatable and
many waiting requests don't come back together); a server's own ``Retry-After`` takes precedence.
Attempts and total time are bounded; ``SCRUBJAY_PATIENCE`` sets the bounds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from scrubjay.core.errors import ModelError
from scrubjay.core.randomness import stream

BUSY = frozenset({408, 429, 500, 502, 503, 504, 529})
"""HTTP statuses that pass: too many requests, overloaded, restarting."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds on the attempts at one request; times in seconds."""

    attempts: int = 6
    """Twice as many where the server says that we ask too often (429): limits are per minute."""
    stalls: int = 2
    """Attempts that may end in silence: a lost connection is worth one more, a dead server not."""
    seconds: float = 600.0
    """From the start of the first attempt to the end of the last, waits included."""
    connect: float = 10.0
    read: float = 120.0
    """Longest silence of the whole server; while it answers other requests, it is not silent."""
    first: float = 0.5
    longest: float = 30.0

    @classmethod
    def from_environment(cls) -> Patience:
        """The usual bounds; ``SCRUBJAY_PATIENCE`` is another longest silence, in seconds, and the
        total changes with it.

        Raises:
            ModelError: the variable holds no positive number.
        """
        value, usual = os.environ.get("SCRUBJAY_PATIENCE", ""), cls()
        if not value:
            return usual
        try:
            read = float(value)
        except ValueError:
            read = 0.0
        if not 0.0 < read < 1e6:
            raise ModelError(f"SCRUBJAY_PATIENCE is {value!r}, which is no number of seconds")
        scale = read / usual.read
        return cls(seconds=usual.seconds * scale, connect=min(usual.connect, read), read=read)

    def wait(self, attempt: int, key: str, asked: float | None = None) -> float:
        """Seconds to wait after failed attempt number ``attempt`` (from 0) of the request ``key``.

        ``asked`` is the server's own wish; a wish is never cut short. Otherwise
        min(longest, first · 2^attempt), times a uniform draw from [0.5, 1).
        """
        if asked is not None:
            return asked
        draw = stream(0, "retry", key, attempt).random()
        return min(self.longest, self.first * 2.0**attempt) * (0.5 + 0.5 * draw)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: a number or an HTTP date (RFC 9110 §10.2.3).

    ``now`` is Unix time. A header that can't be read is as good as none.

    >>> retry_after("3", now=0.0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=50.0)
    (3.0, 10.0)
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - now)
