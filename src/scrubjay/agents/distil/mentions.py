"""What a sentence speaks of: names, dates and numbers, with their places.

    "Kalen Brusk was born in Torvik on March 2, 1851."
      [Kalen Brusk]             [Torvik]   [March 2, 1851]

Names are runs of capitalised words ("Museum of Arn"), and whatever the text itself shows to be a
name: headings and the labels of links, however they are written. Markdown is made plain first, line
for line, so that places in the text stay places in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from scrubjay.worlds.universe import MONTHS, Quantity, Timestamp, Value

Kind = Literal["name", "time", "number"]
LONGEST = 12
"""Words of a name."""
INSIDE = frozenset(
    "of the in and a an for on at de von van du to with over under by from near".split()  # noqa: SIM905
)
"""Words of a name that may be written small."""

_LINK = re.compile(r"!?\[((?:\\.|[^\[\]\\])*)\]\((?:\\.|[^()\\\s])*\)")
_MARKUP = re.compile(r"(?<!\w)([*_`]{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)")
_ESCAPE = re.compile(r"\\([\\`*_\[\]<>#|.()!-])")
_BULLET = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]+", re.MULTILINE)
_END = re.compile(r"(?<=[.!?])[\"”’)]?\s+(?=[\"“‘(]?[A-Z0-9])|\n\s*\n|\n(?=[-*+] )")
_ABBREVIATION = re.compile(r"\b(?:[A-Z]|Dr|Mr|Mrs|Ms|St|No|vs|e\.g|i\.e|ca|c|Jr|Sr|Prof)\.$")
_MONTH = "|".join(MONTHS)
_TIME = re.compile(
    rf"(?P<m1>{_MONTH}) (?P<d1>\d{{1,2}}), (?P<y1>\d{{3,4}})"
    rf"|(?P<d2>\d{{1,2}}) (?P<m2>{_MONTH}) (?P<y2>\d{{3,4}})"
    rf"|(?P<m3>{_MONTH}),? (?P<y3>\d{{3,4}})"
    r"|(?P<y4>\d{1,4}) (?P<era>BCE|BC|CE|AD)\b"
    r"|(?<=\b[Ii]n )(?P<y5>[12]\d{3})\b(?![,.]?\d)|(?<=since )(?P<y6>[12]\d{3})\b"
    r"|(?<=from )(?P<y7>[12]\d{3})\b(?![,.]?\d)|(?<=year )(?P<y8>[12]\d{3})\b"
)
_UNITS = (
    "kilometres?|kilometers?|metres?|meters?|miles?|feet|km²|km2|km|m|square kilometres?|years?|"
    "inhabitants|people|tonnes?|kilograms?|kg|euros?|dollars?|percent|%"
)
_NUMBER = re.compile(rf"(?<![\w.,])\d+(?:,\d{{3}})*(?:\.\d+)?(?![\w,.]*\d)(?: (?:{_UNITS})(?!\w))?")
_WORD = r"[A-Z][\w’'-]*"
_RUN = re.compile(
    rf"{_WORD}(?:(?: of(?: the)?| de| von| van| du| della)? {_WORD}|\.(?= [A-Z]\w)){{0,12}}"
)
_PLURAL = re.compile(
    r"[A-Z][a-z]+(?<!s)s (?:of (?:the )?(?=[A-Z])|(?!is\b|was\b|has\b|had\b)(?=[a-z]+))"
)
LEADS = frozenset(
    "the a an in on at it its he she they his her their this that these those when while after "  # noqa: SIM905
    "before since there here and but or for from by with as if although though however many some "
    "most both today later then also who what where which why how during under over one no not "
    "all each every another people so such thus hence still even only just perhaps indeed instead "
    "meanwhile once almost according".split()
)
"""Words whose capital letter says only that a sentence starts."""


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters ``[start, end)`` of a sentence name something."""

    start: int
    end: int
    text: str
    kind: Kind = "name"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage, and the line of the passage it starts on, from 0."""

    text: str
    line: int


def plain(text: str) -> tuple[str, tuple[str, ...]]:
    """Markdown as text with as many lines, and the labels of its links."""
    labels: list[str] = []

    def label(match: re.Match[str]) -> str:
        said = _ESCAPE.sub(r"\1", match[1])
        if said.strip() and not match[0].startswith("!"):
            labels.append(" ".join(said.split()))
        return match[1]

    text = _BULLET.sub("", _LINK.sub(label, text))
    return _ESCAPE.sub(r"\1", _MARKUP.sub(r"\2", text)), tuple(labels)


def is_name(heading: str) -> bool:
    """Whether a heading is written like a name: 'The Grey Door', but not 'The upper valley'."""
    words = re.findall(r"[^\W\d_][\w’'-]*", heading)
    return bool(words) and all(w[0].isupper() or w in INSIDE for w in words)


def sentences(text: str) -> Iterator[Sentence]:
    """The sentences of a passage, each on one line."""
    start = 0
    for end, following in [*((m.start(), m.end()) for m in _END.finditer(text)), (len(text),) * 2]:
        piece = text[start:end]
        if _ABBREVIATION.search(piece) and end < len(text):
            continue
        if piece.strip():
            before = text[: start + len(piece) - len(piece.lstrip())]
            yield Sentence(" ".join(piece.split()), before.count("\n"))
        start = following


class Gazetteer:
    """Names known beforehand; the longest one wins."""

    def __init__(self, names: Iterable[str]) -> None:
        self._first: dict[str, list[str]] = {}
        for name in dict.fromkeys(" ".join(n.split()) for n in names):
            if 0 < len(name.split()) <= LONGEST and any(c.isupper() for c in name):
                self._first.setdefault(name.split()[0], []).append(name)
        for known in self._first.values():
            known.sort(key=len, reverse=True)

    def at(self, text: str, start: int) -> str | None:
        """The longest known name that starts here and ends with a word."""
        word = re.match(r"\S+", text[start:])
        if word is None:
            return None
        firsts = {word[0], word[0].rstrip('.,;:!?)"”’'), word[0].removesuffix("'s")}
        for name in (n for first in firsts for n in self._first.get(first, ())):
            after = text[start + len(name) : start + len(name) + 1]
            if text.startswith(name, start) and not after.isalnum():
                return name
        return None


def mentions(sentence: str, known: Gazetteer) -> list[Mention]:
    """What the sentence names, from left to right; nothing overlaps."""
    found: list[Mention] = []
    at = 0
    for word in re.finditer(r"(?<!\w)[\w\"“(]", sentence):
        if word.start() < at:
            continue
        mention = _mention(sentence, word.start(), known)
        if mention is not None:
            found.append(mention)
            at = mention.end
    return found


def _mention(text: str, start: int, known: Gazetteer) -> Mention | None:
    name = known.at(text, start)
    if name is not None:
        return Mention(start, start + len(name), name)
    for kind, pattern in (("time", _TIME), ("number", _NUMBER)):
        if match := pattern.match(text, start):
            return Mention(start, match.end(), match[0], kind)  # type: ignore[arg-type]
    run = _RUN.match(text, start)
    if run is None:
        return None
    if run[0].split()[0].lower() in LEADS or (start == 0 and _PLURAL.match(text)):
        # "The Velmor" is the name Velmor; "In" alone is no name. "Readers can find …", "Students
        # of X": a plural that begins a sentence is none either. The next word gets its own turn.
        return None
    said = run[0].removesuffix("'s").removesuffix("’s")
    return Mention(start, start + len(said), said)


def as_value(mention: str, kind: Kind) -> Value | None:
    """The date or number a mention stands for; a name is itself."""
    if kind == "name":
        return mention
    if kind == "number":
        number = re.match(r"[\d,.]*\d", mention)
        unit = mention[number.end() :].strip() if number else ""
        return Quantity(float(number[0].replace(",", "")), unit) if number else None
    # The look-behinds of bare years need a word before them.
    match = _TIME.match(mention) or _TIME.search(f"in {mention}")
    if match is None:
        return None
    part = match.groupdict()
    year = next(int(part[f"y{i}"]) for i in range(1, 9) if part[f"y{i}"])
    month = next((part[f"m{i}"] for i in (1, 2, 3) if part[f"m{i}"]), None)
    day = int(part["d1"] or part["d2"] or 0)
    year = -year if (part["era"] or "").startswith("B") else year
    return Timestamp(year, MONTHS.index(month) + 1 if month else 0, day) if day <= 31 else None
