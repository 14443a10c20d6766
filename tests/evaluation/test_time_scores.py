"""Dates read from text, and their scores, against values worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.evaluation.text import exact_match, f1
from scrubjay.evaluation.times import parse_time, score_time
from scrubjay.worlds.universe import Timestamp

MOON = Timestamp(1969, 7, 20)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("July 20, 1969", MOON),
        ("It was on 20 July 1969.", MOON),
        ("the 20th of July, 1969", MOON),
        ("jul 20 1969", MOON),
        ("1969-07-20", MOON),
        ("+1969-07-20T00:00:00Z", MOON),
        ("+1969-00-00T00:00:00Z", Timestamp(1969)),
        ("July, 1969", Timestamp(1969, 7)),
        ("in July of 1969", Timestamp(1969, 7)),
        ("1969-07", Timestamp(1969, 7)),
        ("May 1969", Timestamp(1969, 5)),
        ("founded in 1969", Timestamp(1969)),
        ("1969, that is 1969", Timestamp(1969)),
        ("44 BC", Timestamp(-44)),
        ("March 15, 44 BCE", Timestamp(-44, 3, 15)),
        ("-0043-03-15", Timestamp(-43, 3, 15)),
        ("79 CE", Timestamp(79)),
        ("AD 79", Timestamp(79)),
        ("A.D. 476", Timestamp(476)),
        ("476", Timestamp(476)),
        ("43", Timestamp(43)),
        ("-43", Timestamp(-43)),
        ("10000 BCE", Timestamp(-10000)),
        ("February 29, 2000", Timestamp(2000, 2, 29)),
    ],
)
def test_dates_that_are_read(text, time):
    assert parse_time(text) == time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "long ago",
        "1969 or 1970",
        "between 1960 and 1969",
        "1960-1969",
        "1960–1969",
        "the 1960s",
        "February 29, 1999",
        "12,000 people",
        "he may have 3 apples",
        "May 3",
        "0",
    ],
)
def test_texts_that_name_no_single_date(text):
    assert parse_time(text) is None


@given(
    st.dates(),
    st.sampled_from([1, 2, 3]),
    st.booleans(),
)
def test_what_is_printed_is_read_back(date, precision, before_our_era):
    fields = [-date.year if before_our_era else date.year, date.month, date.day][:precision]
    if before_our_era and date.month == 2 and date.day == 29:
        return
    time = Timestamp(*fields)
    assert parse_time(str(time)) == time
    assert score_time(str(time), [str(time)]) == (1.0, 1.0)


def test_other_notation_of_the_same_date_is_right():
    assert score_time("20th July 1969", ["July 20, 1969"]) == (1.0, 1.0)
    assert score_time("44 BC", ["44 BCE"]) == (1.0, 1.0)
    # As strings these two share no token order, but they are the same multiset: only EM differs.
    assert exact_match("20 July 1969", ["July 20, 1969"]) == 0


def test_a_less_precise_date_is_partly_right():
    # "1969" against "july 20 1969": 2 * 1 / (1 + 3)
    assert score_time("in the year 1969", ["July 20, 1969"]) == (pytest.approx(0.5), 0.0)


def test_the_era_matters():
    f, exact = score_time("44 CE", ["44 BCE"])
    assert exact == 0
    assert f == pytest.approx(0.5)


def test_no_date_falls_back_to_strings():
    for said in ("1969 or 1970", "no idea", ""):
        assert score_time(said, ["1969"]) == (f1(said, ["1969"]), exact_match(said, ["1969"]))
    assert score_time("a long time ago", ["long time ago"]) == (1.0, 1.0)


@given(st.text(max_size=30), st.sampled_from(["1969", "July, 1969", "44 BCE", "Tuesday"]))
def test_bounds_and_never_worse_than_strings(said, gold):
    f, exact = score_time(said, [gold])
    assert 0 <= exact <= f <= 1
    assert f >= f1(said, [gold])
    assert exact >= exact_match(said, [gold])
