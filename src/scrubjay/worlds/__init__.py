"""Worlds: facts with a known truth, told with real names and with invented ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.worlds.check import check_universe
    from scrubjay.worlds.documents import (
        MarkedDocument,
        Ref,
        Segment,
        coverage,
        translate,
    )
    from scrubjay.worlds.hierarchy import Node, Tree
    from scrubjay.worlds.leaks import Leak, check_leaks, leaks_in_names
    from scrubjay.worlds.lengths import TokenCounter, count_tokens
    from scrubjay.worlds.names import NameMap
    from scrubjay.worlds.sources import load_universe
    from scrubjay.worlds.sources.hierarchies import load_tree
    from scrubjay.worlds.sources.random import random_universe
    from scrubjay.worlds.trees import Mix, TreeWorld
    from scrubjay.worlds.twins import make_twin_names
    from scrubjay.worlds.universe import (
        Entity,
        Fact,
        Quantity,
        Relation,
        Timestamp,
        Universe,
        Value,
    )
    from scrubjay.worlds.world import World, load_world
    from scrubjay.worlds.writer import TemplateWriter

_WHERE = {
    "check": ["check_universe"],
    "documents": ["MarkedDocument", "Ref", "Segment", "coverage", "translate"],
    "hierarchy": ["Node", "Tree"],
    "leaks": ["Leak", "check_leaks", "leaks_in_names"],
    "lengths": ["TokenCounter", "count_tokens"],
    "names": ["NameMap"],
    "sources": ["load_universe"],
    "sources.hierarchies": ["load_tree"],
    "sources.random": ["random_universe"],
    "trees": ["Mix", "TreeWorld"],
    "twins": ["make_twin_names"],
    "universe": ["Entity", "Fact", "Quantity", "Relation", "Timestamp", "Universe", "Value"],
    "world": ["World", "load_world"],
    "writer": ["TemplateWriter"],
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "Entity",
    "Fact",
    "Leak",
    "MarkedDocument",
    "Mix",
    "NameMap",
    "Node",
    "Quantity",
    "Ref",
    "Relation",
    "Segment",
    "TemplateWriter",
    "Timestamp",
    "TokenCounter",
    "Tree",
    "TreeWorld",
    "Universe",
    "Value",
    "World",
    "check_leaks",
    "check_universe",
    "count_tokens",
    "coverage",
    "leaks_in_names",
    "load_tree",
    "load_universe",
    "load_world",
    "make_twin_names",
    "random_universe",
    "translate",
]

__getattr__ = lazy(__name__, _MODULES)
