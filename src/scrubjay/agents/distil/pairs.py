"""Question–answer pairs out of triples, in two passes.

    pass 1   question = model(passage, fact, answer)
    pass 2   keep it if it names what it asks about, doesn't give the answer away, points at nothing
             outside itself, and the model, reading the passage, takes the answer before every other
             name of the passage;  else the plain question made from the triple, if that passes;
             else the pair is refused, with the reason

Source: MechGPT (paper 10), ``distil`` in section 3.4 of our sheet: distil, then improve. Departure:
the paper's second pass rewrites freely; ours checks, and rewrites by rule only what failed, which
a model of any size can do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scrubjay.agents.distil.triples import Triple
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Passage
from scrubjay.models.prompting.untrusted import harmless, one_line

_POINTING = re.compile(
    r"\b(?:this|that|these|the (?:following|above|given)) "
    r"(?:text|passage|section|figure|table|sentence|document|fact|page)\b"
    r"|\b(?:figure|table|see|shown|as) (?:above|below)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class QAPair:
    """A question with its answer, and whether it was accepted; if not, why."""

    question: str
    answer: str
    triple: Triple
    accepted: bool = True
    reason: str = ""
    by: str = "model"
    """model, or template: the question was made from the triple by rule."""


async def make_pair(
    triple: Triple,
    passage: Passage,
    others: Sequence[str],
    session: Session | None,
    *,
    passes: int = 2,
) -> QAPair:
    """The pair for a triple; the answer is weighed against ``others``, names of the passage.

    Without a session the question is made by rule, and only checked by rule.
    """
    plain = template(triple)
    if session is None:
        reason = flaw(plain, triple)
        return QAPair(plain, triple.object, triple, not reason, reason, "template")
    text = " ".join(passage.text.split())
    written = await _written(triple, session)
    if passes < 2:
        return QAPair(written, triple.object, triple, bool(written), "" if written else "empty")
    first = ""
    for question, by in ((written, "model"), (plain, "template")):
        reason = flaw(question, triple)
        if not reason and not await answerable(question, triple.object, text, others, session):
            reason = "the passage, read, gives another answer"
        if not reason:
            return QAPair(question, triple.object, triple, True, first, by)
        first = first or reason
    return QAPair(plain, triple.object, triple, False, first, "template")


def template(triple: Triple) -> str:
    """The plain question for a triple's object.

    >>> template(Triple("Ana", "was born in", "1871", "verb", "time"))
    'When was Ana born?'
    >>> template(Triple("Ana", "lives in", "Arn", "verb"))
    'Ana lives in what?'
    """
    if triple.form == "noun":
        return f"What is the {triple.relation} of {triple.subject}?"
    first, _, rest = triple.relation.partition(" ")
    ask = "When" if triple.kind == "time" else "What"
    if first in ("is", "was", "are", "were") and rest:
        if triple.kind == "time":
            rest = re.sub(r" (?:in|on|at)$", "", rest)
        return f"{ask} {first} {triple.subject} {rest}?"
    return f"{triple.subject} {triple.relation} {ask.lower()}?"


def flaw(question: str, triple: Triple) -> str:
    """What is wrong with a question, by rule; empty: nothing."""
    said = question.casefold()
    if not question.endswith("?") or len(question) > 300:
        return "not a question"
    if triple.subject.casefold() not in said:
        return "doesn't name what it asks about"
    if re.search(rf"(?<!\w){re.escape(triple.object.casefold())}(?!\w)", said):
        return "gives the answer away"
    return "points outside itself" if _POINTING.search(question) else ""


async def answerable(
    question: str, answer: str, text: str, others: Sequence[str], session: Session
) -> bool:
    """Whether the model, reading the text, takes the answer before the other names."""
    options = list(dict.fromkeys(one_line(o) for o in (answer, *others)))
    if len(options) < 2:
        return True
    passage = Passage("text", harmless(text))
    asked = prompt("answer", question=one_line(question), passages=[passage], thoughts=[])
    # Turned by the answer's own letters, so that no place among the options is the right one.
    turn = sum(map(ord, answer)) % len(options)
    options = options[turn:] + options[:turn]
    choice = await session.choose(asked, options, reading=[passage])
    return choice.option == one_line(answer)


async def _written(triple: Triple, session: Session) -> str:
    # The fact's own sentence, not the passage: a small model asks about whatever stands last.
    fact = (
        f"{triple.subject} {triple.relation} {triple.object}"
        if triple.form == "verb"
        else f"{triple.relation} of {triple.subject}: {triple.object}"
    )
    reply = await session.generate(
        prompt("distil_question", text=harmless(triple.quote), fact=one_line(fact),
               answer=one_line(triple.object)),
        max_tokens=40,
        stop=("\n",),
    )  # fmt: skip
    return one_line(reply.text.strip())
