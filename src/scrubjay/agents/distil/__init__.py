"""Distilling: from texts to entities, relations, and questions with answers (paper 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scrubjay.core.lazy import lazy

if TYPE_CHECKING:
    from scrubjay.agents.distil.distiller import Distilled, Distiller
    from scrubjay.agents.distil.files import load_triples, read_sources, save_graph
    from scrubjay.agents.distil.merging import Gathered, gather
    from scrubjay.agents.distil.pairs import QAPair, make_pair
    from scrubjay.agents.distil.triples import Triple, extract

__getattr__ = lazy(
    __name__,
    {
        "Distilled": "distiller",
        "Distiller": "distiller",
        "Gathered": "merging",
        "QAPair": "pairs",
        "Triple": "triples",
        "extract": "triples",
        "gather": "merging",
        "load_triples": "files",
        "make_pair": "pairs",
        "read_sources": "files",
        "save_graph": "files",
    },
)
__all__ = [
    "Distilled",
    "Distiller",
    "Gathered",
    "QAPair",
    "Triple",
    "extract",
    "gather",
    "load_triples",
    "make_pair",
    "read_sources",
    "save_graph",
]
