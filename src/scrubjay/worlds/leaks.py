"""Leaks: a real name that can be read in a twin, and would wake the memory to be left out.

All real forms (names and aliases) of all entities are looked for at once with an Aho–Corasick
automaton, on word boundaries, without regard to case and diacritics. Two exceptions, because they
can't tell anybody anything:

- A form made of *ordinary words* only - function words, and words that the universe's own phrasings
  and type labels use in lower case, as 'gold' in "is made of gold" - counts where it is written
  with its own capitals and does not start a sentence. (Names of the twin are held to the strict
  rule by ``leaks_in_names``: there nothing is excused.)
- A form of up to three characters (codes, symbols: 'US', 'He') counts in its exact spelling only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scrubjay.core.errors import MissingExtra
from scrubjay.worlds.names import fold
from scrubjay.worlds.universe import Universe
from scrubjay.worlds.writer import SLOT, type_label

if TYPE_CHECKING:
    from scrubjay.worlds.names import NameMap

SHORT = 3
"""Forms of at most so many characters must match exactly."""
FUNCTION_WORDS = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "also",
        "among",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "before",
        "but",
        "by",
        "called",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "known",
        "many",
        "most",
        "no",
        "not",
        "of",
        "on",
        "one",
        "or",
        "other",
        "over",
        "she",
        "so",
        "than",
        "that",
        "the",
        "their",
        "them",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "under",
        "up",
        "was",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "you",
        "i",
        "we",
        "am",
        "us",
        "me",
        "my",
        "our",
        "your",
    ]
)
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Leak:
    """The real ``form`` of ``entity`` in a text (its key among the texts), and its surroundings."""

    form: str
    entity: str
    text: str
    excerpt: str

    def __str__(self) -> str:
        return f"'{self.form}' ({self.entity}) in {self.text}: …{self.excerpt}…"


def ordinary_words(universe: Universe) -> frozenset[str]:
    """Words (folded) that name nobody when they are written in lower case in this universe."""
    found = set(FUNCTION_WORDS)
    for relation in universe.relations.values():
        says = (relation.question, relation.noun, relation.inverse_noun, relation.condition)
        for text in (*relation.phrasings, *says):
            words = WORD.findall(SLOT.sub(" ", text))
            found |= {fold(w) for w in words if w[0].islower()}
    for entity_type in universe.by_type:
        found |= {fold(w) for w in WORD.findall(type_label(entity_type)) if w[0].islower()}
    return frozenset(found)


def check_leaks(
    texts: Mapping[str, str] | Iterable[str], universe: Universe, *, most: int = 100
) -> list[Leak]:
    """The first ``most`` leaks of real forms in ``texts`` (by key, or numbered)."""
    named = texts if isinstance(texts, Mapping) else {str(n): t for n, t in enumerate(texts)}
    return _scan(named, universe, ordinary_words(universe), most)


def leaks_in_names(names: NameMap, universe: Universe, *, most: int = 100) -> list[Leak]:
    """Real forms in the forms of a twin; here ordinary words are no excuse."""
    texts = {f"name of {id}": "\n".join(forms) for id, forms in names.entities.items()}
    return _scan(texts, universe, frozenset(), most)


def _scan(
    texts: Mapping[str, str], universe: Universe, ordinary: frozenset[str], most: int
) -> list[Leak]:
    automaton = _automaton(universe, ordinary)
    leaks: list[Leak] = []
    if automaton is None:
        return leaks
    for key, text in texts.items():
        for start, end, form, entity in _matches(text, automaton):
            excerpt = text[max(0, start - 30) : end + 30].replace("\n", " / ")
            leaks.append(Leak(form, entity, key, excerpt))
            if len(leaks) >= most:
                return leaks
    return leaks


def _automaton(universe: Universe, ordinary: frozenset[str]) -> Any:
    """Plain form → [(form, entity, whether it must match exactly, whether it is ordinary)]."""
    try:
        import ahocorasick
    except ImportError as error:
        raise MissingExtra("pyahocorasick", "worlds") from error
    entries: dict[str, list[tuple[str, str, bool, bool]]] = {}
    for entity in universe.entities.values():
        for form in dict.fromkeys((entity.name, *entity.aliases)):
            plain = _plain(form).strip()
            if plain:
                usual = bool(ordinary) and ordinary.issuperset(plain.split())
                entry = (form, entity.id, len(form) <= SHORT, usual)
                entries.setdefault(plain, []).append(entry)
    automaton = ahocorasick.Automaton()
    for plain, found in entries.items():
        automaton.add_word(f" {plain} ", (len(plain), found))
    if entries:
        automaton.make_automaton()
    return automaton if entries else None


class _Blanks(dict[int, str]):
    """Folded character → itself if it is a letter or digit, else a blank."""

    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if chr(code).isalnum() else " "
        return self[code]


_BLANKS = _Blanks()


def _plain(text: str) -> str:
    """Folded, everything but letters and digits blank, a blank at both ends: so that looking for
    a form between blanks is looking for it on word boundaries."""
    return f" {fold(text).translate(_BLANKS)} "


def _matches(text: str, automaton: Any) -> Iterator[tuple[int, int, str, str]]:
    for last, (length, entries) in automaton.iter(_plain(text)):
        start, end = last - 1 - length, last - 1
        written = text[start:end]
        for form, entity, exact, usual in entries:
            if exact and written != form[: len(written)]:
                continue
            if usual and (written != form or written.islower() or _starts_sentence(text, start)):
                continue
            yield start, end, form, entity
            break


def _starts_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \t\"'“‘(")
    return not before or before[-1] in ".!?:\n"
