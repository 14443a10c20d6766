"""Quoting: an answer without a model, out of the one sentence that bears most on the question.

    candidates = known names in a sentence, then runs of capitalised words and numbers
    answer     = the first candidate that the question does not say itself
    sentence   = the best of those with an answer          (``focused_rag.focus``)

"Brandador is a country." shares the most words with a question about Brandador and answers none:
hence only sentences that say something the question does not.

A baseline and a fallback: it answers in the words of the documents, or says nothing. It can't
make anything up, and it can't read: of two candidates it takes the first.

Source: the extractive reader of our sheet of multilingual RAG (paper 9).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from scrubjay.agents.focused_rag import focus, sentences
from scrubjay.agents.support import tokens
from scrubjay.core.nouns import Passage
from scrubjay.retrieval.glossary import Glossary

_SMALL = "of|and|the|de|la|las|los|le|les|del|della|da|di|do|dos|das|du|des|el|al|von|van|upon"
_RUN = re.compile(
    rf"\d[\d,.]*(?<=\d)|[^\W\d_a-z][\w'’.-]*(?<=\w)(?:\s(?:(?:{_SMALL})\s)*[^\W\d_a-z][\w'’.-]*(?<=\w))*"
)
_FIRST = re.compile(r"^(?:The|A|An|It|Its|In|On|At|Some|There|This|Of|From|With) ?")


def quote(question: str, passages: Sequence[Passage], glossary: Glossary) -> str:
    """The answer, or nothing; ``question`` is in the documents' language."""
    asked = set(tokens(question))
    answers: dict[str, str] = {}
    telling = []
    for passage in passages:
        for text in sentences(passage.text):
            new = (c for c in candidates(text, glossary) if not set(tokens(c)) <= asked)
            answer = next(new, "")
            if answer:
                answers[text] = answer
                telling.append(replace(passage, text=text, links=()))
    best = focus(question, telling, 1)
    return answers.get(best[0].text, "") if best else ""


def candidates(sentence: str, glossary: Glossary) -> Iterator[str]:
    """What could be an answer, known names first, each in order.

    >>> list(candidates("The city of Bad Ems has 9,269 people.", Glossary()))
    ['Bad Ems', '9,269']
    """
    names, rest = glossary.find(sentence)
    yield from names
    for piece in rest:
        for found in _RUN.finditer(piece):
            run = _FIRST.sub("", found[0]).strip()
            if run:
                yield run
