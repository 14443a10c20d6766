"""Lists of which one thing is left, and two names of which one gives: recall by place in context.

    Nina has to wash the shirt, the towel, the sock and the hat. She has washed the sock, the shirt
    and the hat. The only thing that Nina still has to wash is the              → towel

    When Anna and Tom went to the market, Tom gave a book to                    → Anna

To say what is left, a reader must know what was said again. Whose turn it is to be missing is
balanced over places, the order of the second mention is drawn. In the second task the name said
twice stands first or second (``ABBA``: the giver stood second; ``BABA``: first). Source: paper 11,
sections 3.3 and 3.5 of our sheet; texts and words are our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from scrubjay.core.randomness import stream

Span = tuple[int, int]

_THINGS = """
shirt towel sock hat coat blanket pillow cup plate bowl spoon knife fork glass bottle lamp chair
table clock mirror basket box bag ball book pen pencil brush comb key phone radio camera bike
car truck boat train doll drum guitar piano flag rope bell ring watch belt shoe boot glove
dress jacket ladder hammer bucket broom candle carpet curtain desk drawer kettle pot pan
tray vase wallet umbrella
"""
THINGS: tuple[str, ...] = tuple(_THINGS.split())
CHORES: tuple[tuple[str, str], ...] = (
    ("wash", "washed"),
    ("buy", "bought"),
    ("pack", "packed"),
    ("find", "found"),
    ("clean", "cleaned"),
    ("move", "moved"),
)
"""What is to be done, and done."""
PEOPLE: tuple[tuple[str, str], ...] = (
    ("Nina", "She"),
    ("Tom", "He"),
    ("Anna", "She"),
    ("Paul", "He"),
    ("Mary", "She"),
    ("John", "He"),
    ("Sarah", "She"),
    ("Peter", "He"),
    ("Laura", "She"),
    ("Mark", "He"),
)
GIFTS: tuple[str, ...] = ("book", "ring", "pen", "ticket", "map", "key", "letter", "flower")
SCENES: tuple[str, ...] = (
    "When {a} and {b} went to the market, {c} gave a {gift} to",
    "After {a} and {b} had finished dinner, {c} handed a {gift} to",
    "While {a} and {b} were waiting at the station, {c} showed a {gift} to",
    "Then {a} and {b} met in the park, and {c} brought a {gift} to",
    "As {a} and {b} were leaving the office, {c} passed a {gift} to",
    "Yesterday {a} and {b} were at school, and {c} offered a {gift} to",
    "Because {a} and {b} were old friends, {c} sent a {gift} to",
    "Once {a} and {b} had sat down in the garden, {c} gave a {gift} to",
)


@dataclass(frozen=True, slots=True)
class RemainingItem:
    """A list with one thing left; the text ends where that thing is to be said."""

    text: str
    items: tuple[str, ...]
    """In the order of the list."""
    missing: int
    """Place of the thing left, from 0."""
    first: tuple[Span, ...]
    """Characters [start, end) of each item in the list."""
    second: tuple[Span | None, ...]
    """The same in the second mention; None for the one left."""

    @property
    def answer(self) -> str:
        return self.items[self.missing]


def remaining_items(
    n: int, count: int, *, words: Sequence[str] = THINGS, seed: int = 0
) -> list[RemainingItem]:
    """``count`` lists of ``n`` things.

    Raises:
        ValueError: there are fewer than two things or words, or a word occurs twice.
    """
    pool = list(words)
    if len(set(pool)) < len(pool):
        raise ValueError("the words of a list must be different")
    if not 2 <= n <= len(pool):
        raise ValueError(f"a list has 2 to {len(pool)} things, the words there are; not {n}")
    if count < 1:
        raise ValueError(f"the number of lists is at least 1, not {count}")
    random = stream(seed, "remaining items", n)
    return [_list(random, random.sample(pool, n), i % n) for i in range(count)]


def _list(random: Random, items: list[str], missing: int) -> RemainingItem:
    name, pronoun = random.choice(PEOPLE)
    todo, done = random.choice(CHORES)
    again = [i for i in range(len(items)) if i != missing]
    random.shuffle(again)
    writer = _Writer(f"{name} has to {todo} ")
    first = writer.enumerate(items)
    writer.text += f". {pronoun} has {done} "
    spans = dict(zip(again, writer.enumerate([items[i] for i in again]), strict=True))
    writer.text += f". The only thing that {name} still has to {todo} is the"
    second = tuple(spans.get(i) for i in range(len(items)))
    return RemainingItem(writer.text, tuple(items), missing, tuple(first), second)


class _Writer:
    """A text that grows and knows where its items stand."""

    def __init__(self, text: str) -> None:
        self.text = text

    def enumerate(self, items: Sequence[str]) -> list[Span]:
        spans = []
        for place, item in enumerate(items):
            if place:
                self.text += " and " if place == len(items) - 1 else ", "
            self.text += "the "
            spans.append((len(self.text), len(self.text) + len(item)))
            self.text += item
        return spans


@dataclass(frozen=True, slots=True)
class TwoNames:
    """Two people, one of whom gives something to the other; the text ends before the other."""

    text: str
    receiver: str
    """The answer: the name that was said once."""
    giver: str
    order: str
    """``ABBA``: the receiver stood first; ``BABA``: the giver did."""
    names: tuple[Span, Span]
    """Characters of the receiver's and the giver's first mention."""


def two_names(count: int, *, seed: int = 0) -> list[TwoNames]:
    """``count`` texts, both orders in turn.

    Raises:
        ValueError: none are wanted.
    """
    if count < 1:
        raise ValueError(f"the number of texts is at least 1, not {count}")
    random = stream(seed, "two names")
    made = []
    for i in range(count):
        (receiver, _), (giver, _) = random.sample(PEOPLE, 2)
        order = "ABBA" if i % 2 == 0 else "BABA"
        a, b = (receiver, giver) if order == "ABBA" else (giver, receiver)
        scene = random.choice(SCENES)
        text = scene.format(a=a, b=b, c=giver, gift=random.choice(GIFTS))
        start = {a: scene.index("{a}"), b: text.index(f"{a} and {b}") + len(f"{a} and ")}
        spans = tuple((start[name], start[name] + len(name)) for name in (receiver, giver))
        made.append(TwoNames(text, receiver, giver, order, (spans[0], spans[1])))
    return made
