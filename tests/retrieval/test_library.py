"""BibTeX, JSON Lines and folders as libraries: what is read, what is refused."""

from __future__ import annotations

import datetime
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.core import InputError, Passage
from scrubjay.retrieval.bibtex import parse_bibtex, plain
from scrubjay.retrieval.library import deduplicated, latest_day, read_library

BIB = r"""Written by a@b.org for @nobody.
@comment{ @article{not, title = {this}} }
@string{jb = "Journal of Birds"}
@Article{solvik20,
  title = {{Jays} remember},
  author = "Solvik, Ana and {\O}rn, K{\'a}len",
  journal = jb # " (B)",
  year = 2020, month = feb,
  abstract = {Jays {hide} acorns in 12\% of trials.},
}
@misc(tarn, title = "Braces {"}in{"} quotes", year = "1999")
"""


def test_an_entry_has_its_fields_as_plain_text_and_its_line() -> None:
    first, second = parse_bibtex(BIB)
    assert (first.kind, first.key, first.line) == ("article", "solvik20", 4)
    assert first.fields == {
        "title": "Jays remember",
        "author": "Solvik, Ana and Ørn, Kálen",
        "journal": "Journal of Birds (B)",
        "year": "2020",
        "month": "Feb",
        "abstract": "Jays hide acorns in 12% of trials.",
    }
    assert second.fields == {"title": 'Braces "in" quotes', "year": "1999"}


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"{\"U}ber", "Über"),
        (r"\'{e}t\'e", "été"),
        (r"\c{c}a, \v Cech, \v{s}", "ça, Čech, š"),
        (r"na{\"\i}ve", "naïve"),
        (r"Stra{\ss}e, \OE uvre", "Straße, Œuvre"),
        (r"\textbf{bold} \emph{x}", "bold x"),
        (r"a \& b, \{c\}", "a & b, {c}"),
    ],
)
def test_latex_accents_become_letters(latex: str, text: str) -> None:
    assert plain(latex) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n@a{k, title = {x}", "x.bib:2: the entry that starts here is not closed"),
        ("@a{k, title = {x} year = 1}", "x.bib:1: a comma is missing after the field 'title'"),
        ("@a{k,\n title {x}}", "x.bib:2: '=' is missing after 'title'"),
        ("@a{k, t = jb}", "x.bib:1: there is no @string 'jb'"),
        ("@a{k, t = {x}}\n@b{k, t = {y}}", "x.bib:2: the key 'k' is used already in line 1"),
        ("@a{}", "x.bib:1: the @a has no key"),
        ('@a{k, t = "x}', "x.bib:1: the entry that starts here is not closed"),
        ("@a{k, t = }", "x.bib:1: a value is missing"),
    ],
)
def test_a_malformed_entry_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_bibtex(text, file="x.bib")
    assert str(caught.value).startswith(message)


@given(st.text(alphabet='@a{}(),="#\\ \n1', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InputError):
        assert all(entry.key and entry.line for entry in parse_bibtex(text))


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_words_come_back_as_they_were(word: str) -> None:
    (entry,) = parse_bibtex(f"@a{{k, title = {{{word}}}}}")
    assert entry.fields["title"] == word


def test_a_date_is_read_as_late_as_it_can_be_meant() -> None:
    assert latest_day("2023") == datetime.date(2023, 12, 31)
    assert latest_day("2024-02") == datetime.date(2024, 2, 29)
    assert latest_day("2023-08-14") == datetime.date(2023, 8, 14)
    assert latest_day("soon") is latest_day("2023-13") is latest_day("") is None


def test_the_cut_off_lets_nothing_through_that_may_be_newer(tmp_path: Path) -> None:
    dates = {"a": "2022", "b": "2023", "c": "2023-07", "d": "2023-08-01", "e": ""}
    path = tmp_path / "l.jsonl"
    path.write_text(
        "".join(
            json.dumps({"id": k, "title": k, "abstract": "text", "date": d}) + "\n"
            for k, d in dates.items()
        )
    )
    library = read_library(path).before(datetime.date(2023, 8, 1))
    assert [p.id for p in library.papers] == ["a", "c"]
    assert library.too_new == ("b", "d", "e")


def test_each_title_is_kept_once_and_papers_without_abstract_are_counted() -> None:
    papers = [
        Passage("bare", "", "Jays remember"),
        Passage("one", "x", "Jays, remember!"),
        Passage("two", "y", "JAYS REMEMBER"),
        Passage("three", "z", "Titres"),
    ]
    library = deduplicated(papers)
    assert [p.id for p in library.papers] == ["one", "three"]
    assert library.without_abstract == ("bare",)
    assert library.duplicates == ("two",)


def test_bibtex_and_folders_make_libraries(tmp_path: Path) -> None:
    bib = tmp_path / "l.bib"
    bib.write_text(BIB)
    (paper,) = read_library(bib).papers
    assert paper.meta["date"] == "2020-02"
    assert paper.meta["place"] == f"{bib}:4"
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "2021-note.md").write_text("# Tits\n\nTits open\nmilk bottles.\n")
    (folder / "b.txt").write_text("Coots\nDate: 2020-01\nCoots count eggs.")
    (folder / "c.png").write_bytes(b"\xff")
    tits, coots = read_library(folder).papers
    assert (tits.title, tits.text, tits.meta["date"]) == ("Tits", "Tits open milk bottles.", "2021")
    assert (coots.text, coots.meta["date"]) == ("Coots count eggs.", "2020-01")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.bib", "@a{k, title = {x}}", "holds 1 papers, none with an abstract"),
        ("a.bib", "", "holds no papers"),
        ("a.jsonl", "[1]\n", "record 1 is not an object"),
        ("a.jsonl", '{"title": 3}\n', "record 1: 'title' is not text"),
        (
            "a.jsonl",
            '{"id": 1, "abstract": "x"}\n{"id": 1}\n',
            "record 2 has the id '1'",
        ),
        ("a.pdf", "x", "a library is a .bib or .jsonl file, or a folder"),
    ],
)
def test_a_library_that_cant_serve_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_library(tmp_path / name)
    with pytest.raises(InputError, match="no such library"):
        read_library(tmp_path / "nowhere.bib")
