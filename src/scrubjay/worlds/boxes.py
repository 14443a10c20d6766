"""Boxes: what lies where? A scene, a question by name, and scenes that differ on purpose.

    the apple is in Box F, the clock is in Box B, the rope is in Box K. Box B contains the → clock

Every scene has the same number of clauses, so that each place of the text plays one role in all
scenes. Four places matter, by name:

    object         the object asked for, in its clause
    earlier        the letter of its box, in the same clause
    query          the letter once more, in the question
    last           the last token, which predicts the object

A ``Pair`` is a base scene, a source scene whose activations are put into it, and the object that is
expected if what was moved carries a variable (paper 63, section 3.4 of our sheet):

    position   source, of other words, asks for another clause  → base object of *that* clause
    value      the same scenes                                  → the source's object
    label      source asks for a letter that base has as well   → base object in that box

The extra desiderata of the paper (other wording, more text, more boxes) aren't made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Literal, get_args

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.randomness import stream

Variable = Literal["position", "value", "label"]
VARIABLES: tuple[Variable, ...] = get_args(Variable)
PLACES = ("object", "earlier", "query", "last")
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NAMES = """
apple bag ball bell belt bird boat bone book boot bottle bowl bread brick brush button cake camera
candle cap card chain chair cheese clock coat coin corn cup dish doll door drum egg fan fish flag
flower fork game gift glass glove guitar hammer hat horn jar key knife lamp leaf lemon letter map
milk mirror nail note pan paper pen phone picture pipe plant plate radio ring rock rope rose sand
shell ship shirt shoe spoon stamp stone sugar tea ticket tie wheel
"""
OBJECTS = tuple(_NAMES.split())
"""Things whose names most tokenizers keep whole."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Scene:
    """Boxes and what is asked; ``prompt`` ends where the object is due."""

    objects: tuple[str, ...]
    letters: tuple[str, ...]
    asked: int | None
    """The clause asked for; None: no clause has the letter."""
    letter: str
    """The letter in the question."""

    @property
    def answer(self) -> str:
        """Raises:
        ScrubjayError: the letter asked for has no box.
        """
        if self.asked is None:
            raise ScrubjayError(f"no box of the scene is called {self.letter}")
        return self.objects[self.asked]

    @property
    def statement(self) -> str:
        """The clauses, with a full stop."""
        clauses = [f"the {o} is in Box {b}" for o, b in zip(self.objects, self.letters)]
        return ", ".join(clauses) + "."

    @property
    def prompt(self) -> str:
        """The clauses and the beginning of the answer."""
        return f"{self.statement} Box {self.letter} contains the"

    def spans(self, clause: int | None = None) -> dict[str, Span]:
        """Characters of the places in the prompt.

        Args:
            clause: whose object and letter are meant; None: those asked for, or the first clause
                if none is asked for.
        """
        clause = (self.asked or 0) if clause is None else clause
        start = sum(
            len(f"the {o} is in Box {b}, ")
            for o, b in zip(self.objects[:clause], self.letters[:clause])
        )
        object_, letter, text = self.objects[clause], self.letters[clause], self.prompt
        earlier = start + len(f"the {object_} is in Box ")
        query = len(text) - len(f"{self.letter} contains the")
        return {
            "object": (start + 4, start + 4 + len(object_)),
            "earlier": (earlier, earlier + len(letter)),
            "query": (query, query + len(self.letter)),
            "last": (len(text) - 3, len(text)),
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """Base, source, and what base answers if what is moved carries ``variable``."""

    base: Scene
    source: Scene
    variable: Variable
    expected: str


@dataclass(frozen=True)
class Boxes:
    """The generator. The same settings and seed always give the same scenes."""

    boxes: int = 7
    objects: Sequence[str] = OBJECTS
    letters: Sequence[str] = LETTERS
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises:
        ScrubjayError: there are too few boxes, objects or letters.
        """
        if self.boxes < 2:
            raise ScrubjayError(f"a scene needs 2 boxes at least, not {self.boxes}")
        for what, words in (("objects", self.objects), ("letters", self.letters)):
            if len(set(words)) != len(words) or not all(w.isalnum() for w in words):
                raise ScrubjayError(f"{what} are different words of letters and digits")
            if len(words) < 2 * self.boxes:
                raise ScrubjayError(
                    f"two scenes of {self.boxes} boxes with nothing in common need "
                    f"{2 * self.boxes} {what}, there are {len(words)}"
                )

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every word and sign of the texts."""
        return ("the", "is", "in", "Box", ",", ".", "contains", *self.letters, *self.objects)

    def scenes(self, count: int, *names: object) -> list[Scene]:
        """Scenes whose questions go through the clauses in turn; ``names`` choose the stream."""
        random = stream(self.seed, "boxes", *names)
        return [self._scene(random, i % self.boxes) for i in range(count)]

    def counterfactuals(self, scenes: Sequence[Scene], *names: object) -> list[Scene]:
        """For each scene another one, with no word in common, that asks for a letter of neither."""
        random = stream(self.seed, "boxes", "counterfactual", *names)
        found = []
        for scene in scenes:
            other = self._scene(random, 0, without=scene)
            rest = sorted(set(self.letters) - {*scene.letters, *other.letters, scene.letter})
            if not rest:
                raise ScrubjayError(
                    f"{len(self.letters)} letters leave none that two scenes of {self.boxes} "
                    "boxes don't have"
                )
            found.append(Scene(other.objects, other.letters, None, random.choice(rest)))
        return found

    def pairs(self, variable: Variable, count: int, *names: object) -> list[Pair]:
        """Pairs that show whether something carries ``variable``; see the top of this file.

        Raises:
            ScrubjayError: there is no such variable.
        """
        if variable not in VARIABLES:
            raise ScrubjayError(f"there is no variable '{variable}'; known: {', '.join(VARIABLES)}")
        random = stream(self.seed, "boxes", "pairs", *names)
        return [self._pair(random, variable, i) for i in range(count)]

    def _pair(self, random: Random, variable: Variable, number: int) -> Pair:
        """Position and value share their scenes: the same draws in the same order."""
        base = self._scene(random, number % self.boxes)
        assert base.asked is not None
        elsewhere = random.choice([i for i in range(self.boxes) if i != base.asked])
        source = self._scene(random, elsewhere, without=base)
        if variable == "position":
            return Pair(base, source, variable, base.objects[elsewhere])
        if variable == "value":
            return Pair(base, source, variable, source.answer)
        # A letter of another base clause, put where neither its own base clause nor the one asked
        # for stands, so that its position points somewhere else (with two boxes it can't).
        wanted = random.choice([i for i in range(self.boxes) if i != base.asked])
        free = [i for i in range(self.boxes) if i not in (wanted, base.asked)]
        place = random.choice(free or [i for i in range(self.boxes) if i != wanted])
        letters = list(source.letters)
        letters[place] = base.letters[wanted]
        source = Scene(source.objects, tuple(letters), place, letters[place])
        return Pair(base, source, variable, base.objects[wanted])

    def _scene(self, random: Random, asked: int, without: Scene | None = None) -> Scene:
        taken_o, taken_l = (set(without.objects), set(without.letters)) if without else ((), ())
        objects = random.sample([o for o in self.objects if o not in taken_o], self.boxes)
        letters = random.sample([b for b in self.letters if b not in taken_l], self.boxes)
        return Scene(tuple(objects), tuple(letters), asked, letters[asked])
