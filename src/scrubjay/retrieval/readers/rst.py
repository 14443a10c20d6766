"""reStructuredText as its reader reads it: the same lines, without the markup that says nothing.

    ========                     # Pools            heading lines in the form of ``markdown.blocks``
    Pools                  ->
    ========
    .. _pool_label:              (blank)
    .. versionadded:: 1.3        New in version 1.3:
    see :class:`~sa.Pool`        see Pool
    .. function:: hide(nut)      hide(nut):

Every line keeps its number, so that a citation points into the file. Literal blocks stay as they
are. This is no parser of reStructuredText: what it doesn't know stays as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SNIFF = re.compile(r"^ {0,3}\.\. (?:[a-z][\w:+-]*::(?:\s|$)|_[^:\n]{1,200}:)", re.MULTILINE)
_LINE = re.compile(r"([=\-~^\"'*+#`:.<>_])\1{2,}\s*")
_DIRECTIVE = re.compile(r"(\s*)\.\. (?:[a-z]+:)?([a-z][\w+-]*)::\s*(.*)")
_COMMENT = re.compile(r"(\s*)\.\.(?:\s+.*)?")
_OPTION = re.compile(r"\s+:[\w-]+:(?:\s.*)?")
_BORDER = re.compile(r"\s*(?:\+[-=+]{3,}\+|=+(?: +=+)+|-+(?: +-+)+)\s*")
_ROLE = re.compile(r":[a-z][\w:+-]{0,30}:`([^`]{1,300})`")
_LINK = re.compile(r"(?<![`\w])`([^`]{1,300})`__?(?!\w)")
_LITERAL = re.compile(r"``([^`]{1,300})``")
_SHOWN = re.compile(r"(.*\S)\s*<[^<>]*>", re.DOTALL)

SAID = {
    "versionadded": "New in version {}", "versionchanged": "Changed in version {}",
    "deprecated": "Deprecated since version {}", "versionremoved": "Removed in version {}",
    "seealso": "See also", "note": "Note", "warning": "Warning", "tip": "Tip", "hint": "Hint",
    "important": "Important", "caution": "Caution", "danger": "Danger", "attention": "Attention",
    "admonition": "{}", "topic": "{}", "sidebar": "{}", "rubric": "{}",
}  # fmt: skip
SIGNED = frozenset({
    "function", "method", "class", "attribute", "data", "exception", "module", "property", "macro",
    "classmethod", "staticmethod", "decorator", "decoratormethod", "describe", "object", "option",
    "cmdoption", "program", "envvar", "confval", "setting", "directive", "role", "type", "member",
    "var", "opcode", "pdbcommand", "django-admin", "django-admin-option", "templatetag",
    "templatefilter", "fieldlookup",
})  # fmt: skip
LITERAL = frozenset({
    "code-block", "code", "sourcecode", "parsed-literal", "literalinclude", "doctest", "testcode",
    "testoutput", "ipython", "math", "productionlist", "highlight",
})  # fmt: skip
DROPPED = frozenset({
    "index", "toctree", "contents", "image", "include", "raw", "currentmodule", "py-currentmodule",
    "automodule", "autosummary", "autodoc", "meta", "role", "default-role", "default-domain",
    "tabularcolumns", "sectionauthor", "moduleauthor", "codeauthor", "testsetup", "testcleanup",
})  # fmt: skip
"""Directives whose whole body says nothing to a reader."""
LONGEST = 2000
"""A longer line is no prose; patterns are not tried on it."""


def is_rst(text: str) -> bool:
    """Whether a text uses directives or labels of reStructuredText."""
    return _SNIFF.search(text) is not None


def cleaned(text: str) -> str:
    """The text with headings marked by ``#`` and markup made plain, line by line."""
    return "\n".join(_Cleaner(text.split("\n")).lines())


class _Cleaner:
    def __init__(self, source: list[str]) -> None:
        self.source = source
        self.levels: list[tuple[str, bool]] = []
        """Kinds of heading, by character and overline, in the order of their first use."""
        self.literal = self.dropped = -1
        """Lines indented by more than this stand as they are, or are left out; -1: none do."""
        self.options = False
        """Lines that set options of the directive above are left out."""

    def lines(self) -> Iterator[str]:
        number = 0
        while number < len(self.source):
            line = self.source[number]
            if len(line) > LONGEST:
                self.literal = self.dropped = -1
                yield line
            elif heading := self._heading(number):
                self.literal = self.dropped = -1
                yield from heading
                number += len(heading)
                continue
            else:
                yield self._line(line)
            number += 1

    def _heading(self, number: int) -> list[str]:
        """The lines of a heading that starts here: marked title, lines above and below blank."""
        first, second, third = [*self.source[number : number + 3], "", ""][:3]
        over = _LINE.fullmatch(first)
        if over and second.strip() and _same(first, third) and len(second) <= len(first) + 1:
            return ["", self._marked(second, over[1], True), ""]
        under = _LINE.fullmatch(second) if first[:1].strip() and not over else None
        before = self.source[number - 1].strip() if number else ""
        if under and not before and len(second.rstrip()) >= min(len(first.rstrip()), 4):
            return [self._marked(first, under[1], False), ""]
        return []

    def _marked(self, title: str, mark: str, over: bool) -> str:
        if (mark, over) not in self.levels:
            self.levels.append((mark, over))
        return f"{'#' * min(self.levels.index((mark, over)) + 1, 6)} {_plain(title.strip())}"

    def _line(self, line: str) -> str:
        indent = len(line) - len(line.lstrip())
        if not line.strip():
            self.options = False
            return line
        if self.dropped >= 0:
            if indent > self.dropped:
                return ""
            self.dropped = -1
        if self.options and _OPTION.fullmatch(line):
            return ""
        self.options = False
        if self.literal >= 0:
            if indent > self.literal:
                return line
            self.literal = -1
        if _BORDER.fullmatch(line):
            return ""
        if directive := _DIRECTIVE.fullmatch(line):
            return self._directive(len(directive[1]), directive[2], directive[3])
        if comment := _COMMENT.fullmatch(line):
            self.dropped = len(comment[1])
            return ""
        if line.rstrip().endswith("::"):
            self.literal = indent
            line = line.rstrip()[:-1] if line.strip() != "::" else ""
        return _plain(line)

    def _directive(self, indent: int, name: str, argument: str) -> str:
        self.options = True
        blank = " " * indent
        if name in DROPPED or name.startswith("auto"):
            self.dropped = indent
            return ""
        if name in LITERAL:
            self.literal = indent
            return ""
        if name in SAID:
            return blank + _plain(_said(SAID[name], argument))
        if name in SIGNED:
            return f"{blank}{argument.rstrip()}:" if argument else ""
        return blank + _plain(argument)


def _said(form: str, argument: str) -> str:
    """What is shown for a note or a version: its name, a colon, its text."""
    name, rest = form, argument
    if form == "{}":
        name, rest = argument, ""
    elif "{}" in form:
        version, _, rest = argument.partition(" ")
        name = form.format(version)
    return f"{name}: {rest}".rstrip()


def _same(over: str, under: str) -> bool:
    return over.rstrip() == under.rstrip()


def _plain(text: str) -> str:
    """A line without the marks of roles, links and literals."""
    text = _ROLE.sub(lambda found: _shown(found[1]), text)
    text = _LITERAL.sub(r"\1", text)
    return _LINK.sub(r"\1", text)


def _shown(target: str) -> str:
    """What a reference shows: its own text, or the last part of a name that says so."""
    if given := _SHOWN.fullmatch(target):
        return given[1]
    target = target.lstrip("!.")
    return target[1:].rsplit(".", 1)[-1] if target.startswith("~") else target
