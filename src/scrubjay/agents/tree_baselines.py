"""What a navigator of a tree is measured against: flat search, chance, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scrubjay.agents.session import Session
from scrubjay.agents.types import Need
from scrubjay.core.nouns import Answer, Question
from scrubjay.core.randomness import stream
from scrubjay.worlds.hierarchy import TASK, Tree

HIERARCHY = frozenset({TASK})


def arrived(tree: Tree, node: str, session: Session, *, confidence: float | None = None) -> Answer:
    """The answer that is a node of the tree (none for the empty id): its id, the way to it, and the
    node itself as what it rests on."""
    way = tree.path(node)
    return Answer(node, session.trace, confidence=confidence, citations=way[-1:], path=way)


@dataclass(frozen=True, slots=True)
class FlatSearch:
    """Takes the first hit among all nodes; the session's retriever holds ``tree.passages()``."""

    tree: Tree
    name: str = "flat-search"
    tasks: ClassVar[frozenset[str]] = HIERARCHY
    needs: ClassVar[frozenset[Need]] = frozenset({"retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        hits = await session.search(question.text, k=1)
        return arrived(self.tree, hits[0].passage.id if hits else "", session)


@dataclass(frozen=True, slots=True)
class RandomDescent:
    """Goes down to a leaf, each child as likely as the next."""

    tree: Tree
    name: str = "random-descent"
    tasks: ClassVar[frozenset[str]] = HIERARCHY
    needs: ClassVar[frozenset[Need]] = frozenset()

    async def answer(self, question: Question, session: Session) -> Answer:
        draw, node = stream(session.seed, "random-descent", question.id), ""
        while children := self.tree.children(node):
            node = draw.choice(children)
        return arrived(self.tree, node, session)


@dataclass(frozen=True, slots=True)
class KnownPath:
    """Knows the question's true path: the ceiling, and a check of the scores."""

    tree: Tree
    name: str = "known-path"
    tasks: ClassVar[frozenset[str]] = HIERARCHY
    needs: ClassVar[frozenset[Need]] = frozenset()

    async def answer(self, question: Question, session: Session) -> Answer:
        return arrived(self.tree, question.gold[-1] if question.gold else "", session)
