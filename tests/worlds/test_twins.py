"""Twins: derived names by hand, and what must hold for any universe and seed."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import ScrubjayError
from scrubjay.worlds.derive import Lexicon, pieces
from scrubjay.worlds.leaks import check_leaks, leaks_in_names
from scrubjay.worlds.lengths import count_tokens
from scrubjay.worlds.names import NameMap, fold
from scrubjay.worlds.sources.random import random_universe
from scrubjay.worlds.twins import make_twin_names
from scrubjay.worlds.universe import Entity, Fact, Relation, Universe


def by_letters(texts):
    """A stand-in for a tokenizer: a token per three letters."""
    return [-(-len(t) // 3) for t in texts]


def toy() -> Universe:
    entities = [
        Entity("ca", "country", "Canada", ("CA", "Dominion of Canada"), "english"),
        Entity("mx", "country", "Mexico", (), "spanish"),
        Entity("ge", "country", "Georgia (country)", ("Georgia",)),
        Entity("is", "country", "Iceland", ("Ísland",), "nordic"),
        Entity("to", "city", "Toronto", (), "english"),
        Entity("mxc", "city", "Mexico City", (), "spanish"),
        Entity("sp", "city", "São Paulo", ("Sao Paulo",), "portuguese"),
        Entity("uot", "university", "University of Toronto", ("UOT",)),
        Entity("cad", "currency", "Canadian dollar", ("CAD",)),
        Entity("isl", "language", "Icelandic"),
        Entity("np", "region", "Northern Province"),
        Entity("au", "element", "gold", ("Au",)),
        Entity("in", "element", "Indium", ("In",)),
        Entity("gc", "region", "Gold Coast"),
        Entity("ein", "person", "Albert Einstein", ("Einstein", "A. Einstein")),
        Entity("og", "event", "1968 Toronto Games"),
        Entity("us", "country", "United States", ("US", "USA")),
        Entity("vic", "country", "Life in the Valley"),
    ]
    relation = Relation("near", "", "", ("[S] is near [O] and has gold.",))
    facts = [Fact(a.id, "near", b.id) for a, b in itertools.pairwise(entities)]
    return Universe(entities, [relation], facts)


@pytest.fixture(scope="module", params=[0, 1, 2])
def names(request) -> NameMap:
    return make_twin_names(toy(), request.param, by_letters)


def test_derived_names_follow_their_parts(names):
    name = names.name
    assert name("uot") == f"University of {name('to')}"
    assert name("mxc") == f"{name('mx')} City"
    assert name("ge") == f"{names.forms('ge')[1]} (country)"
    assert names.forms("ca")[2].endswith(f" of {name('ca')}")
    assert name("og").split()[1] == name("to")
    assert name("gc").split()[0].lower() == name("au")
    assert names.forms("ein")[1] == name("ein").split()[1]
    assert names.forms("ein")[2] == f"{names.forms('ein')[2][0]}. {names.forms('ein')[1]}"


def test_adjectives_follow_their_country(names):
    stem = names.name("ca").lower().rstrip("aeiouy")
    adjective, dollar = names.name("cad").split()
    assert dollar == "dollar"
    assert adjective.lower().startswith(stem)
    assert adjective != names.name("ca")
    assert names.name("isl").lower().startswith(names.name("is").lower().rstrip("aeiouy"))


def test_abbreviations_follow_the_new_name(names):
    short = names.forms("uot")[1]
    new = names.name("uot")
    assert short == "".join(word[0] for word in new.split() if word[0].isupper()) or (
        short.isupper() and short[0] == new[0]
    )
    code = names.forms("ca")[1]
    assert (len(code), code.isupper(), code) != (2, True, "CA")
    assert names.forms("us")[1] != "US"
    assert names.forms("us")[2] != "USA"


def test_words_that_say_the_type_stay_and_the_count_of_words_never_changes(names):
    assert names.name("np").endswith(" Province")
    assert names.name("np") != "Northern Province"
    assert names.name("vic").split()[1:3] == ["in", "the"]
    for e in toy().entities.values():
        for real, new in zip((e.name, *e.aliases), names.forms(e.id)):
            assert len(real.split()) == len(new.split())


def test_spellings_that_differ_in_diacritics_stay_two_spellings_of_one_name(names):
    name, alias = names.forms("sp")
    assert name != alias
    assert fold(name) == fold(alias)


def test_years_in_names_move_with_the_dates(names):
    assert int(names.name("og").split()[0]) == 1968 + names.shift


def test_seeds_give_different_twins_and_one_seed_always_the_same():
    maps = [make_twin_names(toy(), seed, by_letters) for seed in (0, 1, 2, 0)]
    assert maps[0] == maps[3]
    assert len({m.name("to") for m in maps[:3]}) == 3


def test_cultures_sound_different():
    cities = [
        Entity(f"{c}-{i}", "city", f"Real{chr(97 + i)}{c[:3]}ville", (), c)
        for c in ("sinitic", "slavic")
        for i in range(20)
    ]
    names = make_twin_names(Universe(cities, [], []), 0, by_letters)
    starts = {
        c: {names.name(e.id)[:4] for e in cities if e.culture == c} for c in ("sinitic", "slavic")
    }
    assert not starts["slavic"] & starts["sinitic"]


WORDS = st.text("abcdeéñß日ABC019", min_size=1, max_size=6)
GENERIC = st.sampled_from(["City", "of", "the", "North", "River", "In", "II", "gold", "van"])
NAMES = st.lists(WORDS | GENERIC, min_size=1, max_size=4).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(NAMES, min_size=1, max_size=3), min_size=1, max_size=12), st.integers(0, 99)
)
def test_any_names_are_renamed_without_leak_or_clash(forms, seed):
    """Whatever users call their things: nothing leaks, names stay distinct, words are counted."""
    unique = {f[0].casefold(): f for f in forms}
    universe = Universe(
        (Entity(str(n), "thing", f[0], tuple(f[1:])) for n, f in enumerate(unique.values())), [], []
    )
    lexicon = Lexicon(universe)
    for e in universe.entities.values():
        assert any(lexicon.renamed(p) for p in pieces(e.name) if p.isalnum())
    names = make_twin_names(universe, seed, by_letters)
    assert not leaks_in_names(names, universe)
    assert len({names.name(e).casefold() for e in universe.entities}) == len(universe.entities)
    assert all(names.identify(names.name(e)) == e for e in universe.entities)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_random_universes_are_renamed_to_measure(universe_seed, seed):
    universe = random_universe(150, universe_seed)
    names = make_twin_names(universe, seed)
    assert not leaks_in_names(names, universe)
    new = [names.name(e) for e in universe.entities]
    assert len({fold(n) for n in new}) == len(new)
    for members in universe.by_type.values():
        # A handful of names can miss the 10 % by one letter: nine names are a fair mean.
        within = 0.1 if len(members) > 8 else 0.2
        real, new = [f" {e.name}" for e in members], [f" {names.name(e.id)}" for e in members]
        assert sum(map(len, new)) == pytest.approx(sum(map(len, real)), rel=within)
        assert sum(count_tokens(new)) == pytest.approx(sum(count_tokens(real)), rel=within)


def test_planted_leaks_are_found():
    universe = toy()
    found = check_leaks(
        {
            "plain": "She lives in Toronto.",
            "case": "the TORONTO papers",
            "diacritics": "in Sao paulo's centre",
            "alias": "relativity is due to Einstein",
            "code": "made in the US by us",
            "ordinary, capital": "They discovered Au in 1900",
        },
        universe,
    )
    assert [(leak.text, leak.entity) for leak in found] == [
        ("plain", "to"),
        ("case", "to"),
        ("diacritics", "sp"),
        ("alias", "ein"),
        ("code", "us"),
        ("ordinary, capital", "au"),
    ]


def test_ordinary_words_and_parts_of_words_are_no_leaks():
    texts = [
        "In 1900 they found gold in it.",  # 'gold' is in a phrasing, 'In' starts a sentence
        "Torontonians, Einsteinium, USAF, goldsmith",
        "the northern province of Life",
    ]
    leaks = check_leaks(texts, toy())
    assert [leak.entity for leak in leaks] == ["np"]


def test_names_are_held_to_the_strict_rule():
    universe = toy()
    names = make_twin_names(universe, 0, by_letters)
    for id, form in (("gc", "gold Vorr"), ("to", "CANADA"), ("us", "New Sao Paulo")):
        planted = NameMap({**names.entities, id: (form, *names.forms(id)[1:])})
        assert [x.text for x in leaks_in_names(planted, universe)] == [f"name of {id}"]


def test_a_universe_that_cannot_be_renamed_is_refused():
    with pytest.raises(ScrubjayError, match="'!!!' of 'a' has no word"):
        make_twin_names(Universe([Entity("a", "t", "!!!")], [], []), 0, by_letters)


def test_an_alias_of_signs_becomes_the_name():
    names = make_twin_names(Universe([Entity("a", "t", "Tulip", ("🌷",))], [], []), 0, by_letters)
    assert names.forms("a") == (names.name("a"),) * 2
