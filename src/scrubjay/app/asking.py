"""What ``ask`` and ``chat`` share: a desk with a model, an index and an agent, and its replies."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from scrubjay.core.nouns import Source

if TYPE_CHECKING:
    from scrubjay.agents.provenance import Explained
    from scrubjay.agents.types import Agent
    from scrubjay.core.nouns import Passage
    from scrubjay.models.types import LanguageModel
    from scrubjay.retrieval.index import Index

EMBEDDED = "smollm2-135m"
DECLINED = "I can't find this in the documents and don't know it."
FROM = {
    Source.MEMORY: "from memory, not from the documents",
    Source.DOCUMENTS: "from the documents",
    Source.BOTH: "from the documents, and memory agrees",
    Source.NOWHERE: "from nowhere",
}


@dataclass(slots=True)
class Reply:
    """An answer with its account."""

    question: str
    explained: Explained
    passages: dict[str, Passage]
    base: Path
    """The folder that the names of files are relative to."""

    @property
    def declined(self) -> bool:
        answer = self.explained.answer
        return answer.source is Source.NOWHERE or not answer.text.strip()

    def cited(self) -> list[dict[str, str]]:
        """Where it says so: ``file:line`` as seen from here, and the passage."""
        from scrubjay.retrieval.chunks import place

        ids = [i for i in self.explained.answer.citations if i in self.passages]
        return [
            {"place": str(_from_here(self.base / place(self.passages[i]))), "id": i}
            | {"title": self.passages[i].title, "text": self.passages[i].text}
            for i in ids
        ]

    def to_dict(self, why: bool) -> dict[str, Any]:
        answer = self.explained.answer
        source = None if answer.source is None else str(answer.source)
        spent = answer.trace.cost
        return {
            "question": self.question,
            "answer": None if self.declined else answer.text,
            "draft": answer.text,
            "source": source,
            "method": self.explained.evidence.method,
            "confidence": answer.confidence,
            "citations": self.cited(),
            "cost": {"calls": spent.calls, "searches": spent.searches, "tokens": spent.tokens},
        } | ({"why": self.explained.evidence.to_dict()} if why else {})

    def lines(self, why: bool) -> list[str]:
        """For a terminal: nothing from a document or a model can move the cursor."""
        from scrubjay.app.index import quoted
        from scrubjay.retrieval.files import printable

        answer = self.explained.answer
        said = DECLINED if self.declined else " ".join(printable(answer.text).split())
        unsure = self.declined or answer.confidence is None
        sure = "" if unsure else f", sure to {answer.confidence:.0%}"
        if self.explained.evidence.method == "sampling":
            sure += " (judged by asking again, as the model gives no log-probabilities)"
        out = [said]
        if answer.source is not None:
            out.append(f"  {FROM[answer.source]}{sure}")
        for cited in () if self.declined else self.cited():
            out += [f"  {printable(cited['place'])}", f"    “{quoted(cited['text'])}”"]
        return out + ([f"  {s}" for s in self.why()] if why else [])

    def why(self) -> list[str]:
        """The evidence, a line each; it may quote passages."""
        from scrubjay.retrieval.files import printable

        return [printable(s) for s in self.explained.evidence.sentences()]


@dataclass(slots=True)
class Desk:
    """Where questions are answered; ``close`` it in the end."""

    model: LanguageModel
    index: Index
    agent: Agent
    base: Path

    async def answer(self, text: str) -> Reply:
        """Answer one question in a session of its own.

        Raises:
            ModelError: the model can't be asked any more, or gives nonsense.
        """
        from scrubjay.agents.provenance import explain
        from scrubjay.agents.session import Session
        from scrubjay.core.nouns import Question

        session = Session(self.model, self.index)
        question = Question("ask", text)
        answer = await self.agent.answer(question, session)
        explained = await explain(question, answer, session)
        return Reply(text, explained, session.passages, self.base)


def open_desk(index: Path, agent: str, model: str, passages: int | None = None) -> Desk:
    """Open what is needed to answer, the cheap things first.

    ``passages``: how many to read at once, for agents that take a number. By default the embedded
    model reads one (with five it names the subject of the question; measured in docs/own-files.md),
    others as many as the agent says.

    Raises:
        IndexMismatch: no index there.
        UnknownName: no such agent or model.
        ScrubjayError: the agent can't answer from documents.
        ModelError: the model can't be loaded.
    """
    from scrubjay.agents.registry import make_agent
    from scrubjay.core.errors import ScrubjayError
    from scrubjay.models import load_model
    from scrubjay.retrieval import Index
    from scrubjay.retrieval.store import Manifest
    from scrubjay.retrieval.sync import Account

    Manifest.load(index)
    made = make_agent(agent, None)
    if not made.tasks & {"recall", "multihop"}:
        raise ScrubjayError(f"the agent '{agent}' answers no questions; try one-step-rag")
    if passages is None and model == EMBEDDED:
        passages = 1
    if passages is not None and isinstance(getattr(made, "k", None), int):
        made = replace(cast(Any, made), k=passages)
    account = Account.load(index)
    base = Path(account.base) if account else Path()
    return Desk(load_model(model), Index.open(index), made, base)


def _from_here(path: Path) -> Path:
    """The path as one would type it here, where that is shorter."""
    if not path.is_absolute():
        return path
    relative = os.path.relpath(path)
    return Path(relative) if not relative.startswith("..") else path
