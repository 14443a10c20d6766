"""What a place, a language or a currency is called in other languages.

    real names      gettext catalogues of the package pycountry (countries, languages, currencies)
    invented names  spelt as the language would spell them, with its ending:
                    Brandador -> Brandadorien (de), Brandadorie (fr), Brandadoría (es) …

Invented exonyms make a twin as hard across languages as the real world: without them names would
be the same everywhere, and would find their page in any language.

Source: our sheet of multilingual RAG (paper 9), pitfall "translate or transliterate names".
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

CATALOGUES = {"country": "iso3166-1", "language": "iso639-3", "currency": "iso4217"}
"""Entity type -> catalogue of pycountry."""
TYPES = (*CATALOGUES, "continent")
"""Entity types that have names of their own in other languages; cities keep theirs."""
CONTINENTS: Mapping[str, Sequence[str]] = {
    "Africa": ("Afrika", "África", "Afrique", "Africa", "Afrika", "África"),
    "Antarctica": (
        "Antarktika",
        "Antártida",
        "Antarctique",
        "Antartide",
        "Antarctica",
        "Antártida",
    ),
    "Asia": ("Asien", "Asia", "Asie", "Asia", "Azië", "Ásia"),
    "Europe": ("Europa", "Europa", "Europe", "Europa", "Europa", "Europa"),
    "North America": (
        "Nordamerika",
        "América del Norte",
        "Amérique du Nord",
        "America del Nord",
        "Noord-Amerika",
        "América do Norte",
    ),
    "Oceania": ("Ozeanien", "Oceanía", "Océanie", "Oceania", "Oceanië", "Oceânia"),
    "South America": (
        "Südamerika",
        "América del Sur",
        "Amérique du Sud",
        "America del Sud",
        "Zuid-Amerika",
        "América do Sul",
    ),
}
_ORDER = ("de", "es", "fr", "it", "nl", "pt")
_SPELLING: Mapping[str, Sequence[tuple[str, str]]] = {
    "de": (("ph", "f"), ("c(?![hk])", "k"), ("x", "chs")),
    "es": (("ph", "f"), ("th", "t"), ("k", "c"), ("w", "u"), ("ss", "s")),
    "fr": (("k", "qu"), ("w", "ou"), ("y", "i")),
    "it": (("ph", "f"), ("th", "t"), ("k", "ch"), ("w", "v"), ("y", "i"), ("x", "ss")),
    "nl": (("ph", "f"), ("c(?!h)", "k"), ("x", "ks"), ("th", "t")),
    "pt": (("ph", "f"), ("th", "t"), ("k", "qu"), ("w", "v"), ("y", "i")),
}
_ENDING: Mapping[str, Mapping[str, str]] = {
    "place": {"de": "ien", "es": "ía", "fr": "ie", "it": "ia", "nl": "ië", "pt": "énia"},
    "language": {"de": "isch", "es": "és", "fr": "ais", "it": "ese", "nl": "s", "pt": "ês"},
    "currency": dict.fromkeys(_ORDER, ""),
}


@lru_cache(maxsize=64)
def _catalogue(type: str, language: str) -> gettext.NullTranslations:
    import pycountry

    return gettext.translation(
        CATALOGUES[type], pycountry.LOCALES_DIR, languages=[language], fallback=True
    )


def real_exonym(type: str, forms: Sequence[str], language: str) -> str:
    """The name in ``language`` of what English calls ``forms`` (its name, then aliases)."""
    if type == "continent" and forms[0] in CONTINENTS and language in _ORDER:
        return CONTINENTS[forms[0]][_ORDER.index(language)]
    if type not in CATALOGUES:
        return forms[0]
    catalogue = _catalogue(type, language)
    for form in forms:
        # "Bolivien, Plurinationaler Staat", "Kwanza (ajusté)": official forms that nobody says.
        told = re.split(r", | \(", catalogue.gettext(form))[0]
        # An alias may be the official name: Senegal is not called "Republik Senegal".
        if told not in forms and (form == forms[0] or len(told.split()) <= len(forms[0].split())):
            return told
    return forms[0]


def invented_exonym(type: str, name: str, language: str) -> str:
    """The invented ``name`` as speakers of ``language`` would have it.

    >>> invented_exonym("country", "Kaphoria", "de"), invented_exonym("language", "Wexi", "es")
    ('Kaforien', 'Uexés')
    """
    if language not in _SPELLING or type not in TYPES:
        return name
    for pattern, by in _SPELLING[language]:
        name = re.sub(pattern, by, name)
        name = re.sub(pattern.capitalize(), by.capitalize(), name)
    ending = _ENDING.get(type, _ENDING["place"])[language]
    return (re.sub(r"(?<=\w\w)(?:ia|[aeiouy])$", "", name) + ending) if ending else name
