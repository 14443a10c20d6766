"""Answers that are dates: both sides become a timestamp and are compared as printed.

Source: SynthWorlds (arXiv 2510.24427), sections 3.4 (printing) and 3.10 (scoring) of our sheet.
``Timestamp.__str__`` is the printing rule. A text counts as a date if it names exactly one: "1969
or 1970" is no answer to "when", and falls back to the comparison of strings.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence

from scrubjay.evaluation.text import exact_match, f1
from scrubjay.worlds.universe import MONTHS, Timestamp

_MONTH = "(?P<month>" + "|".join(f"{m[:3]}(?:{m[3:]})?" for m in MONTHS).lower() + r"|sept)\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_ERA = r"(?:b\.?c\.?e?\.?|c\.?e\.?|a\.?d\.?)(?![a-z])"
# Three or four digits, or any number with an era: "476", "43 BC", "AD 79"; not "1960s".
_YEAR = (
    rf"(?P<year>\d{{3,4}}(?!\w)|\d{{1,6}}(?=\s*{_ERA})|(?<=\bad )\d{{1,4}}|(?<=\ba\.d\. )\d{{1,4}})"
    rf"(?:\s*(?P<era>{_ERA}))?"
)

_FORMS = tuple(
    re.compile(form)
    for form in (
        # 1969-07-20, +1969-07-20T00:00:00Z, 1969-00-00 (Wikidata: the year only), -0043-03-15
        r"(?<![\d-])(?P<sign>[+-]?)(?P<year>\d{4})-(?P<month>\d{2})(?:-(?P<day>\d{2}))?"
        r"(?:t[\d:.]*z?)?(?![\d-])",
        rf"\b{_MONTH}\s+{_DAY},?\s+{_YEAR}",  # July 20, 1969
        rf"\b{_DAY}\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}",  # 20th of July 1969
        rf"\b{_MONTH},?\s+(?:of\s+)?{_YEAR}",  # July, 1969
        rf"(?<![\d.,])(?P<sign>(?<![^\s])-)?\b{_YEAR}",  # 1969, 43 BC, AD 79, -43 BCE
        r"^\W*?(?P<sign>-?)(?P<year>\d{1,2})\W*$",  # nothing but a small number
        r"^\W*?(?P<sign>-)(?P<year>\d{1,6})\W*$",
    )
)


def parse_time(text: str) -> Timestamp | None:
    """The one date that ``text`` names, as precise as it is given; None if there isn't just one.

    >>> parse_time("on 20 July 1969"), parse_time("44 BC"), parse_time("1969 or 1970")
    (Timestamp(year=1969, month=7, day=20), Timestamp(year=-44, month=0, day=0), None)
    """
    rest, found = text.lower(), set()
    for form in _FORMS:
        for match in form.finditer(rest):
            found.add(_timestamp(match))
        # What a more precise form has read is hidden from the less precise ones.
        rest = form.sub(" ; ", rest)
    return found.pop() if len(found) == 1 else None


def score_time(prediction: str, golds: Sequence[str]) -> tuple[float, float]:
    """(F1, exact match) of a date: the better of comparing timestamps and comparing strings.

    Exact match 1 forces F1 1. What is no date falls back to strings.
    """
    said = parse_time(prediction)
    printed = str(said) if said else prediction
    times = [str(t) for t in map(parse_time, golds) if t]
    exact = max(exact_match(prediction, golds), exact_match(printed, times) if said else 0.0)
    return max(exact, f1(prediction, golds), f1(printed, times) if said else 0.0), exact


def _timestamp(match: re.Match[str]) -> Timestamp | None:
    parts = match.groupdict()
    digits = re.match(r"\d+", parts["year"])
    year = int(digits.group()) if digits else 0
    month = _month(parts.get("month"))
    day = int(parts.get("day") or 0)
    if (parts.get("era") or "").startswith("b") or parts.get("sign") == "-":
        year = -year
    if not year or month > 12 or (day and not month):
        return None
    if day and day > _days(year, month):
        return None
    return Timestamp(year, month, day)


def _month(text: str | None) -> int:
    if not text:
        return 0
    if text.isdigit():
        return int(text)
    return [m[:3].lower() for m in MONTHS].index(text[:3]) + 1


def _days(year: int, month: int) -> int:
    # The calendar before year 1 is anybody's guess: allow February 29.
    return calendar.monthrange(year if year > 0 else 4, month)[1]
