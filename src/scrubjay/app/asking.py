"""What ``ask`` and ``chat`` share: a desk with a model, an index and an agent, and its replies."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
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
NEAREST = 3
"""Places named when no answer is given."""
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
        """Where it says so: ``file:line`` as seen from here, the words that say it, the passage."""
        cited = [self.passages[i] for i in self.explained.answer.citations if i in self.passages]
        return [
            {"place": self._place(p), "id": p.id, "title": p.title}
            | {"quote": self._quote(p), "text": p.text}
            for p in cited
        ]

    def _place(self, passage: Passage) -> str:
        from scrubjay.retrieval.chunks import place

        return str(_from_here(self.base / place(passage)))

    def _quote(self, passage: Passage) -> str:
        signals = self.explained.evidence.signals
        told = signals.support if signals else None
        sentence = told.sentence if told and told.place == passage.id else ""
        sentence = sentence.removeprefix(f"{passage.title}: ")
        return excerpt(passage.text, sentence, self.explained.answer.text)

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
            "found": [{"place": self._place(p), "id": p.id} for p in self.passages.values()],
            "cost": {"calls": spent.calls, "searches": spent.searches, "tokens": spent.tokens},
        } | ({"why": self.explained.evidence.to_dict()} if why else {})

    def lines(self, why: bool) -> list[str]:
        """For a terminal: nothing from a document or a model can move the cursor."""
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
        if self.declined:
            out += self._nearest()
        for cited in () if self.declined else self.cited():
            out += [f"  {printable(cited['place'])}"]
            out += wrapped(printable(cited["title"]), "    ")
            out += wrapped(f"“{printable(cited['quote'])}”", "    ")
        return out + ([line for s in self.why() for line in wrapped(s, "  ")] if why else [])

    def _nearest(self) -> list[str]:
        """Where to look oneself: a model that can't read it has found it all the same."""
        from scrubjay.retrieval.files import printable

        found = list(self.passages.values())[:NEAREST]
        out = ["  The passages found first are:"] if found else []
        for passage in found:
            out.append(f"  {printable(self._place(passage))}")
            out += wrapped(printable(passage.title), "    ")
        return out

    def why(self) -> list[str]:
        """The evidence, a sentence each; it may quote passages, and names them by their place."""
        from scrubjay.retrieval.files import printable

        said = [printable(s) for s in self.explained.evidence.sentences()]
        for id in sorted(self.passages, key=len, reverse=True):
            where = printable(self._place(self.passages[id]))
            title = printable(self.passages[id].title)
            said = [s.replace(printable(id), where).replace(f"“{title}: ", "“") for s in said]
        return said


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


def reader(agent: str, model: str, passages: int | None = None) -> Agent:
    """The agent that answers from a user's documents.

    ``agent``: its name; empty: what suits the model. The embedded one reads the three sentences
    that bear most on the question, others read whole passages (measured in docs/own-files.md).
    ``passages``: how many to search for, for agents that take a number. By default as many as the
    agent says, but of whole passages the embedded model reads one.

    Raises:
        UnknownName: no such agent.
        ScrubjayError: the agent can't answer from documents.
    """
    from scrubjay.agents.registry import make_agent
    from scrubjay.core.errors import ScrubjayError

    small = model == EMBEDDED
    made = make_agent(agent or ("focused-rag" if small else "one-step-rag"), None)
    if not made.tasks & {"recall", "multihop"}:
        raise ScrubjayError(f"the agent '{agent}' answers no questions; try one-step-rag")
    if passages is None and small and made.name != "focused-rag":
        passages = 1
    if passages is not None and isinstance(getattr(made, "k", None), int):
        made = replace(cast(Any, made), k=passages)
    return made


def open_desk(index: Path, agent: str, model: str, passages: int | None = None) -> Desk:
    """Open what is needed to answer, the cheap things first; see ``reader`` for who answers.

    Raises:
        IndexMismatch: no index there.
        UnknownName: no such agent or model.
        ScrubjayError: the agent can't answer from documents.
        ModelError: the model can't be loaded.
    """
    from scrubjay.models import load_model
    from scrubjay.retrieval import Index
    from scrubjay.retrieval.store import Manifest
    from scrubjay.retrieval.sync import Account

    Manifest.load(index)
    made = reader(agent, model, passages)
    account = Account.load(index)
    base = Path(account.base) if account else Path()
    return Desk(load_model(model), Index.open(index), made, base)


def excerpt(text: str, sentence: str, answer: str, longest: int = 240) -> str:
    """The part of a passage that says the answer, on one line: from its sentence on if that is
    known, and moved on to the answer's words if they come later.

    >>> excerpt("Jays are blue. They hide\\nnuts in autumn.", "They hide nuts in autumn.", "nuts")
    '… They hide nuts in autumn.'
    """
    line = " ".join(text.split())
    start = max(line.find(sentence), 0) if sentence else 0
    words = re.findall(r"\w+", answer)
    pattern = r"\b" + r"\W+".join(map(re.escape, words)) + r"\b"
    found = re.search(pattern, line[start:], re.IGNORECASE) if words else None
    if found and found.end() > longest:
        start = line.rfind(" ", 0, start + max(found.start() - longest // 3, 1)) + 1
    part = line[start : start + longest]
    if start + longest < len(line):
        part = f"{part[: part.rfind(' ') if ' ' in part else None].rstrip()} …"
    return f"… {part}" if start else part


def wrapped(text: str, indent: str) -> list[str]:
    """A text as lines that fit a terminal (80 columns where that isn't known); words stay whole."""
    width = min(shutil.get_terminal_size().columns, 100)
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _from_here(path: Path) -> Path:
    """The path as one would type it here, where that is shorter."""
    if not path.is_absolute():
        return path
    relative = os.path.relpath(path)
    return Path(relative) if not relative.startswith("..") else path
