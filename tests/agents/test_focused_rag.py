"""Focused RAG reads the sentences that bear on the question, and nothing it was not given."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.agents.focused_rag import FocusedRAG, focus, sentences
from scrubjay.agents.registry import make_agent
from scrubjay.agents.session import Session
from scrubjay.core.nouns import Hit, Passage, Question
from scrubjay.models.types import Completion

JAYS = Passage("j", "Jays are loud. They hide acorns in October. They live long.", "Jays")
TITS = Passage("t", "Tits are small. Tits hide seeds.", "Tits")


def test_the_sentence_with_the_questions_rare_words_is_kept() -> None:
    (only,) = focus("When do jays hide acorns?", [TITS, JAYS], 1)
    assert (only.id, only.text) == ("j", "They hide acorns in October.")
    two = focus("When do jays hide acorns?", [TITS, JAYS], 2)
    assert two[-1].id == "j"  # the best stands next to the question


def test_a_title_makes_up_for_they() -> None:
    other = Passage("o", "They hide acorns in March.", "Squirrels")
    assert focus("When do jays hide acorns?", [other, JAYS], 1)[0].id == "j"


@given(st.lists(st.text(max_size=80), min_size=1, max_size=4), st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_nothing_is_made_up(texts: list[str], question: str) -> None:
    passages = [Passage(str(i), text) for i, text in enumerate(texts)]
    kept = focus(question, passages, 3)
    assert len({p.id for p in kept}) == len(kept) <= len(passages)
    for p in kept:
        whole = " ".join(texts[int(p.id)].split())
        assert all(part in whole for part in sentences(p.text)) or p.text == texts[int(p.id)]


def test_the_model_reads_only_what_was_kept() -> None:
    class Shelf:
        async def search(self, query: str, k: int = 5, where: str | None = None) -> list[Hit]:
            return [Hit(JAYS, 2.0), Hit(TITS, 1.0, 1)][:k]

    class Model:
        name = "m"
        seen = ""

        async def generate(self, prompt: Any, **_: Any) -> Completion:
            self.seen = prompt
            return Completion(" October")

    model = Model()
    session = Session(model, Shelf())  # type: ignore[arg-type]
    answer = asyncio.run(
        FocusedRAG(keep=1).answer(Question("q", "When do jays hide acorns?"), session)
    )
    assert (answer.text, answer.citations) == ("October", ("j",))
    assert "They hide acorns in October." in model.seen
    assert "Jays are loud" not in model.seen
    assert answer.trace.cost.searches == 1
    assert make_agent("focused-rag", None) == FocusedRAG()
