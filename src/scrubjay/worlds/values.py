"""Dates and numbers of a twin: other values, in the same order.

Dates. The sheet (SynthWorlds 3.4; the paper's own rule was not seen) asks for year + c with a
secret c, 7 ≤ |c| ≤ 60, and for month and day moved so that every before/after and every interval
in years is kept. A fixed offset of month and day can't do that: the only order-preserving map of
all days of a year to itself is the identity. So the map is made for the dates that occur: the
months that occur in a year move to other months in the same order, and so do the days that occur
in a month. Where a year uses all twelve months, or a month more than 28 of its days, they stay
(the one case in which a 29th of February can meet a common year).

Numbers. A real population or atomic number names its owner, so numbers move too: per unit,
v ↦ scale · v + offset, rounded so that whole numbers stay whole, and pushed apart where rounding
would make two values equal. Order, sign, zero and equality are kept; ratios almost.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from random import Random

from scrubjay.core.randomness import stream
from scrubjay.worlds.names import shift_year
from scrubjay.worlds.universe import Quantity, Timestamp, Universe

NEAREST, FARTHEST = 7, 60
"""Least and greatest shift of dates, in years."""
PRESENT = 2025
"""Worlds that reach this year are shifted into the past, so that no twin is about the future."""
SAFE_DAYS = 28
"""Every month has them."""


def shift_of(universe: Universe, seed: int) -> int:
    """The secret c of a twin."""
    rng = stream(seed, "names", "shift")
    years = [f.object.year for f in universe.facts if isinstance(f.object, Timestamp)]
    by = rng.randint(NEAREST, FARTHEST)
    back = rng.random() < 0.5
    return -by if back or max(years, default=0) + by > PRESENT else by


def map_times(universe: Universe, seed: int, shift: int) -> dict[Timestamp, Timestamp]:
    """Every date that has a month → its date in the twin."""
    dates = {f.object for f in universe.facts if isinstance(f.object, Timestamp)}
    years: defaultdict[int, defaultdict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for date in dates:
        if date.month:
            years[date.year][date.month] |= {date.day} - {0}
    moved: dict[Timestamp, Timestamp] = {}
    for year in sorted(years):
        rng = stream(seed, "names", "dates", year)
        months = years[year]
        full = any(len(days) > SAFE_DAYS for days in months.values())
        to_month = {m: m for m in months} if full else _moved(rng, sorted(months), 12)
        for month in sorted(months):
            days = sorted(months[month])
            few = len(days) <= SAFE_DAYS
            to_day = _moved(rng, days, SAFE_DAYS) if few else {d: d for d in days}
            for day in [0, *days]:
                old = Timestamp(year, month, day)
                if old in dates:
                    new = shift_year(year, shift)
                    moved[old] = Timestamp(new, to_month[month], to_day.get(day, 0))
    return moved


def _moved(rng: Random, old: Sequence[int], most: int) -> dict[int, int]:
    """Distinct ``old`` (sorted) → as many distinct numbers in 1..most, in the same order."""
    return dict(zip(old, sorted(rng.sample(range(1, most + 1), len(old)))))


def map_numbers(universe: Universe, seed: int) -> dict[Quantity, Quantity]:
    """Every quantity that occurs → the one that stands for it in the twin."""
    units: defaultdict[str, set[float]] = defaultdict(set)
    for fact in universe.facts:
        if isinstance(fact.object, Quantity):
            units[fact.object.unit].add(fact.object.value)
    moved: dict[Quantity, Quantity] = {}
    for unit in sorted(units):
        rng = stream(seed, "names", "numbers", unit)
        whole = all(float(v).is_integer() for v in units[unit])
        scale, offset = rng.uniform(1.5, 1.95), rng.randint(3, 20) if whole else 0
        for sign in (1, -1):
            values = sorted(abs(v) for v in units[unit] if v * sign > 0)
            for old, new in spread(values, scale, offset).items():
                moved[Quantity(sign * old, unit)] = Quantity(sign * new, unit)
        if 0 in units[unit]:
            moved[Quantity(0.0, unit)] = Quantity(0.0, unit)
    return moved


def spread(values: Sequence[float], scale: float, offset: float) -> Mapping[float, float]:
    """Positive ``values`` (sorted) → scale · v + offset, strictly increasing, whole where v is.

    Numbers with a fraction keep the six digits that are printed.
    """
    moved: dict[float, float] = {}
    last = 0.0
    for old in values:
        new = scale * old + offset
        if float(old).is_integer():
            moved[old] = last = float(max(round(new), math.floor(last) + 1))
        else:
            moved[old] = last = _after(last, new)
    return moved


def _after(last: float, wanted: float) -> float:
    """``wanted`` to six digits, or the next number above ``last`` if that is greater."""
    rounded = float(f"{wanted:.6g}")
    if rounded > last:
        return rounded
    step = 10.0 ** (math.floor(math.log10(last)) - 5)
    return float(f"{last + step:.6g}")
