"""Reasoning motifs: how the edges of a multi-hop question hang together, and how they read.

A question is a small tree. Its leaves are entities called by name; every other node is described by
edges that lead to it; the root is the answer:

    Hop(capital, Hop(author⁻¹, Named(Y)))        "the capital of the country of …"
    Join(Hop(r, Named(C)), Hop(q, Hop(p, Named(A))))      "the X that … and that …"

The same tree is solved by set algebra (``solve``), written as a graph pattern (``pattern``) and as
English (``describe``).

The six motifs have the shapes of sheet 01, section 3.6 (MuSiQue's six). Our choice, as the drawings
were not seen: a join's last step is two facts that meet in one entity, and in ``4-branch-late`` each
of the two branches passes one unnamed entity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

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

Shape = int | tuple["Shape", ...]
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
    for hop in hops(node):
        terms.setdefault(hop.value, f"?{len(terms)}")
    edges = [edge(h) for h in hops(node)]
    return tuple((terms[e.subject], e.relation, terms[e.object]) for e in edges)


class Solver:
    """All values that fit a tree, by set algebra over the universe's indexes."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._free: dict[tuple[Step, ...], frozenset[Value]] = {}

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
        if node is without:
            return None
        origins = self.solve(node.origin, without)
        if origins is None:
            return self._image(node)
        return frozenset(v for o in origins for v in self.step(o, node.step))

    def step(self, origin: Value, step: Step) -> tuple[Value, ...]:
        """Everything that one step leads to."""
        if not step.forward:
            return self._universe.subjects(step.relation, origin)
        return self._universe.objects(origin, step.relation) if isinstance(origin, str) else ()

    def _image(self, hop: Hop) -> frozenset[Value]:
        """Where this hop leads from anything at all, along the hops since the edge taken out."""
        # Only chains of hops get here without a set in between, so the steps say everything.
        facts = self._universe.by_relation.get(hop.step.relation, ())
        key = (hop.step,)
        if key not in self._free:
            self._free[key] = frozenset(
                f.object if hop.step.forward else f.subject for f in facts
            )
        return self._free[key]


class Teller:
    """Trees as English, from the relations' own phrases."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe

    def question(self, node: Node) -> tuple[Segment, ...]:
        who = "Who" if _person(self._type(node)) else "What"
        return (f"{who} is ", *self.describe(node), "?")

    def describe(self, node: Node) -> tuple[Segment, ...]:
        """A name, or a definite description: 'the capital of …'."""
        if isinstance(node, Named):
            return (Ref(node.value),)
        if isinstance(node, Join):
            return self._join(node)
        relation = self._relation(node)
        phrase = relation.noun if node.step.forward else relation.inverse_noun
        return self._fill(definite(phrase), node)

    def _join(self, node: Join) -> tuple[Segment, ...]:
        """The first branch as a description, the second as a relative clause."""
        first, second = node.short, node.long
        comma = "," if isinstance(first.origin, Hop) else ""
        who = "who" if _person(self._type(node)) else "that"
        if first.step.forward:
            noun = self._relation(first).noun
            begin = self._fill(definite(noun), first)
            also = comma + (f" and {who} " if comma or _relative(noun) else f" {who} ")
        else:
            begin = (f"the {self._type(node)} {who} ", *self._condition(first))
            also = f"{comma} and {who} "
        return (*begin, also, *self._condition(second, also=first.step.forward))

    def _condition(self, hop: Hop, also: bool = False) -> tuple[Segment, ...]:
        relation = self._relation(hop)
        if not hop.step.forward:
            return self._fill(relation.condition, hop)
        return ("is also " if also else "is ", *self._fill(indefinite(relation.noun), hop))

    def _fill(self, phrase: str, hop: Hop) -> tuple[Segment, ...]:
        return fill(phrase, "[S]" if hop.step.forward else "[O]", self.describe(hop.origin))

    def _relation(self, hop: Hop) -> Relation:
        return self._universe.relations[hop.step.relation]

    def _type(self, node: Node) -> str:
        """What the phrases themselves say of the type: the relation's domain or range."""
        if isinstance(node, Named):
            return self._universe.entities[node.value].type
        # A relation's domain is what 'the X that …' is about, so a backward branch decides.
        hop = node if isinstance(node, Hop) else node.short
        relation = self._relation(hop)
        return (relation.range if hop.step.forward else relation.domain).replace("_", " ")


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


def _relative(noun: str) -> bool:
    """Whether the phrase has a relative clause already, so that another one needs an 'and'."""
    return any(f" {word} " in noun for word in ("that", "which", "who", "whose", "where", "whom"))


def _person(type: str) -> bool:
    return "person" in type or "human" in type
