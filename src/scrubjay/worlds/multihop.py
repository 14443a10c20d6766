"""Multi-hop questions: two to four facts from as many pages, one answer.

Trees are grown from the answer outwards over indexes, so that hardly any draw is wasted. What a
question must fulfil (SynthWorlds, section 3.6; sheet 01):

- every edge is stated on a page of its own, the page of the edge's subject;
- the answer is the only one in the whole universe, and taking any edge away lets in another answer
  of the same type (our reading of the sheet's filter, a little stricter);
- no entity comes up twice, so no relation and its inverse lead back;
- the names in the question give away neither the answer nor an entity on the way.

Beyond that (our choice), every described entity is the only one of its description, so that 'the'
is true and the gold pages are the only way through.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import NamedTuple

from scrubjay.core.randomness import stream
from scrubjay.worlds.documents import MarkedDocument
from scrubjay.worlds.items import Item, RealNames, stated, tidy, value_type
from scrubjay.worlds.motifs import (
    MOTIFS,
    Hop,
    Join,
    Named,
    Node,
    Shape,
    Solver,
    Step,
    Teller,
    edge,
    hops,
    leaves,
    pattern,
)
from scrubjay.worlds.recall import take_turns
from scrubjay.worlds.universe import Universe, Value

ANSWER_SHARE, SIGNATURE_SHARE = 0.05, 0.10
"""Most that one answer, and one sequence of relations, may make up of a motif's questions."""
DRAWS, PATIENCE = 1000, 3000
"""Draws for an item within those shares; draws for any item before a motif counts as used up."""


def sample(
    universe: Universe, marked: Sequence[MarkedDocument], n: int, seed: int = 0
) -> list[Item]:
    """Up to ``n`` items, the six motifs in turn; ``group`` is the motif's name."""
    sampler = _Sampler(universe, marked)
    return list(islice(take_turns([sampler.items(m, seed) for m in MOTIFS]), n))


class _Ways(NamedTuple):
    """Origins from which one step leads to an entity or value, by the step."""

    only: dict[Step, list[str]]
    """The step leads nowhere else."""
    among: dict[Step, list[str]]
    """The step leads to others as well."""


@dataclass
class _Shares:
    """How often each answer and each signature was taken."""

    taken: int = 0
    answers: Counter[Value] = field(default_factory=Counter)
    signatures: Counter[tuple[Step, ...]] = field(default_factory=Counter)

    def excess(self, node: Node) -> int:
        """By how many questions this one would overdraw its shares; 0 or less is fair."""
        total = self.taken + 1
        return 1 + max(
            self.answers[node.value] - math.ceil(ANSWER_SHARE * total),
            self.signatures[_signature(node)] - math.ceil(SIGNATURE_SHARE * total),
        )

    def take(self, node: Node) -> None:
        self.taken += 1
        self.answers[node.value] += 1
        self.signatures[_signature(node)] += 1


class _Sampler:
    """The indexes that trees are grown on, and the checks."""

    def __init__(self, universe: Universe, marked: Sequence[MarkedDocument]) -> None:
        self._universe = universe
        self._solver, self._teller = Solver(universe), Teller(universe)
        self._names = RealNames(universe)
        self._ways: defaultdict[Value, _Ways] = defaultdict(lambda: _Ways({}, {}))
        self._index(marked)
        self._joins = [y for y, ways in self._ways.items() if _can_join(y, ways)]
        self._joining = frozenset(self._joins)
        self._ends = self._roots(after_join=False)
        self._late_ends = self._roots(after_join=True)

    def _index(self, marked: Sequence[MarkedDocument]) -> None:
        """Every fact that a page states, both ways round where there is a phrase for it."""
        u, told = self._universe, stated(marked)
        for f in u.facts:
            if f not in told or f.object == f.subject:
                continue
            phrases, step = u.relations[f.relation], Step(f.relation, True)
            if phrases.noun:
                only = len(u.objects(f.subject, f.relation)) == 1
                self._ways[f.object][not only].setdefault(step, []).append(f.subject)
            if isinstance(f.object, str):
                only = len(u.subjects(f.relation, f.object)) == 1
                if phrases.inverse_noun if only else phrases.condition:
                    back = Step(f.relation, False)
                    self._ways[f.subject][not only].setdefault(back, []).append(f.object)

    def _roots(self, after_join: bool) -> dict[Step, list[tuple[Value, list[str]]]]:
        """By last step: the answers it can lead to, each with where from."""
        roots: defaultdict[Step, list[tuple[Value, list[str]]]] = defaultdict(list)
        for value, ways in self._ways.items():
            for step, origins in ways.only.items():
                found = [o for o in origins if self._leads_on(o, after_join)]
                if found:
                    roots[step].append((value, found))
        return dict(roots)

    def _leads_on(self, origin: str, after_join: bool) -> bool:
        """Whether a tree can grow on beyond the last step."""
        if after_join:
            return origin in self._joining
        return origin in self._ways and bool(self._ways[origin].only)

    def items(self, motif: str, seed: int) -> Iterator[Item]:
        """Questions of one motif until no new one is found in ``PATIENCE`` draws."""
        rng, shares = stream(seed, "multihop", motif), _Shares()
        seen: set[frozenset[object]] = set()
        while True:
            best: tuple[int, Node] | None = None
            for draw in range(PATIENCE):
                if best is not None and (best[0] <= 0 or draw >= DRAWS):
                    break
                node = self._draw(MOTIFS[motif], rng)
                if node is None:
                    continue
                excess, key = shares.excess(node), _key(node)
                if key in seen or (best is not None and excess >= best[0]):
                    continue
                if self._good(node):
                    best = excess, node
                else:
                    seen.add(key)
            if best is None:
                return
            shares.take(best[1])
            seen.add(_key(best[1]))
            yield self._item(motif, best[1])

    def _item(self, motif: str, node: Node) -> Item:
        return Item(
            "multihop",
            motif,
            tidy(self._teller.question(node) or ()),
            (node.value,),
            tuple(str(edge(h).subject) for h in hops(node)),
            value_type(self._universe, node.value),
            pattern(node),
        )

    def _draw(self, shape: Shape, rng: Random) -> Node | None:
        """A tree of this shape that may or may not be good."""
        if isinstance(shape, tuple) and len(shape) == 2:
            return self._join(rng.choice(self._joins), shape, rng) if self._joins else None
        roots = self._ends if isinstance(shape, int) else self._late_ends
        if not roots:
            return None
        step = rng.choice(list(roots))
        value, origins = rng.choice(roots[step])
        origin = rng.choice(origins)
        if isinstance(shape, int):
            below = self._chain(origin, shape - 1, rng)
        else:
            below = self._join(origin, shape[:2], rng)
        return None if below is None else Hop(step, below, value)

    def _chain(self, value: str, length: int, rng: Random) -> Node | None:
        """A chain of steps to ``value``, each of which leads nowhere else."""
        if length == 0:
            return Named(value)
        ways = self._ways[value].only if value in self._ways else {}
        return self._hop(value, ways, length, rng)

    def _hop(
        self, value: Value, ways: dict[Step, list[str]], length: int, rng: Random
    ) -> Hop | None:
        if not ways:
            return None
        step = rng.choice(list(ways))
        below = self._chain(rng.choice(ways[step]), length - 1, rng)
        return None if below is None else Hop(step, below, value)

    def _join(self, value: Value, shape: tuple[int, ...], rng: Random) -> Join | None:
        """Two branches that end in ``value``, each of which leads elsewhere as well."""
        ways = self._ways[value].among
        short, long = (self._hop(value, ways, length, rng) for length in shape)
        return None if short is None or long is None else Join(short, long)

    def _good(self, node: Node) -> bool:
        """Every demand of this module's docstring that growing has not met already."""
        steps = list(hops(node))
        subjects = {edge(h).subject for h in steps}
        met = {h.value for h in steps} | set(leaves(node))
        return (
            len(subjects) == len(steps)
            and len(met) == len(steps) + 1
            and self._solver.solve(node) == frozenset((node.value,))
            and self._joins_meet_once(node)
            and self._reads_well(node)
            and all(self._needed(hop, node) for hop in steps)
        )

    def _joins_meet_once(self, node: Node) -> bool:
        below = node.origin if isinstance(node, Hop) else node
        only = frozenset((below.value,))
        return not isinstance(below, Join) or self._solver.solve(below) == only

    def _reads_well(self, node: Node) -> bool:
        """Whether it can be said, without giving anything away that has to be looked up."""
        question = self._teller.question(node)
        if question is None:
            return False
        named = list(leaves(node))
        words = " ".join(s for s in question if isinstance(s, str))
        return not any(self._names.clue(h.value, named, words) for h in hops(node))

    def _needed(self, hop: Hop, node: Node) -> bool:
        """Whether another answer of the same type fits once this edge is gone."""
        others = self._solver.solve(node, without=hop)
        type = value_type(self._universe, node.value)
        if others is None:
            others_of_type = self._universe.by_type.get(type, ())
            return not isinstance(node.value, str) or len(others_of_type) > 1
        return any(v != node.value and value_type(self._universe, v) == type for v in others)


def _can_join(value: Value, ways: _Ways) -> bool:
    """At least two ways in, one of them forwards (two backwards would share the value's page)."""
    count = sum(len(origins) for origins in ways.among.values())
    return isinstance(value, str) and count > 1 and any(s.forward for s in ways.among)


def _signature(node: Node) -> tuple[Step, ...]:
    return tuple(h.step for h in hops(node))


def _key(node: Node) -> frozenset[object]:
    return frozenset([node.value, *(edge(h) for h in hops(node))])
