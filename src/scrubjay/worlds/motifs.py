"""Reasoning motifs: how the edges of a multi-hop question hang together, and how they read.

A question is a small tree. Its leaves are entities called by name; every other node is described by
edges that lead to it; the root is the answer:

    Hop(capital, Hop(author⁻¹, Named(Y)))        "the capital of the country of …"
    Join(Hop(r, Named(C)), Hop(q, Hop(p, Named(A))))      "the X that … and that …"

The same tree is solved by set algebra (``solve``), written as a graph pattern (``pattern``) and as
English (``describe``).

The six motifs have the shapes of sheet 01, section 3.6 (MuSiQue's six). Our choice, as the
drawings were not seen: a join's last step is two facts that meet in one entity, and in
``4-branch-late`` each of the two branches passes one unnamed entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scrubjay.worlds.documents import Ref, Segment
from scrubjay.worlds.items import fill
from scrubjay.worlds.universe import Relation, Universe, Value


@dataclass(frozen=True, slots=True)
class Step:
    """A relation and the way it is walked: ``forward`` from subject to object."""

    relation: str
    forward: bool


@dataclass(frozen=True, slots=True)
class Named:
    """An entity called by its name."""

    value: str


@dataclass(frozen=True, slots=True)
class Hop:
    """What one ``step`` leads to from ``origin``."""

    step: Step
    origin: Node
    value: Value


@dataclass(frozen=True, slots=True)
class Join:
    """What two branches both lead to; the short one is told first."""

    short: Hop
    long: Hop

    @property
    def value(self) -> Value:
        return self.short.value


Node = Named | Hop | Join

Shape = int | tuple[int, ...]
"""``n``: a chain of n edges from a named entity; ``(a, b)``: a join of two chains;
``(a, b, 1)``: one more edge after the join."""
MOTIFS: dict[str, Shape] = {
    "2-chain": 2,
    "3-chain": 3,
    "3-join": (1, 2),
    "4-chain": 4,
    "4-branch-late": (2, 2),
    "4-branch-early": (1, 2, 1),
}


@dataclass(frozen=True, slots=True)
class Edge:
    """A fact that a question rests on, as subject → object whichever way it is walked."""

    subject: Value
    relation: str
    object: Value


def hops(node: Node) -> Iterator[Hop]:
    """The edges in order of use: a branch before what it leads to."""
    if isinstance(node, Hop):
        yield from hops(node.origin)
        yield node
    elif isinstance(node, Join):
        yield from hops(node.long)
        yield from hops(node.short)


def edge(hop: Hop) -> Edge:
    here, there = hop.origin.value, hop.value
    subject, object = (here, there) if hop.step.forward else (there, here)
    return Edge(subject, hop.step.relation, object)


def leaves(node: Node) -> Iterator[str]:
    """The entities that the question names."""
    if isinstance(node, Named):
        yield node.value
    elif isinstance(node, Hop):
        yield from leaves(node.origin)
    else:
        yield from leaves(node.long)
        yield from leaves(node.short)


def pattern(node: Node) -> tuple[tuple[str, str, str], ...]:
    """The tree as a pattern for ``Universe.query``: one triple an edge, in order of use."""
    terms: dict[Value, str] = {leaf: leaf for leaf in leaves(node)}
    terms[node.value] = "?answer"
    known = len(terms)
    for hop in hops(node):
        terms.setdefault(hop.value, f"?{len(terms) - known + 1}")
    edges = [edge(h) for h in hops(node)]
    return tuple((terms[e.subject], e.relation, terms[e.object]) for e in edges)


class Solver:
    """All values that fit a tree, by set algebra over the universe's indexes."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._images: dict[tuple[Step, ...], frozenset[Value]] = {}

    def solve(self, node: Node, without: Hop | None = None) -> frozenset[Value] | None:
        """The values that ``node`` may stand for; ``None`` when anything would do.

        ``without`` takes one edge out of the tree: what it led to is then held by nothing but the
        edges that remain.
        """
        if isinstance(node, Named):
            return frozenset((node.value,))
        if isinstance(node, Join):
            one, other = self.solve(node.short, without), self.solve(node.long, without)
            return (other if one is None else one) if one is None or other is None else one & other
        steps = _since(node, without)
        if steps is not None:
            return self._image(steps) if steps else None
        origins = self.solve(node.origin, without)
        assert origins is not None, "only a hop taken out is without a set"
        return self._after(origins, node.step)

    def _after(self, origins: frozenset[Value], step: Step) -> frozenset[Value]:
        u, r = self._universe, step.relation
        if step.forward:
            return frozenset(v for o in origins if isinstance(o, str) for v in u.objects(o, r))
        return frozenset(v for o in origins for v in u.subjects(r, o))

    def _image(self, steps: tuple[Step, ...]) -> frozenset[Value]:
        """Where the steps lead from anything at all; big, and the same for many questions."""
        if steps not in self._images:
            *before, last = steps
            if before:
                found = self._after(self._image(tuple(before)), last)
            else:
                facts = self._universe.by_relation.get(last.relation, ())
                found = frozenset(f.object if last.forward else f.subject for f in facts)
            self._images[steps] = found
        return self._images[steps]


def _since(node: Node, without: Hop | None) -> tuple[Step, ...] | None:
    """The steps from the hop taken out to ``node``, where nothing but hops lies between."""
    if without is None or not isinstance(node, Hop):
        return None
    if node is without:
        return ()
    steps = _since(node.origin, without)
    return None if steps is None else (*steps, node.step)


class _Tangled(Exception):
    """A long description would stand in the middle of another one."""


class Teller:
    """Trees as English, from the relations' own phrases."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe

    def question(self, node: Node) -> tuple[Segment, ...] | None:
        """'What is …?'; ``None`` for a tree whose sentence nobody could follow."""
        who = "Who" if _person(self._type(node)) else "What"
        try:
            return (f"{who} is ", *self._describe(node), "?")
        except _Tangled:
            return None

    def _describe(self, node: Node) -> tuple[Segment, ...]:
        """A name, or a definite description: 'the capital of …'."""
        if isinstance(node, Named):
            return (Ref(node.value),)
        if isinstance(node, Join):
            return self._join(node)
        relation = self._relation(node)
        phrase = relation.noun if node.step.forward else relation.inverse_noun
        return self._fill(definite(phrase), node)

    def _join(self, node: Join) -> tuple[Segment, ...]:
        """The short branch as a description, the long one as a relative clause."""
        first, relation = node.short, self._relation(node.short)
        if first.step.forward:
            begin, clause = definite(relation.noun), bool(_relative(relation.noun))
        else:
            begin, clause = f"the {self._type(node)} {self._who(node)} {relation.condition}", True
        comma = "," if isinstance(first.origin, Hop) else ""
        link = f"{comma} and " if comma or clause else " "
        return (*self._fill(begin, first), link, *self._clause(node))

    def _clause(self, node: Join) -> tuple[Segment, ...]:
        """'that lies in …', 'at which … studied', 'who is also a guest of …'."""
        hop, who = node.long, self._who(node)
        relation = self._relation(hop)
        if not hop.step.forward:
            return self._fill(f"{who} {relation.condition}", hop)
        noun = relation.noun
        return self._fill(_relative(noun) or f"{who} is also {indefinite(noun)}", hop)

    def _fill(self, phrase: str, hop: Hop) -> tuple[Segment, ...]:
        """The phrase with its slot filled by the description of where the hop comes from."""
        slot = "[S]" if hop.step.forward else "[O]"
        inside = self._describe(hop.origin)
        if not isinstance(hop.origin, Named):
            phrase = INVERTED.sub(r"\1 \3 \2", phrase)
            ends = not inside[-1] or isinstance(inside[-1], Ref)
            if not phrase.endswith(slot) and not (ends and isinstance(hop.origin, Hop)):
                raise _Tangled
        return fill(phrase, slot, inside)

    def _relation(self, hop: Hop) -> Relation:
        return self._universe.relations[hop.step.relation]

    def _type(self, node: Node) -> str:
        """What the phrases themselves say of the type: the relation's domain or range."""
        if isinstance(node, Named):
            return self._universe.entities[node.value].type
        hop = node if isinstance(node, Hop) else node.short
        relation = self._relation(hop)
        return (relation.range if hop.step.forward else relation.domain).replace("_", " ")

    def _who(self, node: Node) -> str:
        return "who" if _person(self._type(node)) else "that"


INVERTED = re.compile(r"(\bin which) (\[S\]) (\w+)$")
"""'the country in which [S] lies': a long subject goes last ('in which lies the city that …')."""
CLAUSE = re.compile(
    r"\b(?:(?:in|on|at|of|for|from|to|into|through|after|by|with) (?:which|whom)"
    r"|which|who|whose|that|where)\b.*"
)


def definite(noun: str) -> str:
    """'a neighbour of [S]' → 'the neighbour of [S]'."""
    article, _, rest = noun.partition(" ")
    return f"the {rest}" if article in ("a", "an") else noun


def indefinite(noun: str) -> str:
    """'the neighbour of [S]' → 'a neighbour of [S]'."""
    article, _, rest = noun.partition(" ")
    if article != "the":
        return noun
    return f"an {rest}" if rest[:1] in "aeio" else f"a {rest}"


def _relative(noun: str) -> str:
    """The relative clause of a noun phrase: 'in which [S] is set'."""
    found = CLAUSE.search(noun)
    return found.group() if found else ""


def _person(type: str) -> bool:
    return "person" in type or "human" in type
