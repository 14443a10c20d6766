"""HierarchyNavigator: from a description to a node of a tree, by choosing among children.

    live = {root: log p = 0}
    repeat:  for every live node at once:  p = choose(names of its children, "none of these")
                 (p(none) has a prior of its own; see ``stopping``)
               each child becomes a path with log p + log p(child)
               "none of these" ends the path at its node with log p + log p(none)
             keep the ``beam`` best paths, ended ones and leaves among them
    until every kept path has ended;  answer = the best

Every step's probabilities sum to one, "none" included, so p(path) is a distribution over *all*
nodes and paths of different length compete fairly: the beam looks for its maximum. A path whose
children don't fit loses its mass to "none" and falls behind the others in the beam: that is how the
search goes back (with ``beam=1`` it can't). At the root there is no "none": something must fit.

Small models prefer some names whatever the question is. ``calibrate`` divides by how likely the
name is without the description (pointwise mutual information), at twice the cost.

If the session has a retriever over ``tree.passages()``, one flat search guides the walk: a hit of
rank r gives 1 / (1 + r) to its node and to every node above, and each step's probabilities are
multiplied by the children's shares of it. A small model that knows nothing of the field then
follows the search, a strong one overrules it.

A node with more than ``most`` children is shortlisted: by what the search found below them, or
without one by word overlap or an encoder, from the description and the names alone. Source: paper
28, section 3.3 (walk the levels, strike what lies outside); that the tree is in the context, not in
memory, the beam and the guide are ours.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from scrubjay.agents.session import Session
from scrubjay.agents.tree_baselines import HIERARCHY, arrived
from scrubjay.agents.types import Need
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.models.types import Choice, Prompt
from scrubjay.retrieval.overlap import word_scores
from scrubjay.retrieval.types import Encoder
from scrubjay.worlds.hierarchy import Tree

NONE = "none of these"
UNKNOWN = "something"
"""The description that says nothing, for calibration."""
UNFOUND = 0.02
"""The share of a node that the search missed (the first hit's is 1): unlikely, not impossible."""


@dataclass(frozen=True, slots=True)
class _Way:
    """A path so far: the node it stands at, its log-probability, and whether it ended there."""

    node: str = ""
    logp: float = 0.0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class HierarchyNavigator:
    """Walks down ``tree`` with a language model. ``answer.text`` is the node's id, ``answer.path``
    the ids from the root, ``answer.confidence`` the path's probability."""

    tree: Tree
    beam: int = 3
    most: int = 8
    """Children to choose from at once."""
    calibrate: bool = True
    encoder: Encoder | None = None
    """Shortlists by meaning; without one, by words in common."""
    stopping: float = 0.2
    """Prior weight of "none of these" beside 1 for each child: how readily it stops above a leaf.
    0: at leaves only. (A small model's probabilities are nearly level, and "none" is always among
    them: with weight 1 it would stop at the first level half of the time.)"""
    hits: int = 50
    """Hits of the search that guides, where the session has a retriever; 0 for none."""
    name: str = "navigator"
    tasks: ClassVar[frozenset[str]] = HIERARCHY
    needs: ClassVar[frozenset[Need]] = frozenset({"model"})

    async def answer(self, question: Question, session: Session) -> Answer:
        kept, text = [_Way()], question.text
        guide = await self._guide(text, session)
        while not all(way.ended for way in kept):
            open_ways = [way for way in kept if not way.ended]
            grown = await asyncio.gather(*(self._grow(w, text, guide, session) for w in open_ways))
            ways = [way for way in kept if way.ended] + [way for more in grown for way in more]
            before = kept[0].node
            kept = sorted(ways, key=lambda way: -way.logp)[: self.beam]
            if before and before not in self.tree.path(kept[0].node):
                session.note(f"went back from {before} to {kept[0].node}")
        best = kept[0]
        return arrived(self.tree, best.node, session, confidence=min(1.0, math.exp(best.logp)))

    async def _guide(self, description: str, session: Session) -> Mapping[str, float] | None:
        """What the search gives every node; None without a search, or if it finds nothing."""
        if session.retriever is None or not self.hits:
            return None
        mass: dict[str, float] = {}
        for hit in await session.search(description, k=self.hits):
            if hit.passage.id in self.tree:
                for node in self.tree.path(hit.passage.id):
                    mass[node] = mass.get(node, 0.0) + 1 / (1 + hit.rank)
        return mass or None

    async def _grow(
        self, way: _Way, description: str, guide: Mapping[str, float] | None, session: Session
    ) -> list[_Way]:
        """The ways on from one node."""
        shown = self._shortlist(description, self.tree.children(way.node), guide)
        logps = await self._weigh(way.node, description, shown, session)
        if guide is not None:
            inside = [guide.get(child, 0.0) for child in shown]
            if way.node:  # what the search found at the node itself and not below it
                below = sum(guide.get(child, 0.0) for child in self.tree.children(way.node))
                inside.append(max(0.0, guide.get(way.node, 0.0) - below))
            logps = [p + math.log(m + UNFOUND) for p, m in zip(logps, inside)]
        if way.node:
            logps[-1] += math.log(max(self.stopping, 1e-12))
        logps = _normalised(logps)
        ways = [
            _Way(child, way.logp + logp, not self.tree.children(child))
            for child, logp in zip(shown, logps)
        ]
        if way.node:
            ways.append(_Way(way.node, way.logp + logps[-1], True))
        return ways

    async def _weigh(
        self, node: str, description: str, shown: Sequence[str], session: Session
    ) -> list[float]:
        """What the model thinks of the children shown and, below the root, of none: log-weights."""
        names = [one_line(name) for name in self.tree.names(shown)]
        options = [*names, NONE] if node else names
        reading = [Passage(id, name, id) for id, name in zip(shown, names)]
        choice = await session.choose(
            self._prompt(node, description, options), options, reading=reading
        )
        logps = _logs(choice)
        # A parsed choice is 0 or 1 and has no leaning to correct.
        if self.calibrate and not choice.parsed:
            blank = await session.choose(
                self._prompt(node, UNKNOWN, options), options, reading=reading
            )
            logps = [a - b for a, b in zip(logps, _logs(blank))]
        return logps

    def _prompt(self, node: str, description: str, options: Sequence[str]) -> Prompt:
        way = [self.tree.name, *self.tree.names(self.tree.path(node))]
        return prompt(
            "descend",
            place=" > ".join(one_line(name) for name in way),
            description=one_line(description),
            parts="; ".join(options if node else [*options, NONE]),
            none=NONE,
        )

    def _shortlist(
        self, description: str, children: tuple[str, ...], guide: Mapping[str, float] | None
    ) -> tuple[str, ...]:
        """The ``most`` likeliest children in the tree's own order."""
        if len(children) <= self.most:
            return children
        names = self.tree.names(children)
        if guide is not None:
            scores = [guide.get(child, 0.0) for child in children]
        elif self.encoder is None:
            scores = word_scores(description, names)
        else:
            vectors = self.encoder.encode([description, *names])
            scores = [float(s) for s in vectors[1:] @ vectors[0]]
        best = sorted(range(len(children)), key=lambda i: (-scores[i], i))[: self.most]
        return tuple(children[i] for i in sorted(best))


def _logs(choice: Choice) -> list[float]:
    return [math.log(max(p, 1e-9)) for p in choice.probabilities]


def _normalised(logs: Sequence[float]) -> list[float]:
    top = max(logs)
    total = top + math.log(math.fsum(math.exp(x - top) for x in logs))
    return [x - total for x in logs]
