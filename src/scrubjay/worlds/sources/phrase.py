"""How to speak of a relation when all that is known is its label.

Labels of properties are noun phrases ("capital"), verb phrases ("was born in", "located in") or
code names ("birthPlace"). The sentences made of them are plain rather than pretty; a file of
phrasings is always better (``triples.read_triples``).
"""

from __future__ import annotations

import re
from typing import Literal

from scrubjay.worlds.universe import NUMBER, TIME, Relation

VERBS = frozenset(
    """is are was were has had have can lies stands stars plays contains includes borders shares
    belongs works worked lives lived died studied speaks uses owns owned follows followed produces
    wrote made won married flows connects replaced replaces governs leads led joined founded
    directed discovered invented painted composed published""".split()  # noqa: SIM905
)
"""First words that make a label a verb phrase as it stands."""
PREPOSITIONS = frozenset(
    "in at of on by from for to with into near after before under over through".split()  # noqa: SIM905
)


def words(label: str) -> str:
    """A label as words: 'birthPlace', 'birth_place' and 'birth-place' all give 'birth place'."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", label)
    return " ".join(_lower(w) for w in re.split(r"[_\-\s]+", spaced) if w)


def derive_relation(
    id: str,
    label: str,
    domain: str,
    range: str,
    *,
    functional: bool = False,
    inverse: str = "",
    form: Literal["noun", "verb"] | None = None,
) -> Relation:
    """A relation with phrasings, question and descriptions made from its label.

    ``form`` says what the label is, where that is known; else its words decide.

    >>> derive_relation("p36", "capital", "country", "city", functional=True).question
    'What is the capital of [S]?'
    >>> derive_relation("p19", "was born in", "person", "city").condition
    'was born in [O]'
    """
    text = words(label) or words(id) or "relation"
    first, last = text.split()[0], text.split()[-1]
    if form is not None:
        said = _verb(text) if form == "verb" else _noun(text, functional)
    elif range == TIME and re.fullmatch(r"\w+ed", text):
        said = _verb(f"was {text} in")
        said = (said[0], f"When was [S] {text}?", f"the time when [S] was {text}", said[3])
    elif first in VERBS:
        said = _verb(text)
    elif last in PREPOSITIONS:
        said = _verb(f"is {text}")
    else:
        said = _noun(text, functional or range in (TIME, NUMBER))
    phrasings, question, noun, condition = said
    describes = f"the {words(domain) or 'thing'} that {condition}"
    return Relation(
        id,
        domain,
        range,
        phrasings,
        question,
        noun,
        describes,
        condition,
        functional,
        inverse,
    )


Said = tuple[tuple[str, ...], str, str, str]
"""Phrasings, question, noun, condition."""


def _verb(verb: str) -> Said:
    phrasings = (
        f"[S] {verb} [O].",
        f"It is known that [S] {verb} [O].",
        f"[O] is what [S] {verb}.",
    )
    return phrasings, f"What is it that [S] {verb}?", f"what [S] {verb}", f"{verb} [O]"


def _noun(noun: str, single: bool) -> Said:
    article = "an" if noun[0].lower() in "aeiou" else "a"
    phrasings = (
        f"{'The' if single else article.capitalize()} {noun} of [S] is [O].",
        f"[S] has [O] as {'its' if single else article} {noun}.",
        f"[O] is {'the' if single else article} {noun} of [S].",
    )
    condition = f"has [O] as {'its' if single else article} {noun}"
    return phrasings, f"What is the {noun} of [S]?", f"the {noun} of [S]", condition


def _lower(word: str) -> str:
    """Lower case, but abbreviations ('ISO') stay as they are."""
    return word if word.isupper() and len(word) > 1 else word[:1].lower() + word[1:]
