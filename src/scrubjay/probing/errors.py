"""What can go wrong when a model is opened up: one sentence each."""

from __future__ import annotations

from scrubjay.core.errors import ScrubjayError


class ProbeError(ScrubjayError):
    """A model, site, prompt or value that an instrument can't work with."""


class OverBudget(ProbeError):
    """More activations than the stated number of bytes."""


_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


def byte_count(budget: int | str) -> int:
    """A number of bytes, or text such as "512MB" (decimal units).

    >>> byte_count("1.5 kB")
    1500

    Raises:
        ProbeError: it is neither, or not above 0.
    """
    number = str(budget).strip().lower().replace("_", "")
    unit = number.lstrip("0123456789.").strip()
    try:
        count = int(float(number.removesuffix(unit)) * _UNITS[unit])
    except (ValueError, KeyError):
        count = 0
    if count < 1:
        raise ProbeError(f"a budget is a number of bytes such as '512MB', not '{budget}'")
    return count
