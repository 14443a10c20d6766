"""Documents with symbolic references, rendered once per world.

A page is a list of segments: plain text, or a ``Ref`` to an entity, a date or a number. Rendering
it with another map changes the names and nothing else: same sentences, same order, same links.
That is what makes two worlds parallel (SynthWorlds, section 3.5).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scrubjay.core.nouns import Link, Passage
from scrubjay.worlds.universe import Fact, Value, value_from_json, value_to_json

if TYPE_CHECKING:
    from scrubjay.worlds.names import NameMap


@dataclass(frozen=True, slots=True)
class Ref:
    """A mention. ``form`` names the entity's form: 'name', or 'alias.0', 'alias.1', …"""

    value: Value
    form: str = "name"


Segment = str | Ref


@dataclass(frozen=True, slots=True)
class MarkedDocument:
    """The page of an entity, not yet told in any world."""

    entity: str
    segments: tuple[Segment, ...]
    facts: tuple[Fact, ...] = ()
    """The facts it states, in order."""

    @property
    def mentions(self) -> tuple[str, ...]:
        """Ids of the other entities it mentions, each once, in order of first mention."""
        ids = (s.value for s in self.segments if isinstance(s, Ref) and isinstance(s.value, str))
        return tuple(dict.fromkeys(i for i in ids if i != self.entity))

    def render(self, names: NameMap, pages: Container[str] = ()) -> Passage:
        """The page as told with ``names``.

        Mentions of entities in ``pages`` (other than its own) become links. ``meta['mentions']``
        lists every mention as [start, end, value as JSON, form]: what ``translate`` needs.
        """
        text, mentions = render(self.segments, names)
        links = tuple(
            Link(start, end, value)
            for start, end, value, _ in mentions
            if isinstance(value, str) and value != self.entity and value in pages
        )
        return Passage(
            self.entity, text, names.name(self.entity), links=links, meta={"mentions": mentions}
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``docs.jsonl``; ``from_json`` inverts."""
        return {
            "entity": self.entity,
            "segments": [
                s if isinstance(s, str) else {"ref": value_to_json(s.value), "form": s.form}
                for s in self.segments
            ],
            "facts": [[f.relation, value_to_json(f.object)] for f in self.facts],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> MarkedDocument:
        segments = (
            s if isinstance(s, str) else Ref(value_from_json(s["ref"]), s["form"])
            for s in record["segments"]
        )
        entity = record["entity"]
        facts = (Fact(entity, r, value_from_json(o)) for r, o in record.get("facts", ()))
        return cls(entity, tuple(segments), tuple(facts))


def render(segments: Iterable[Segment], names: NameMap) -> tuple[str, list[list[Any]]]:
    """Text of the segments, and every mention in it as [start, end, value as JSON, form]."""
    parts: list[str] = []
    mentions: list[list[Any]] = []
    length = 0
    for segment in segments:
        if isinstance(segment, Ref):
            part = names.mention(segment)
            mentions.append(
                [length, length + len(part), value_to_json(segment.value), segment.form]
            )
        else:
            part = segment
        parts.append(part)
        length += len(part)
    return "".join(parts), mentions


def translate(passage: Passage, source: NameMap, target: NameMap) -> Passage:
    """The mapping ``source`` → ``target`` applied to a rendered page: exactly the other's page.

    Raises:
        ValueError: the passage has no mentions, or was not rendered with ``source``.
    """
    if "mentions" not in passage.meta:
        raise ValueError(f"passage {passage.id} does not say where its mentions are")
    linked = {link.target for link in passage.links}
    segments: list[Segment] = []
    end = 0
    for start, stop, value, form in passage.meta["mentions"]:
        ref = Ref(value_from_json(value), form)
        if passage.text[start:stop] != source.mention(ref):
            raise ValueError(f"passage {passage.id} was not rendered with the map given as source")
        segments += [passage.text[end:start], ref]
        end = stop
    segments.append(passage.text[end:])
    return MarkedDocument(passage.id, tuple(segments)).render(target, linked)


def coverage(document: MarkedDocument, facts: Sequence[Fact]) -> float:
    """Share of ``facts`` that the document states (1.0 for no facts).

    A fact is stated when the writer put a sentence for it and its object is mentioned.
    """
    mentioned = {s.value for s in document.segments if isinstance(s, Ref)}
    stated = {f for f in document.facts if f.object in mentioned}
    return sum(f in stated for f in facts) / len(facts) if facts else 1.0
