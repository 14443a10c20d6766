"""From a question's language to that of an index, by dictionary: names first, then words.

    "Wie heißt die Hauptstadt dieses Landes: Frankreich?"  ->  "capital country: France?"

An index written in one language is asked in another. Without an encoder that maps both to one
space, the query has to cross: names through a table of exonyms, other words through a table of
terms; small words of the language (``models.languages``) say nothing and are dropped; what stands
in no table (a city, a product, a typo) stays as it is, and is often the best word to search by. The
names also lead back: an answer found in the documents' language is given in the user's.

Tables: ``Glossary.of`` a dictionary of names; ``world_glossary`` from pycountry, for places,
languages and currencies; a user's CSV (language, local, name).

Source: our sheet of multilingual RAG (paper 9), sections 3.2 and 5: an offline dictionary.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources
from itertools import pairwise
from os import PathLike
from pathlib import Path

from scrubjay.core.errors import InputError, MissingExtra
from scrubjay.models.languages import languages

_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=1)
def terms() -> Mapping[str, Mapping[str, str]]:
    """Language -> word, folded -> the same in English."""
    text = resources.files("scrubjay.retrieval").joinpath("terms.csv").read_text("utf-8")
    found: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(text.splitlines()):
        english = row.pop("en")
        for language, words in row.items():
            for word in filter(None, words.split("|")):
                found.setdefault(language, {}).setdefault(_fold(word), english)
    return found


@dataclass(frozen=True)
class Glossary:
    """Names by language, and the words of ``terms``."""

    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Language -> name there -> name in the documents. Names that are the same in both belong here,
    too: they keep what they hold from being translated ('Danish krone')."""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=terms)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Glossary:
        """Names from a table with the columns language, local, name.

        Raises:
            InputError: with file and line, where a row lacks one of them, or it can't be read.
        """
        path = Path(path)
        names: dict[str, dict[str, str]] = {}
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file, strict=True)
                for row in rows:
                    given = [(row.get(k) or "").strip() for k in ("language", "local", "name")]
                    if not all(given):
                        raise InputError(
                            "a row needs language, local and name (the first line names the "
                            "columns)",
                            file=path,
                            line=rows.line_num,
                        )
                    names.setdefault(given[0], {})[given[1]] = given[2]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"can't be read as a table: {reason}", file=path) from error
        return cls(names)

    def __or__(self, other: Glossary) -> Glossary:
        """Both; where both know a name, ``other`` is right."""
        codes = {*self.names, *other.names}
        names = {c: {**self.names.get(c, {}), **other.names.get(c, {})} for c in sorted(codes)}
        return Glossary(names, self.words)

    def translate(self, text: str, language: str, *, words: bool = True) -> str:
        """The text with what is known of it in the documents' language.

        ``words=False`` leaves everything but names alone. An unknown language changes nothing.
        """
        text = unicodedata.normalize("NFC", text)
        pieces = self._there[language].split(text) if language in self._there else _Pieces([text])
        if not words or language not in self.words:
            return "".join(pieces.told)
        small = languages()[language].words if language in languages() else frozenset()
        told = [
            piece if is_name else _WORD.sub(lambda m: self._word(m[0], language, small), piece)
            for piece, is_name in zip(pieces.told, pieces.is_name)
        ]
        return _tidy("".join(told))

    def find(self, text: str) -> tuple[list[str], list[str]]:
        """The documents' names in a text of theirs, and the text between them."""
        pieces = self._own.split(text)
        told = [(piece, known) for piece, known in zip(pieces.told, pieces.is_name)]
        return [p for p, known in told if known], [p for p, known in told if not known]

    def localise(self, text: str, language: str) -> str:
        """The text with the documents' names replaced by those of ``language``."""
        back = self._back.get(language)
        return "".join(back.split(text).told) if back else text

    def _word(self, word: str, language: str, small: frozenset[str]) -> str:
        known = self.words[language].get(_fold(word))
        if known is not None:
            return known
        return "" if word.lower() in small else word

    @cached_property
    def _there(self) -> dict[str, _Names]:
        return {code: _Names(names) for code, names in self.names.items()}

    @cached_property
    def _own(self) -> _Names:
        return _Names({name: name for names in self.names.values() for name in names.values()})

    @cached_property
    def _back(self) -> dict[str, _Names]:
        return {
            code: _Names({name: local for local, name in names.items()})
            for code, names in self.names.items()
        }


@dataclass(frozen=True, slots=True)
class _Pieces:
    told: list[str] = field(default_factory=list)
    is_name: list[bool] = field(default_factory=lambda: [False])


class _Names:
    """Finds names in a text, the longest first, whole words, whatever their case and accents."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        for local, name in names.items():
            self._names.setdefault(tuple(_fold(w) for w in _WORD.findall(local)), name)
        self._names.pop((), None)
        self._longest = max(map(len, self._names), default=0)

    def split(self, text: str) -> _Pieces:
        found = list(_WORD.finditer(text))
        folded = [_fold(m[0]) for m in found]
        # "Fort-de-France" is not in France: what hyphens join is one name.
        inside = {i for i, (a, b) in enumerate(pairwise(found)) if text[a.end() : b.start()] == "-"}
        pieces, at, i = _Pieces([], []), 0, 0
        while i < len(found):
            n = 0 if i - 1 in inside else self._at(folded, i, inside)
            if n:
                name = self._names[tuple(folded[i : i + n])]
                pieces.told.extend([text[at : found[i].start()], name])
                pieces.is_name.extend([False, True])
                at = found[i + n - 1].end()
            i += n or 1
        pieces.told.append(text[at:])
        pieces.is_name.append(False)
        return pieces

    def _at(self, words: Sequence[str], i: int, inside: Set[int]) -> int:
        """How many words the longest name has that begins at ``i``; 0: there is none."""
        for n in range(min(self._longest, len(words) - i), 0, -1):
            if i + n - 1 not in inside and tuple(words[i : i + n]) in self._names:
                return n
        return 0


@lru_cache(maxsize=1)
def world_glossary() -> Glossary:
    """Countries, languages, currencies and continents of the real world, in six languages.

    Raises:
        MissingExtra: pycountry isn't installed.
    """
    try:
        import pycountry
    except ImportError as error:
        raise MissingExtra("pycountry", "worlds") from error
    from scrubjay.worlds.exonyms import CONTINENTS

    things = [("continent", [name]) for name in CONTINENTS]
    for country in pycountry.countries:
        things.append(("country", [getattr(country, "common_name", country.name)]))
    things += [("currency", [c.name]) for c in pycountry.currencies]
    things += [("language", [x.name]) for x in pycountry.languages if hasattr(x, "alpha_2")]
    return Glossary({code: _exonyms(things, code) for code in terms()})


def _exonyms(things: Iterable[tuple[str, list[str]]], code: str) -> dict[str, str]:
    from scrubjay.worlds.exonyms import real_exonym

    return {real_exonym(kind, forms, code): forms[0] for kind, forms in things}


def _fold(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word.casefold().replace("’", "'"))
    return "".join(c for c in letters if not unicodedata.combining(c))


def _tidy(text: str) -> str:
    """Without the signs that dropped words leave behind."""
    text = " ".join(re.sub(r"[¿¡]|(?<!\w)[-'’]+|[-'’]+(?!\w)", " ", text).split())
    return re.sub(r"\s+(?=[:?!.,;])", "", text).strip(" ,")
