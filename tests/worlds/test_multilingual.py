"""Worlds in several languages: parallel questions, names with truth, and queries that cross."""

from __future__ import annotations

import pytest

from scrubjay.core import ScrubjayError, UnknownName
from scrubjay.models.languages import Detected, WordDetector, languages
from scrubjay.retrieval.glossary import Glossary, terms, world_glossary
from scrubjay.worlds import World, load_world
from scrubjay.worlds.exonyms import invented_exonym, real_exonym
from scrubjay.worlds.multilingual import MultilingualWorld, phrasings
from scrubjay.worlds.sources import random_universe


@pytest.fixture(scope="module")
def real() -> MultilingualWorld:
    return MultilingualWorld(load_world("atlas"))


@pytest.fixture(scope="module")
def twin(real: MultilingualWorld) -> MultilingualWorld:
    return MultilingualWorld(real.world.twin(3))


@pytest.mark.parametrize(
    ("type", "name", "language", "local"),
    [
        ("country", "Germany", "fr", "Allemagne"),
        ("country", "Switzerland", "de", "Schweiz"),
        ("country", "Senegal", "de", "Senegal"),
        ("language", "German", "es", "Alemán"),
        ("currency", "Swiss Franc", "fr", "Franc suisse"),
        ("continent", "South America", "pt", "América do Sul"),
        ("city", "Munich", "de", "Munich"),
    ],
)
def test_real_names(type: str, name: str, language: str, local: str) -> None:
    assert real_exonym(type, [name, f"Republic of {name}"], language) == local


def test_invented_names_follow_their_language() -> None:
    assert invented_exonym("country", "Brandador", "de") == "Brandadorien"
    assert invented_exonym("language", "Hardingi", "fr") == "Hardingais"
    assert invented_exonym("city", "Coul", "de") == "Coul"
    assert invented_exonym("country", "Brandador", "en") == "Brandador"


def test_questions_are_parallel(real: MultilingualWorld, twin: MultilingualWorld) -> None:
    told = [world.questions(x, 30) for world in (real, twin) for x in real.languages]
    assert len(real.languages) >= 6
    assert all([q.id for q in qs] == [q.id for q in told[0]] for qs in told)
    assert all([q.gold for q in qs] == [q.gold for q in told[0]] for qs in told)
    assert {q.group for q in told[0]} == set(phrasings()["de"])
    for texts in zip(*([q.text for q in qs] for qs in told)):
        assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("which", ["real", "twin"])
def test_answers_are_names_of_the_language_and_lead_back(
    which: str, request: pytest.FixtureRequest
) -> None:
    world: MultilingualWorld = request.getfixturevalue(which)
    for language in world.languages[1:]:
        names = world.names(language)
        back = Glossary({language: names})
        assert len(set(names.values())) == len(names) > 150
        for q, english in zip(world.questions(language, 60), world.questions("en", 60)):
            assert {names.get(a, a) for a in q.answers} <= set(english.answers)
            assert back.localise(english.answers[0], language) in q.answers


def test_no_exonym_is_the_name_of_something_else(twin: MultilingualWorld) -> None:
    taken = {twin.world.names.name(e) for e in twin.world.universe.entities}
    for language in twin.languages[1:]:
        assert not taken & {x for x, name in twin.names(language).items() if x != name}


def test_what_cannot_be_asked_is_said(
    real: MultilingualWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownName, match="'xx'"):
        real.questions("xx", 3)
    monkeypatch.setattr("scrubjay.worlds.multilingual.phrasings", lambda: {"de": {}})
    with pytest.raises(ScrubjayError, match="translation"):
        real.questions("de", 3)


def test_random_worlds_have_invented_names_too() -> None:
    world = World.build(random_universe(entities=120, seed=1), "r")
    asked = MultilingualWorld(world, invented=True).questions("de", 6)
    assert [q.id for q in asked] == [q.id for q in MultilingualWorld(world).questions("en", 6)]
    assert any("ien" in q.text for q in asked)


def test_language_of_every_question(real: MultilingualWorld, twin: MultilingualWorld) -> None:
    detect = WordDetector()
    for world in (real, twin):
        for language in world.languages:
            found = [detect(q.text) for q in world.questions(language, 60)]
            assert all(d.code == language for d in found)
            assert all(0.3 < d.confidence < 1 for d in found)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wie viele Urlaubstage habe ich im Jahr?", "de"),
        ("Combien de jours de congé ai-je par an ?", "fr"),
        ("Wie is de baas van dit bedrijf?", "nl"),
        ("Quanto costa una chiave nuova?", "it"),
        ("¿Quién paga la llave?", "es"),
        ("Quem paga a chave perdida?", "pt"),
        ("Who pays for the key?", "en"),
    ],
)
def test_language_of_other_questions(text: str, language: str) -> None:
    assert WordDetector()(text).code == language


def test_doubt() -> None:
    detect = WordDetector()
    assert detect("") == detect("Brandador 12") == Detected("", 0.0)
    assert detect("de").confidence < 0.2  # five languages have it
    assert detect("ß").code == "de"
    assert WordDetector(("fr", "es"))("the house of the king").code in ("fr", "es", "")
    assert set(terms()) | {"en"} == set(languages())


def test_queries_cross() -> None:
    world = world_glossary()
    asked = "Quelle est la capitale de l’Allemagne ?"
    assert world.translate(asked, "fr") == "capital Germany?"
    assert (
        world.translate("Parle-t-on italien à Saint-Marin ?", "fr") == "spoken Italian San Marino?"
    )
    towns = "Fort-de-France, Saint-Marin-sur-Mer"
    assert world.translate(towns, "fr", words=False) == towns
    assert world.translate("Hauptstadt der VEREINIGTE ARABISCHE EMIRATE", "de") == (
        "capital United Arab Emirates"
    )
    assert world.translate("Wie heißt die Hauptstadt", "xx") == "Wie heißt die Hauptstadt"
    assert world.translate("Hauptstadt von Torvik 12", "de") == "capital Torvik 12"
    assert world.translate("die Schweiz", "de", words=False) == "die Switzerland"
    assert world.localise("Germany and Spain, not Germanyx", "it") == (
        "Germania and Spagna, not Germanyx"
    )
