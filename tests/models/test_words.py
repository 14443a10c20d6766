"""Words and sentences from tokens, by hand."""

from __future__ import annotations

import pytest

from scrubjay.models.words import content_words, merge_subwords, sentence_spans, token_spans


def words(pieces):
    return [(w.text, w.first, w.last) for w in merge_subwords(pieces)]


def test_words_join_their_tokens_and_signs_stay_outside():
    pieces = [" The", " town", " of", " Tor", "vik", " has", " 81", ",", "400", " people", ".", ""]
    assert words(pieces) == [
        ("The", 0, 1),
        ("town", 1, 2),
        ("of", 2, 3),
        ("Torvik", 3, 5),
        ("has", 5, 6),
        ("81,400", 6, 9),
        ("people", 9, 10),
    ]


def test_marks_of_any_tokenizer_do():
    assert words(["The", " ", "Vel", "mor", "\n", "don", "'", "t", ".B"]) == [
        ("The", 0, 1),
        ("Velmor", 2, 4),
        ("don't.B", 5, 9),
    ]
    assert words([" São", " To", "", "mé", " —", " 東京"]) == [
        ("São", 0, 1),
        ("Tomé", 1, 4),
        ("東京", 5, 6),
    ]
    assert words([]) == words(["..."]) == []


def test_spans_of_words_and_tokens_agree():
    pieces = [" a", "b", " c-", "d", " (", "e", ")"]
    text, spans = "".join(pieces), token_spans(pieces)
    assert text[spans[3][0] : spans[3][1]] == "d"
    for w in merge_subwords(pieces):
        assert text[w.start : w.end] == w.text
        assert all(
            (spans[t][0] < w.end and spans[t][1] > w.start) == (w.first <= t < w.last)
            for t in range(len(pieces))
        )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two. Three", ["One. ", "Two. ", "Three"]),
        ("Mr. J. R. Tarn left. He did.", ["Mr. J. R. Tarn left. ", "He did."]),
        ("It cost 3.5 coins. Yes!", ["It cost 3.5 coins. ", "Yes!"]),
        ('He said "Go." Then, e.g. now, no.', ['He said "Go." ', "Then, e.g. now, no."]),
        ("Same. Same. Same.", ["Same. ", "Same. ", "Same."]),
        ("a line\nanother line", ["a line\n", "another line"]),
        ("it works at Arlo . then Brin . Go", ["it works at Arlo . then Brin . ", "Go"]),
        ("  ", ["  "]),
        ("", []),
    ],
)
def test_sentences_cover_the_text(text, parts):
    assert [text[a:b] for a, b in sentence_spans(text)] == parts


def test_content_words_and_how_they_were_told():
    text = "The mayor doesn't live in Torvik, so she may travel"
    found, how = content_words(text, merge_subwords([text]))
    chosen = [w.text for w, c in zip(merge_subwords([text]), found) if c]
    assert how in ("stop list", "spaCy")
    assert {"mayor", "Torvik"} <= set(chosen)
    assert not {"The", "in", "so", "she", "doesn't"} & set(chosen)
