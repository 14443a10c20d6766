"""HTML: what a reader of the page reads, as headings, paragraphs, table rows and entries.

    <main> of the page, or all of it     scripts, navigation, search boxes and footers are left out
    <h2>Food <a href="#f">¶</a></h2>     Block("Food", level=2): a permalink is no word of it
    <tr><th>Jay<td>nuts</tr>             Block("Jay | nuts"): a row stays one line
    <dt>hide(nut)<dd>Puts it away.       Block("hide(nut)", leads=True), Block(…, term="hide(nut)")
    <li><a href="a.html">A</a> …         a list of links into the same site is no text

A streaming parser keeps no tree, so depth costs nothing: what is left out, and what is the main
part, is followed by counting tags of one name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from itertools import groupby

from scrubjay.retrieval.readers.decode import decode
from scrubjay.retrieval.readers.types import Block

SILENT = frozenset({
    "script", "style", "noscript", "template", "nav", "svg", "iframe", "head", "button", "select",
    "footer",
})  # fmt: skip
ROLES = frozenset({"navigation", "search", "contentinfo", "menu", "menubar", "toolbar"})
NAMES = frozenset({
    "nav", "navbar", "navigation", "breadcrumb", "breadcrumbs", "sphinxsidebar", "related",
    "toc", "table-of-contents", "skip-link", "headerlink",
})  # fmt: skip
"""Classes and ids of parts that lead through a site and say nothing."""
INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "img", "input", "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span",
    "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
})  # fmt: skip
VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
                  "param", "source", "track", "wbr"})  # fmt: skip
SOFT = frozenset({"p", "div", "tbody", "thead", "center"})
"""Inside a table's cell these are blanks: a row stays one block."""
KEPT = frozenset({"pre", "textarea"})
MARKS = frozenset({"", "¶", "#", "§", "🔗", "∞", "link"})
"""Texts of permalinks beside headings."""
LINKS = 4
"""So many links into the site, with no text between, are navigation."""
ROW = 400
"""A longer row is a layout, not a table: its paragraphs become blocks of their own."""
LEAST = 200
"""Characters that the main part must have to stand for the page."""
TERM = 120


def read_html(data: bytes) -> list[Block]:
    """The blocks of a page.

    Raises:
        Unreadable: it is binary.
    """
    return page_blocks(decode(data))


def page_blocks(text: str) -> list[Block]:
    """The blocks of a page given as text; a page without a heading gets its title for one."""
    parser = _Page()
    parser.feed(text)
    parser.close()
    parser.flush()
    main = [found for found in parser.found if found[2]]
    enough = sum(len(block.text) for block, _, _ in main) >= LEAST
    blocks = list(_without_links(main if enough else parser.found))
    title = " ".join("".join(parser.title).split())
    if title and blocks and not any(b.level for b in blocks):
        blocks.insert(0, Block(title, blocks[0].line, 1))
    return blocks


def _without_links(found: list[tuple[Block, int, bool]]) -> Iterator[Block]:
    for linking, run in groupby(found, key=lambda entry: entry[1] > 0):
        entries = list(run)
        if not linking or sum(links for _, links, _ in entries) < LINKS:
            yield from (block for block, _, _ in entries)


class _Region:
    """A part of the page: from a start tag to the end tag that belongs to it."""

    def __init__(self) -> None:
        self.tag, self.depth = "", 0

    def __bool__(self) -> bool:
        return self.depth > 0

    def start(self, tag: str) -> None:
        self.tag, self.depth = tag, 1

    def step(self, tag: str, by: int) -> None:
        if self.depth and tag == self.tag:
            self.depth += by


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[Block, int, bool]] = []
        """With each block: how many links it is if it is nothing else, and whether it stands in
        the main part."""
        self.title: list[str] = []
        self._parts: list[str] = []
        self._line = self._last = self._level = self._kept = 0
        self._links = self._linked = 0
        """Links into the site in this block, and the letters they cover."""
        self._silent, self._main, self._row = _Region(), _Region(), _Region()
        self._link = -1
        """Where in the parts the open link began; -1: none is open, or it leads elsewhere."""
        self._titled = self._entry = False
        self._terms: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent.tag == "head" and tag == "body":
            self._silent.depth = 0  # "</head>" may be missing
        self._titled = tag == "title" and not self.title
        if self._silent:
            self._silent.step(tag, tag not in VOID)
            return
        given = dict(attrs)
        if tag not in VOID and _is_silent(tag, given):
            if tag not in INLINE:
                self.flush()
            self._silent.start(tag)
            return
        self._main.step(tag, tag not in VOID)
        if not self._main and (tag == "main" or given.get("role") == "main"):
            self.flush()
            self._main.start(tag)
        if tag == "a":
            self._link = len(self._parts) if _inside(given.get("href")) else -1
        elif tag not in INLINE:
            self._open(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._silent and tag not in INLINE:
            self._open(tag)
            self._close(tag)

    def handle_endtag(self, tag: str) -> None:
        self._titled = False
        if self._silent:
            self._silent.step(tag, -1)
            return
        if tag == "a" and self._link >= 0:
            self._end_link()
        elif tag not in INLINE:
            self._close(tag)
        if self._main and tag == self._main.tag:
            if self._main.depth == 1:
                self.flush()
            self._main.step(tag, -1)

    def handle_data(self, data: str) -> None:
        if self._titled:
            self.title.append(data)
        if self._silent:
            return
        if data.strip():
            line = self.getpos()[0]
            self._last = line + data.count("\n", 0, len(data.rstrip()))
            if not self._parts:
                self._line = line + data.count("\n", 0, len(data) - len(data.lstrip()))
        elif not self._parts:
            return
        self._parts.append(data)

    def flush(self) -> None:
        parts, self._parts = self._parts, []
        links, linked, self._links, self._linked = self._links, self._linked, 0, 0
        self._link = min(self._link, 0)
        text = "".join(parts)
        text = text.strip("\n") if self._kept else " ".join(text.split()).strip(" |")
        if not text.strip():
            return
        if self._level:
            self._terms.clear()
        if linked < 0.9 * _letters(text) or self._level or self._entry:
            links = 0
        self.found.append((
            Block(text, self._line, self._level, keep=bool(self._kept), term=self._term(),
                  last=0 if self._kept else self._last, leads=self._entry),
            links,
            bool(self._main),
        ))  # fmt: skip
        if self._entry and self._terms:
            self._terms[-1] = text[:TERM]

    def _open(self, tag: str) -> None:
        if self._row and len("".join(self._parts)) < ROW:
            if tag in ("td", "th"):
                self._parts += [" | "] if self._parts else []
                return
            if tag in SOFT:
                self._parts += [" "] if self._parts else []
                return
        if tag == "br" and not self._kept:
            self._parts += [" "] if self._parts else []
            return
        self.flush()
        self._row.step(tag, 1)
        if tag == "tr":
            self._row.start(tag)
        elif tag == "dl":
            self._terms.append("")
        elif tag == "dt":
            self._entry = True
            self._terms[-1:] = [""]
        self._kept += tag in KEPT
        self._level = int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0

    def _close(self, tag: str) -> None:
        if (self._row and tag in (*SOFT, "td", "th")) or tag in VOID:
            return
        self.flush()
        self._row.step(tag, -1)
        if tag == "dl" and self._terms:
            self._terms.pop()
        self._entry = self._entry and tag != "dt"
        self._kept = max(0, self._kept - (tag in KEPT))
        self._level = 0

    def _end_link(self) -> None:
        text = "".join(self._parts[self._link :]).strip()
        if text in MARKS:
            del self._parts[self._link :]
        else:
            self._links += 1
            self._linked += _letters(text)
        self._link = -1

    def _term(self) -> str:
        """The entries it stands under, outermost first; of a deep nesting the innermost three."""
        under = self._terms[-4:-1] if self._entry else self._terms[-3:]
        return " > ".join(term for term in under if term)


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _is_silent(tag: str, given: Mapping[str, str | None]) -> bool:
    if tag in SILENT or given.get("role") in ROLES or given.get("aria-hidden") == "true":
        return True
    if tag in ("html", "body", "main", "article") or "hidden" in given:
        return "hidden" in given
    names = f"{given.get('class') or ''} {given.get('id') or ''}".split()
    return bool(NAMES.intersection(names))


def _inside(href: str | None) -> bool:
    """Whether a link leads to the same page or site."""
    return href is not None and ":" not in href.split("/", 1)[0] and not href.startswith("//")
