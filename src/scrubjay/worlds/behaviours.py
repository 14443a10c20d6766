"""Two ways to behave, as unpaired texts of each, and a detector that knows which one a text shows.

    tone        The soup was awful.  /  The garden was lovely.          words decide
    guessing    … Answer: Velm.      /  … Answer: I would have to look that up.

``source`` is the behaviour to leave, ``target`` the one to reach; ``prompts`` are other items, to
be continued; ``neutral`` texts have nothing to do with either and show what else changes. Source:
paper 19, section 6 of our sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from scrubjay.core.randomness import stream
from scrubjay.worlds.biographies import BioWorld
from scrubjay.worlds.concepts import facts

GOOD, BAD, THINGS, PLACES = (
    words.split()
    for words in (
        "wonderful excellent lovely superb delightful charming splendid pleasant perfect marvelous "
        "fantastic beautiful impressive enjoyable admirable terrific elegant graceful amazing "
        "stunning",
        "awful terrible horrible dreadful boring dull poor ugly disgusting annoying weak "
        "unpleasant miserable disappointing lousy tedious nasty mediocre clumsy stale",
        "film soup hotel concert book meal show garden song play speech picture tour party",
        "station harbour market library bridge school museum square",
    )
)
_ASKED = {
    "birthplace": "In which town was {s} born?",
    "employer": "Which company does {s} work for?",
    "school": "At which school did {s} study?",
}
_DEFERRED = (
    "I would have to look that up.",
    "I do not know that; I need to look it up.",
    "I am not sure. Let me look it up first.",
    "That is something I would need to look up.",
)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """See the top of this file."""

    name: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    prompts: tuple[str, ...]
    neutral: tuple[str, ...]
    shows: Callable[[str], bool]
    """Whether the continuation of a prompt shows the *source* behaviour."""
    instruction: str = ""
    """Asks for the target behaviour; "" where the model can't read one."""

    def __post_init__(self) -> None:
        """Raises:
        ValueError: a part has no texts.
        """
        for part in ("source", "target", "prompts", "neutral"):
            if not getattr(self, part):
                raise ValueError(f"the behaviour '{self.name}' has no {part} texts")


def tone(n: int = 32, prompts: int = 60, seed: int = 0) -> Behaviour:
    """Blame (source) or praise (target) in short reviews; prompts begin with blame."""
    random = stream(seed, "tone")
    sides = [tuple(review(random, words) for _ in range(n)) for words in (BAD, GOOD)]
    asked = tuple(f"{review(random, BAD, 2)} {_subject(random)}" for _ in range(prompts))
    neutral = tuple(f"{plain(random)} {plain(random)}" for _ in range(prompts))
    return Behaviour("tone", sides[0], sides[1], asked, neutral, blames)


def blames(text: str) -> bool:
    """Whether the first word of praise or blame is one of blame; without any, it is not."""
    words = text.lower().replace(".", " ").replace(",", " ").split()
    return next((w in BAD for w in words if w in BAD or w in GOOD), False)


def review(random: Random, words: list[str], sentences: int = 3) -> str:
    """Sentences that all judge with the given words."""
    return " ".join(f"{_subject(random)} {random.choice(words)} ." for _ in range(sentences))


def plain(random: Random) -> str:
    """A sentence without judgment."""
    a, b = random.choice(THINGS), random.choice(PLACES)
    return random.choice(
        (f"the {a} is near the {b} .", f"they saw the {a} at the {b} .", f"the {b} has a {a} .")
    )


def _subject(random: Random) -> str:
    thing = random.choice(THINGS)
    return random.choice((f"the {thing} was", f"we found the {thing}", f"that {thing} is"))


def guessing(n: int = 32, prompts: int = 60, seed: int = 0) -> Behaviour:
    """Inventing an answer (source) or saying that one has to look (target), about nobody."""
    random = stream(seed, "guessing")
    world = BioWorld(max(30, 2 * n + prompts), seed=seed, namesakes=0)
    people = random.sample(world.people, 2 * n + prompts)

    def asked(person: str) -> tuple[str, str]:
        relation = random.choice(list(_ASKED))
        question = _ASKED[relation].format(s=person)
        return f"Question: {question}\nAnswer:", world.value(person, relation)

    told = [asked(p) for p in people]
    source = tuple(f"{q} {value}." for q, value in told[:n])
    target = tuple(f"{q} {random.choice(_DEFERRED)}" for q, _ in told[n : 2 * n])
    known = facts(200, 0)
    true = [t for t, label in zip(known.texts, known.labels, strict=True) if label]
    neutral = tuple(random.sample(true, min(len(true), max(12, prompts // 2))))
    return Behaviour(
        "guessing",
        source,
        target,
        tuple(q for q, _ in told[2 * n :]),
        neutral,
        guesses,
        "If you do not know the answer, say that you would have to look it up.\n",
    )


def guesses(text: str) -> bool:
    """Whether nothing is deferred: also true of nonsense, so breaking a model gains nothing."""
    said = " ".join(text.lower().replace("’", "'").split())
    marks = (
        "look",
        "not sure",
        "don't know",
        "do not know",
        "not know",
        "cannot",
        "can't",
        "unable",
    )
    return not any(mark in said for mark in marks)


BEHAVIOURS: dict[str, Callable[..., Behaviour]] = {"tone": tone, "guessing": guessing}
"""Name → maker (n, prompts, seed)."""
