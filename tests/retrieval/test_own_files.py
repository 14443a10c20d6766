"""A user's own files: what is read, how it is split, and what no file may do."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from scrubjay.core.errors import IndexMismatch, InputError
from scrubjay.core.nouns import Passage
from scrubjay.retrieval import Index, readers
from scrubjay.retrieval.chunks import CHARACTERS, passages, place
from scrubjay.retrieval.files import File, Skipped, Unreadable, find, printable, read_bytes
from scrubjay.retrieval.readers.isolated import IsolatedReader
from scrubjay.retrieval.readers.types import Block
from scrubjay.retrieval.sync import Account, Report, sync

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def zipped(**members: str | bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def docx(body: str) -> bytes:
    return zipped(
        **{"word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>'}
    )


def pdf(text: str) -> bytes:
    """A PDF of one page, written by hand."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
        b" >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % o for o in offsets)
    return out + b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % start


def texts(blocks: list[Block]) -> list[tuple[str, int, int]]:
    return [(b.text, b.line, b.level) for b in blocks]


def held(index: Path) -> list[Passage]:
    return sorted(Index.open(index, mode="text").passages(), key=lambda p: p.id)


def test_markdown_headings_fences_and_underlines_keep_their_lines() -> None:
    data = b"# Jays\n\nThey hide\nacorns.\n\n```sh\n# no heading\n\nls\n```\nFood\n----\nNuts.\n"
    assert texts(readers.read("markdown", data)) == [
        ("Jays", 1, 1),
        ("They hide\nacorns.", 3, 0),
        ("```sh\n# no heading\n\nls\n```\nFood\n----\nNuts.", 6, 0),
    ]
    assert texts(readers.read("markdown", b"Birds\n=====\n\nJays\n----\nBlue.\n")) == [
        ("Birds", 1, 1),
        ("Jays", 4, 2),
        ("Blue.", 6, 0),
    ]


def test_code_is_split_at_definitions_with_what_stands_right_above() -> None:
    data = (
        b'"""Doc."""\n\n# says hello\n@cache\ndef hello():\n    pass\n\n'
        b"class A:\n    def b(self): ...\n"
    )
    assert texts(readers.read("code", data)) == [
        ('"""Doc."""', 1, 0),
        ("def hello()", 3, 1),
        ("# says hello\n@cache\ndef hello():\n    pass", 3, 0),
        ("class A", 8, 1),
        ("class A:", 8, 0),
        ("def b(self): ...", 9, 2),
        ("    def b(self): ...", 9, 0),
    ]


def test_html_gives_what_a_reader_reads() -> None:
    page = (
        b"<head><title>x</title></head><h2>Jays</h2><script>bad()</script>\n"
        b"<p>They <b>hide</b>\nfood &amp; nuts."
    )
    assert texts(readers.read("html", page)) == [
        ("Jays", 1, 2),
        ("They hide food & nuts.", 2, 0),
    ]


def test_word_epub_and_pdf_give_headings_and_text() -> None:
    with IsolatedReader() as reader:
        word = (
            '<w:p><w:pPr><w:pStyle w:val="Heading2"/></w:pPr><w:r><w:t>Jays</w:t></w:r></w:p>'
            "<w:p><w:r><w:t>hide </w:t><w:t>nuts</w:t></w:r></w:p>"
        )
        assert texts(reader.read("docx", docx(word))) == [("Jays", 0, 2), ("hide nuts", 0, 0)]
        book = zipped(
            **{
                "META-INF/container.xml": '<c xmlns="u"><rootfile full-path="o/p.opf"/></c>',
                "o/p.opf": '<p xmlns="u"><item id="b" href="b.html"/><item id="a" href="a.html"/>'
                '<itemref idref="a"/><itemref idref="b"/></p>',
                "o/a.html": "<h1>One</h1><p>first</p>",
                "o/b.html": "<p>second</p>",
            }
        )
        assert [b.text for b in reader.read("epub", book)] == ["One", "first", "second"]
        (page,) = reader.read("pdf", pdf("Jays hide acorns"))
        assert (page.text, page.page) == ("Jays hide acorns", 1)


def test_json_lines_give_a_passage_a_record_and_name_a_bad_line() -> None:
    good = b'{"title": "Jay", "text": "hides nuts"}\n\n{"a": {"b": [1, "x"]}}\n'
    assert texts(readers.read("jsonl", good)) == [
        ("Jay", 1, 1),
        ("hides nuts", 1, 0),
        ("record 3", 3, 1),
        ("a.b: 1\na.b: x", 3, 0),
    ]
    with pytest.raises(Unreadable, match="line 2 is not JSON"):
        readers.read("jsonl", b'{"text": "x"}\nnope\n')
    with pytest.raises(Unreadable, match="line 1"):
        readers.read("jsonl", b"[" * 200_000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_encodings(encoding: str) -> None:
    assert readers.read("markdown", "Häher\r\nmögen Nüsse".encode(encoding))[0].text == (
        "Häher\nmögen Nüsse"
    )


@pytest.mark.parametrize(
    "data", [os.urandom(5000), b"a\0b", b"\xff\xfe\x00\xd8\x00\x00", b"\x7fELF\0"]
)
def test_binary_junk_is_not_text(data: bytes) -> None:
    with pytest.raises(Unreadable):
        readers.read("markdown", data)


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        ("docx", b"junk", "not a zip"),
        ("docx", zipped(x="y"), "lacks"),
        ("docx", docx("<w:p>"), "XML"),
        ("docx", zipped(**{"word/document.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"}), "type"),
        ("docx", zipped(**{"word/document.xml": b" " * 120_000_000}), "unpacks to more"),
        ("pdf", b"%PDF-1.4\n1 0 obj\n<<", "damaged"),
        ("pdf", pdf("x").replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"), ""),
        ("pdf", b"hello", "not a PDF"),
        ("epub", zipped(**{"META-INF/container.xml": "<c/>"}), "lacks"),
    ],
)  # fmt: skip
def test_damaged_and_hostile_documents_cost_one_sentence(kind: str, data: bytes, says: str) -> None:
    with IsolatedReader() as reader:
        with pytest.raises(Unreadable) as caught:
            reader.read(kind, data)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
        assert reader.read("html", b"<p>still here</p>")[0].text == "still here"


def test_deep_nesting_and_a_long_line_are_read() -> None:
    with IsolatedReader() as reader:
        assert reader.read("html", b"<div>" * 200_000 + b"deep")[0].text == "deep"
    parts = passages("x.txt", readers.read("markdown", b"word " * 2_000_000))
    assert all(len(p.text) <= CHARACTERS for p in parts)
    assert sum(len(p.text.split()) for p in parts) == 2_000_000
    endless = passages("x.txt", [Block("a" * 100_000, 1)])
    assert "".join(p.text for p in endless) == "a" * 100_000


def test_a_reader_that_takes_too_long_or_too_much_is_stopped() -> None:
    with IsolatedReader(seconds=0.02) as reader, pytest.raises(Unreadable, match="longer than"):
        reader.read("html", b"<p>x" * 2_000_000)
    with IsolatedReader(memory=80_000_000) as reader:
        with pytest.raises(Unreadable, match="memory"):
            reader.read("html", b"<p>x</p>" * 600_000)
        assert reader.read("html", b"<p>on</p>")[0].text == "on"


def test_passages_keep_to_their_section_and_know_their_lines() -> None:
    source = b"# A\n\none\n\ntwo\n\n## B\n\n" + b"\n".join(
        b"line %d w w w w" % i for i in range(60)
    )
    made = passages("d/x.md", readers.read("markdown", source), words=50)
    assert (made[0].title, made[0].text, dict(made[0].meta)) == (
        "A",
        "one\n\ntwo",
        {"file": "d/x.md", "line": 3, "last": 5, "section": "A"},
    )
    assert all(p.title == "A > B" for p in made[1:])
    lines = source.decode().split("\n")
    for p in made:  # the truth of file:line, for every passage
        assert lines[p.meta["line"] - 1 : p.meta["last"]] == p.text.split("\n")
    assert place(made[0]) == "d/x.md:3"


def test_an_id_stays_when_only_lines_move() -> None:
    before = passages("x.md", readers.read("markdown", b"# A\n\nsame\n\n# A\n\nsame\n"))
    after = passages("x.md", readers.read("markdown", b"\n\n# A\n\nsame\n\n# A\n\nsame\n"))
    assert [p.id for p in before] == [p.id for p in after]
    assert len({p.id for p in before}) == 2


def test_walking_never_follows_blocks_or_leaves(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / ".git").mkdir(parents=True)
    (root / "venv").mkdir()
    for name in ("a.md", ".hidden.md", ".git/x.md", "venv/y.md"):
        (root / name).write_text("text")
    (tmp_path / "secret.md").write_text("secret")
    (root / "out.md").symlink_to(tmp_path / "secret.md")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.md")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(root)
        server.bind("sock.md")
        os.chdir(here)
        found = list(find([root]))
    assert [f.name for f in found if isinstance(f, File)] == ["a.md"]
    assert {f.name: f.reason for f in found if isinstance(f, Skipped)} == {
        "out.md": "a link, not followed",
        "loop": "a link, not followed",
        "pipe.md": "not a regular file",
        "sock.md": "not a regular file",
    }
    assert {f.name for f in find([root], hidden=True) if isinstance(f, File)} == {
        "a.md", ".hidden.md", ".git/x.md", "venv/y.md",
    }  # fmt: skip
    # A file that became a pipe or a link after it was found is not opened either.
    for name in ("pipe.md", "out.md"):
        with pytest.raises(Unreadable):
            read_bytes(File(root / name, name, 1, 1))


def test_names_of_any_bytes_are_printable() -> None:
    assert printable("a\x1b[2J\nb\u202e") == "a\\x1b[2J\\nb\\u202e"
    assert printable(os.fsdecode(b"caf\xe9.md")) == "caf\\xe9.md"


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.changed, report.added, report.removed, report.same


def test_sync_reads_only_what_changed(tmp_path: Path) -> None:
    root, index = tmp_path / "docs", tmp_path / "my.index"
    root.mkdir()
    for name in "abcd":
        (root / f"{name}.md").write_text(f"# {name}\n\nabout {name}\n")
    (root / os.fsdecode(b"bad\xe9\n.md")).write_text("odd name")
    (root / "junk.md").write_bytes(b"\0\1")
    first = sync([root], index)
    assert counts(first) == (0, 5, 0, 0)
    assert [(s.name, s.reason) for s in first.skipped] == [("junk.md", "binary, not text")]
    again = sync([root], index)
    assert (counts(again), again.bytes, len(again.skipped)) == ((0, 0, 0, 5), 0, 1)

    (root / "a.md").write_text("# a\n\nnow otherwise\n")
    (root / "b.md").unlink()
    (root / "e.md").write_text("new")
    os.utime(root / "c.md")  # touched, but the same
    assert counts(sync([root], index)) == (1, 1, 1, 3)
    assert {p.document: p.text for p in held(index)} == {
        "a.md": "now otherwise", "c.md": "about c", "d.md": "about d", "e.md": "new",
        "bad\\xe9\\n.md": "odd name",
    }  # fmt: skip
    sync([root], tmp_path / "fresh.index")
    assert held(index) == held(tmp_path / "fresh.index")
    (root / "c.md").write_bytes(b"\0")  # what can't be read any more is no longer found
    sync([root], index)
    assert "c.md" not in {p.document for p in held(index)}


def test_an_update_that_was_cut_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, index = tmp_path / "docs", tmp_path / "my.index"
    root.mkdir()
    (root / "a.md").write_text("first")
    (root / "b.md").write_text("other")
    sync([root], index)
    for cut in ("add", "delete"):
        (root / "a.md").write_text(f"cut at {cut}")
        real = getattr(Index, cut)

        def stop(
            self: Index, what: object, *rest: object, real: object = real, cut: str = cut
        ) -> None:
            if cut == "delete":
                raise KeyboardInterrupt
            real(self, what, *rest)  # type: ignore[operator]
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Index, cut, stop)
            with pytest.raises(KeyboardInterrupt):
                sync([root], index)
        (root / "a.md").write_text(f"after {cut}")
        sync([root], index)
        assert [p.text for p in held(index)] == [f"after {cut}", "other"]


def test_a_killed_first_build_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    root, index = tmp_path / "docs", tmp_path / "my.index"
    root.mkdir()
    for i in range(40):
        (root / f"{i:03}.md").write_text(
            "\n\n".join(f"# {j}\n\nfile {i} part {j}" for j in range(100))
        )
    code = f"from scrubjay.retrieval.sync import sync; sync([{str(root)!r}], {str(index)!r})"
    build = subprocess.Popen([sys.executable, "-c", code])
    partial = tmp_path / ".my.index.partial"
    deadline = time.monotonic() + 60
    while Account.load(partial) is None and build.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    build.send_signal(signal.SIGKILL)
    build.wait()
    assert not index.exists()
    report = sync([root], index)
    assert report.same >= 10
    assert len(held(index)) == 4000
    assert not partial.exists()


def test_a_folder_that_is_no_index_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("x")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="overwritten"):
        sync([tmp_path / "docs"], mine)
    assert (mine / "thesis.txt").read_text() == "years of work"
    with pytest.raises(InputError, match="no such file"):
        sync([tmp_path / "nowhere"], tmp_path / "x.index")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="nothing to index"):
        sync([tmp_path / "empty"], tmp_path / "x.index")
    assert not (tmp_path / "x.index").exists()


def test_found_by_words_with_place(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/birds.md").write_text("# Jays\n\nJays hide acorns.\n\n# Tits\n\nTits sing.\n")
    sync([tmp_path / "docs"], tmp_path / "i.index")
    index = Index.open(tmp_path / "i.index")
    (best, *_) = asyncio.run(index.search("who hides acorns", 1))
    assert (place(best.passage), best.passage.title) == ("birds.md:3", "Jays")


# -- hostile files: what a build must survive, and what it says -----------------------------------

ENTITIES = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]>"
)
CONTAINER = '<c xmlns="u"><rootfile full-path="p.opf"/></c>'
PAGE = pdf("Jays hide acorns")


def packed(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("word/document.xml", b" " * 12_000_000)
    return out.getvalue()


HOSTILE = {
    "bomb.docx": (docx("<w:p/>" * 3_000_000), "unpacks to more than 10 MB"),
    "lzma.docx": (packed(zipfile.ZIP_LZMA), "unpacks to more than 10 MB"),
    "nested.docx": (zipped(**{"word/document.xml": zipped(x="y")}), "XML can't be parsed"),
    "utf16.docx": (
        zipped(**{"word/document.xml": f"{ENTITIES}<a>&j;</a>".encode("utf-16")}),
        "document type",
    ),
    "opf.epub": (
        zipped(**{"META-INF/container.xml": CONTAINER, "p.opf": f"{ENTITIES}<p>&j;</p>"}),
        "document type",
    ),
    "climb.epub": (
        zipped(**{
            "META-INF/container.xml": CONTAINER,
            "p.opf": '<p xmlns="u"><item id="a" href="../../etc/passwd"/><itemref idref="a"/></p>',
        }),
        "it lacks ../../etc/passwd",
    ),
    "zero.pdf": (PAGE.replace(b"/Kids [3 0 R] /Count 1", b"/Kids [] /Count 0"), "no text"),
    "cut.pdf": (PAGE[:-60], "damaged"),
    "table.pdf": (PAGE.replace(b"xref\n0 5", b"xref\n0 99999999999"), "damaged"),
    "deep.pdf": (b"%PDF-1.4\n1 0 obj\n" + b"[" * 300_000, "damaged"),
    "deep.jsonl": (b'{"a":' * 100_000, "line 1 is not JSON"),
    "number.jsonl": (b'{"a": ' + b"9" * 10_000 + b"}", "line 1 is not JSON"),
    "keys.jsonl": (
        b'{"%s": [%s 1]}' % (b"k" * 100_000, b"1," * 100_000), "unfolds to more than 10 times"
    ),
    "heads.md": (b"# a\n" * 600_000, "holds too much text"),
    "definitions.py": (b"def a(): pass\n" * 110_000, "more than 100,000 passages"),
}  # fmt: skip


def test_a_tree_of_hostile_files_costs_a_line_each_and_the_rest_is_found(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    root.mkdir()
    for name, (data, _) in HOSTILE.items():
        (root / name).write_bytes(data)
    (root / "good.md").write_text("# Jays\n\nJays hide acorns.\n")
    report = sync([root], tmp_path / "my.index")
    said = {s.name: s.reason for s in report.skipped}
    assert set(said) == set(HOSTILE)
    for name, (_, reason) in HOSTILE.items():
        assert reason in said[name], name
    assert all(reason.isprintable() for reason in said.values())
    assert [p.text for p in held(tmp_path / "my.index")] == ["Jays hide acorns."]


def test_odd_records_are_read() -> None:
    odd = b'{"a": NaN}\n[1, [2]]\nnull\n"x"\n' + b'{"a":' * 300 + b"1" + b"}" * 300
    blocks = [b.text for b in readers.read("jsonl", odd) if not b.level]
    assert blocks[:3] == ["a: nan", "1\n2", "x"]
    assert blocks[3].endswith("a.a: 1")
    assert len(blocks[3]) < 100, "a key is cut"


def test_what_is_large_is_read_in_the_helper_whatever_it_is() -> None:
    assert readers.risky("code", b"x" * readers.LARGE)
    assert not readers.risky("code", b"x")
    with IsolatedReader(seconds=0.05) as reader, pytest.raises(Unreadable, match="longer than"):
        reader.read("code", b"#\n" * 5_000_000)


def test_two_names_that_look_the_same_are_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "a\\x1b.md").write_text("one")
    (tmp_path / "a\x1b.md").write_text("two")
    found = list(find([tmp_path, tmp_path]))
    assert sorted(type(f).__name__ for f in found if f.name == "a\\x1b.md") == ["File", "Skipped"]
    assert printable("\ud800\udce9") == "\\ud800\\xe9"


def test_an_index_that_lost_files_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("Jays hide acorns.")
    for lost in ("data", "_indices"):
        folder = tmp_path / f"{lost}.index"
        sync([tmp_path / "docs"], folder)
        shutil.rmtree(folder / "passages.lance" / lost)
        with pytest.raises(IndexMismatch, match=r"is damaged .*: build it again"):
            asyncio.run(Index.open(folder).search("acorns"))


@pytest.mark.parametrize("values", ["[[", '{"base": 5, "files": {}}', '{"base": "/", "files": 3}'])
def test_an_account_that_is_none_is_as_good_as_missing(tmp_path: Path, values: str) -> None:
    (tmp_path / "files.json").write_text(values)
    assert Account.load(tmp_path) is None
    broken = '{"base": "/", "files": {"a": {"size": 1, "mtime": 2, "ids": 7}}}'
    (tmp_path / "files.json").write_text(broken)
    assert Account.load(tmp_path) is None
