"""Documentation as documentation tools write it: what its readers read, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from scrubjay.retrieval import readers
from scrubjay.retrieval.chunks import CHARACTERS, TITLE, passages
from scrubjay.retrieval.files import Unreadable
from scrubjay.retrieval.readers.html import ROW
from scrubjay.retrieval.readers.rst import cleaned, is_rst
from scrubjay.retrieval.readers.types import Block
from scrubjay.retrieval.sync import sync

FILLER = "Jays hide acorns in autumn and find most of them again in spring. " * 4


def texts(page: str) -> list[str]:
    return [b.text for b in readers.read("html", page.encode())]


def test_only_the_main_part_is_read_and_nothing_that_leads_through_the_site() -> None:
    page = f"""<html><head><title>T</title><body>
    <div role="navigation"><div><a href="i.html">index</a></div> previous | next</div>
    <div class="related" role="note">up</div><p>outside</p>
    <div role="main"><h1>Jays<a href="#jays" title="Link">¶</a></h1><p>{FILLER}</p></div>
    <form role="search"><p>Search</p></form><footer>© 2020</footer></body></html>"""
    assert texts(page) == ["Jays", FILLER.strip()]


def test_a_small_main_part_does_not_stand_for_the_page() -> None:
    assert texts("<main><p>hello</p></main><p>world</p>") == ["hello", "world"]


def test_a_head_that_is_never_closed_hides_no_page() -> None:
    assert texts("<html><head><title>Birds</title><body><p>Jays hide nuts.") == [
        "Birds",
        "Jays hide nuts.",
    ]


def test_lists_of_links_into_the_site_are_left_out_and_links_out_of_it_are_not() -> None:
    def listed(href: str) -> str:
        return "".join(f'<li><a href="{href}{i}.html">Chapter {i}</a></li>' for i in range(5))

    assert texts(f"<h1>Birds</h1><ul>{listed('x/')}</ul><p>Text.</p>") == ["Birds", "Text."]
    assert len(texts(f"<h1>Birds</h1><ul>{listed('https://example.org/')}</ul>")) == 6
    assert texts('<p>See <a href="a.html">jays</a>.</p>') == ["See jays."]
    bar = " | ".join(f'<a href="../{name}/">{name}</a>' for name in "abcd")
    assert texts(f"<h1>Birds</h1><p>{bar}</p>") == ["Birds"]


def test_a_row_is_one_block_unless_it_is_a_layout() -> None:
    table = "<table><tr><th>Bird</th><th><p>Food</p></th></tr><tr><td>Jay<td>nuts</tr></table>"
    assert texts(table) == ["Bird | Food", "Jay | nuts"]
    long = "word " * (ROW // 5)
    assert texts(f"<table><tr><td><p>{long}</p><p>more</p></td></tr></table>") == [
        long.strip(),
        "more",
    ]


def test_entries_lead_their_explanation_and_name_what_goes_on() -> None:
    page = """<h1>Birds</h1><dl>
    <dt>class Jay(food)</dt><dd><p>A bird.</p>
      <dl><dt>hide(nut)</dt><dd><p>Puts it away.</p></dd></dl>
      <p>Lives long.</p></dd>
    <dt>class Tit</dt><dd>Sings.</dd></dl><p>After.</p>"""
    found = [(b.text, b.term, b.leads) for b in readers.read("html", page.encode())]
    assert found == [
        ("Birds", "", False),
        ("class Jay(food)", "", True),
        ("A bird.", "class Jay(food)", False),
        ("hide(nut)", "class Jay(food)", True),
        ("Puts it away.", "class Jay(food) > hide(nut)", False),
        ("Lives long.", "class Jay(food)", False),
        ("class Tit", "", True),
        ("Sings.", "class Tit", False),
        ("After.", "", False),
    ]


def test_joined_lines_know_where_they_end() -> None:
    page = b"<p>\nOne\n<b>two</b>\nthree\n</p>\n<pre>a\nb</pre>"
    assert [(b.line, b.last) for b in readers.read("html", page)] == [(2, 4), (6, 0)]
    (made,) = passages("a.html", readers.read("html", page))
    assert (made.meta["line"], made.meta["last"]) == (2, 7)


def test_deep_or_unclosed_nesting_stays_cheap() -> None:
    for tag in ("dl><dt>x<dd", "div class=nav", "main", "table><tr><td", "a href=x"):
        blocks = readers.read("html", (f"<{tag}>" * 20_000 + "end").encode())
        assert all(len(b.term) <= 400 for b in blocks)


RST = """\
.. _birds:

=====
Birds
=====

Jays
~~~~

See :class:`~a.b.Jay`, :ref:`the tits <tits>`, ``nut`` and `Oaks <https://example.org>`_.

.. versionadded:: 1.3 Jays hide.

.. note:: They forget.

.. code-block:: python
   :linenos:

   # no heading
   x = ``y``

.. toctree::
   :maxdepth: 2

   other

.. function:: hide(nut)

   Puts ``nut`` away::

       raw ``text``

Tits
~~~~

==== ====
Bird Food
==== ====
Tit  seed
==== ====
"""


def test_restructured_text_reads_like_its_page() -> None:
    assert is_rst(RST)
    assert not is_rst("# Jays\n\nThey hide.. nuts :: and more.\n")
    found = [(b.text, b.line, b.level) for b in readers.read("markdown", RST.encode())]
    assert found == [
        ("Birds", 4, 1),
        ("Jays", 7, 2),
        ("See Jay, the tits, nut and Oaks <https://example.org>.", 10, 0),
        ("New in version 1.3: Jays hide.", 12, 0),
        ("Note: They forget.", 14, 0),
        ("   # no heading\n   x = ``y``", 19, 0),
        ("hide(nut):", 27, 0),
        ("   Puts nut away:", 29, 0),
        ("       raw ``text``", 31, 0),
        ("Tits", 33, 2),
        ("Bird Food", 37, 0),
        ("Tit  seed", 39, 0),
    ]


@pytest.mark.parametrize("text", [RST, "..\n\n", "===\n", "a\n===", ".. x::\n" * 50, "`" * 9000])
def test_cleaning_keeps_every_line_in_its_place(text: str) -> None:
    assert cleaned(text).count("\n") == text.count("\n")


def test_tildes_under_a_line_are_an_underline_and_elsewhere_a_fence() -> None:
    under = readers.read("markdown", b"Birds\n~~~~~\n\nJays.\n")
    assert [(b.text, b.level) for b in under] == [("Birds", 1), ("Jays.", 0)]
    fence = readers.read("markdown", b"A longer line\n~~~\n# no heading\n~~~\n")
    assert [b.level for b in fence] == [0]


def test_what_introduces_stands_with_what_it_introduces() -> None:
    words = "word " * 30
    blocks = [Block(words, 1), Block("For example:", 2), Block("x = 1 " * 10, 3, keep=True)]
    assert [p.text.split("\n")[0] for p in passages("a.md", blocks, words=40)] == [
        words,
        "For example:",
    ]


def title_of(blocks: Sequence[Block], name: str = "d/birds.md") -> str:
    return passages(name, blocks)[-1].title


def test_titles_are_the_way_of_headings_and_keep_their_end() -> None:
    head = [Block("Birds", 1, 1), Block("Jays", 2, 2)]
    text = Block("They hide.", 3)
    assert title_of([*head, text]) == "Birds > Jays"
    assert title_of([text]) == "birds.md"
    assert title_of([Block("def hide()", 1, 1), text], "birds.py") == "birds.py > def hide()"
    assert (
        title_of([*head, Block("It goes on.", 4, term="hide(nut)")]) == "Birds > Jays > hide(nut)"
    )
    deep = [Block(f"{i} " + "long " * 12, i, i) for i in range(1, 7)]
    title = title_of([*deep, text])
    assert len(title) <= TITLE
    assert title.startswith("1 long")
    assert "6 long" in title
    assert len(title_of([Block("x" * 5000, 1, 1), text])) <= TITLE


def test_no_html_makes_a_passage_too_large() -> None:
    page = "<table><tr>" + "<td>cell</td>" * 5000 + "</tr></table><dl><dt>" + "x" * 9000
    made = passages("a.html", readers.read("html", page.encode()))
    assert made
    assert all(len(p.text) <= CHARACTERS + 100 and len(p.title) <= TITLE for p in made)


def test_what_was_packed_for_machines_is_no_source() -> None:
    with pytest.raises(Unreadable, match="packed for machines"):
        readers.read("code", b"var index=" + b'["jay",1],' * 5000)
    assert readers.read("code", b"x = 1\n" + b"# " + b"-" * 3000)


def test_what_a_documentation_tool_leaves_beside_its_pages_is_passed_over(tmp_path: Path) -> None:
    for name in ("birds.html", "_sources/birds.rst.txt", "_static/site.css"):
        (tmp_path / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "docs" / name).write_text("<p>Jays hide nuts.")
    assert sync([tmp_path / "docs"], tmp_path / "a.index").added == 1
    assert sync([tmp_path / "docs"], tmp_path / "b.index", hidden=True).added == 3


def test_encoding_reports_how_far_it_is(tmp_path: Path) -> None:
    class Flat:
        name, dimensions = "flat", 2

        def encode(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
            return np.tile(np.float32([1, 0]), (len(texts), 1))

    (tmp_path / "docs").mkdir()
    for name in ("a.md", "b.md"):
        (tmp_path / "docs" / name).write_text("# Jays\n\nThey hide nuts.\n")
    told: list[tuple[str, int, int]] = []
    for _ in range(2):
        sync(
            [tmp_path / "docs"],
            tmp_path / "i.index",
            encoder=Flat(),
            progress=lambda *t: told.append(t),
        )
        (tmp_path / "docs/c.md").write_text("# Tits\n\nThey sing.\n")
    encoded = [t for t in told if t[0] != "files"]
    assert [(done, total) for _, done, total in encoded] == [(2, 2), (1, 1)]
