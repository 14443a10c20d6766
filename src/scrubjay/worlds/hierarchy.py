"""Trees of named nodes: code systems, folders, taxonomies.

A tree is a list of nodes that name their parents; everything else (children, paths, leaves) is
derived from that. ``worlds.sources.hierarchies`` reads trees from files, folders and packages,
``worlds.trees`` makes them up.

>>> tree = Tree("zoo", [Node("a", "Animals"), Node("b", "Birds", "a"), Node("j", "Jays", "b")])
>>> tree.path("j"), tree.leaves
(('a', 'b', 'j'), ('j',))
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from scrubjay.core.errors import InputError, UnknownName
from scrubjay.core.nouns import Passage, Question
from scrubjay.core.randomness import stream

TASK = "hierarchy"


@dataclass(frozen=True, slots=True)
class Node:
    """A node; ``parent`` is an id, empty for a root."""

    id: str
    name: str
    parent: str = ""
    terms: tuple[str, ...] = ()
    """Other wordings of what the node stands for. Agents never see them: they are what it is tried
    on."""


class Tree:
    """Nodes in their given order; brothers keep that order."""

    def __init__(self, name: str, nodes: Iterable[Node]) -> None:
        """
        Raises:
            InputError: no nodes, two with one id, an unknown parent, or a circle.
        """
        self.name = name
        known: dict[str, Node] = {}
        below: dict[str, list[str]] = {"": []}
        for node in nodes:
            if not node.id:
                raise InputError(f"the tree {name} has a node without an id")
            if node.id in known:
                raise InputError(f"the tree {name} has two nodes with the id '{node.id}'")
            known[node.id] = node
            below.setdefault(node.parent, []).append(node.id)
        if not known:
            raise InputError(f"the tree {name} has no nodes")
        for parent in below:
            if parent and parent not in known:
                child = below[parent][0]
                raise InputError(f"'{child}' is put under '{parent}', which the tree {name} lacks")
        self.nodes: Mapping[str, Node] = MappingProxyType(known)
        self._below = {parent: tuple(ids) for parent, ids in below.items()}
        self._check_reached()

    def _check_reached(self) -> None:
        """Every node hangs below a root, or some hang below themselves."""
        reached: set[str] = set()
        todo = list(self._below[""])
        while todo:
            here = todo.pop()
            reached.add(here)
            todo += self._below.get(here, ())
        if len(reached) < len(self.nodes):
            lost = next(id for id in self.nodes if id not in reached)
            raise InputError(f"'{lost}' of the tree {self.name} is below itself")

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __contains__(self, id: str) -> bool:
        return id in self.nodes

    def node(self, id: str) -> Node:
        """The node with this id.

        Raises:
            UnknownName: there is none.
        """
        if id not in self.nodes:
            near = [n for n in self.nodes if id and n.startswith(id[:2])][:8] or list(self.roots)
            raise UnknownName("node", id, near)
        return self.nodes[id]

    @property
    def roots(self) -> tuple[str, ...]:
        return self._below[""]

    @property
    def leaves(self) -> tuple[str, ...]:
        return tuple(id for id in self.nodes if id not in self._below)

    def children(self, id: str = "") -> tuple[str, ...]:
        """Ids right below ``id``; the roots for the empty id."""
        return self._below.get(id, ())

    def path(self, id: str) -> tuple[str, ...]:
        """Ids from the root down to ``id``; empty for the empty id.

        Raises:
            UnknownName: no such node.
        """
        way: list[str] = []
        while id:
            way.append(id)
            id = self.node(id).parent
        return tuple(reversed(way))

    def depth(self, id: str) -> int:
        """1 for a root."""
        return len(self.path(id))

    def names(self, ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.nodes[id].name for id in ids)

    def passages(self) -> list[Passage]:
        """A passage a node, for flat search: its name, titled with its id."""
        return [Passage(node.id, node.name, node.id) for node in self]

    def questions(self, n: int, seed: int = 0) -> list[Question]:
        """``n`` other wordings (``Node.terms``), drawn at random, each asking for its node.

        A wording that says no more than the node's own name, or that several nodes share, is left
        out. ``answers`` is the id, ``gold`` the path, ``group`` the depth.
        """
        owners: dict[str, list[str]] = {}
        for node in self:
            for term in node.terms:
                if _plain(term) != _plain(node.name):
                    owners.setdefault(term, []).append(node.id)
        asked = sorted((ids[0], term) for term, ids in owners.items() if len(ids) == 1)
        stream(seed, "tree questions", self.name).shuffle(asked)
        return [
            Question(
                f"{id}:{number}",
                term,
                (id,),
                task=TASK,
                group=f"depth {self.depth(id)}",
                gold=self.path(id),
            )
            for number, (id, term) in enumerate(asked[:n])
        ]


def _plain(text: str) -> frozenset[str]:
    return frozenset("".join(c if c.isalnum() else " " for c in text.casefold()).split())
