"""A knowledge graph to walk on: what one step leads to, in words, and which entities a text names.

    graph = world.knowledge
    graph.link("Who wrote The Grey Door?")      ->  ("book-7",)
    graph.edges("book-7")                       ->  (Edge("book-7", "author", True, "person-3"), …)
    graph.words(edge)                           ->  "the author of The Grey Door"

A universe's facts are walked both ways; a backward edge has words of its own ("the book written by
Kalen Brusk"), so that nobody has to guess a direction. Nodes are a universe's values: entity ids,
dates and quantities. Linking reads whole words: exact names win over names in another case, longer
names over those inside them; only a text that names nothing is matched fuzzily.

Source: Knowledge Solver (paper 53), section 5 of our sheet.
"""

from __future__ import annotations

import difflib
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from scrubjay.core.randomness import stream
from scrubjay.worlds.names import NameMap, fold
from scrubjay.worlds.universe import Fact, Relation, Universe, Value

if TYPE_CHECKING:
    pass

CLOSE = 0.84
"""Least similarity (difflib's ratio) of a misspelt name."""
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Edge:
    """A step from ``origin`` to ``target``; ``forward`` from a fact's subject to its object."""

    origin: Value
    relation: str
    forward: bool
    target: Value

    @property
    def fact(self) -> Fact:
        """The fact it walks along."""
        if self.forward:
            return Fact(str(self.origin), self.relation, self.target)
        return Fact(str(self.target), self.relation, self.origin)

    @property
    def way(self) -> tuple[str, bool]:
        """Relation and direction, without the ends."""
        return self.relation, self.forward


class KnowledgeGraph:
    """Facts as edges that can be walked, told with the names of one world."""

    def __init__(self, universe: Universe, names: NameMap | None = None) -> None:
        self.universe = universe
        self.names = names or NameMap.real(universe)

    def edges(self, node: Value) -> tuple[Edge, ...]:
        """Every step from ``node``, forward ones first, by relation; none leads back to itself."""
        return self._edges.get(node, ())

    def name(self, node: Value) -> str:
        """What the node is called in this world."""
        return self.names.value(node)

    def words(self, edge: Edge) -> str:
        """What the step leads to, described from where it starts: 'the birthplace of Kalen'."""
        relation, here = self.universe.relations[edge.relation], self.name(edge.origin)
        if edge.forward:
            return (relation.noun or f"the {edge.relation} of [S]").replace("[S]", here)
        return _backwards(relation).replace("[O]", here)

    def statement(self, edge: Edge) -> str:
        """The edge's fact as a sentence: 'Kalen was born in Torvik.'"""
        fact, relation = edge.fact, self.universe.relations[edge.relation]
        said = relation.phrasings[0] if relation.phrasings else f"[S]: {relation.id}: [O]."
        said = said.replace("[S]", "\0").replace("[O]", self.name(fact.object))
        return said.replace("\0", self.name(fact.subject))

    def link(self, text: str, *, fuzzy: bool = True) -> tuple[str, ...]:
        """Ids of the entities that ``text`` names, in order of mention.

        A name in another case counts where it has an upper-case letter or several words in the
        text: 'lead' in 'what can lead to …' is no element. Only if nothing is named at all, and
        ``fuzzy`` is set, a run of words almost like a name counts.
        """
        spans = [(m.start(), m.end()) for m in WORD.finditer(text)]
        found: dict[str, None] = {}
        at = 0
        while at < len(spans):
            for size in range(min(self._longest, len(spans) - at), 0, -1):
                said = text[spans[at][0] : spans[at + size - 1][1]]
                entity = self._exact(said, size)
                if entity is not None:
                    found[entity] = None
                    at += size - 1
                    break
            at += 1
        return tuple(found) or (self._almost(text, spans) if fuzzy else ())

    def distances(self, start: Value, hops: int | None = None) -> dict[Value, int]:
        """Steps from ``start`` to every node within ``hops`` of it (None: all that are reached)."""
        distance: dict[Value, int] = {start: 0}
        queue = deque([start])
        while queue:
            node = queue.popleft()
            if hops is None or distance[node] < hops:
                for edge in self.edges(node):
                    if edge.target not in distance:
                        distance[edge.target] = distance[node] + 1
                        queue.append(edge.target)
        return distance

    def shortest(self, start: Value, goal: Value) -> tuple[Edge, ...] | None:
        """A shortest walk, the first in the order of edges; None where there is no way."""
        came: dict[Value, Edge | None] = {start: None}
        queue = deque([start])
        while queue and goal not in came:
            for edge in self.edges(queue.popleft()):
                if edge.target not in came:
                    came[edge.target] = edge
                    queue.append(edge.target)
        if goal not in came:
            return None
        way: list[Edge] = []
        step = came[goal]
        while step is not None:
            way.append(step)
            step = came[step.origin]
        return tuple(reversed(way))

    def between(
        self, starts: Sequence[Value], goals: Sequence[Value], hops: int = 2, most: int = 200
    ) -> tuple[Fact, ...]:
        """Facts on walks of up to ``hops`` steps from a start to a goal: the question–answer
        subgraph 𝒢_sub, cut at ``most`` in the universe's order (which no answer decides)."""
        near = [self.distances(s, hops) for s in starts]
        far = [self.distances(g, hops) for g in goals]

        def inside(fact: Fact) -> bool:
            a, b = fact.subject, fact.object
            return any(
                n.get(x, hops) + 1 + f.get(y, hops) <= hops
                for n in near
                for f in far
                for x, y in ((a, b), (b, a))
            )

        return tuple(f for f in self.universe.facts if inside(f))[:most]

    def permuted(self, seed: int) -> KnowledgeGraph:
        """The control: the same nodes and relations, but every relation's objects are dealt out
        anew among its facts. Whoever still answers right does not use the graph."""
        facts: list[Fact] = []
        for relation, group in self.universe.by_relation.items():
            objects = [f.object for f in group]
            stream(seed, "permuted", relation).shuffle(objects)
            facts += [Fact(f.subject, relation, o) for f, o in zip(group, objects)]
        universe = Universe(
            self.universe.entities.values(), self.universe.relations.values(), facts
        )
        return KnowledgeGraph(universe, self.names)

    @cached_property
    def _edges(self) -> dict[Value, tuple[Edge, ...]]:
        both: dict[Value, dict[Edge, None]] = {}
        for forward in (True, False):
            for f in self.universe.facts:
                if f.subject != f.object:
                    ends = (f.subject, f.object) if forward else (f.object, f.subject)
                    edge = Edge(ends[0], f.relation, forward, ends[1])
                    if forward or not self._says_the_same(f):
                        both.setdefault(ends[0], {})[edge] = None
        return {node: tuple(edges) for node, edges in both.items()}

    def _says_the_same(self, fact: Fact) -> bool:
        """Whether the fact read backwards is another fact read forwards (borders, borders)."""
        inverse = self.universe.relations[fact.relation].inverse
        return bool(inverse) and fact.subject in self.universe.objects(str(fact.object), inverse)

    @cached_property
    def _surfaces(self) -> tuple[dict[str, str], dict[str, str]]:
        """Names as written and folded → entity; a name wins over an alias."""
        exact: dict[str, str] = {}
        folded: dict[str, str] = {}
        for part in (slice(1), slice(1, None)):
            for id, every in self.names.entities.items():
                for form in every[part]:
                    exact.setdefault(_joined(form), id)
                    folded.setdefault(_joined(fold(form)), id)
        return exact, folded

    @cached_property
    def _longest(self) -> int:
        return max((len(s.split()) for s in self._surfaces[0]), default=0)

    def _exact(self, said: str, size: int) -> str | None:
        exact, folded = self._surfaces
        key = _joined(said)
        if key in exact:
            return exact[key]
        if size > 1 or said != said.lower():
            return folded.get(_joined(fold(said)))
        return None

    def _almost(self, text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, ...]:
        """The entity whose name is most like a run of words of the text, if it is close."""
        best, score = None, CLOSE
        folded = self._surfaces[1]
        for at in range(len(spans)):
            for size in range(1, min(self._longest + 1, len(spans) - at) + 1):
                said = _joined(fold(text[spans[at][0] : spans[at + size - 1][1]]))
                for name in difflib.get_close_matches(said, _near(said, folded), 1, score):
                    ratio = difflib.SequenceMatcher(None, name, said).ratio()
                    if ratio > score or best is None:
                        best, score = folded[name], ratio
        return () if best is None else (best,)


def _backwards(relation: Relation) -> str:
    if relation.inverse_noun:
        return relation.inverse_noun
    kind = relation.domain.replace("_", " ") or "thing"
    return f"the {kind} whose {relation.id.replace('_', ' ')} is [O]"


def _joined(text: str) -> str:
    """The words of a name, however they are set apart."""
    return " ".join(WORD.findall(text))


def _near(said: str, names: Iterable[str]) -> list[str]:
    """Names that could be close: by length, and by their first or last letters."""
    if len(said) < 4:
        return []
    return [
        n
        for n in names
        if abs(len(n) - len(said)) <= 3 and (n[:2] == said[:2] or n[-3:] == said[-3:])
    ]
