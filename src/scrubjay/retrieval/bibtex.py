"""BibTeX, strictly: entries with their lines, strings, nested braces, and accents as letters.

    @string{jb = "Journal of Birds"}                 Entry("article", "solvik20", line=2,
    @article{solvik20, title = {{Jays} remember},      fields={"title": "Jays remember",
             journal = jb # " (B)", year = 2020}        "journal": "Journal of Birds (B)", …})

Text between entries is a comment, as in BibTeX itself. Written here rather than taken from a
package: what a library needs is small, and errors must name file and line.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NoReturn

from scrubjay.core.errors import InputError

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MARKS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306",
    ".": "\u0307", '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "c": "\u0327",
    "k": "\u0328",
}  # fmt: skip
_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å", "o": "ø", "O": "Ø",
    "l": "ł", "L": "Ł", "i": "i", "j": "j",
}  # fmt: skip
_ACCENT = re.compile(
    r"\\(?:([`'^~=.\"])\s*|([uvHckr])(?:\s+|(?=\{)))(?:\{\s*(\\[ij]|\w)\s*\}|(\\[ij](?![A-Za-z])|\w))"
)
_LETTER = re.compile(r"\\(ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)(?![A-Za-z])(?:\{\}|\s+)?")
_COMMAND = re.compile(r"\\[A-Za-z]+\*?\s*")
_NAME = re.compile(r"[^\s{}()\"#%',=]+")
_KEY = re.compile(r"[^\s{}(),]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One publication; field names are in lower case, values are plain text."""

    kind: str
    key: str
    fields: dict[str, str]
    line: int


def parse_bibtex(text: str, *, file: str = "library.bib") -> list[Entry]:
    """All entries, in order.

    Raises:
        InputError: malformed, or two entries with one key; with file and line.
    """
    return _Parser(text, file).entries()


def plain(value: str) -> str:
    r"""LaTeX as plain text: accents become letters, braces and commands go.

    >>> plain(r'{\"U}ber {\O}rsted and Ga{\~n}\'an, {\em in} 5\%')
    'Über Ørsted and Gañán, in 5%'
    """

    def accented(match: re.Match[str]) -> str:
        letter = (match[3] or match[4]).removeprefix("\\")
        return unicodedata.normalize("NFC", letter + _MARKS[match[1] or match[2]])

    value = _ACCENT.sub(accented, value)
    value = _LETTER.sub(lambda m: _LETTERS[m[1]], value)
    value = re.sub(r"\\([&%$#_{}])", lambda m: {"{": "\x01", "}": "\x02"}.get(m[1], m[1]), value)
    value = _COMMAND.sub("", value).replace("{", "").replace("}", "").replace("~", " ")
    value = value.replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”")
    return " ".join(value.replace("\x01", "{").replace("\x02", "}").split())


class _Parser:
    """A reader at a place in the text."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file, self.at = text, file, 0
        self.strings = {m: m.capitalize() for m in MONTHS}

    def entries(self) -> list[Entry]:
        found: dict[str, Entry] = {}
        while (start := self.text.find("@", self.at)) >= 0:
            self.at = start + 1
            line = self._line(start)
            # A @ inside free text (an address) begins no entry.
            kind = re.compile(r"\s*([A-Za-z]+)\s*([{(])").match(self.text, self.at)
            if kind is None or (start and self.text[start - 1].isalnum()):
                continue
            self.at = kind.end()
            name, end = kind[1].lower(), "}" if kind[2] == "{" else ")"
            if name == "comment" or name == "preamble":
                self._skip(end, start)
            elif name == "string":
                self.strings.update(self._fields(end, start))
            else:
                entry = self._entry(name, end, start, line)
                if entry.key in found:
                    first = found[entry.key].line
                    self._fail(f"the key '{entry.key}' is used already in line {first}", start)
                found[entry.key] = entry
        return list(found.values())

    def _entry(self, kind: str, end: str, start: int, line: int) -> Entry:
        self._blank()
        key = _KEY.match(self.text, self.at)
        if key is None:
            self._fail(f"the @{kind} has no key; write @{kind}{{name, …}}", start)
        self.at = key.end()
        self._blank()
        if self._here() == end:
            self.at += 1
            return Entry(kind, key[0], {}, line)
        if self._here() != ",":
            self._fail(f"a comma is missing after the key '{key[0]}'", self.at)
        self.at += 1
        return Entry(kind, key[0], {k: plain(v) for k, v in self._fields(end, start).items()}, line)

    def _fields(self, end: str, start: int) -> dict[str, str]:
        fields: dict[str, str] = {}
        while True:
            self._blank()
            if self._here() == end:
                self.at += 1
                return fields
            name = _NAME.match(self.text, self.at)
            if name is None:
                self._fail("the entry that starts here is not closed", start, end=not self._here())
            self.at = name.end()
            self._blank()
            if self._here() != "=":
                self._fail(f"'=' is missing after '{name[0]}'", self.at)
            self.at += 1
            fields[name[0].lower()] = self._value(start)
            self._blank()
            if self._here() == ",":
                self.at += 1
            elif not self._here():
                self._fail("the entry that starts here is not closed", start)
            elif self._here() != end:
                self._fail(f"a comma is missing after the field '{name[0]}'", self.at)

    def _value(self, start: int) -> str:
        parts = []
        while True:
            self._blank()
            parts.append(self._part(start))
            self._blank()
            if self._here() != "#":
                return "".join(parts)
            self.at += 1

    def _part(self, start: int) -> str:
        here = self._here()
        if here == "{":
            return self._braced(start)
        if here == '"':
            return self._quoted(start)
        name = _NAME.match(self.text, self.at)
        if name is None:
            self._fail("a value is missing", self.at)
        self.at = name.end()
        if name[0].isdigit():
            return name[0]
        if name[0].lower() not in self.strings:
            self._fail(f"there is no @string '{name[0]}'; put the value in braces", self.at)
        return self.strings[name[0].lower()]

    def _braced(self, start: int) -> str:
        self.at += 1
        begin = self.at
        self._skip("}", start)
        return self.text[begin : self.at - 1]

    def _quoted(self, start: int) -> str:
        self.at += 1
        begin, depth = self.at, 0
        while self.at < len(self.text):
            c = self.text[self.at]
            self.at += 2 if c == "\\" else 1
            depth += {"{": 1, "}": -1}.get(c, 0)
            if c == '"' and depth == 0:
                return self.text[begin : self.at - 1]
        self._fail("the entry that starts here is not closed", start)

    def _skip(self, end: str, start: int) -> None:
        """To behind the ``end`` that closes what is open; braces nest."""
        depth = 0
        while self.at < len(self.text):
            c = self.text[self.at]
            self.at += 2 if c == "\\" else 1
            if c == end and depth == 0:
                return
            depth += {"{": 1, "}": -1}.get(c, 0)
        self._fail("the entry that starts here is not closed", start)

    def _blank(self) -> None:
        while self._here().isspace():
            self.at += 1

    def _here(self) -> str:
        return self.text[self.at : self.at + 1]

    def _line(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1

    def _fail(self, sentence: str, at: int, *, end: bool = True) -> NoReturn:
        if not end:
            sentence, at = f"'{self._here()}' is out of place", self.at
        raise InputError(sentence, file=self.file, line=self._line(at))
