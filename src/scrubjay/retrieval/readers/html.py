"""HTML: what a reader of the page reads, as headings and paragraphs.

A streaming parser keeps no tree, so depth costs nothing. Scripts, styles and navigation are left
out.
"""

from __future__ import annotations

from html.parser import HTMLParser

from scrubjay.retrieval.readers.decode import decode
from scrubjay.retrieval.readers.types import Block

SILENT = frozenset({"script", "style", "noscript", "template", "nav", "svg", "iframe", "head"})
INLINE = frozenset({
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "em", "font", "i", "kbd",
    "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "u", "var",
})  # fmt: skip
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
KEPT = frozenset({"pre", "textarea"})


def read_html(data: bytes) -> list[Block]:
    """The blocks of a page.

    Raises:
        Unreadable: it is binary.
    """
    return page_blocks(decode(data))


def page_blocks(text: str) -> list[Block]:
    """The blocks of a page given as text."""
    parser = _Page()
    parser.feed(text)
    parser.close()
    parser.flush()
    return parser.found


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Block] = []
        self._parts: list[str] = []
        self._line, self._level, self._silent, self._kept = 0, 0, 0, 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in SILENT:
            self._silent += 1
        elif tag not in INLINE:
            self.flush()
            self._kept += tag in KEPT
            self._level = (
                int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0
            )

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        if tag not in INLINE:
            self.flush()

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag not in INLINE:
            self.flush()
            self._kept = max(0, self._kept - (tag in KEPT))
            self._level = 0

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if not self._parts:
            if not data.strip():
                return
            lead = len(data) - len(data.lstrip())
            self._line = self.getpos()[0] + data.count("\n", 0, lead)
        self._parts.append(data)

    def flush(self) -> None:
        text = "".join(self._parts)
        self._parts = []
        text = text.strip("\n") if self._kept else " ".join(text.split())
        if text.strip():
            self.found.append(Block(text, self._line, self._level, keep=bool(self._kept)))
