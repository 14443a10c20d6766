"""IRCoT: one sentence of reasoning, one search with it, and again, until the answer is there.

    D = search(question)
    repeat:  t = model(question, D, thoughts)      # one sentence
             stop if t says "the answer is"
             D = D + search(t)                     # no passage twice, at most `most`
    answer with D and the thoughts

The documents come first, then the question and the thoughts. The answer continues the text of the
thoughts, and what one search found stands in the order of its ids, not of the scores: prompts with
a beginning in common are computed once, also those of different questions.

Sources: IRCoT (Trivedi et al. 2023) as used by SynthWorlds; caps are those of our sheet (its
wording was not seen): six rounds, 15 passages; passages per search are our choice, and so are the
examples, in which other documents stand beside those needed: both were chosen on the atlas.
"""

from __future__ import annotations

from dataclasses import dataclass

from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import prompt, short_answer
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.models.types import Prompt


@dataclass(frozen=True, slots=True)
class IRCoT:
    """Alternates reasoning and searching."""

    k: int = 2
    """Passages per search."""
    rounds: int = 6
    most: int = 15
    """Passages kept in all."""
    name: str = "ircot"
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        found: dict[str, Passage] = {}
        thoughts: list[str] = []
        query = question.text

        def text(ready: bool) -> Prompt:
            reading, asked = list(found.values()), question.text
            return prompt("think", question=asked, passages=reading, thoughts=thoughts, ready=ready)

        for _ in range(self.rounds):
            hits = await session.search(query, self.k)
            new = [h.passage for h in hits if h.passage.id not in found][: self.most - len(found)]
            found |= {p.id: p for p in sorted(new, key=lambda p: p.id)}
            reading = list(found.values())
            thought = await session.generate(
                text(ready=False), max_tokens=40, stop=("\n", ". "), reading=reading
            )
            query = thought.text.strip()
            if not query or query in thoughts:
                session.note("stopped: no new thought")
                break
            thoughts.append(query)
            if "answer is" in query.lower():
                session.note("stopped: the reasoning gives the answer")
                break
        return await short_answer(text(ready=True), session, list(found.values()))
