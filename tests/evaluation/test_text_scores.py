"""Extraction, normalisation, F1 and exact match against values worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.evaluation.text import exact_match, extract, f1, normalise

TEXT = st.text(max_size=40)
WORDS = st.lists(st.sampled_from(["red", "blue", "jay", "oak", "the", "is"]), max_size=8).map(
    " ".join
)


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("Paris", "paris"),
        ("I think so. The answer is: Paris", "paris"),
        ("Answer: New York\nMore", "new york\nmore"),
        ("The answer. Paris", "paris"),
        ("so the answer is Paris", "is paris"),
        # The strongest marker wins, wherever it stands.
        ("The answer is hard to say. Answer: Paris", "paris"),
        # The first of equal markers.
        ("Answer: Lima\nQuestion: next?\nAnswer: Oslo", "lima\nquestion: next?\nanswer: oslo"),
        # Whole words only.
        ("It went unanswered: Paris", "it went unanswered: paris"),
        ("Both answers were Paris", "both answers were paris"),
        ("", ""),
        ("Answer:", ""),
    ],
)
def test_extract(output, answer):
    assert extract(output) == answer


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  The   Hague. ", "hague"),
        ("Guinea-Bissau", "guineabissau"),
        ("O’Connor & Sons", "oconnor sons"),
        ("Brasília", "brasilia"),
        ("Brasi\u0301lia", "brasilia"),
        ("İzmir", "izmir"),
        ("हिन्दी", "हिन्दी"),  # vowel signs aren't diacritics
        ("한국어", "한국어"),  # survives decomposition
        (r"\boxed{\text{New Delhi}}", "new delhi"),
        ("it is an oak", "it oak"),
        ("isanthe", "isanthe"),
        ("A", "a"),
        ("The The", "the the"),
        ("!!!", "!!!"),
        ("", ""),
    ],
)
def test_normalise(text, normal):
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("prediction", "golds", "expected"),
    [
        ("new york city", ["New York"], 2 * 2 / 5),
        ("the Republic of Ghana", ["Ghana"], 2 * 1 / 4),
        ("ghana ghana", ["Ghana"], 2 * 1 / 3),  # a multiset: the second one is wrong
        ("Lima", ["Quito", "Lima"], 1.0),
        ("", ["Lima"], 0.0),
        ("Lima", [], 0.0),
        ("the", ["The Hague"], 0.0),
    ],
)
def test_f1(prediction, golds, expected):
    assert f1(prediction, golds) == pytest.approx(expected)


def test_exact_match_is_equality_not_containment():
    assert exact_match("The São Paulo!", ["Sao Paulo"]) == 1
    assert exact_match("Paulo", ["Sao Paulo"]) == 0
    assert exact_match("Sao Paulo, Brazil", ["Sao Paulo"]) == 0


@pytest.mark.parametrize("empty", ["", "   ", "\n"])
def test_an_empty_prediction_is_never_right(empty):
    assert exact_match(empty, ["Lima", ""]) == 0
    assert f1(empty, ["Lima", ""]) == 0


@given(TEXT, TEXT)
def test_bounds_and_order(prediction, gold):
    assert 0 <= exact_match(prediction, [gold]) <= f1(prediction, [gold]) <= 1


@given(WORDS, WORDS)
def test_f1_is_symmetric_and_blind_to_order(a, b):
    assert f1(a, [b]) == f1(b, [a])
    assert f1(" ".join(reversed(a.split())), [b]) == f1(a, [b])


@given(TEXT, st.lists(TEXT, min_size=1, max_size=4))
def test_more_right_answers_never_hurt(prediction, golds):
    assert f1(prediction, golds) == max(f1(prediction, [g]) for g in golds)
    assert exact_match(prediction, golds) == max(exact_match(prediction, [g]) for g in golds)


@given(TEXT)
def test_what_is_said_is_right_about_itself_unless_empty(text):
    assert exact_match(text, [text]) == float(bool(text.split()) and bool(normalise(text)))


@given(TEXT)
def test_normalise_is_idempotent_on_words(text):
    once = normalise(text)
    assert normalise(once).split() == once.split() or not once.isalnum()
