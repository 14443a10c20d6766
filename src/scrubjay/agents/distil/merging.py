"""From triples to a world: names that mean one thing, relations with phrasings, facts.

    "Brusk" in a file that names one "Kalen Brusk" is Kalen Brusk       (an alias; noted)
    names that differ only in case or diacritics are one                (noted)
    a relation is its form, its words and the kind of its objects:      was born in → place
    of several kinds, each is a relation of its own                     was born in → time

A universe of texts need not hang together, so connectedness isn't asked for; everything else that
a universe promises is. Names are merged by their letters alone: vectors join siblings and opposites
(section 7 of sheet 10), and a wrong merge makes a false bridge.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scrubjay.agents.distil.mentions import as_value
from scrubjay.agents.distil.triples import Triple
from scrubjay.core.errors import ScrubjayError
from scrubjay.worlds.names import NameMap, fold
from scrubjay.worlds.sources.draft import slug
from scrubjay.worlds.sources.phrase import derive_relation
from scrubjay.worlds.universe import (
    NUMBER,
    TIME,
    Entity,
    Fact,
    Quantity,
    Relation,
    Timestamp,
    Universe,
    Value,
)
from scrubjay.worlds.world import World
from scrubjay.worlds.writer import TemplateWriter


@dataclass(slots=True)
class Gathered:
    """A world, the triples behind each of its facts, and the merges that were made."""

    world: World
    sources: dict[Fact, list[Triple]] = field(default_factory=dict)
    merged: list[tuple[str, str]] = field(default_factory=list)
    """(name, the name it was taken to mean)."""


def gather(
    triples: Sequence[Triple], types: Mapping[str, str] | None = None, name: str = "graph"
) -> Gathered:
    """The world of all triples.

    Raises:
        ScrubjayError: there are no triples.
    """
    if not triples:
        raise ScrubjayError(
            "no facts were found: no sentence says something of a name in a way that is understood "
            "and borne out"
        )
    meant, merged = _merge(triples)
    ids = _ids(dict.fromkeys(meant.values()))
    kinds = {ids[meant[n]]: t for n, t in (types or {}).items() if n in meant}
    aliases: defaultdict[str, list[str]] = defaultdict(list)
    for said, full in meant.items():
        if said != full and fold(said) != fold(full):
            aliases[full].append(said)
    entities = [
        Entity(id, kinds.get(id, "thing"), full, tuple(aliases[full])) for full, id in ids.items()
    ]
    sources: dict[Fact, list[Triple]] = {}
    forms: dict[str, tuple[str, Triple]] = {}
    for t in triples:
        value = ids[meant[t.object]] if t.kind == "name" else as_value(t.object, t.kind)  # type: ignore[arg-type]
        subject = ids[meant[t.subject]]
        if value is None or value == subject:
            continue
        relation = _relation_id(t, value)
        forms.setdefault(relation, (t.relation, t))
        sources.setdefault(Fact(subject, relation, value), []).append(t)
    relations = _relations(sources, forms, {e.id: e.type for e in entities})
    used = {e for f in sources for e in (f.subject, f.object) if isinstance(e, str)}
    universe = Universe((e for e in entities if e.id in used), relations, sources)
    world = World(name, universe, NameMap.real(universe), TemplateWriter(universe).write())
    return Gathered(world, sources, merged)


def _merge(triples: Sequence[Triple]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Every name → the name it means, and what was merged."""
    counts: Counter[str] = Counter()
    files: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for t in triples:
        for name in (t.subject, *([t.object] if t.kind == "name" else [])):
            counts[name] += 1
            files[t.place.rsplit(":", 1)[0]][name] = None
    meant: dict[str, str] = {}
    first: dict[str, str] = {}
    for name in sorted(counts, key=lambda n: (-counts[n], n)):
        meant[name] = first.setdefault(fold(name), name)
    for names in files.values():
        for short in names:
            full = _only_full(short, names)
            # A name that stands for itself in another file too is left alone.
            if full and all(short not in other or full in other for other in files.values()):
                meant[short] = meant[full]
    order = [n for t in triples for n in (t.subject, t.object) if n in meant]
    meant = {n: _root(n, meant) for n in dict.fromkeys(order)}
    return meant, [(n, full) for n, full in meant.items() if n != full]


def _root(name: str, meant: Mapping[str, str]) -> str:
    seen = {name}
    while meant[name] not in seen:
        name = meant[name]
        seen.add(name)
    return name


def _only_full(short: str, names: Iterable[str]) -> str | None:
    """The one longer name that ends with the single word ``short``: 'Brusk' → 'Kalen Brusk'."""
    if len(short.split()) > 1:
        return None
    full = [n for n in names if len(n.split()) > 1 and n.split()[-1] == short]
    # 'Lake Ostra' is no longer form of the city Ostra: only names of two or three plain words.
    full = [n for n in full if len(n.split()) <= 3 and n.split()[0] not in _KINDS]
    return full[0] if len(full) == 1 else None


_KINDS = frozenset(
    "Lake Mount River University Museum Institute City Church Port Saint St New North South East "  # noqa: SIM905
    "West Old Upper Lower Great Cape Fort San Santa Club".split()
)


def _ids(names: Iterable[str]) -> dict[str, str]:
    taken: dict[str, str] = {}
    for name in names:
        base = slug(name) or "thing"
        id, n = base, 2
        while id in taken.values():
            id, n = f"{base}-{n}", n + 1
        taken[name] = id
    return taken


def _relation_id(triple: Triple, value: Value) -> str:
    kind = {Timestamp: "-time", Quantity: "-number"}.get(type(value), "")
    of = "-of" if triple.form == "noun" else ""
    return f"{slug(triple.relation)}{of}{kind}"


def _relations(
    facts: Iterable[Fact], forms: Mapping[str, tuple[str, Triple]], types: Mapping[str, str]
) -> list[Relation]:
    groups: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[fact.relation].append(fact)
    made = []
    for id, members in groups.items():
        label, triple = forms[id]
        pairs = {(f.subject, f.object) for f in members}
        ranges = Counter(
            TIME if isinstance(f.object, Timestamp)
            else NUMBER if isinstance(f.object, Quantity)
            else types[f.object]
            for f in members
        )  # fmt: skip
        made.append(
            derive_relation(
                id,
                label,
                Counter(types[f.subject] for f in members).most_common(1)[0][0],
                ranges.most_common(1)[0][0],
                functional=len({s for s, _ in pairs}) == len(pairs),
                inverse=id if all((o, s) in pairs for s, o in pairs) else "",
                form=triple.form,
            )
        )
        if triple.form == "verb":
            made[-1] = replace(made[-1], noun=noun(label, made[-1].range))
    return made


def noun(verb: str, range: str) -> str:
    """What a verb phrase leads to, described from its subject.

    >>> noun("was born in", "thing"), noun("was born in", TIME)
    ('the place in which [S] was born', 'the time when [S] was born')
    >>> noun("is married to", "thing")
    'the one to whom [S] is married'
    """
    stem, _, last = verb.rpartition(" ")
    if range == TIME:
        return f"the time when [S] {stem if last in (*_PLACES, 'on') and stem else verb}"
    if range == NUMBER:
        return f"the number that [S] {verb}"
    if stem and last in _PLACES:
        return f"the place {last} which [S] {stem}"
    if stem and last in _ONES:
        return f"the one {last} whom [S] {stem}"
    return f"what [S] {verb}"


_PLACES = ("in", "at", "from", "near", "into", "through", "below", "across", "over")
_ONES = ("by", "with", "to", "for", "under", "of")
