"""The whole way, a step at a time, each step's result kept so that a killed review goes on.

    abstract ─ keywords ─ candidates (two sources, cut-off) ─ debate ─ plan ─ grounded text ─ Review

``keep(step, make)`` gives the result of a step, from an earlier attempt if there is one; what it
stores is plain JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from scrubjay.agents.review.check import CitationCheck, Judgement, citation_report
from scrubjay.agents.review.debate import Debated, DebateReranker
from scrubjay.agents.review.keywords import KeywordWriter
from scrubjay.agents.review.plan import SentencePlan
from scrubjay.agents.review.sources import TwoSourceRetrieval
from scrubjay.agents.review.writer import Clause, Draft, GroundedWriter
from scrubjay.agents.session import Session
from scrubjay.core.errors import InputError, ScrubjayError
from scrubjay.core.nouns import Hit, Passage
from scrubjay.retrieval.fusion import reciprocal_rank_fusion

Keep = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
Order = Literal["fused", "debate", "found"]


@dataclass(frozen=True, slots=True)
class Review:
    """A related-work section, and how it came about."""

    queries: tuple[str, ...]
    ranking: tuple[Debated, ...]
    """All candidates that were debated, in the final order."""
    cited: tuple[Passage, ...]
    """Papers by their numbers, from 1."""
    plan: SentencePlan
    draft: Draft

    @property
    def text(self) -> str:
        return self.draft.text


@dataclass(frozen=True, slots=True)
class Settings:
    """How much of everything."""

    papers: int = 6
    """Papers to cite."""
    candidates: int = 20
    """Candidates to debate."""
    plan: str = ""
    """A user's plan; empty: a sentence a paper."""
    order: Order = "fused"
    """'debate': its order alone. 'fused': with the order they were found in, by reciprocal ranks.
    'found': no debate."""
    how: Literal["scored", "written"] = "scored"


async def review(
    session: Session,
    abstract: str,
    library: Sequence[Passage],
    sources: TwoSourceRetrieval,
    settings: Settings = Settings(),
    *,
    check: CitationCheck | None = None,
    title: str = "",
    keep: Keep | None = None,
) -> Review:
    """Review the ``library`` for a new paper.

    Raises:
        InputError: an empty abstract, or a plan that doesn't fit.
        ScrubjayError: nothing in the library was found.
    """
    if not abstract.strip():
        raise InputError("the abstract is empty")
    step = keep or _now
    papers = {p.id: p for p in library}
    if settings.plan:
        SentencePlan.parse(settings.plan, settings.papers)  # complain before any work

    async def search() -> list[str]:
        found = await sources.search(session, abstract, queries, title=title)
        return [hit.passage.id for hit in found]

    async def debate() -> list[dict[str, Any]]:
        hits = [Hit(papers[i], 0.0, rank) for rank, i in enumerate(found)]
        ranked = await DebateReranker(settings.how).rerank(session, abstract, hits)
        return [{**asdict(d), "paper": d.paper.id} for d in ranked]

    queries = await step("keywords", lambda: KeywordWriter().write(session, abstract, library))
    found = (await step("candidates", search))[: settings.candidates]
    if not found:
        raise ScrubjayError("nothing in the library was found for this abstract")
    if settings.order == "found" or session.model is None:
        ranking = [Debated(papers[i], 1 / (1 + rank)) for rank, i in enumerate(found)]
    else:
        ranking = [
            Debated(**{**d, "paper": papers[d["paper"]]}) for d in await step("debate", debate)
        ]
        if settings.order == "fused":
            ranking = fuse(found, ranking)
    cited = [d.paper for d in ranking[: settings.papers]]
    plan = (
        SentencePlan.parse(settings.plan, len(cited))
        if settings.plan
        else SentencePlan.even(len(cited))
    )
    writer = GroundedWriter(check or CitationCheck())
    draft = await _write(session, writer, cited, plan, step)
    return _checked(Review(tuple(queries), tuple(ranking), tuple(cited), plan, draft))


def fuse(found: Sequence[str], debated: Sequence[Debated]) -> list[Debated]:
    """Candidates by reciprocal ranks in both orders: a weak judge can't overturn a good search."""
    by_id = {d.paper.id: d for d in debated}
    fused = reciprocal_rank_fusion([list(found), [d.paper.id for d in debated]])
    return [by_id[i] for i, _ in fused if i in by_id]


async def _write(
    session: Session,
    writer: GroundedWriter,
    cited: Sequence[Passage],
    plan: SentencePlan,
    step: Keep,
) -> Draft:
    """Each clause is a step of its own: writing takes longest."""

    async def one(n: int) -> Clause:
        async def make() -> dict[str, Any]:
            return asdict(await writer.clause(session, n, cited[n - 1]))

        value = await step(f"clause {n}", make)
        v = value["judgement"]
        judged = Judgement(
            v["supported"], v["probability"], tuple(v["reasons"]), tuple(v["features"])
        )
        return Clause(**{**value, "judgement": judged, "why": tuple(value["why"])})

    made = dict(zip(plan.cited, await asyncio.gather(*map(one, plan.cited))))
    return Draft(tuple(tuple(made[n] for n in line) for line in plan.lines))


def _checked(made: Review) -> Review:
    """The last look: no marker without a paper, no clause without support."""
    report = citation_report(made.text, len(made.cited), ())
    kept = [c for line in made.draft.lines for c in line if c.text]
    if report.invented or not all(c.judgement.supported for c in kept):
        raise AssertionError("a citation that was not checked got into the text")
    return made


async def _now(step: str, make: Callable[[], Awaitable[Any]]) -> Any:
    return await make()
