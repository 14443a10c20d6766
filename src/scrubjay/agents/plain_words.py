"""Plain words: an answer in short sentences, and still the same answer.

    plain(text)      no sentence of more than ``MOST`` words
    simplified       = the model's rewriting,  if it is plain and keeps every name and number
                     = the text as it was,     otherwise

A simpler wording that loses an exception or a number is a wrong answer, so the rewriting is taken
only where names and numbers are the same on both sides.

Source: our sheet of multilingual RAG (paper 9), "literacy view"; its readability score is replaced
by the length of sentences, which can be counted in any language.
"""

from __future__ import annotations

from scrubjay.agents.focused_rag import sentences
from scrubjay.agents.session import Session
from scrubjay.agents.support import stated, tokens
from scrubjay.agents.writing import prompt
from scrubjay.models.prompting.untrusted import one_line

MOST = 12
"""Words of a plain sentence."""


def plain(text: str, most: int = MOST) -> bool:
    """Whether no sentence is longer than ``most`` words.

    >>> plain("Ask your manager. She decides within ten days.")
    True
    """
    return all(len(s.split()) <= most for s in sentences(text))


async def plain_words(text: str, language: str, session: Session) -> str:
    """The text in short sentences of the same language (its English name), if that works out."""
    if plain(text):
        return text
    reply = await session.generate(
        prompt("plain_words", text=one_line(text), language=language, most=MOST),
        max_tokens=40 + 2 * len(text.split()),
        stop=("\n",),
    )
    simple = " ".join(reply.text.split())
    same = _facts(simple) <= set(tokens(text)) and _facts(text) <= set(tokens(simple))
    kept = bool(simple) and plain(simple) and same
    session.note(f"plain words: {'taken' if kept else 'refused, the text stays as it was'}")
    return simple if kept else text


def _facts(text: str) -> set[str]:
    """Names and numbers; a sentence's first word is written large whether it is a name or not."""
    found = set[str]()
    for sentence in sentences(text):
        first, _, rest = sentence.partition(" ")
        strong = [w for w in rest.split() if w[0].isupper() or any(c.isdigit() for c in w)]
        strong += [first] if any(c.isdigit() for c in first) else []
        found |= set().union(*map(stated, strong))
    return found
