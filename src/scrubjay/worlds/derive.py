"""Which words of the real names are renamed, and which new words follow from which.

A name map is made word by word. Every *proper* word of the real names gets one new word, the same
wherever it occurs; *generic* words, which carry what the type of a thing already says (City,
River, University of, Islands, dollar), stay. So derived names follow their parts by construction:
Toronto ↦ Metrovale makes University of Toronto ↦ University of Metrovale, Mexico City keeps
Mexico, a surname stays part of the full name. This is the topological order of SynthWorlds 3.3
carried to its end: the parts of a name are its words, so there are no cycles to break, different
names stay different, and the number of words never changes.

Why nothing leaks: every real form (name or alias) has at least one proper word. Where it would have
none ('Northern Province', 'gold', 'Route'), its rarest generic word becomes proper everywhere. New
words are never words of real forms, so no real form can occur in a new name.

Two kinds of words are derived rather than invented: adjectives ('Canadian' follows 'Canada') and
abbreviations among the aliases ('UN', 'He', 'CAD' take letters of the owner's new name).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

from scrubjay.worlds.invent import DIRECTIONS, FUNCTION, TYPE_WORDS, kind_of
from scrubjay.worlds.names import fold
from scrubjay.worlds.universe import Entity, Universe

ROMAN = re.compile(r"(?=[IVX]{2})X{0,3}(IX|IV|V?I{0,3})")
FREQUENT, SHARE = 8, 0.04
"""A word in so many names of a type, and in such a share of them, says no more than the type."""
ABBREVIATION = 5
"""Longest alias in capitals that is taken for an abbreviation."""
ENDINGS = ("", "a", "o", "e", "y", "ia", "ay", "ey", "al", "land")
"""What a place may lose before an adjective ending."""
SUFFIXES = ("ian", "n", "an", "ese", "uese", "nese", "ish", "i", "ic", "er", "egian", "vian", "")
"""Adjective endings; the empty one after a lost 'land' or 'y' (Thai, German)."""


@lru_cache(maxsize=4096)
def _sort(character: str) -> str:
    """'w' for letters and marks, 'd' for the digits 0-9, 's' for everything between words."""
    if character.isdigit() and character.isascii():
        return "d"
    return "w" if unicodedata.category(character)[0] in "LM" else "s"


@lru_cache(maxsize=65536)
def pieces(form: str) -> tuple[str, ...]:
    """A form cut into words, numbers and what stands between them.

    >>> pieces("Guinea-Bissau 2")
    ('Guinea', '-', 'Bissau', ' ', '2')
    """
    return tuple("".join(group) for _, group in groupby(form, _sort))


@dataclass(slots=True)
class Word:
    """A proper word: where it occurs decides what kind of new word it gets."""

    key: str
    """Folded."""
    length: int
    """Letters of the real word."""
    kind: str = ""
    culture: str = ""
    types: Counter[str] = field(default_factory=Counter)
    """How often it occurs in names (not aliases) of each type."""
    owner: str = ""
    """For an abbreviation: the entity whose alias it is."""
    base: str = ""
    """For an adjective: key of the word it follows."""
    suffix: str = ""
    whole: bool = False
    """A form of some entity consists of it and generic words only."""


class Lexicon:
    """The words of a universe's real forms, sorted into kept and renamed ones."""

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        self.generic = TYPE_WORDS | DIRECTIONS | FUNCTION | _frequent(universe)
        self.forced: set[str] = set()
        self.forced_capital: set[str] = set()
        """Short words, renamed only where they are not in lower case ('He', but not 'he')."""
        self._lower: frozenset[str] = frozenset()
        """Words of capitalised names, renamed where they stand in lower case too (córdoba)."""
        self._force()
        self._lower = frozenset(
            fold(p)
            for form in _forms(universe)
            for p in pieces(form)
            if _sort(p[0]) == "w" and self.renamed(p)
        ) - (FUNCTION | self.forced_capital)
        self.words: dict[str, Word] = {}
        self.numbers: dict[str, bool] = {}
        """Number → whether a real form consists of it and kept words only."""
        self._collect()
        self._adjectives()

    def renamed(self, piece: str) -> bool:
        """Whether this piece of a form is a proper word or a number."""
        sort = _sort(piece[0])
        if sort != "w":
            return sort == "d"
        key = fold(piece)
        if (
            key in self.forced
            or key in self._lower
            or (key in self.forced_capital and not piece.islower())
        ):
            return True
        return not (piece.islower() or key in self.generic or ROMAN.fullmatch(piece))

    def _force(self) -> None:
        """Make a word of every form proper that has none."""
        bare = [f for f in _forms(self.universe) if not any(map(self.renamed, pieces(f)))]
        counts = Counter(fold(p) for f in bare for p in pieces(f))
        for form in bare:
            words = [p for p in pieces(form) if _sort(p[0]) == "w"]
            if not words or any(map(self.renamed, words)):
                continue
            content = [w for w in words if fold(w) not in self.generic]
            levels = (
                content,
                [w for w in words if fold(w) in DIRECTIONS],
                [w for w in words if fold(w) not in FUNCTION],
                words,
            )
            level = next(x for x in levels if x)
            chosen = content or [min(level, key=lambda w: (counts[fold(w)], w))]
            for word in chosen:
                short = len(word) <= 3 and not word.islower()
                (self.forced_capital if short else self.forced).add(fold(word))

    def _collect(self) -> None:
        votes: dict[str, Counter[tuple[int, str, str]]] = {}
        for entity in self.universe.entities.values():
            for at, form in enumerate((entity.name, *entity.aliases)):
                proper = [p for p in pieces(form) if self.renamed(p)]
                words = [p for p in proper if _sort(p[0]) == "w"]
                anchored = any(len(p) > 1 for p in words)
                for number in (p for p in proper if _sort(p[0]) == "d"):
                    self.numbers[number] = self.numbers.get(number, False) or not anchored
                for place, piece in enumerate(words):
                    key = fold(piece)
                    word = self.words.setdefault(key, Word(key, len(piece)))
                    last = place == len(words) - 1 and len(words) > 1
                    kind = kind_of(entity.type, last)
                    alone = len(words) == 1
                    word.whole = word.whole or alone
                    # The thing that is called just so decides, names before aliases.
                    weight = 1 + 1000 * (alone and at == 0) + 10 * (at == 0)
                    votes.setdefault(key, Counter())[weight // 1000, kind, entity.culture] += weight
                    if at == 0:
                        word.types[entity.type] += 1
                    if at and _abbreviates(form) and not word.owner:
                        word.owner = entity.id
        for key, word in self.words.items():
            _, word.kind, word.culture = max(votes[key].items(), key=lambda v: (v[1], v[0]))[0]
            if word.types and not (word.owner and len(key) <= 3):
                word.owner = ""

    def _adjectives(self) -> None:
        """Find the words that are adjectives of others: 'Canadian' of 'Canada'."""
        stems: dict[str, tuple[str, str]] = {}
        for key, word in self.words.items():
            if word.whole and len(key) >= 4 and word.kind in ("country", "place", "city"):
                for ending in ENDINGS:
                    if key.endswith(ending) and len(key) - len(ending) >= 3:
                        stem = key[: len(key) - len(ending)]
                        stems.setdefault(stem, (key, ending))
        for key, word in self.words.items():
            if word.owner or (word.whole and word.kind in ("country", "place", "city")):
                continue
            found = [
                (len(stem), *stems[stem], suffix)
                for suffix in SUFFIXES
                if key.endswith(suffix)
                for stem in _undoubled(key[: len(key) - len(suffix)])
                if stem in stems and stems[stem][0] != key
            ]
            for size, base, ending, suffix in sorted(found, reverse=True):
                if (suffix or ending in ("y", "land")) and (size > 3 or ending == "land"):
                    word.base, word.suffix = base, suffix
                    break


def _undoubled(stem: str) -> Iterable[str]:
    yield stem
    if len(stem) > 3 and stem[-1] == stem[-2]:
        yield stem[:-1]


def _forms(universe: Universe) -> Iterator[str]:
    for entity in universe.entities.values():
        yield entity.name
        yield from entity.aliases


def _abbreviates(form: str) -> bool:
    """'UN', 'NATO', 'He': one word of few letters, all capitals, or a chemist's two."""
    if not form.isalpha() or len(form) > ABBREVIATION:
        return False
    return form.isupper() or (len(form) <= 2 and form.istitle())


def _frequent(universe: Universe) -> set[str]:
    """Common words of a type's names ('Autonomous', 'Museum'), except what is itself a form."""
    alone = {fold(form) for form in _forms(universe)}
    found: set[str] = set()
    for type, members in universe.by_type.items():
        if kind_of(type) != "given":
            found |= _common(members) - alone
    return found


def _common(members: Iterable[Entity]) -> set[str]:
    names = [{fold(p) for p in pieces(e.name) if _sort(p[0]) == "w"} for e in members]
    counts = Counter(word for words in names if len(words) > 1 for word in sorted(words))
    return {w for w, n in counts.items() if n >= max(FREQUENT, SHARE * len(names)) and len(w) > 2}
