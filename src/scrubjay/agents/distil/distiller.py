"""Passages to triples and pairs, one by one, so that a killed run loses at most a few.

    for each passage:   extract triples  →  make a pair of each  →  append to the record
    all records         →  gather  →  a world

``Distiller.passage`` is one passage's work; ``run`` does many at once and keeps what is done.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scrubjay.agents.distil.mentions import Gazetteer, mentions, plain, sentences
from scrubjay.agents.distil.pairs import QAPair, make_pair
from scrubjay.agents.distil.triples import Triple, extract
from scrubjay.agents.session import Session
from scrubjay.core.files import JsonLines, dump_json
from scrubjay.core.nouns import Passage
from scrubjay.core.progress import Progress
from scrubjay.models.types import LanguageModel

AT_ONCE = 8
"""Passages under way together, and lost together by a kill."""
VERSION = 1
"""Of the method: records of another one are not gone on with."""


@dataclass(slots=True)
class Distilled:
    """What the passages gave."""

    triples: list[Triple] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    pairs: list[QAPair] = field(default_factory=list)
    calls: int = 0
    """Of the model."""


@dataclass(frozen=True, slots=True)
class Distiller:
    """How to distil. Without a model: patterns and plain questions."""

    model: LanguageModel | None = None
    patterns: bool = True
    """Try patterns before the model."""
    verify: bool = True
    passes: int = 2
    """Over each question; 0: no pairs."""

    async def passage(self, passage: Passage, known: Gazetteer) -> Distilled:
        """One passage's triples and pairs."""
        session = None if self.model is None else Session(self.model)
        found = await extract(passage, known, session, patterns=self.patterns, verify=self.verify)
        out = Distilled(found.triples, found.types, found.dropped)
        if self.passes:
            text = plain(passage.text)[0]
            read = Passage(passage.id, text, passage.title)
            names = [m.text for s in sentences(text) for m in mentions(s.text, known)]
            for triple in found.triples:
                others = [n for n in dict.fromkeys(names) if n != triple.subject]
                # Other right answers are no wrong ones.
                right = {
                    t.object
                    for t in found.triples
                    if (t.subject, t.relation) == (triple.subject, triple.relation)
                }
                others = [n for n in others if n not in right]  # fmt: skip
                out.pairs.append(await make_pair(triple, read, others, session, passes=self.passes))
        out.calls = session.trace.cost.calls if session else 0
        return out

    async def run(
        self,
        passages: Sequence[Passage],
        names: Sequence[str] = (),
        *,
        record: Path | None = None,
        progress: Progress | None = None,
    ) -> Distilled:
        """All passages, in order; what ``record`` (a JSON Lines file) holds already is not redone.

        Raises:
            ModelError: the model can't be asked.
            DiskError: the record can't be written.
        """
        known = Gazetteer(names)
        keep = JsonLines(record) if record is not None else None
        key = self._key(names)
        done = {r["passage"]: r for r in (keep.read() if keep else []) if r["key"] == key}
        todo = [p for p in passages if _digest(p) not in done]
        for start in range(0, len(todo), AT_ONCE):
            if progress:
                progress("passages", len(passages) - len(todo) + start, len(passages))
            batch = todo[start : start + AT_ONCE]
            new = await asyncio.gather(*(self.passage(p, known) for p in batch))
            if self.model is not None:
                self.model.settle()
            rows = [{"passage": _digest(p), "key": key, **_to_json(d)} for p, d in zip(batch, new)]
            if keep:
                keep.append(rows)
            done |= {r["passage"]: r for r in rows}
        if progress:
            progress("passages", len(passages), len(passages))
        out = Distilled()
        for passage in passages:
            one = _from_json(done[_digest(passage)])
            out.triples += one.triples
            out.pairs += one.pairs
            out.dropped += one.dropped
            out.calls += one.calls
            out.types |= one.types
        return out

    def _key(self, names: Sequence[str]) -> str:
        """Everything besides a passage that decides what it gives."""
        model = self.model.name if self.model else None
        how = [VERSION, model, self.patterns, self.verify, self.passes, sorted(set(names))]
        return hashlib.blake2b(dump_json(how).encode(), digest_size=8).hexdigest()


def _digest(passage: Passage) -> str:
    said = dump_json([passage.id, passage.text, dict(passage.meta)])
    return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _to_json(found: Distilled) -> dict[str, Any]:
    return {**asdict(found), "dropped": dict(found.dropped)}


def _from_json(record: dict[str, Any]) -> Distilled:
    pairs = [QAPair(**{**p, "triple": Triple(**p["triple"])}) for p in record["pairs"]]
    triples = [Triple(**t) for t in record["triples"]]
    return Distilled(triples, record["types"], Counter(record["dropped"]), pairs, record["calls"])
