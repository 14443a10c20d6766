"""Candidates from two sources: keyword queries to one, the abstract itself to the other.

    words   = merge_budgeted([search(q) for q in queries], budget)
    vectors = search(abstract, budget)
    hybrid  = reciprocal rank fusion of both, cut to the budget

    merge_budgeted: the first ⌊budget / q⌋ unseen papers of each list in order, then a second pass
    over the lists until the budget is full.

Source: LitLLMs (arXiv 2412.15249), step 2. Departure: the paper fuses by one list-wise ranking of a
language model; reciprocal ranks need none, and ``DebateReranker`` follows in any case.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from scrubjay.agents.session import Session
from scrubjay.core.nouns import Hit, Passage
from scrubjay.retrieval.fusion import reciprocal_rank_fusion
from scrubjay.retrieval.library import is_before, title_key
from scrubjay.retrieval.types import Retriever


def merge_budgeted(lists: Sequence[Sequence[str]], budget: int) -> list[str]:
    """At most ``budget`` different ids of several rankings, each heard equally at first.

    >>> merge_budgeted([["a", "b", "c"], ["a", "d"]], 3)
    ['a', 'd', 'b']
    """
    merged: dict[str, None] = {}
    share = budget // len(lists) if lists else 0
    for ranking in lists:
        fresh = [i for i in dict.fromkeys(ranking) if i not in merged]
        merged.update(dict.fromkeys(fresh[:share]))
    for ranking in lists:
        merged.update(dict.fromkeys(ranking))
    return list(merged)[:budget]


@dataclass(frozen=True, slots=True)
class TwoSourceRetrieval:
    """Two retrievers: of words and of meaning in one library, or of two libraries."""

    words: Retriever
    """Asked with each keyword query."""
    meaning: Retriever
    """Asked with the abstract."""
    budget: int = 100
    before: datetime.date | None = None
    """Papers not known to be older are dropped, whatever a retriever returns."""

    async def search(
        self, session: Session, abstract: str, queries: Sequence[str], *, title: str = ""
    ) -> list[Hit]:
        """The candidates, best first, each title once; the new paper itself (``title``, or a paper
        with this very abstract) is left out. An empty abstract finds nothing."""
        if not abstract.strip():
            return []
        papers: dict[str, Passage] = {}
        own = {title_key(title), title_key(abstract)} - {""}
        named: dict[str, str] = {}

        def keep(hits: Sequence[Hit]) -> list[str]:
            """Ids of what may be cited; a title seen before goes by its first id."""
            out = []
            for p in (hit.passage for hit in hits):
                name = title_key(p.title) or p.id
                if {name, title_key(p.text)} & own:
                    continue
                if self.before is not None and not is_before(p, self.before):
                    continue
                papers.setdefault(named.setdefault(name, p.id), p)
                out.append(named[name])
            return out

        found = [keep(await self._ask(session, self.words, q)) for q in queries]
        near = keep(await self._ask(session, self.meaning, abstract))
        fused = reciprocal_rank_fusion([merge_budgeted(found, self.budget), near])[: self.budget]
        return [Hit(papers[i], score, rank) for rank, (i, score) in enumerate(fused)]

    async def _ask(self, session: Session, source: Retriever, query: str) -> list[Hit]:
        """Through the session, so that the search is counted."""
        before = session.retriever
        session.retriever = source
        try:
            return await session.search(query, self.budget)
        finally:
            session.retriever = before
