"""Triples out of a passage, each with the sentence that says so.

    for each sentence:   what the patterns find; if that is nothing and two things are named,
                         what the model writes, a line a fact: subject | relation | object
    keep a triple if     both its ends stand in the passage (or head it), and, of the model's:
                         the relation's words stand in the sentence, and
                         given the passage and the claim's beginning, the model itself takes the
                         object before every other name of the passage
    drop the others, and count them by reason

Source: MechGPT (paper 10), ``ologise`` in section 3.4 of our sheet. Ours: the check of support
(nothing is kept on the model's word alone), and line formats that a small model can write.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scrubjay.agents.distil.mentions import Gazetteer, Mention, Sentence, mentions, plain, sentences
from scrubjay.agents.distil.patterns import Form, Reading, read_sentence
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Passage
from scrubjay.models.prompting.untrusted import harmless, one_line
from scrubjay.retrieval.chunks import place

EMPTY = frozenset(
    "a an the of in on at to by for with from is was are were be has had".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Triple:
    """A fact in the words of a text. ``relation`` is a noun ('capital': the capital of the subject
    is the object) or a verb phrase ('was born in')."""

    subject: str
    relation: str
    object: str
    form: Form
    kind: str = "name"
    """Of the object: name, time or number."""
    quote: str = ""
    """The sentence that says so."""
    place: str = ""
    """Where it stands: file:line."""
    passage: str = ""
    by: str = "pattern"
    """pattern or model."""

    @property
    def claim(self) -> str:
        """The statement without its object."""
        if self.form == "verb":
            return f"{self.subject} {self.relation}"
        return f"The {self.relation} of {self.subject} is"


@dataclass(slots=True)
class Extracted:
    """What one passage gave."""

    triples: list[Triple] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    """Reasons why something was not kept."""


async def extract(
    passage: Passage,
    known: Gazetteer,
    session: Session | None = None,
    *,
    patterns: bool = True,
    verify: bool = True,
) -> Extracted:
    """The passage's triples; with a session, also those that a model writes.

    Args:
        verify: weigh what the model wrote against the passage's other names.
    """
    text, _ = plain(passage.text)
    topic = plain(str(passage.meta.get("section", "")))[0].strip()
    out = Extracted()
    names = _named(text, known)
    for sentence in sentences(text):
        reading = read_sentence(sentence.text, known, topic if _in(topic, text) else "")
        topic = _subject(reading, topic)
        out.types |= reading.types
        found = [
            Triple(s.subject.text, s.relation, s.object.text, s.form, s.object.kind)
            for s in reading.said
        ] if patterns else []  # fmt: skip
        by = "pattern"
        if not found and session is not None and _worth_asking(reading.mentions):
            found, by = await _written(sentence, reading.mentions, session, out.dropped), "model"
        for triple in found:
            if by == "model" and verify and not await _holds(triple, text, names, session):
                out.dropped["the passage doesn't bear it out"] += 1
                continue
            if not (_in(triple.subject, text) and _in(triple.object, text)):
                out.dropped["a name is not in the passage"] += 1
                continue
            out.triples.append(_placed(triple, sentence, passage, by))
    out.triples = list(dict.fromkeys(out.triples))
    return out


def _subject(reading: Reading, before: str) -> str:
    """What a pronoun in the next sentence stands for: what this one is about."""
    names = [m for m in reading.mentions if m.kind == "name" and m.start < 5]
    if not names and reading.said:
        return reading.said[0].subject.text
    return min(names, key=lambda m: m.start).text if names else before


def _worth_asking(found: Sequence[Mention]) -> bool:
    return len(found) > 1 and any(m.kind == "name" for m in found)


async def _written(
    sentence: Sentence, found: Sequence[Mention], session: Session, dropped: Counter[str]
) -> list[Triple]:
    reply = await session.generate(
        prompt("distil_triples", sentence=one_line(sentence.text)),
        max_tokens=64,
        stop=("\n\n", "Sentence:"),
    )
    triples = []
    for line in reply.text.strip().splitlines():
        triple = parse_line(line, sentence.text, found)
        if isinstance(triple, Triple):
            triples.append(triple)
        else:
            dropped[triple] += 1
    return list(dict.fromkeys(triples))


def parse_line(line: str, sentence: str, found: Sequence[Mention]) -> Triple | str:
    """'subject | relation | object' of a sentence that names ``found``, or why it is not one."""
    parts = [" ".join(p.split()) for p in line.split("|")]
    if len(parts) != 3 or not all(parts):
        return "not a line of three parts"
    subject, relation, said = parts
    ends = {m.text.casefold(): m for m in found}
    first, last = (ends.get(re.sub(r"(?i)^the ", "", p).casefold(), ends.get(p.casefold()))
                   for p in (subject, said))  # fmt: skip
    if first is None or last is None:
        return "a name is not in the sentence"
    if first.kind != "name":
        return "the subject is not a name"
    if first.text == last.text:
        return "subject and object are the same"
    words = re.findall(r"[a-z]+", relation.lower())
    content = [w for w in words if w not in EMPTY]
    there = {w[:4] for w in re.findall(r"[a-z]+", sentence.lower())}
    if not words or len(words) > 7 or not all(w[:4] in there for w in content):
        return "the relation is not in the sentence"
    return Triple(first.text, " ".join(words), last.text, "verb", last.kind)


async def _holds(triple: Triple, text: str, names: Sequence[str], session: Any) -> bool:
    """Whether the model completes the claim with the triple's object, of all names around."""
    options = [one_line(n) for n in names if n != triple.subject]
    if len(options) < 2:
        return triple.object in options
    asked = prompt("distil_check", text=harmless(" ".join(text.split())),
                   claim=one_line(triple.claim))  # fmt: skip
    choice = await session.choose(asked, options)
    return bool(choice.option == one_line(triple.object))


def _named(text: str, known: Gazetteer) -> list[str]:
    return list(dict.fromkeys(m.text for s in sentences(text) for m in mentions(s.text, known)))


def _in(name: str, text: str) -> bool:
    return name in " ".join(text.split())


def _placed(triple: Triple, sentence: Sentence, passage: Passage, by: str) -> Triple:
    line = passage.meta.get("line")
    where = place(passage) if not line else f"{passage.meta['file']}:{line + sentence.line}"
    return Triple(
        triple.subject, triple.relation, triple.object, triple.form, triple.kind,
        sentence.text, where, passage.id, by,
    )  # fmt: skip
