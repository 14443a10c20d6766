"""Grounded writing: one clause a cited paper, the number put by us, each clause checked.

    for each line of the plan, for each paper n it cites:
        clause = model(title and abstract of n)            written from that paper alone
        while check(clause, n) fails and tries are left: write it again, a little more freely
        still unsupported -> a sentence of the abstract, as a quotation; none -> dropped
    line = "clause [n]; clause [m]."

Every repair and every drop is listed: nothing unsupported is kept silently. A marker that a model
wrote itself is removed. Source: LitLLMs (arXiv 2412.15249), sentence-by-sentence writing to a plan.
Departure: a clause sees one paper, not the draft so far, and the model never writes numbers of
papers, so none can be invented. ``write_freely`` is the paper's own way, for strong models.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from scrubjay.agents.review.check import CitationCheck, Judgement, stems
from scrubjay.agents.review.plan import SentencePlan
from scrubjay.agents.review.quotes import sentences
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Passage
from scrubjay.models.prompting.untrusted import one_line

_MARKS = re.compile(r"\s*\[[\d,\s]*\]|@cite_\d+")
_OURS = re.compile(r"\b(?:we|our|ours|us)\b", re.IGNORECASE)
Fate = Literal["written", "rewritten", "quoted", "dropped"]


@dataclass(frozen=True, slots=True)
class Clause:
    """What is said of one paper."""

    paper: int
    """Its number."""
    text: str
    """Without marker and full stop; empty when dropped."""
    fate: Fate
    judgement: Judgement
    """Of what stands in the text; of the first attempt when dropped."""
    first: str
    """What the model wrote first."""
    why: tuple[str, ...] = ()
    """What was wrong with that, where it was not kept."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A related-work section."""

    lines: tuple[tuple[Clause, ...], ...]

    @property
    def text(self) -> str:
        """Sentences with markers; lines with nothing left are gone."""
        kept = [[c for c in line if c.text] for line in self.lines]
        return " ".join(
            "; ".join(f"{c.text} [{c.paper}]" for c in line) + "." for line in kept if line
        )

    @property
    def troubled(self) -> list[Clause]:
        """Clauses that were not kept as first written."""
        return [c for line in self.lines for c in line if c.fate != "written"]


@dataclass(frozen=True, slots=True)
class GroundedWriter:
    """Writes to a plan; every clause passes the check or is repaired or dropped."""

    check: CitationCheck = field(default_factory=CitationCheck)
    tries: int = 3
    words: int = 40
    """A clause is cut there: a model that doesn't stop has stopped making sense."""

    async def write(self, session: Session, papers: Sequence[Passage], plan: SentencePlan) -> Draft:
        """The draft; clauses of all lines are written at the same time."""
        places = [(i, n) for i, line in enumerate(plan.lines) for n in line]
        done = await asyncio.gather(*(self.clause(session, n, papers[n - 1]) for _, n in places))
        lines: list[list[Clause]] = [[] for _ in plan.lines]
        for (i, _), clause in zip(places, done):
            lines[i].append(clause)
        return Draft(tuple(map(tuple, lines)))

    async def clause(self, session: Session, number: int, paper: Passage) -> Clause:
        """What to say of one paper."""
        first, verdict = "", Judgement(False, 0.0, ("nothing was written",))
        for turn in range(self.tries if session.model else 0):
            reply = await session.generate(
                prompt("review_sentence", paper=paper),
                max_tokens=2 * self.words,
                temperature=0.4 * turn,
                stop=("\n",),
                reading=[paper],
            )
            text = self.tidied(reply.text)
            if not text:
                continue
            judged = await self.check.judge(session, text, paper)
            if judged.supported and (fault := _fault(text, paper)):
                judged = replace(judged, supported=False, reasons=(fault,))
            if judged.supported:
                fate: Fate = "rewritten" if turn else "written"
                return Clause(
                    number, text, fate, judged, first or text, verdict.reasons if first else ()
                )
            if not first:
                first, verdict = text, judged
        return await self._quoted(session, number, paper, first, verdict)

    async def _quoted(
        self, session: Session, number: int, paper: Passage, first: str, verdict: Judgement
    ) -> Clause:
        """A sentence of the paper: the one with most words of the attempt, the earlier on ties."""
        said = [self.tidied(s) for s in sentences(paper.text)]
        wanted = set(first.casefold().split())
        for text in sorted(said, key=lambda s: -len(wanted & set(s.casefold().split()))):
            judged = await self.check.judge(session, text, paper)
            if text and judged.supported:
                return Clause(number, f"“{text}”", "quoted", judged, first, verdict.reasons)
        return Clause(number, "", "dropped", verdict, first, verdict.reasons)

    def tidied(self, text: str) -> str:
        """One line, one sentence, no markers, no full stop; empty if it doesn't end in time."""
        said = sentences(_MARKS.sub("", one_line(text)))
        return said[0].rstrip(" .;:") if said and len(said[0].split()) <= self.words else ""


def _fault(text: str, paper: Passage) -> str | None:
    """Why a true sentence still is no sentence about a paper."""
    if says_only_the_title(text, paper):
        return "it only repeats the title"
    return "it speaks as the cited authors" if _OURS.search(text) else None


def says_only_the_title(text: str, paper: Passage) -> bool:
    """Whether no word of the text comes from the abstract alone."""
    said, title, abstract = stems(text), stems(paper.title), stems(paper.text)
    return not any(w in abstract and w not in title for w in said)


async def write_freely(
    session: Session,
    abstract: str,
    papers: Sequence[Passage],
    plan: SentencePlan | None = None,
    *,
    max_tokens: int = 200,
) -> str:
    """The section in one go, markers and all by the model, with the plan in the prompt if there is
    one. Nothing is checked: see ``citation_report`` and ``CitationCheck``."""
    asked = prompt(
        "review_free",
        abstract=one_line(abstract),
        papers=list(papers),
        plan="" if plan is None else str(plan),
    )
    reply = await session.generate(
        asked, max_tokens=max_tokens, stop=("\n\n", "\nNew paper"), reading=papers
    )
    return reply.text.strip()
