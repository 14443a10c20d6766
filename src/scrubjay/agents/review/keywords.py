"""From the abstract of a new paper to a few short queries.

    model writes:  query; query; query      kept: those made of words that stand in the abstract
    too few left:  the abstract's words by term frequency × inverse frequency in the library

Source: LitLLMs (arXiv 2412.15249), step 1: three different queries of up to five keywords. The
paper asks for a reason that quotes the abstract; ours checks the keywords themselves, which a small
model can pass: two words or more, at least half of them from the abstract. Otherwise it repeats
what it was shown as an example.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scrubjay.agents.review.words import UNSEARCHABLE
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Passage
from scrubjay.models.prompting.untrusted import one_line

_WORD = re.compile(r"[^\W_][\w-]*[^\W_]|[^\W_]")


@dataclass(frozen=True, slots=True)
class KeywordWriter:
    """Writes up to ``queries`` queries of up to ``words`` words each."""

    queries: int = 3
    words: int = 5

    async def write(
        self, session: Session, abstract: str, library: Sequence[Passage] = ()
    ) -> list[str]:
        """Different queries, never none for an abstract with words; ``library`` says which words
        are common. A session without a model gets them by counting."""
        written: list[str] = []
        if session.model is not None:
            asked = prompt("review_keywords", abstract=one_line(abstract))
            reply = await session.generate(asked, max_tokens=16 * self.queries, stop=("\n",))
            written = self.kept(reply.text, abstract)
            if len(written) < self.queries:
                session.note(f"{len(written)} of {self.queries} keyword queries were usable")
        counted = salient(abstract, library, self.queries * self.words)
        for i in range(0, len(counted), self.words):
            if len(written) < self.queries:
                written.append(" ".join(counted[i : i + self.words]))
        return list(dict.fromkeys(written))

    def kept(self, text: str, abstract: str) -> list[str]:
        """The usable queries in what a model wrote."""
        known = set(_words(abstract))
        out: dict[str, None] = {}
        for part in re.split(r"[;\n]|,\s", text):
            words = [w for w in _words(part) if w not in UNSEARCHABLE][: self.words]
            if len(words) > 1 and sum(w in known for w in words) * 2 >= len(words):
                out[" ".join(words)] = None
        return list(out)[: self.queries]


def salient(text: str, library: Sequence[Passage], n: int) -> list[str]:
    """The ``n`` words of highest tf · idf; ties in the order of the text."""
    holding: Counter[str] = Counter()
    for paper in library:
        holding.update(set(_words(f"{paper.title} {paper.text}")))
    counts = Counter(w for w in _words(text) if w not in UNSEARCHABLE and not w.isdigit())
    idf = {w: math.log((1 + len(library)) / (1 + holding[w])) + 1 for w in counts}
    # A word that no paper of the library has finds nothing there.
    useful = [w for w in counts if holding[w] or not library] or list(counts)
    return sorted(useful, key=lambda w: -counts[w] * idf[w])[:n]


def _words(text: str) -> list[str]:
    return [w.casefold() for w in _WORD.findall(text)]
