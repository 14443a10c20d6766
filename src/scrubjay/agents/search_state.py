"""What a multi-round search knows after round t.

    s_t = (q, [(query_1, docs_1), …, (query_t, docs_t)])

One canonical text (``SearchState.text``) stands in prompts and is what critics judge, so that all
speak of the same thing. Round 0 has an empty context: the weights are tried first.

Source: SIM-RAG (paper 72), section 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from scrubjay.core.nouns import Hit, Passage, Question
from scrubjay.models.prompting.untrusted import as_data, one_line

MOST_LETTERS = 6000
"""Letters of context that are shown: when more was found, the oldest documents are left out, never
the question or the answer."""


@dataclass(frozen=True, slots=True)
class Round:
    """A query (empty: not told) and the new passages it brought (none: nothing new was found)."""

    query: str
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchState:
    """A question and the rounds of search so far. Its passages are harmless (``untrusted``)."""

    question: Question
    """Critics may look at its text only; its answers are for the oracle and for labels."""
    rounds: tuple[Round, ...] = ()

    @property
    def passages(self) -> tuple[Passage, ...]:
        """Everything found, oldest first."""
        return tuple(p for r in self.rounds for p in r.passages)

    @property
    def seen(self) -> frozenset[str]:
        """Ids of the documents found so far, which are not shown again."""
        return frozenset(p.document for p in self.passages)

    def then(self, query: str, hits: Iterable[Hit], k: int) -> SearchState:
        """The state after a search: the best ``k`` hits whose documents were not seen."""
        new: dict[str, Passage] = {}
        for hit in hits:
            if hit.passage.document not in self.seen and len(new) < k:
                new.setdefault(hit.passage.document, hit.passage)
        found = tuple(as_data(list(new.values())))
        return replace(self, rounds=(*self.rounds, Round(one_line(query), found)))

    @property
    def shown(self) -> tuple[Passage, ...]:
        """The newest passages that fit into ``MOST_LETTERS``."""
        kept: list[Passage] = []
        room = MOST_LETTERS
        for passage in reversed(self.passages):
            room -= len(passage.title) + len(passage.text)
            if room < 0 and kept:
                break
            kept.append(replace(passage, text=passage.text[:MOST_LETTERS]))
        return tuple(reversed(kept))

    @property
    def text(self) -> str:
        """The canonical rendering of the context: queries, each with what it brought."""
        shown = {p.id: p for p in self.shown}
        lines = []
        for r in self.rounds:
            lines += [f"Query: {r.query}"] if r.query else []
            found = [shown[p.id] for p in r.passages if p.id in shown]
            lines += [f"Document: {p.title}\n{p.text}" for p in found] or ["No new document."]
        return "\n".join(lines)
