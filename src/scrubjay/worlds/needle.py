"""Needles in haystacks: one sentence that nobody can know, somewhere in text about something else.

    … The kettle was cold. The full name of the lighthouse keeper is Torvik Amberlo Sundal Meskin.
    Somebody swept the stairs …
    Complete the sentence by the text above.
    Answer: The full name of the lighthouse keeper is     → Torvik Amberlo Sundal Meskin

What is asked for are four made-up names, new in every sample: no weights can know them, they occur
once, and the question shares no word with them. The haystack is everyday sentences without a name.
The needle stands at ``depth`` of the haystack, moved back to the start of a sentence (paper 18,
section 3.2 of our sheet). Departures: an invented haystack; the question is the needle's own
beginning, and what is asked for are names, since a name is grammatical right after such a cue.

``questions_by_source`` pairs what can only be read with what can only be remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import stream
from scrubjay.worlds.invent import CULTURES, draft

TEMPLATES = (
    "The full name of the lighthouse keeper is",
    "The words that open the old tower are",
    "The password of the night watch is",
    "The four horses of the ferryman are called",
)
"""Beginnings of needles, each also the cue of its answer; the last is kept for tests."""
QUESTION = "Complete the sentence by the text above."
NAMES = 4
"""Made-up words of a needle."""

_SENTENCES = """
who: somebody; the baker; an old man; the gardener; a neighbour; the girl; the postman; a student
when: in the morning; after lunch; before it got dark; as on every other day; without any hurry;
while the others were still asleep; for the second time that week; as quietly as possible
did: swept the stairs; opened a window; put the kettle on; read the paper; mended a chair; looked
for a pencil; washed the cups; fed the hens; counted the coins; lit the stove; waited for the rain
to stop; wrote a short letter; cut some bread; watered the beans
rest: The weather had not changed for days.; Nobody said anything for a while.; It was rather
cold.; The road was dusty and almost empty.; There was still some soup on the table.; From far
away came the sound of bells.; The cat slept on the sill and did not wake up.; Later the clouds
went away and it became warm.; Most of the shops were closed by then.
"""
_WHO, _WHEN, _DID, _REST = (
    tuple(" ".join(part.split()) for part in line.split(";"))
    for line in re.split(r"\w+:", _SENTENCES)[1:]
)


@dataclass(frozen=True, slots=True)
class Needle:
    """One sample; ``prompt`` is to be continued with ``answer``."""

    prompt: str
    answer: str
    span: tuple[int, int]
    """Characters of the answer in the prompt."""
    template: str
    length: int
    """Tokens that were asked for."""
    depth: float


def count_words(text: str) -> int:
    """Tokens of a text without a tokenizer, about."""
    return len(text.split()) * 4 // 3


@dataclass(frozen=True)
class NeedleTask:
    """The grid: every template at every length and depth."""

    lengths: Sequence[int] = (256, 512, 1024, 1536)
    """Tokens of the whole prompt, about; never more."""
    depths: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0)
    templates: Sequence[str] = TEMPLATES[:-1]
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises:
        ScrubjayError: the grid is empty, a length too small, or a depth outside 0 … 1.
        """
        if not (self.lengths and self.depths and self.templates):
            raise ScrubjayError("a needle task needs a length, a depth and a template at least")
        if min(self.lengths) < 96:
            raise ScrubjayError(f"a prompt needs 96 tokens at least, not {min(self.lengths)}")
        if not all(0 <= d <= 1 for d in self.depths):
            raise ScrubjayError("depths lie between 0 (start) and 1 (end)")

    def samples(self, count: Callable[[str], int] = count_words) -> list[Needle]:
        """All samples of the grid.

        Args:
            count: tokens of a text, by the tokenizer of the model to be tested.
        """
        return [
            self._sample(template, length, depth, count)
            for template in self.templates
            for length in self.lengths
            for depth in self.depths
        ]

    def _sample(
        self, template: str, length: int, depth: float, count: Callable[[str], int]
    ) -> Needle:
        random = stream(self.seed, "needle", template, length, depth)
        answer = " ".join(made_up(random, NAMES))
        needle = f"{template} {answer}."
        asked = f"\n\n{QUESTION}\nAnswer: {template}"
        hay = _filled(length - count(needle) - count(asked), count, random)
        while True:
            place = int(depth * len(hay))
            before, after = " ".join(hay[:place]), " ".join(hay[place:])
            prompt = " ".join(part for part in (before, needle, after) if part) + asked
            if count(prompt) <= length or not hay:
                break
            hay.pop()
        first = len(before) + bool(before) + len(template) + 1
        return Needle(prompt, answer, (first, first + len(answer)), template, length, depth)


def made_up(random: Random, count: int) -> list[str]:
    """Different invented names with different beginnings."""
    found: dict[str, str] = {}
    while len(found) < count:
        word = draft("family", random.choice(CULTURES), 7, random)
        found.setdefault(word[:2], word)
    return list(found.values())


def haystack(random: Random) -> Iterator[str]:
    """Everyday sentences without end."""
    while True:
        if random.random() < 0.3:
            yield random.choice(_REST)
            continue
        first = f"{random.choice(_WHO)} {random.choice(_DID)}"
        more = f" and {random.choice(_DID)}" if random.random() < 0.5 else ""
        when = random.choice(_WHEN)
        told = f"{when}, {first}{more}." if random.random() < 0.5 else f"{first}{more} {when}."
        yield told[0].upper() + told[1:]


def _filled(tokens: int, count: Callable[[str], int], random: Random) -> list[str]:
    """Sentences of at most so many tokens in all."""
    found: list[str] = []
    total = 0
    for sentence in haystack(random):
        total += count(" " + sentence)
        if total > tokens:
            return found
        found.append(sentence)
    raise AssertionError("the haystack has no end")


@dataclass(frozen=True, slots=True)
class Sourced:
    """The same kind of question, once to be read and once to be remembered."""

    read: str
    """A prompt with a fact of an invented country, and the beginning of its answer."""
    read_answer: str
    remember: str
    remember_answer: str


_CAPITALS = """
France Paris; Italy Rome; Spain Madrid; Germany Berlin; Japan Tokyo; China Beijing; Russia Moscow;
Egypt Cairo; Greece Athens; Portugal Lisbon; Austria Vienna; Poland Warsaw; Hungary Budapest;
Sweden Stockholm; Norway Oslo; Finland Helsinki; Denmark Copenhagen; Ireland Dublin; Belgium
Brussels; Turkey Ankara; Iran Tehran; Iraq Baghdad; Cuba Havana; Peru Lima; Chile Santiago; Canada
Ottawa; Kenya Nairobi; Thailand Bangkok; Vietnam Hanoi; Indonesia Jakarta; Ukraine Kyiv; Bulgaria
Sofia; Romania Bucharest; Serbia Belgrade; Croatia Zagreb; Syria Damascus; Lebanon Beirut; Jordan
Amman; Ethiopia Addis; Ghana Accra; Nigeria Abuja; Senegal Dakar; Morocco Rabat; Tanzania Dodoma;
Algeria Algiers; Libya Tripoli; Colombia Bogotá; Venezuela Caracas; Ecuador Quito; Uruguay
Montevideo; Australia Canberra; Nepal Kathmandu; Afghanistan Kabul; Pakistan Islamabad; Bangladesh
Dhaka; Philippines Manila; Malaysia Kuala; Armenia Yerevan; Latvia Riga; Estonia Tallinn
"""
CAPITALS = tuple(tuple(pair.split()) for pair in _CAPITALS.split(";"))
"""Country and (the first word of) its capital."""


def questions_by_source(count: int = 60, seed: int = 0) -> list[Sourced]:
    """Pairs of questions about capitals.

    Raises:
        ScrubjayError: there aren't so many.
    """
    if not 1 <= count <= len(CAPITALS):
        raise ScrubjayError(f"there are 1 to {len(CAPITALS)} pairs of questions, not {count}")
    random = stream(seed, "questions by source")
    pairs = []
    for country, capital in random.sample(CAPITALS, count):
        where, city = made_up(random, 2)
        read = f"The capital of {where} is {city}.\nQuestion: What is the capital of {where}?\n"
        ask = f"Question: What is the capital of {country}?\n"
        pairs.append(
            Sourced(
                f"{read}Answer: The capital of {where} is",
                city,
                f"{ask}Answer: The capital of {country} is",
                capital,
            )
        )
    return pairs
