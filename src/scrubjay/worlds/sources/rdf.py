"""RDF files (N-Triples, Turtle) through rdflib."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError, MissingExtra
from scrubjay.worlds.sources.phrase import words
from scrubjay.worlds.sources.shape import assemble
from scrubjay.worlds.universe import Entity, Fact, Quantity, Timestamp, Universe, Value

FORMATS = {".nt": "nt", ".ttl": "turtle"}
XSD = "http://www.w3.org/2001/XMLSchema#"
DATES = {XSD + t for t in ("date", "dateTime", "gYear", "gYearMonth")}
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
META = (RDF, RDFS, OWL, SKOS)
"""Vocabularies that speak about the data, not about the world."""
CLASSES = {
    RDFS + "Class",
    OWL + "Class",
    RDF + "Property",
    OWL + "ObjectProperty",
    OWL + "DatatypeProperty",
}


def read_rdf(path: str | Path) -> Universe:
    """The universe in an RDF file.

    What is the subject of a triple, and no class or property, is an entity: its name is its
    ``rdfs:label`` (English before no language before others; else the end of its IRI), its type the
    label of its first ``rdf:type``, its aliases other labels and ``skos:altLabel``. Dates and
    numbers are kept; other strings, IRIs without a description and identifiers are dropped, since
    they spell out the real name.

    Raises:
        InputError: the file can't be read or isn't RDF (with the line, where it is known).
        MissingExtra: rdflib isn't installed.
    """
    # rdflib keeps triples in hash order; sorting makes the universe the same on every machine.
    triples = sorted(_parse(Path(path)), key=lambda t: tuple(term.n3() for term in t))
    labels = _labels(triples)
    nodes = _nodes(triples)
    types: dict[str, str] = {}
    aliases: dict[str, list[str]] = {}
    facts: list[Fact] = []
    for s, p, o in ((s, str(p), o) for s, p, o in triples if s in nodes):
        if p == RDF + "type":
            types.setdefault(str(s), words(labels.get(str(o)) or _tail(str(o))))
        elif p in (RDFS + "label", SKOS + "altLabel"):
            if o.language is None or o.language.split("-")[0] == "en":
                aliases.setdefault(str(s), []).append(str(o))
        elif not p.startswith(META) and not p.endswith("identifier"):
            value = str(o) if o in nodes else _literal(o)
            if value is not None and value != str(s):
                facts.append(Fact(str(s), p, value))
    ids = _short(dict.fromkeys(map(str, nodes)))
    relations = _short(dict.fromkeys(f.relation for f in facts))
    entities = []
    for iri, id in ids.items():
        name = labels.get(iri) or words(_tail(iri)) or id
        others = tuple(a for a in dict.fromkeys(aliases.get(iri, ())) if a.strip() and a != name)
        entities.append(Entity(id, types.get(iri, "thing"), name, others))
    return assemble(
        entities,
        (
            Fact(
                ids[f.subject],
                relations[f.relation],
                ids[f.object] if isinstance(f.object, str) else f.object,
            )
            for f in facts
        ),
        {id: labels.get(iri) or _tail(iri) for iri, id in relations.items()},
    )


def _parse(path: Path) -> Iterable[Any]:
    try:
        import rdflib
    except ImportError as error:
        raise MissingExtra("rdflib", "worlds") from error
    form = FORMATS.get(path.suffix.lower(), "turtle")
    try:
        return rdflib.Graph().parse(data=path.read_bytes(), format=form)
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", file=path) from error
    except Exception as error:  # rdflib's parsers raise errors of many families
        text = " ".join(str(error).split())
        line = _bad_line(path) if form == "nt" else getattr(error, "lines", -1) + 1 or None
        reason = re.sub(r"^at line \d+ of <.*?>:\s*| at \^ in: .*$", "", text)[:160]
        name = "N-Triples" if form == "nt" else "Turtle"
        raise InputError(f"not {name} ({reason})", file=path, line=line) from error


def _bad_line(path: Path) -> int | None:
    """The first line that isn't N-Triples by itself (rdflib's parser doesn't tell)."""
    import rdflib

    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            rdflib.Graph().parse(data=line, format="nt")
        except Exception:
            return number
    return None


def _labels(triples: Iterable[Any]) -> dict[str, str]:
    """The label in the preferred language of every node: English, none, then by code."""
    found: dict[str, Any] = {}
    for s, p, o in triples:
        if str(p) == RDFS + "label" and str(o).strip():
            found[str(s)] = min(found.get(str(s), o), o, key=_preference)
    return {node: str(label) for node, label in found.items()}


def _nodes(triples: list[Any]) -> dict[Any, None]:
    """Subjects that are neither classes nor properties, in order."""
    schema = {o for _, p, o in triples if str(p) == RDF + "type"} | {p for _, p, _ in triples}
    schema |= {s for s, p, o in triples if str(p) == RDF + "type" and str(o) in CLASSES}
    return dict.fromkeys(s for s, _, _ in triples if s not in schema)


def _preference(label: Any) -> tuple[int, str, str]:
    language = getattr(label, "language", None) or ""
    rank = 0 if language.split("-")[0] == "en" else 1 if not language else 2
    return rank, language, str(label)


def _literal(term: Any) -> Value | None:
    """A date or a number; None for anything else."""
    kind = str(getattr(term, "datatype", None) or "")
    if kind in DATES:
        match = re.match(r"(-?\d{4,})(?:-(\d\d))?(?:-(\d\d))?", str(term))
        # Year 0 doesn't exist before XSD 1.1 and is 1 BCE after: left out.
        if match is None or not int(match[1]):
            return None
        return Timestamp(*(int(part or 0) for part in match.groups()))
    number = getattr(term, "value", None)
    if kind.startswith(XSD) and isinstance(number, int | float | Decimal):
        value = float(number)
        return Quantity(value) if math.isfinite(value) and kind != XSD + "boolean" else None
    return None


def _tail(iri: str) -> str:
    return re.split(r"[/#:]", iri.rstrip("/#"))[-1]


def _short(iris: Iterable[str]) -> dict[str, str]:
    """The ends of IRIs as ids; the whole IRIs where two ends agree."""
    tails = {iri: _tail(iri) or iri for iri in iris}
    return tails if len(set(tails.values())) == len(tails) else {iri: iri for iri in tails}
