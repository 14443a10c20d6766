"""Vignettes: a list of nouns, some text, and a second list, to see what a reader still has in mind.

    Before the talk Mary noted these words: plum, drum, cliff. <some text> Later Mary read the
    words out once more: plum, drum, cliff.

    repeat     the same list again
    permute    the same nouns, none in its old place
    novel      another list

A list is *arbitrary* (nouns of all kinds) or *coherent* (of one kind). Every base list of the most
nouns is told in all its circular shifts, so that no effect is one of a noun's place; shorter lists
are the first nouns of a shift. Shifts of one base list are not independent: ``Vignette.base`` says
whose they are. Source: paper 52, sections 3.1 of our sheet; words and texts are our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from scrubjay.core.randomness import stream

Condition = Literal["repeat", "permute", "novel"]
Kind = Literal["arbitrary", "coherent"]
Context = Literal["intact", "scrambled", "short"]
Span = tuple[int, int]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
MOST = 10
"""Nouns of a base list."""

_NOUNS = """
plum pear lemon cherry olive onion garlic bean carrot pepper cabbage corn
wolf bear horse goat rabbit mouse sheep lion tiger camel donkey fox
shirt hat coat boot belt sock jacket glove tie dress skirt cap
drum flute piano violin guitar trumpet harp organ bell horn whistle bass
chair desk bed lamp shelf couch mirror carpet curtain bench drawer pillow
hammer saw nail ladder rope knife axe shovel needle wrench drill bucket
river lake cliff forest valley island desert beach canyon hill swamp glacier
doctor baker farmer sailor soldier teacher lawyer nurse judge painter priest miner
train boat truck plane bicycle bus ship tractor wagon taxi rocket ferry
iron copper silver gold lead tin zinc nickel steel brass bronze platinum
arm knee elbow shoulder ankle wrist chin cheek thumb neck heel spine
bridge tower castle church barn palace temple harbor tunnel prison museum factory
"""
CATEGORIES: tuple[tuple[str, ...], ...] = tuple(
    tuple(line.split()) for line in _NOUNS.strip().splitlines()
)
"""Nouns, a kind a row."""

PREFACE = "Before the talk began, Mary noted down the following words:"
PROMPT = "When everybody had left, Mary looked at her notes and read the words again:"
BRIDGE = "Then, again:"
"""In place of text and prompt, in the context ``short``."""
TEXT = (
    "She put the paper away and thought about what she would say.",
    "It was still early and nobody else had come in yet.",
    "The evening before she had hardly slept, since so much depended on how this would go.",
    "Her friends had told her not to worry, but that had never been of much use to anyone.",
    "In the end she decided to keep it simple and to speak as slowly as she could.",
    "After a while the first guests arrived and began to talk about the weather and about money.",
    "One of them had been on holiday for three weeks and had seen nothing but rain.",
    "Another wanted to know when it would start and how long it was going to take.",
    "She answered all of them politely and tried to remember what they were called.",
    "A young woman asked whether there would be time for questions and seemed pleased to hear so.",
    "By then it had become rather loud, and it was hard to understand what people were saying.",
    "Somebody opened a window, somebody else closed it again, and everybody laughed.",
    "It struck her how different they all looked from what she had expected.",
    "Most of them had never heard of her work, and a few had come only because it was free.",
    "Still, they listened with care, and now and then somebody wrote down what she had said.",
    "Halfway through she lost her place, waited for a moment, and went on as if nothing had "
    "happened.",
    "Towards the end she even told a joke that she had not planned, and it went down well.",
    "There were more questions than she had hoped for, and she did not know the answer to all.",
    "An elderly man disagreed with nearly everything, but he did so in a friendly way.",
    "When it was over, several of them came up to her and thanked her for an interesting hour.",
    "They stayed for a long time, talking about this and that, until it was quite dark outside.",
    "She promised to send them something to read and made sure that nobody was forgotten.",
    "Finally it became quiet, and she sat down for the first time since the afternoon.",
)
"""What stands between the lists; more of it for longer distances."""


@dataclass(frozen=True, slots=True)
class Vignette:
    """A text with the places of the nouns in it; ``key`` pairs the conditions of one stimulus."""

    text: str
    first: tuple[Span, ...]
    """Characters [start, end) of the first list's nouns."""
    second: tuple[Span, ...]
    condition: Condition
    kind: Kind
    nouns: int
    words: int
    """Words between the lists."""
    base: int
    """The base list: shifts of one belong together."""
    key: str


def vignettes(
    *,
    nouns: int = MOST,
    kind: Kind = "arbitrary",
    words: int = 20,
    context: Context = "intact",
    conditions: Sequence[Condition] = CONDITIONS,
    count: int = 60,
    seed: int = 0,
    pool: Sequence[Sequence[str]] = CATEGORIES,
) -> list[Vignette]:
    """``count`` stimuli in every condition, evenly over base lists and shifts.

    Args:
        nouns: length of a list, 2 to 10.
        words: at least so many words of text between the lists (whole sentences).
        context: the text as it is, with its words and sentences mixed up, or only a bridge.
        pool: nouns by kind; each stands in at most one base list.

    Raises:
        ValueError: an argument is out of range, or the pool can't make two base lists, has a noun
            twice, or one that the text between the lists uses.
    """
    if not 2 <= nouns <= MOST or words < 0 or count < 1:
        raise ValueError(
            f"lists have 2 to {MOST} nouns ({nouns}), distances at least 0 words ({words}), and "
            f"there is at least one stimulus ({count})"
        )
    for given, known in ((kind, Kind), (context, Context), *((c, Condition) for c in conditions)):
        if given not in get_args(known):
            raise ValueError(f"there is no '{given}'; known: {', '.join(get_args(known))}")
    _check_pool(pool)
    lists = _base_lists(pool, kind, seed)
    random = stream(seed, "vignettes", kind, nouns, words, context)
    found: list[Vignette] = []
    for number in range(count):
        base, shift = number % len(lists), (number // len(lists)) % MOST
        told = _shifted(lists[base], shift)[:nouns]
        other = _shifted(lists[(base + 1) % len(lists)], shift)[:nouns]
        between = _between(words, context, random)
        again = {"repeat": told, "permute": _deranged(told, random), "novel": other}
        for condition in conditions:
            found.append(
                _vignette(told, again[condition], between, condition, kind, base, str(number))
            )
    return found


def _check_pool(pool: Sequence[Sequence[str]]) -> None:
    every = [w for kind in pool for w in kind]
    twice = next((w for w in every if every.count(w) > 1), None)
    if twice is not None:
        raise ValueError(f"the noun '{twice}' stands in the pool twice")
    used = {
        w.strip(".,:").lower()
        for text in (PREFACE, *TEXT, PROMPT, BRIDGE)
        for w in text.split()
    }  # fmt: skip
    clash = next((w for w in every if w.lower() in used), None)
    if clash is not None:
        raise ValueError(f"the noun '{clash}' also stands in the text between the lists")


def _base_lists(pool: Sequence[Sequence[str]], kind: Kind, seed: int) -> list[list[str]]:
    """Lists of the most nouns, no noun in two."""
    random = stream(seed, "base lists", kind)
    if kind == "coherent":
        found = [random.sample(list(ws), MOST) for ws in pool if len(ws) >= MOST]
    else:
        every = [w for ws in pool for w in ws]
        random.shuffle(every)
        found = [every[i : i + MOST] for i in range(0, len(every) - MOST + 1, MOST)]
    if len(found) < 2:
        raise ValueError(
            f"the pool makes {len(found)} {kind} lists of {MOST} nouns; two at least are needed"
        )
    random.shuffle(found)
    return found


def _shifted(words: Sequence[str], by: int) -> list[str]:
    return [*words[by:], *words[:by]]


def _deranged(words: Sequence[str], random: Random) -> list[str]:
    """The same words, none in its place."""
    mixed = list(words)
    while any(a == b for a, b in zip(mixed, words)):
        random.shuffle(mixed)
    return mixed


def _between(words: int, context: Context, random: Random) -> str:
    """Whole sentences until there are ``words`` words, and the prompt (or a bridge alone)."""
    if context == "short":
        return BRIDGE
    told: list[str] = []
    number = 0
    while sum(len(s.split()) for s in told) < words:
        told.append(TEXT[number % len(TEXT)])
        number += 1
    if context == "scrambled":
        told = [_mixed(s, random) for s in told]
        random.shuffle(told)
    return " ".join([*told, PROMPT])


def _mixed(sentence: str, random: Random) -> str:
    words = sentence.rstrip(".").replace(",", "").split()
    random.shuffle(words)
    return f"{' '.join(words)}."


def _vignette(
    told: Sequence[str],
    again: Sequence[str],
    between: str,
    condition: Condition,
    kind: Kind,
    base: int,
    key: str,
) -> Vignette:
    text, spans = PREFACE, list[list[Span]]()
    for words, after in ((told, f" {between}"), (again, "")):
        places: list[Span] = []
        for i, word in enumerate(words):
            text += "," * (i > 0) + " "
            places.append((len(text), len(text) + len(word)))
            text += word
        text += f".{after}"
        spans.append(places)
    return Vignette(
        text,
        tuple(spans[0]),
        tuple(spans[1]),
        condition,
        kind,
        len(told),
        len(between.split()),
        base,
        key,
    )
