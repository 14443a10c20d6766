"""Drafting words: syllables by culture, endings by kind of thing. The material is ``material.txt``.

The syllables are common pieces of European, Asian, African and Pacific names, so that compounds
sound like names of that culture and cost a language model few tokens. All choices here are ours.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from random import Random

from scrubjay.core.randomness import derive


def _material() -> dict[str, tuple[str, ...]]:
    """The sections of ``material.txt``: title → words."""
    sections: dict[str, list[str]] = {}
    title = ""
    for line in Path(__file__).with_name("material.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            title = line.strip("[]")
        elif not line.startswith("#"):
            sections.setdefault(title, []).extend(line.split())
    return {title: tuple(words) for title, words in sections.items()}


def _under(title: str) -> dict[str, tuple[str, ...]]:
    """Sections '<title> x' by x."""
    return {
        t.split(" ", 1)[1]: words for t, words in _MATERIAL.items() if t.startswith(title + " ")
    }


_MATERIAL = _material()
FUNCTION = frozenset(_MATERIAL["function"])
"""Words that only hold a name together."""
DIRECTIONS = frozenset(_MATERIAL["directions"])
TYPE_WORDS = frozenset(_MATERIAL["generic"])
"""Common nouns and adjectives that say of what type a thing is."""
PLACES = frozenset(_MATERIAL["places"])
"""Well-known real places that an invented name must not hit by chance, whatever the universe."""
SHORT = _MATERIAL["short"]
"""Words that cost one token though they name nothing much."""
CULTURES = tuple(_under("starts"))

_STARTS, _MIDDLES, _KINDS = _under("starts"), _under("middles"), _under("kind")
_TOWNS, _FAMILIES = _under("towns"), _under("families")
_KNOWN = {label: culture for culture, labels in _under("also").items() for label in labels}
_KIND_OF = tuple((kind, frozenset(words)) for kind, words in _under("type").items())
EUROPEAN = ("english", "romance", "germanic")
"""Cultures whose given names are often taken from the list instead of made of syllables."""


def culture_of(culture: str) -> str:
    """One of ``CULTURES`` for any label; unknown labels get one of them, always the same."""
    label = culture.lower().replace("_", "-")
    if label in CULTURES:
        return label
    return _KNOWN.get(label) or CULTURES[derive(0, "culture", label) % len(CULTURES)]


@lru_cache(maxsize=4096)
def kind_of(type: str, last: bool = False) -> str:
    """What kind of word a name of this type is made of; ``last``: the last of several words."""
    words = type.lower().replace("_", " ").replace("-", " ").split()
    for kind, known in _KIND_OF:
        if known.intersection(words):
            return "family" if kind == "given" and last else kind
    return "other"


def draft(kind: str, culture: str, length: int, rng: Random) -> str:
    """A word of about ``length`` letters, capitalised; not checked against anything."""
    if kind == "given" and culture in EUROPEAN and rng.random() < 0.4:
        return rng.choice(_MATERIAL["given"])
    starts, middles = _STARTS[culture], _MIDDLES[culture]
    if kind in ("city", "place"):
        ends = _TOWNS[culture]
    elif kind == "family":
        ends = _FAMILIES[culture]
    else:
        ends = _KINDS[kind]
    word, end = rng.choice(starts), rng.choice(ends)
    while len(word) + len(end) < length - 1:
        word = _joined(word, rng.choice(middles if rng.random() < 0.6 else starts))
    return (_joined(word, end) if len(word) + 2 <= length else word).capitalize()


def _joined(left: str, right: str) -> str:
    """Two pieces without a doubled vowel or a tripled letter at the seam."""
    right = right.lower()
    if left[-1] in "aeiou" and right[0] in "aeiou" and len(left) > 2:
        left = left[:-1]
    return left + (right[1:] if left[-1:] == right[0] and len(right) > 2 else right)
