"""Vignettes: the nouns stand where the spans say, conditions are what they are called."""

from __future__ import annotations

import pytest

from scrubjay.worlds.vignettes import CATEGORIES, CONDITIONS, MOST, vignettes


def told(v, spans):
    return [v.text[a:b] for a, b in spans]


@pytest.mark.parametrize("kind", ["arbitrary", "coherent"])
@pytest.mark.parametrize("nouns", [2, 5, 10])
def test_conditions_differ_in_the_second_list_only(kind, nouns):
    made = vignettes(nouns=nouns, kind=kind, count=26, seed=3)
    assert len(made) == 26 * len(CONDITIONS)
    by_key = {}
    for v in made:
        assert len(v.first) == len(v.second) == v.nouns == nouns
        by_key.setdefault(v.key, {})[v.condition] = v
    kinds = {w: i for i, ws in enumerate(CATEGORIES) for w in ws}
    for three in by_key.values():
        first = told(three["repeat"], three["repeat"].first)
        assert all(told(v, v.first) == first for v in three.values())
        cuts = {v.text[: v.second[0][0]] for v in three.values()}
        assert len(cuts) == 1
        again = {c: told(v, v.second) for c, v in three.items()}
        assert again["repeat"] == first
        assert sorted(again["permute"]) == sorted(first)
        assert all(a != b for a, b in zip(again["permute"], first))
        assert not set(again["novel"]) & set(first)
        same_kind = len({kinds[w] for w in first}) == 1
        assert same_kind == (kind == "coherent") or nouns == 2


def test_every_base_list_is_told_in_shifts():
    made = [v for v in vignettes(count=60, seed=1) if v.condition == "repeat"]
    lists = {}
    for v in made:
        lists.setdefault(v.base, []).append(told(v, v.first))
    for shifts in lists.values():
        assert len({tuple(s) for s in shifts}) == len(shifts)
        assert len({frozenset(s) for s in shifts}) == 1
    every = [frozenset(s[0]) for s in lists.values()]
    assert all(not a & b for a in every for b in every if a is not b)


def test_distance_context_and_seed():
    near, far = (vignettes(words=w, count=1)[0] for w in (10, 200))
    assert near.words < far.words
    assert far.words >= 200
    short = vignettes(context="short", count=1)[0]
    assert short.words < near.words
    mixed = vignettes(words=80, context="scrambled", count=1, seed=5)[0]
    plain = vignettes(words=80, count=1, seed=5)[0]
    assert mixed.text != plain.text
    strip = str.maketrans("", "", ".,")
    assert sorted(mixed.text.translate(strip).split()) == sorted(
        plain.text.translate(strip).split()
    )
    assert vignettes(count=3, seed=5) == vignettes(count=3, seed=5)
    assert vignettes(count=3, seed=5) != vignettes(count=3, seed=6)


def test_what_cannot_be_made_is_said():
    with pytest.raises(ValueError, match="2 to 10"):
        vignettes(nouns=11)
    with pytest.raises(ValueError, match="no 'odd'"):
        vignettes(kind="odd")
    with pytest.raises(ValueError, match="stands in the pool twice"):
        vignettes(pool=[["owl", "elk", "owl"]])
    with pytest.raises(ValueError, match="text between the lists"):
        vignettes(pool=[["owl", "paper"]])
    with pytest.raises(ValueError, match="makes 0 arbitrary lists"):
        vignettes(pool=[["owl", "elk"]])
    assert all(len(ws) >= MOST for ws in CATEGORIES)
