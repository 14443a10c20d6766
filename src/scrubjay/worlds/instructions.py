"""Instructions whose span in the prompt is known, and whether a reply follows them.

    please blick it : kor mal tev =            → tev mal kor      (blick: turn round)

The verbs are invented: a model that has never been taught them can't follow, one that has can, and
the right reply is known by construction. ``everyday`` makes plain English ones. Source: paper 42,
sections 3.1 and 6 of our sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from scrubjay.core.randomness import stream

VERBS: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "blick": lambda x: list(reversed(x)),
    "dorn": lambda x: [x[0]] * len(x),
    "kemp": lambda x: [x[-1]] * len(x),
    "sult": lambda x: list(x),
    "frum": lambda x: [*x[1:], x[0]],
    "plev": lambda x: [x[-1], *x[:-1]],
}
"""What each verb does to a list."""
OTHERS = ("grast", "monk", "teld", "wisp", "yorb", "zane")
"""Verbs of ordinary texts, of which nothing is taught."""
ITEMS = "kor mal tev sip lun dar bem rost fal gim nop hest vil cad pum jor".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Instruction:
    """A prompt and where its instruction stands."""

    text: str
    span: tuple[int, int]
    """Characters [from, to)."""
    reply: str = ""
    """What following it gives; "" where that isn't known."""
    verb: str = ""

    def __post_init__(self) -> None:
        """Raises:
        ValueError: the span is empty or lies outside the text.
        """
        if not 0 <= self.span[0] < self.span[1] <= len(self.text):
            raise ValueError(f"the span {self.span} lies outside a text of {len(self.text)}")

    def followed(self, reply: str) -> bool:
        """Whether a reply is the right one, blanks apart."""
        return bool(self.reply) and reply.split() == self.reply.split()


def invented(random: Random, length: int = 3) -> Instruction:
    """An instruction with an invented verb about a list of different words."""
    verb, items = random.choice(list(VERBS)), random.sample(ITEMS, length)
    told = f"please {verb} it"
    text = f"{told} : {' '.join(items)} ="
    return Instruction(text, (0, len(told)), " ".join(VERBS[verb](items)), verb)


_TASKS = ("Write these words in capital letters", "Write the first of these words", "Count these words", "Put these words into a sentence", "Translate these words into French", "Write these words backwards")  # fmt: skip  # noqa: E501
_WORDS = "river stone garden window letter market winter bridge candle island".split()  # noqa: SIM905


def everyday(count: int, seed: int = 0) -> list[Instruction]:
    """Plain English instructions about a few words, before or after them."""
    random, found = stream(seed, "everyday instructions"), []
    for i in range(count):
        task, words = _TASKS[i % len(_TASKS)], " ".join(random.sample(_WORDS, 5))
        before = (i // len(_TASKS)) % 2 == 0
        text = f"{task}: {words}\nAnswer:" if before else f"Words: {words}\n{task}.\nAnswer:"
        start = text.index(task)
        found.append(Instruction(text, (start, start + len(task))))
    return found
