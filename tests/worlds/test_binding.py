"""Groups that belong together, and counterfactuals that tell mechanisms apart."""

from __future__ import annotations

import pytest

from scrubjay.worlds.binding import KINDS, SCHEMAS, BindingSchema, pairs


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_mechanism_answers_with_its_own_group(name, kind):
    schema = SCHEMAS[name]
    for target in range(len(schema.columns)):
        for pair in pairs(schema, 5, target, 10, kind=kind):
            row = pair.other[pair.position]  # what the counterfactual asks about
            assert pair.answer == row[target]
            asked = [w for c, w in enumerate(row) if c != target]
            words = [[w for c, w in enumerate(r) if c != target] for r in pair.matrix]
            assert (words.index(asked) if asked in words else None) == pair.lexical
            own = pair.candidates
            assert (own.index(pair.answer) if pair.answer in own else None) == pair.reflexive
            assert own == tuple(r[target] for r in pair.matrix)
            said = [pair.query, pair.position, pair.lexical, pair.reflexive]
            assert len(set(said)) == (4 if kind == "split" else 3 if None in said else 2)
            every = [w for r in pair.other for w in r]
            assert len(set(every)) == len(every)


def test_texts_tell_every_group_in_order_and_end_before_the_answer():
    (pair,) = pairs(SCHEMAS["objects"], 4, 2, 1)
    told = [f"the {row[1]} in the {row[2]}" for row in pair.matrix]
    places = [pair.original.index(t) for t in told]
    assert places == sorted(places)
    assert pair.original.endswith(f"{pair.matrix[pair.query][1]} in the")
    (filled,) = pairs(SCHEMAS["objects"], 4, 2, 1, filler="It was a long day.")
    assert filled.original.count("It was a long day. ") == 4
    assert filled.matrix == pair.matrix


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"n": 3}, "4 groups or more"),
        ({"n": 99}, "has words for"),
        ({"target": 3}, "columns 0 to 2"),
        ({"kind": "other"}, "known: split"),
        ({"count": 0}, "at least 1"),
    ],
)
def test_impossible_pairs_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        pairs(SCHEMAS["objects"], **{"n": 5, "target": 0, "count": 2} | settings)


def test_a_schema_needs_two_columns_and_different_words():
    with pytest.raises(ValueError, match="2 columns"):
        BindingSchema("one", ("a",), (("x",),), "{0}", ("{0}",))
    with pytest.raises(ValueError, match="twice"):
        BindingSchema("two", ("a", "b"), (("x",), ("x",)), "{0} {1}", ("", ""))
