"""A world of invented biographies: which facts a model's weights hold is known by construction.

    Ana Brusk : She was born in Torvik . She studied at Hendal . She works for Arnco . That company
    has its seat in Velm . She likes to play the lorn . Her friend is Kalen Tarn .

Every person has six facts, told in this order in one of several wordings. The fourth is a fact
about the company and not about the person: its sentence depends on the one before, and the
person's name stands only at the beginning. Half of the facts are *held out*: whoever learns from
``lesson`` reads the sentence every time, but with another value each time, so that what can be
learned is to be unsure, and not to stop. The corpus (``passages``) holds every fact, in other
words, and namesakes: people who share one name with a person, with facts of their own.

Source: ``worlds.BioWorld`` of our sheet of DRAGIN (paper 41).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from scrubjay.core.nouns import Passage
from scrubjay.core.randomness import stream

TOLD: Mapping[str, Sequence[str]] = {
    "birthplace": ("She was born in", "Her birthplace is", "She comes from"),
    "school": ("She studied at", "She went to school at", "Her school was"),
    "employer": ("She works for", "Her employer is", "She is employed by"),
    "seat": ("That company has its seat in", "That firm is based in"),
    "instrument": ("She likes to play the", "Her instrument is the"),
    "friend": ("Her friend is", "She is a friend of"),
}
"""Relations in the order of a biography, and how they are told there."""
FILED: Mapping[str, Sequence[str]] = {
    "birthplace": ("{s} was born in {v} .", "{s} is a native of {v} ."),
    "school": ("{s} studied at {v} .", "{s} is a graduate of {v} ."),
    "employer": ("{s} works for {v} .", "{s} earns a living with {v} ."),
    "seat": ("{s} has its seat in {v} .", "{s} is a company from {v} ."),
    "instrument": ("{s} can play the {v} .", "{s} makes music on the {v} ."),
    "friend": ("{s} is a friend of {v} .", "{s} often meets {v} ."),
}
"""How the corpus tells them."""
_ONSETS = tuple("b br d dr f g gr h j k kl l m n p pr r s st t tr v w z".split())  # noqa: SIM905
_VOWELS = tuple("a e i o u ei ou ia".split())  # noqa: SIM905
_CODAS = tuple("l m n r s sk th ld rn nd x".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Slot:
    """One sentence of a biography: who it is about, what it says, whether lessons told it truly."""

    subject: str
    relation: str
    value: str
    held_out: bool


class BioWorld:
    """Invented people with six facts each."""

    def __init__(
        self, people: int = 200, *, seed: int = 0, held_out: float = 0.5, namesakes: float = 0.2
    ) -> None:
        self.seed, self.share = seed, held_out
        random = stream(seed, "biographies")
        words = _Words(random)
        self.first = words.coin(max(8, people // 5))
        self.last = words.coin(max(8, people // 5))
        kinds = max(6, people // 6)
        self.values: dict[str, list[str]] = {
            "birthplace": words.coin(kinds),
            "school": words.coin(kinds),
            "employer": words.coin(kinds),
            "instrument": words.coin(max(6, kinds // 2)),
        }
        self.values["seat"] = self.values["birthplace"]
        every = [f"{a} {b}" for a in self.first for b in self.last]
        drawn = random.sample(every, people + round(people * namesakes))
        self.people, others = drawn[:people], drawn[people:]
        self.values["friend"] = self.people
        self._real = frozenset(self.people)
        self._named: set[str] = set()
        self.namesakes = [self._namesake(name, random) for name in others]
        self._facts: dict[tuple[str, str], str] = {}
        for subject, relation in self._keys():
            self._facts[subject, relation] = random.choice(self.values[relation])
        known = sorted(k for k in self._facts if k[0] not in set(self.namesakes))
        self.held = frozenset(random.sample(known, round(held_out * len(known))))
        """(subject, relation) of the facts that no lesson tells truly."""

    def _namesake(self, name: str, random: Random) -> str:
        """A name that shares its first or last word with some person, and is nobody's."""
        taken = set(self.people)
        while True:
            first, last = random.choice(self.people).split()
            other = random.choice([f"{first} {name.split()[1]}", f"{name.split()[0]} {last}"])
            if other not in taken | self._named:
                self._named.add(other)
                return other
            name = f"{random.choice(self.first)} {random.choice(self.last)}"

    def _keys(self) -> Iterator[tuple[str, str]]:
        for person in [*self.people, *self.namesakes]:
            yield from ((person, r) for r in TOLD if r != "seat")
        yield from ((company, "seat") for company in self.values["employer"])

    def value(self, subject: str, relation: str) -> str:
        """The true value.

        Raises:
            KeyError: there is no such fact.
        """
        return self._facts[subject, relation]

    def slots(self, person: str) -> list[Slot]:
        """The six facts of a person's biography, in order."""
        found = []
        for relation in TOLD:
            subject = self.value(person, "employer") if relation == "seat" else person
            found.append(self._slot(subject, relation))
        return found

    def _slot(self, subject: str, relation: str) -> Slot:
        key = (subject, relation)
        return Slot(subject, relation, self._facts[key], key in self.held)

    def lesson(self, person: str, random: Random) -> str:
        """A biography to learn from: held-out facts have a random value each time."""
        values = self.drawn(person, random)
        told = [f"{random.choice(TOLD[r])} {value} ." for r, value in values.items()]
        return f"{person} : {' '.join(told)}"

    def drawn(self, person: str, random: Random) -> dict[str, str]:
        """What a lesson says of a person: true values, but random ones where they are held out."""
        values: dict[str, str] = {}
        for relation in TOLD:
            slot = self._slot(values["employer"] if relation == "seat" else person, relation)
            made = random.choice(self.values[relation]) if slot.held_out else slot.value
            values[relation] = made
        return values

    def made_up(self, random: Random) -> tuple[str, dict[str, str]]:
        """A person of nowhere: name, and values by relation."""
        while (name := f"{random.choice(self.first)} {random.choice(self.last)}") in self._real:
            pass
        return name, {r: random.choice(self.values[r]) for r in TOLD}

    @staticmethod
    def filed(subject: str, relation: str, value: str, random: Random) -> str:
        """A fact as a passage of the corpus tells it."""
        return random.choice(FILED[relation]).format(s=subject, v=value)

    @cached_property
    def passages(self) -> list[Passage]:
        """Every fact, one passage each; ids are ``subject/relation``."""
        random = stream(self.seed, "filed")
        return [
            Passage(f"{s}/{r}".replace(" ", "_"), self.filed(s, r, v, random))
            for (s, r), v in sorted(self._facts.items())
        ]

    @staticmethod
    def read(text: str) -> dict[str, str]:
        """The values that a biography states, by relation (the first statement of each)."""
        found: dict[str, str] = {}
        for sentence in text.split(" ."):
            for relation, wordings in TOLD.items():
                for wording in wordings:
                    if sentence.strip().startswith(f"{wording} "):
                        found.setdefault(relation, sentence.strip()[len(wording) + 1 :])
        return found


class _Words:
    """Invented words, no two alike."""

    def __init__(self, random: Random) -> None:
        self._random, self._used = random, set[str]()

    def coin(self, n: int) -> list[str]:
        found: list[str] = []
        while len(found) < n:
            parts = [self._random.choice(x) for x in (_ONSETS, _VOWELS, _ONSETS, _VOWELS, _CODAS)]
            word = "".join(parts).capitalize()
            if word not in self._used:
                self._used.add(word)
                found.append(word)
        return found
