"""Should the new paper cite this one? Both sides quote the candidate, then a judge decides.

scored (small models): each side takes the candidate's sentence that serves it best, by score

    s⁺ = argmax_s lp(abstract | s),  s⁻ = argmin_s lp(abstract | s),  s a sentence of the candidate
    score = ½ [P(Yes | for: s⁺, against: s⁻) + P(Yes | against: s⁻, for: s⁺)]     both orders

written (strong models): in batches of ten, tagged arguments for and against, each with a quote, and
a score from 0 to 100. A block whose quotes don't stand in the candidate (``verify_quote``) is asked
again, up to three times; then the score is 0.

Source: LitLLMs (arXiv 2412.15249), debate ranking with attribution. Departures: the scored form is
ours: its quotes are true by construction; both quotes are checked, where the published code lets
every quote against pass; blocks go by the paper's number, never by their place in the reply.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scrubjay.agents.review.quotes import sentences, verify_quote
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Hit, Passage
from scrubjay.models.prompting.untrusted import one_line

_BLOCK = re.compile(r"<paper (\d{1,4})>(.*?)</paper(?: \1)?>", re.DOTALL | re.IGNORECASE)
_SIDE = {
    side: re.compile(rf"<{side}>(.*?)</{side}>", re.DOTALL | re.I) for side in ("for", "against")
}
_SCORE = re.compile(r"<score>\s*(\d{1,3})(?:\.\d+)?\s*</score>", re.IGNORECASE)
_QUOTE = re.compile(r"[\"“]([^\"“”]+)[\"”]")
SHOWN = 6
"""Sentences of a candidate that may be quoted."""


@dataclass(frozen=True, slots=True)
class Debated:
    """A candidate after the debate."""

    paper: Passage
    score: float
    """In [0, 1]; 0 where no verified debate was had."""
    quote_for: str = ""
    quote_against: str = ""
    verified: bool = False
    """Both quotes stand in the candidate's abstract."""


@dataclass(frozen=True, slots=True)
class DebateReranker:
    """Puts candidates in the order of their scores; ties keep the order they came in."""

    how: Literal["scored", "written"] = "scored"
    batch: int = 10
    retries: int = 3
    gate: bool = True
    """Refuse quotes that don't stand in the candidate; False: to measure what the gate does."""

    async def rerank(self, session: Session, abstract: str, hits: Sequence[Hit]) -> list[Debated]:
        """All candidates, best first."""
        papers = [hit.passage for hit in hits]
        if self.how == "scored":
            done = list(await asyncio.gather(*(self._score(session, abstract, p) for p in papers)))
        else:
            parts = [papers[i : i + self.batch] for i in range(0, len(papers), self.batch)]
            replies = await asyncio.gather(*(self._write(session, abstract, p) for p in parts))
            done = [d for reply in replies for d in reply]
        return sorted(done, key=lambda d: -d.score)

    async def _score(self, session: Session, abstract: str, paper: Passage) -> Debated:
        said = sentences(paper.text)[:SHOWN]
        if not said:
            return Debated(paper, 0.0)
        topic = one_line(sentences(abstract)[0])
        scored = [
            (await session.score(prompt("review_topic", sentence=one_line(s)), [f" {topic}"]))[
                0
            ].mean
            for s in said
        ]
        best, worst = said[scored.index(max(scored))], said[scored.index(min(scored))]
        values = {"topic": topic, "title": one_line(paper.title)}
        sides = [("For", one_line(best)), ("Against", one_line(worst))]
        choices = [
            await session.choose(
                prompt("review_verdict", sides=order, **values), [" Yes", " No"], reading=[paper]
            )
            for order in (sides, sides[::-1])
        ]
        score = sum(choice.probabilities[0] for choice in choices) / 2
        return Debated(paper, score, best, worst, True)

    async def _write(
        self, session: Session, abstract: str, papers: Sequence[Passage]
    ) -> list[Debated]:
        done: dict[int, Debated] = {}
        asked = prompt("review_debate", abstract=one_line(abstract), papers=list(papers))
        for turn in range(self.retries):
            reply = await session.generate(
                asked, max_tokens=160 * len(papers), temperature=0.3 * turn, reading=papers
            )
            for number, paper in enumerate(papers, 1):
                said = parse_debate(reply.text).get(number)
                if number not in done and said and (said_truly(said, paper) or not self.gate):
                    quotes = (said.quote_for, said.quote_against)
                    done[number] = Debated(paper, said.score, *quotes, said_truly(said, paper))
            if len(done) == len(papers):
                break
        missing = len(papers) - len(done)
        if missing:
            session.note(f"{missing} of {len(papers)} candidates had no verified debate; score 0")
        return [done.get(i, Debated(p, 0.0)) for i, p in enumerate(papers, 1)]


@dataclass(frozen=True, slots=True)
class Said:
    """A block of a written debate."""

    quote_for: str
    quote_against: str
    score: float


def parse_debate(text: str) -> dict[int, Said]:
    """The complete blocks of a reply, by the number of the paper; the first of each number."""
    found: dict[int, Said] = {}
    for number, body in _BLOCK.findall(text):
        sides = {side: pattern.search(body) for side, pattern in _SIDE.items()}
        quotes = {s: _QUOTE.search(m[1]) if m else None for s, m in sides.items()}
        score = _SCORE.search(body)
        pro, con = quotes["for"], quotes["against"]
        if pro and con and score and int(score[1]) <= 100:
            found.setdefault(int(number), Said(pro[1], con[1], int(score[1]) / 100))
    return found


def said_truly(said: Said, paper: Passage) -> bool:
    """Whether both quotes stand in the candidate."""
    return all(verify_quote(q, paper.text) for q in (said.quote_for, said.quote_against))
