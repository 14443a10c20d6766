"""The paragraph in plain words says what constructed tables say, and no more."""

import pytest

from scrubjay.evaluation.gap import GapRow, ReductionRow
from scrubjay.evaluation.reading import read_gap


def gap(setting, real, twin, low, high, *, task="recall", metric="f1", n=100):
    return GapRow(setting, task, metric, real, twin, real - twin, low, high, n)


def closes(setting, reduction, low, high, *, task="recall"):
    return ReductionRow(setting, task, "f1", "closed-book", reduction, low, high, 100)


CLOSED = gap("closed-book", 0.44, 0.02, 0.33, 0.52)


def test_a_clear_gap():
    text = read_gap([CLOSED])
    assert "single-fact questions (100 in each world)" in text
    assert "44.0 points in the real world and 2.0 in the invented one" in text
    assert "worth 42.0 points (95 % interval 33.0 to 52.0)" in text
    assert "may be chance" not in text


def test_an_interval_with_zero_is_no_gap():
    text = read_gap([gap("closed-book", 0.10, 0.08, -0.03, 0.07)])
    assert "a difference of 2.0 points (95 % interval −3.0 to 7.0), which may be chance" in text
    assert "worth" not in text


def test_a_swapped_gap():
    text = read_gap([gap("closed-book", 0.02, 0.44, -0.52, -0.33)])
    assert "the invented world is ahead by 42.0 points (95 % interval −52.0 to −33.0)" in text
    assert "worth" not in text


@pytest.mark.parametrize(
    ("floor", "place", "more"),
    [(0.02, "at what", False), (0.0, "at what", False), (0.4, "38.0 points below", False)],
)
def test_the_floor(floor, place, more):
    text = read_gap([CLOSED, gap("frequent-answer", floor, floor, -0.01, 0.01)])
    assert f"that is {place}" in text
    assert ("more than known names" in text) == more


def test_a_twin_above_the_floor_is_said():
    rows = [
        gap("closed-book", 0.44, 0.20, 0.1, 0.4),
        gap("frequent-answer", 0.05, 0.05, -0.01, 0.01),
    ]
    text = read_gap(rows)
    assert "15.0 points above what the most frequent answer gets (5.0)" in text
    assert "more than known names helps it there" in text


@pytest.mark.parametrize(
    ("reduction", "said"),
    [
        (closes("reading", 0.40, 0.3, 0.5), "closes 95 % of memory's advantage, 40.0 points"),
        (closes("reading", -0.1, -0.2, -0.05), "widens memory's advantage by 10.0 points"),
        (closes("reading", 0.02, -0.1, 0.1), "whether this closes any of memory's advantage is"),
        (closes("reading", 0.60, 0.4, 0.8), "more than memory's whole advantage, 60.0 points"),
    ],
)
def test_what_an_aid_closes(reduction, said):
    aid = gap("reading", 0.6, 0.58, -0.05, 0.08)
    text = read_gap([CLOSED, aid], [reduction])
    assert said in text
    assert "memory's" not in read_gap([CLOSED, aid])
    # The word 'interval' explains the first bracket only.
    assert text.count("95 % interval") == 1


def test_no_advantage_nothing_to_close():
    rows = [gap("closed-book", 0.1, 0.1, -0.05, 0.05), gap("reading", 0.6, 0.6, -0.1, 0.1)]
    assert "memory's" not in read_gap(rows, [closes("reading", 0.0, -0.1, 0.1)])


def test_tasks_are_told_in_order_by_their_main_metric_without_the_controls():
    rows = [
        gap("links-only", 0.5, 0.2, 0.1, 0.5, task="navigation", metric="success", n=40),
        gap("links-only", 9.0, 12.0, -5, -1, task="navigation", metric="steps", n=40),
        gap("random-walker", 0.1, 0.1, -0.1, 0.1, task="navigation", metric="success", n=40),
        gap("oracle", 1.0, 1.0, -0.1, 0.1),
        gap("mine", 0.3, 0.1, 0.1, 0.3, task="my task"),
        CLOSED,
    ]
    text = read_gap(rows)
    places = [text.index(t) for t in ("single-fact", "page navigation", "my task")]
    assert places == sorted(places)
    assert "In the setting 'mine'" in text
    assert "12.0" not in text
    assert "100.0" not in text
    assert "walker" not in text


def test_one_item_and_no_items():
    text = read_gap([gap("closed-book", 1.0, 0.0, None, None, n=1)])
    assert "a single item, no interval" in text
    assert "worth" not in text
    assert read_gap([]).startswith("Nothing can be read yet")
