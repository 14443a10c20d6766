"""make_twin_names: the same universe under invented names.

Type-consistent renaming after SynthWorlds 3.3, made word by word (see ``derive`` for why that
keeps derived names, injectivity and secrecy by construction). The sheet's edit-distance rule is
applied to the invented words; for derived names ('University of …') it can't hold and isn't asked.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from random import Random

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import stream
from scrubjay.worlds.coin import Coiner, new_numbers
from scrubjay.worlds.derive import Lexicon, Word, pieces
from scrubjay.worlds.leaks import leaks_in_names
from scrubjay.worlds.lengths import TokenCounter, count_tokens
from scrubjay.worlds.names import NameMap, fold
from scrubjay.worlds.universe import Entity, Universe
from scrubjay.worlds.values import map_numbers, map_times, shift_of

TRIES = 5
"""Maps made before giving up on one that leaks."""
ACCENTS = {"a": "áàâ", "e": "éèê", "i": "íìî", "o": "óòô", "u": "úùû"}


def make_twin_names(universe: Universe, seed: int, tokens: TokenCounter | None = None) -> NameMap:
    """Invented names for every entity of ``universe``, and moved dates and numbers.

    Args:
        seed: other seeds give other names.
        tokens: token counts of many texts at once, by which names are matched in length (default:
            the embedded model's tokenizer).

    Raises:
        ScrubjayError: no map without a leak or with distinct names was found.
    """
    tokens = tokens or count_tokens
    lexicon = Lexicon(universe)
    shift = shift_of(universe, seed)
    leaks = []
    for attempt in range(TRIES):
        forms = _Forms(lexicon, tokens, shift, seed, attempt).all()
        names = NameMap(
            forms,
            f"twin{seed}",
            shift,
            map_times(universe, seed, shift),
            map_numbers(universe, seed),
        )
        leaks = leaks_in_names(names, universe, most=3)
        if not leaks and (not _clash(NameMap.real(universe)) < _clash(names)):
            return names
    reason = f"a real name stays in it: {leaks[0]}" if leaks else "two entities got one name"
    raise ScrubjayError(f"no twin {seed} of this universe could be named: {reason}")


def _clash(names: NameMap) -> int:
    """How many entities share their name with another."""
    return len(names.entities) - len({names.name(e).casefold() for e in names.entities})


class _Forms:
    """Applies the new words to all forms of all entities."""

    def __init__(
        self, lexicon: Lexicon, tokens: TokenCounter, shift: int, seed: int, attempt: int
    ) -> None:
        self.lexicon = lexicon
        self.seed = ("names", seed, attempt)
        self.words = Coiner(lexicon, tokens, *self.seed).words()
        self.numbers = new_numbers(lexicon.numbers, shift, stream(0, *self.seed, "numbers"))
        self.words |= self._letters()
        self.variants: dict[str, dict[str, str]] = {}

    def all(self) -> dict[str, tuple[str, ...]]:
        self._abbreviate()
        return {e.id: self._entity(e) for e in self.lexicon.universe.entities.values()}

    def _entity(self, entity: Entity) -> tuple[str, ...]:
        """All forms; an alias of signs only (an emoji) becomes the name."""
        if not any(map(self.lexicon.renamed, pieces(entity.name))):
            raise ScrubjayError(
                f"the name '{entity.name}' of '{entity.id}' has no word or number that a "
                "twin could replace; give it a name with letters"
            )
        new = self.form(entity.name)
        aliases = (
            self.form(a) if any(map(self.lexicon.renamed, pieces(a))) else new
            for a in entity.aliases
        )
        return new, *aliases

    def form(self, real: str) -> str:
        """The new form: proper words and numbers replaced, all else as it is."""
        return "".join(self._piece(p) for p in pieces(real))

    def _piece(self, piece: str) -> str:
        if piece in self.numbers:
            return self.numbers[piece]
        if not self.lexicon.renamed(piece):
            return piece
        key = fold(piece)
        new = self.words.get(key)
        if new is None:
            return piece  # an abbreviation whose owner is being named
        if not piece.isascii():
            new = self._accented(piece.casefold(), key, new)
        if piece.isupper() and len(piece) > 1:
            return new.upper()
        return new if piece.islower() else new[0].upper() + new[1:]

    def _accented(self, piece: str, key: str, new: str) -> str:
        """Spellings that differ in diacritics only stay distinct: São ↦ Télo, Sao ↦ Telo."""
        known = self.variants.setdefault(key, {})
        if piece not in known:
            at = next((i for i, c in enumerate(new) if c in ACCENTS), None)
            number = len(known)
            accented = (
                new if at is None else new[:at] + ACCENTS[new[at]][number % 3] + new[at + 1 :]
            )
            known[piece] = accented + "h" * (number // 3)
        return known[piece]

    def _letters(self) -> dict[str, str]:
        """Initials → other initials, avoiding letters that are a real form by themselves."""
        words = self.lexicon.words
        whole = {k for k, w in words.items() if len(k) == 1 and w.owner}
        initials = [k for k in words if len(k) == 1 and k not in whole]
        free = [c for c in string.ascii_lowercase if c not in whole]
        rng = stream(0, *self.seed, "initials")
        # Shuffled until no letter stays itself, if there is room for that.
        new = rng.sample(free, len(free))
        for _ in range(100):
            if all(a != b for a, b in zip(initials, new)):
                break
            new = rng.sample(free, len(free))
        pairs = (f"{a}{b}" for a in string.ascii_lowercase for b in string.ascii_lowercase)
        more = (p for p in pairs if p not in words)
        return dict(zip(initials, [*new, *(next(more) for _ in initials[len(new) :])]))

    def _abbreviate(self) -> None:
        """Letters of the owner's new name for every abbreviation, no two the same."""
        taken = {*self.lexicon.words, *self.words.values(), *self.lexicon.generic}
        entities = self.lexicon.universe.entities
        for word in self.lexicon.words.values():
            if word.owner:
                real = entities[word.owner].name
                rng = stream(0, *self.seed, "abbreviation", word.key)
                new = next(
                    c for c in _abbreviations(word, real, self.form(real), rng) if c not in taken
                )
                taken.add(new)
                self.words[word.key] = new


def _abbreviations(word: Word, real: str, name: str, rng: Random) -> Iterator[str]:
    """Candidates without end: initials if the real one is initials, letters in order, any."""
    if _initials(real) == word.key:
        yield _initials(name)
    letters = [c for c in fold(name) if c.isascii() and c.isalpha()] or ["x"]
    size = len(word.key)
    for _ in range(30):
        rest = sorted(rng.sample(range(1, len(letters)), min(size - 1, len(letters) - 1)))
        yield "".join([letters[0], *(letters[i] for i in rest)])
    while True:
        for _ in range(200):
            yield letters[0] + "".join(rng.choice(string.ascii_lowercase) for _ in range(size - 1))
            yield "".join(rng.choice(string.ascii_lowercase) for _ in range(size))
        size += 1


def _initials(name: str) -> str:
    return fold("".join(p[0] for p in pieces(name) if p[0].isupper()))
