"""Documents with symbolic references, rendered once per world.

A page is a list of segments: plain text, or a ``Ref`` to an entity, a date or a number. Rendering it
with another map changes the names and nothing else: same sentences, same order, same links. That is
what makes two worlds parallel (SynthWorlds, section 3.5).
"""

from __future__ import annotations

from dataclasses import dataclass

from scrubjay.worlds.universe import Value


@dataclass(frozen=True, slots=True)
class Ref:
    """A mention. ``form`` names the entity's form ('name', or one the NameMap derives)."""

    value: Value
    form: str = "name"


Segment = str | Ref


@dataclass(frozen=True, slots=True)
class MarkedDocument:
    """The page of an entity, not yet told in any world."""

    entity: str
    segments: tuple[Segment, ...]
