"""Triples by patterns: what English says most often, without a model.

    The R of S is O.     O is the R of S.     S's R is O.     S has O as its R.     O, the R of S, …
    S <verb phrase> O, O and O.     S was born in O on O2.     S was born in O and died in O2.
    It <verb phrase> O.                                  (it: what the passage is about)

A relation is a noun ("capital": the capital of S is O) or a verb phrase ("was born in"). Mentions
are put out of the way first, so a pattern is tried on the words between them: ⟦0⟧ was born in ⟦1⟧.

These are the baseline of the model's extraction and its prior (paper 10, sheet section 3.4: the
rule parser). The patterns are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from scrubjay.agents.distil.mentions import Gazetteer, Mention, mentions

Form = Literal["noun", "verb"]
_N = r"⟦(\d+)⟧"
_LIST = r"⟦\d+⟧(?:(?:,|,? and) (?:the )?⟦\d+⟧)*"
_W = r"((?:[a-z][\w'’-]* ){0,3}[a-z][\w'’-]*)"
_BE = r"(?:is|was|are|were|includes?)"
_NOUN = [
    re.compile(rf"\bthe {_W} of (?:the |an? )?{_N} {_BE} (?:the |an? )?({_LIST})", re.IGNORECASE),
    re.compile(rf"{_N}['’]s {_W} {_BE} (?:the )?({_LIST})"),
    re.compile(rf"{_N} (?:has|had) (?:the )?({_LIST}) as (?:its|his|her|their|an?|the) {_W}\b"),
]
_NOUN_BACK = re.compile(
    rf"({_LIST})(?: {_BE}|,) (?:also )?(?:the|an?|one of the) {_W} of (?:the )?{_N}"
)
_TYPE = re.compile(
    rf"^(?:The )?{_N} (?:is|was) an? {_W}(?=[,.;]| and | who | which | that | in | from |$)"
)
_VERB = re.compile(r"^ ((?:[a-z][\w'’-]* ){0,6}[a-z][\w'’-]*) (?:[Tt]he |[Aa]n? )?$")
_AND_VERB = re.compile(r"^,? (?:and|but|then|before) ((?:[a-z]+ ){1,5}?[a-z]+) (?:[Tt]he )?$")
_PARTICIPLE = re.compile(r"^, ([a-z]+(?:ed|en|rn) (?:in|on|at|by|from|for|near)) (?:the )?$")
_OWN = re.compile(rf"^,? and (?:its|his|her|their) {_W} {_BE} (?:the )?$")
_LEAD = re.compile(
    r"^(?:(?:Today|Now|Later|Then|Also|Here),? )?(?:(?:The|A|An|the) )?(?:[a-z]+ of )?$"
)
_ASIDE = re.compile(r", (?:who|which) [^,⟦⟧]*,(?= [a-z])")
_PREPOSITION = re.compile(r"^,? (in|on|at|from|to|by|with|of|for|into|near|since|until) (?:the )?$")
_JOIN = re.compile(r"^(?:,|,? and|,? or) (?:the )?$")
_IS_THE_OF = re.compile(
    r"^(?:is|was|are|were) (?:also |once |still |now )?(?:the|an?|one of the) [\w ]+ of(?: the)?$"
)
_PRONOUN = re.compile(r"^(?:(It|He|She|They)|(Its|His|Her|Their))(?= )")
_NOT_VERBS = frozenset(
    "and or but of in on at from to by with for than as its his her their".split()  # noqa: SIM905
)
_HEDGES = frozenset("not never no nor neither without hardly".split())  # noqa: SIM905
_ARTICLES = frozenset("a an the".split())  # noqa: SIM905
_BARE = frozenset("is was are were has had and its his her".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Said:
    """Something said of something: mentions of one sentence, in its own words."""

    subject: Mention
    relation: str
    object: Mention
    form: Form


@dataclass(slots=True)
class Reading:
    """What the patterns found in a sentence."""

    said: list[Said] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    """Name → 'river', from 'The Velmor is a river.'"""
    mentions: list[Mention] = field(default_factory=list)


def read_sentence(sentence: str, known: Gazetteer, topic: str = "") -> Reading:
    """Everything the patterns find; ``topic`` is what a pronoun at the start stands for."""
    found = mentions(sentence, known)
    masked = _masked(sentence, found)
    if topic and (pronoun := _PRONOUN.match(masked)):
        found = [*found, Mention(0, 0, topic)]
        ending = "'s" if pronoun[2] else ""
        masked = f"⟦{len(found) - 1}⟧{ending}{masked[pronoun.end() :]}"
    reading = Reading(mentions=found)
    if _HEDGES & set(re.findall(r"[a-z]+", masked)):
        return reading  # what is denied is no fact
    triples = dict.fromkeys([*_nouns(masked, found), *_verbs(masked, found)])
    reading.said = [s for s in triples if s.subject.kind == "name" and _differ(s)]
    for match in _TYPE.finditer(masked):
        if found[int(match[1])].kind == "name":
            reading.types[found[int(match[1])].text] = match[2]
    return reading


def _masked(sentence: str, found: Sequence[Mention]) -> str:
    parts, end = [], 0
    for at, mention in enumerate(found):
        parts += [sentence[end : mention.start].replace("⟦", "[").replace("⟧", "]"), f"⟦{at}⟧"]
        end = mention.end
    return "".join([*parts, sentence[end:].replace("⟦", "[").replace("⟧", "]")])


def _differ(said: Said) -> bool:
    return said.subject.text.casefold() != said.object.text.casefold()


def _nouns(masked: str, found: Sequence[Mention]) -> Iterator[Said]:
    for number, pattern in enumerate(_NOUN):
        for match in pattern.finditer(masked):
            noun, subject, objects = (
                (match[1], match[2], match[3]) if number == 0
                else (match[2], match[1], match[3]) if number == 1
                else (match[3], match[1], match[2])
            )  # fmt: skip
            for at in re.findall(r"\d+", objects):
                yield Said(found[int(subject)], noun, found[int(at)], "noun")
    for match in _NOUN_BACK.finditer(_ASIDE.sub("", masked)):
        for at in re.findall(r"\d+", match[1]):
            yield Said(found[int(match[3])], match[2], found[int(at)], "noun")


def _verbs(masked: str, found: Sequence[Mention]) -> Iterator[Said]:
    """From each mention, the verb phrase after it and everything that it governs."""
    parts = re.split(r"⟦(\d+)⟧", _ASIDE.sub("", masked))
    order, befores, gaps = [int(n) for n in parts[1::2]], parts[0:-1:2], parts[2::2]
    head = subject = None if _NOUN[0].match(masked) else _head(order, befores)
    verb, aside = "", False
    for left, right, before, gap in zip(order, order[1:], befores, gaps):
        governed = _governed(gap, verb) if verb and subject is not None else None
        if subject is not None and (own := _OWN.match(gap)):
            yield Said(found[subject], own[1], found[right], "noun")
            verb = ""
        elif subject is not None and governed is not None:
            if governed:
                verb = governed if _AND_VERB.match(gap) else verb
                yield Said(found[subject], governed, found[right], "verb")
        else:
            verb, opens = "", bool(re.match(r"^,(?! and)| (?:who|which|that) ", gap))
            if aside and gap.startswith(", "):
                subject, gap = head, gap[1:]  # what was put in has ended: on with the first
            elif gap.startswith(", ") and before.endswith(", "):
                subject, gap = left, gap[1:]
            elif relative := re.match(r"^,? (?:who|which|that) (?=[a-z])", gap):
                subject, gap = left, f" {gap[relative.end() :]}"
            elif subject is None and before.endswith(", "):
                head = subject = left
            elif subject != left:
                continue
            participle = _PARTICIPLE.match(gap)
            verb = f"was {participle[1]}" if participle else _verb(gap)
            aside = opens and not aside
            if verb and subject is not None:
                yield Said(found[subject], verb, found[right], "verb")


def _head(order: Sequence[int], befores: Sequence[str]) -> int | None:
    """A sentence's first mention governs it only if nothing but an article stands before."""
    before = _LEAD.sub("", befores[0]) if order else "no"
    return None if re.search(r"[a-z]", before) else order[0]


def _governed(gap: str, verb: str) -> str | None:
    """The relation to one more mention of the same clause; '' if none is said, None if the gap is
    no continuation."""
    if _JOIN.match(gap):
        return verb
    if follow := _AND_VERB.match(gap):
        return _clean(follow[1])
    if follow := _PREPOSITION.match(gap):
        stem = verb.rsplit(" ", 1)[0] if verb.split()[-1] in _NOT_VERBS else verb
        fits = follow[1] != "of" and stem not in _BARE and stem.split()[-1] not in _ARTICLES
        return f"{stem} {follow[1]}" if fits else ""
    return None


def _verb(gap: str) -> str:
    """The verb phrase that a gap is; '' if it is none, or a noun pattern's."""
    match = _VERB.match(gap)
    phrase = _clean(match[1]) if match else ""
    if not phrase or phrase.split()[0] in _NOT_VERBS or phrase in _BARE or _IS_THE_OF.match(phrase):
        return ""
    return phrase


def _clean(phrase: str) -> str:
    phrase = re.sub(r"^(?:it|he|she|they|also|later|then|once|still|now) ", "", phrase)
    return re.sub(r" (?:the|an?)$", "", phrase)
