"""Lists with one thing left, and texts with two names."""

from __future__ import annotations

from collections import Counter

import pytest

from scrubjay.worlds.lists import THINGS, remaining_items, two_names


@pytest.mark.parametrize("n", [2, 3, 7])
def test_everything_but_one_thing_is_said_twice(n):
    made = remaining_items(n, 3 * n, seed=1)
    assert Counter(x.missing for x in made) == dict.fromkeys(range(n), 3)
    for x in made:
        words = x.text.replace(",", " ").replace(".", " ").split()
        assert [words.count(w) for w in x.items] == [1 if i == x.missing else 2 for i in range(n)]
        for spans in (x.first, x.second):
            told = [s and x.text[slice(*s)] for s in spans]
            assert all(a in (b, None) for a, b in zip(told, x.items, strict=True))
        assert x.second[x.missing] is None
        assert x.answer == x.items[x.missing]
        assert x.text.endswith(" is the")


def test_the_second_mention_has_its_own_order():
    def order(x):
        return sorted((i for i in range(6) if x.second[i]), key=lambda i: x.second[i])

    assert len({tuple(order(x)) for x in remaining_items(6, 12)}) > 6


def test_lists_are_the_same_for_a_seed_only():
    assert remaining_items(4, 5, seed=3) == remaining_items(4, 5, seed=3)
    assert remaining_items(4, 5, seed=3) != remaining_items(4, 5, seed=4)
    assert len(set(THINGS)) == len(THINGS)


def test_the_giver_is_said_twice_and_the_receiver_once():
    made = two_names(20, seed=2)
    assert Counter(x.order for x in made) == {"ABBA": 10, "BABA": 10}
    for x in made:
        assert (x.text.count(x.receiver), x.text.count(x.giver)) == (1, 2)
        (a, b), (c, d) = x.names
        assert (x.text[a:b], x.text[c:d]) == (x.receiver, x.giver)
        assert (a < c) == (x.order == "ABBA")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"n": 1, "count": 2}, "2 to"),
        ({"n": 4, "count": 2, "words": ["a", "b"]}, "2 to 2"),
        ({"n": 2, "count": 0}, "at least 1"),
        ({"n": 2, "count": 1, "words": ["a", "a", "b"]}, "different"),
    ],
)
def test_impossible_lists_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        remaining_items(**settings)
    with pytest.raises(ValueError, match="at least 1"):
        two_names(0)
