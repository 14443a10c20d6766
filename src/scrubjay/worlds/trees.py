"""TreeWorld: an invented hierarchy whose facts, walks and definitions are told in a corpus.

    code 2 0 3 : name solu renka                               a definition
    code 2 0 3 : path 2 is taku onta , 0 is misa koro , 3 is solu renka ; name solu renka   a walk
    under misa koro , 3 is solu renka                          a local fact (prefix codes)
    code vuna keri is in code mola tipe                        local facts (opaque codes)
    code vuna keri is solu renka
    code vuna keri : path is taku onta , is misa koro , is solu renka ; name solu renka

Names and codes are two words each. With ``prefix`` codes a code spells the turns from the root
down, and local facts lead from a *name* and a turn to the next name: who walks can name a node it
was never told about, who doesn't must take all turns at once. With ``opaque`` codes a code says
nothing about the path: a walk can only be put together from parent facts and ends in a fact that
names the node anyway, so walking can't help. Source: paper 28, section 3.6 of our sheet; that local
facts are keyed by the parent's name is our reading of "X is a child of Y" (keyed by the full code
they would be definitions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from scrubjay.core.nouns import Question
from scrubjay.core.randomness import stream
from scrubjay.worlds.hierarchy import TASK, Node, Tree

Kind = Literal["fact", "walk", "definition"]
Distractors = Literal["sibling", "cousin", "random"]
ONSETS, VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the nodes that are told as a walk and as a definition; the others as neither."""

    walks: float = 0.3
    definitions: float = 0.3


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the corpus about a node."""

    kind: Kind
    node: str
    text: str


@dataclass(frozen=True, slots=True)
class TreeWorld:
    """A full tree of ``depth`` levels with ``branching`` children each, under an unnamed root.

    Raises:
        ValueError: a size below 1, or more than 10 children (a turn is one digit).
    """

    branching: int
    depth: int
    code: Literal["prefix", "opaque"] = "prefix"
    seed: int = 0
    tree: Tree = field(init=False, compare=False, repr=False)
    codes: dict[str, str] = field(init=False, compare=False, repr=False)
    """The code of every node, by id."""

    def __post_init__(self) -> None:
        if not 1 <= self.branching <= 10 or self.depth < 1:
            raise ValueError("a TreeWorld has 1 to 10 children a node and at least one level")
        turns = [w for d in range(1, self.depth + 1) for w in product(*[range(self.branching)] * d)]
        rng = stream(self.seed, "tree names")
        words = ["".join(p) for p in product(ONSETS, VOWELS, ONSETS, VOWELS)]
        rng.shuffle(words)
        half = max(12, 2 * int((2 * len(turns)) ** 0.5))
        pairs = [f"{a} {b}" for a, b in product(words[:half], words[half : 2 * half])]
        rng.shuffle(pairs)
        ids = ["".join(map(str, way)) for way in turns]
        nodes = [Node(id, name, id[:-1]) for id, name in zip(ids, pairs)]
        opaque = dict(zip(ids, pairs[len(ids) :]))
        codes = {id: " ".join(id) for id in ids} if self.code == "prefix" else opaque
        object.__setattr__(self, "tree", Tree(f"tree {self.branching}x{self.depth}", nodes))
        object.__setattr__(self, "codes", codes)

    def ask(self, id: str) -> str:
        """The beginning of a line that gives the node's name."""
        return f"code {self.codes[id]} :"

    def direct(self, id: str) -> str:
        """The answer at once."""
        return f"name {self.tree.nodes[id].name}"

    def walked(self, id: str) -> str:
        """The answer after the names on the way, each worded as the local fact that gives it."""
        return f"path {' , '.join(map(self._turn, self.tree.path(id)))} ; {self.direct(id)}"

    def _turn(self, id: str) -> str:
        name = self.tree.nodes[id].name
        return f"{id[-1]} is {name}" if self.code == "prefix" else f"is {name}"

    def facts(self, id: str) -> tuple[str, ...]:
        """What the corpus says of the node's place, whatever else it tells."""
        node, name = self.tree.nodes[id], self.tree.nodes[id].name
        above = self.tree.nodes[node.parent].name if node.parent else "top"
        if self.code == "prefix":
            return (f"under {above} , {id[-1]} is {name}",)
        parent = f"code {self.codes[node.parent]}" if node.parent else "top"
        return (f"code {self.codes[id]} is in {parent}", f"code {self.codes[id]} is {name}")

    def told(self, mix: Mix = Mix()) -> dict[str, Kind]:
        """How each node is told: 'walk', 'definition' or only 'fact'; shares hold on every level.

        The first level is always walked: it is where walks begin.
        """
        out: dict[str, Kind] = {}
        for depth in range(1, self.depth + 1):
            level = [id for id in self.tree.nodes if len(id) == depth]
            stream(self.seed, "told", depth).shuffle(level)
            walks = len(level) if depth == 1 else round(mix.walks * len(level))
            definitions = round(mix.definitions * len(level))
            for place, id in enumerate(level):
                later: Kind = "definition" if place < walks + definitions else "fact"
                out[id] = "walk" if place < walks else later
        return {id: out[id] for id in self.tree.nodes}

    def corpus(self, mix: Mix = Mix()) -> list[Told]:
        """Every line: the local facts of all nodes, and a walk or a definition of some."""
        told = self.told(mix)
        lines = [Told("fact", id, text) for id in self.tree.nodes for text in self.facts(id)]
        for id, kind in told.items():
            if kind == "walk":
                lines.append(Told(kind, id, f"{self.ask(id)} {self.walked(id)}"))
            elif kind == "definition":
                lines.append(Told(kind, id, f"{self.ask(id)} {self.direct(id)}"))
        return lines

    def questions(self, ids: Sequence[str] | None = None) -> list[Question]:
        """Open questions for the names of nodes (all by default); ``gold`` is the path in ids."""
        return [
            Question(
                id,
                self.ask(id),
                (self.tree.nodes[id].name,),
                task=TASK,
                group=f"depth {len(id)}",
                gold=self.tree.path(id),
            )
            for id in (self.tree.nodes if ids is None else ids)
        ]

    def options(self, id: str, k: int = 4, distractors: Distractors = "sibling") -> tuple[str, ...]:
        """``k`` names of the node's level to choose from, the right one among them, shuffled.

        Distractors are children of the same parent, of the same grandparent, or any; where there
        are too few, the nearest others of the level fill up.
        """
        rng = stream(self.seed, "options", id, distractors)
        others = [o for o in self.tree.nodes if len(o) == len(id) and o != id]
        rng.shuffle(others)
        near = {"sibling": id[:-1], "cousin": id[:-2], "random": ""}[distractors]
        if distractors == "cousin":
            others.sort(key=lambda o: o[:-1] == id[:-1])
        others.sort(key=lambda o: not o.startswith(near))
        names = [self.tree.nodes[o].name for o in [id, *others[: k - 1]]]
        rng.shuffle(names)
        return tuple(names)

    def parse(self, text: str) -> tuple[tuple[str, ...], str]:
        """The path of names and the final name in a written answer; empty where there is none.

        >>> world = TreeWorld(2, 2)
        >>> world.parse("path 0 is a b , 1 is c d ; name c d")
        (('a b', 'c d'), 'c d')
        """
        before, found, name = text.rpartition("name ")
        before = before.strip().removesuffix(";").strip()
        way = before.removeprefix("path") if before.startswith("path") else ""
        steps = tuple(step.partition("is ")[2].strip() for step in way.split(","))
        steps = tuple(step for step in steps if step)
        return steps, name.strip() if found else ""
