"""How good is a graph made from texts? Against the universe the texts were written from.

    nodes      names that occur in a triple, against names that occur in a stated fact
    edges      unordered pairs of names
    claims     triples whose words a phrasing of the fact's relation says too

Precision is right / found, recall right / there, F1 their harmonic mean. The gold is what the pages
*state* (``MarkedDocument.facts``): nobody can read what isn't written.

Source: ``score_graph`` of sheet 10, section 5; 2-hop paths are left out (they follow from edges).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scrubjay.agents.distil.triples import Triple
from scrubjay.worlds.names import fold
from scrubjay.worlds.universe import Fact, Relation
from scrubjay.worlds.world import World

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Match:
    """Counts of a comparison."""

    right: int
    found: int
    there: int

    @property
    def precision(self) -> float:
        """1 when nothing was found: nothing was wrong."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.there if self.there else 1.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True, slots=True)
class GraphScore:
    """A graph against the truth, at three levels."""

    nodes: Match
    edges: Match
    claims: Match


def score_graph(triples: Iterable[Triple], world: World) -> GraphScore:
    """Compare the triples with what the world's pages state."""
    stated = list(dict.fromkeys(f for page in world.marked for f in page.facts))
    ends = [(world.names.name(f.subject), world.names.value(f.object)) for f in stated]
    facts: defaultdict[frozenset[str], list[Fact]] = defaultdict(list)
    for fact, pair in zip(stated, ends):
        facts[_pair(*pair)].append(fact)
    said = list({(t.subject, t.relation, t.object, t.form): t for t in triples}.values())
    nodes = _match({_key(n) for t in said for n in (t.subject, t.object)}, map(_key, _flat(ends)))
    edges = _match({_pair(t.subject, t.object) for t in said}, facts)
    told: set[Fact] = set()
    right = 0
    for t in said:
        about = [f for f in facts[_pair(t.subject, t.object)] if _says(t, f, world)]
        right += bool(about)
        told |= {*about}
    # A fact counts once, however many triples tell it; so do wrong triples.
    claims = Match(len(told), len(told) + len(said) - right, len(stated))
    return GraphScore(nodes, edges, claims)


def _says(triple: Triple, fact: Fact, world: World) -> bool:
    """Whether some phrasing of the fact holds the triple's claim, word for word."""
    subject, value = world.names.name(fact.subject), world.names.value(fact.object)
    if triple.form == "noun":
        claims = [
            f"{triple.relation} of {triple.subject}",
            f"{triple.object} as its {triple.relation}",
            f"{triple.subject}'s {triple.relation}",
        ]
    else:
        claims = [f"{triple.subject} {triple.relation} {triple.object}"]
    texts = [_plain(t, subject, value) for t in _texts(world.universe.relations[fact.relation])]
    return any(_words(c) in t for c in claims for t in texts)


def _texts(relation: Relation) -> Sequence[str]:
    return [*relation.phrasings, relation.noun]


def _plain(text: str, subject: str, value: str) -> str:
    return _words(re.sub(r"\[[SO]\]", lambda m: subject if m[0] == "[S]" else value, text))


def _words(text: str) -> str:
    """Lower-case words without articles, set apart by single blanks, so that whole words match."""
    words = re.findall(r"[\w,.-]*\w", fold(text))
    return f" {' '.join(w for w in words if w not in ('the', 'a', 'an'))} "


def _match(found: set[T], there: Iterable[T]) -> Match:
    gold = set(there)
    return Match(len(found & gold), len(found), len(gold))


def _key(name: str) -> str:
    return fold(" ".join(name.split()))


def _pair(a: str, b: str) -> frozenset[str]:
    return frozenset((_key(a), _key(b)))


def _flat(pairs: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (n for pair in pairs for n in pair)
