"""Pages by hand, and isomorphism: the mapping applied to a page gives exactly the twin's page."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import ScrubjayError
from scrubjay.worlds.documents import MarkedDocument, Ref, coverage, translate
from scrubjay.worlds.names import NameMap
from scrubjay.worlds.sources.random import random_universe
from scrubjay.worlds.twins import make_twin_names
from scrubjay.worlds.universe import (
    NUMBER,
    TIME,
    Entity,
    Fact,
    Quantity,
    Relation,
    Timestamp,
    Universe,
)
from scrubjay.worlds.writer import TemplateWriter, article

NEAR = Relation("near", "town", "town", ("[O] is near [S].", "[S] borders [O]."))
FOUNDED = Relation("founded", "town", TIME, ("[S] was founded in [O].",), functional=True)
PEOPLE = Relation("people", "town", NUMBER, ("[O] people live in [S].",), functional=True)


def toy(facts) -> Universe:
    towns = [Entity(x, "old_town", x.upper() + "ville", (x * 3,)) for x in "abcde"]
    return Universe(towns, [FOUNDED, NEAR, PEOPLE], facts)


def by_letters(texts):
    return [-(-len(t) // 3) for t in texts]


FACTS = [
    Fact("a", "near", "b"),
    Fact("a", "people", Quantity(1200)),
    Fact("a", "near", "c"),
    Fact("a", "founded", Timestamp(900)),
    Fact("a", "near", "d"),
]


def test_a_page_by_hand():
    universe = toy(FACTS)
    (page,) = TemplateWriter(universe).write()
    told = page.render(NameMap.real(universe), {"a", "b", "d"})
    assert told.text == (
        "Aville is an old town. Aville was founded in 900 CE. Aville borders Bville, Cville and "
        "Dville. 1,200 people live in Aville."
    ).replace("Aville", "AVILLE".replace("VILLE", "ville"))
    assert (told.id, told.title) == ("a", "Aville")
    assert [(told.text[x.start : x.end], x.target) for x in told.links] == [
        ("Bville", "b"),
        ("Dville", "d"),
    ]
    assert page.mentions == ("b", "c", "d")
    assert coverage(page, FACTS) == 1.0
    assert coverage(page, [FACTS[0], Fact("a", "near", "e")]) == 0.5


def test_translation_of_a_page_by_hand():
    universe = toy(FACTS)
    real = NameMap.real(universe)
    twin = NameMap(
        {"a": ("Orm", "O"), "b": ("Bel Mar", "B"), "c": ("Cas", "C"), "d": ("Dun", "D")},
        "twin",
        200,
        {},
        {Quantity(1200): Quantity(77)},
    )
    (page,) = TemplateWriter(universe).write()
    told = translate(page.render(real, {"b", "d"}), real, twin)
    assert told.text == (
        "Orm is an old town. Orm was founded in 1100. Orm borders Bel Mar, Cas and Dun. "
        "77 people live in Orm."
    )
    assert [told.text[x.start : x.end] for x in told.links] == ["Bel Mar", "Dun"]
    with pytest.raises(ValueError, match="not rendered with the map"):
        translate(told, real, twin)


def test_aliases_can_be_mentioned():
    names = NameMap({"a": ("Orm", "O", "Ormia")})
    page = MarkedDocument("a", (Ref("a"), ", or ", Ref("a", "alias.1"), "."))
    assert page.render(names).text == "Orm, or Ormia."


def test_pages_stay_short_but_every_relation_is_stated():
    many = [Fact("a", "near", x) for x in "bcde"] + [FACTS[1]]
    (page,) = TemplateWriter(toy(many), words=13).write()
    stated = {f.relation: [g.object for g in page.facts if g.relation == f.relation] for f in many}
    assert stated["near"] == ["b", "c"]
    assert stated["people"] == [Quantity(1200)]


def test_without_a_fitting_phrasing_every_object_gets_a_sentence():
    backwards = Relation("near", "town", "town", ("[O] is near [S].",))
    universe = Universe(toy([]).entities.values(), [backwards], [FACTS[0], FACTS[2]])
    (page,) = TemplateWriter(universe).write()
    assert page.render(NameMap.real(universe)).text.endswith(
        "Bville is near Aville. Cville is near Aville."
    )


def test_a_relation_without_phrasing_is_refused():
    universe = Universe(toy([]).entities.values(), [Relation("near", "", "", ())], [FACTS[0]])
    with pytest.raises(ScrubjayError, match="'near' has no phrasing"):
        TemplateWriter(universe).write()


@pytest.mark.parametrize(
    ("label", "expected"),
    [("city", "a"), ("element", "an"), ("university", "a"), ("island", "an"), ("one-off", "a")],
)
def test_articles(label, expected):
    assert article(label) == expected


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_any_twin_is_isomorphic(universe_seed, seed):
    universe = random_universe(60, universe_seed)
    real, first, second = (
        NameMap.real(universe),
        make_twin_names(universe, seed, by_letters),
        make_twin_names(universe, seed + 1, by_letters),
    )
    pages = TemplateWriter(universe).write()
    owners = {p.entity for p in pages}
    for page in pages:
        told = {n.label: page.render(n, owners) for n in (real, first, second)}
        for a in (real, first, second):
            for b in (real, first, second):
                assert translate(told[a.label], a, b) == told[b.label]
        # The text between mentions is the same, word for word.
        fixed = [re.sub(r"\s+", " ", "".join(_between(t))) for t in told.values()]
        assert len(set(fixed)) == 1
        assert len({tuple(x.target for x in t.links) for t in told.values()}) == 1


def _between(passage):
    end = 0
    for start, stop, *_ in passage.meta["mentions"]:
        yield passage.text[end:start] + "_"
        end = stop
    yield passage.text[end:]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_every_fact_is_stated_on_its_subjects_page_in_a_phrasing_of_its_relation(seed):
    universe = random_universe(60, seed)
    pages = {p.entity: p for p in TemplateWriter(universe, words=10**6).write()}
    real = NameMap.real(universe)
    for fact in universe.facts:
        page = pages[fact.subject]
        assert coverage(page, [fact]) == 1.0
        text = page.render(real).text
        subject, value = real.name(fact.subject), real.value(fact.object)
        ways = (
            re.escape(p)
            .replace(r"\[S\]", re.escape(subject))
            .replace(r"\[O\]", f"(?:[^.]*(?:, | and ))?{re.escape(value)}(?:(?:, | and )[^.]*)?")
            for p in universe.relations[fact.relation].phrasings
        )
        assert any(re.search(way, text) for way in ways)


def test_records_round_trip():
    (page,) = TemplateWriter(toy(FACTS)).write()
    assert MarkedDocument.from_json(page.to_json()) == page
