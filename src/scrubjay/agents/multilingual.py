"""Multilingual RAG: ask in one language, search documents in another, be answered in one's own.

    L   = language of the question            (unsure: treated as the best guess, and as unknown)
    q'  = the question in the index's language, by glossary or by the model
    Ev  = search(q'), or search(q) and search(q') fused by reciprocal rank
    gate:   no sentence holds enough words of q'           -> "not found", said in L
    answer  in the index's language from (q', Ev);  guard: a name or number not in Ev -> "not found"
    localise: names as L has them;  plain words, if wanted

A small model reads one language well, so it is asked in that of the documents, and only names cross
back. A model that writes many languages answers in L at once (``writer="model"``); the guard then
compares names in the documents' language, since words of two languages never match. Without any
model (``writer="quote"``) the answer is a name out of the sentence that bears most on q'.

Source: multilingual RAG (paper 9), sections 3.1 to 3.3 of our sheet. Not here: speech, caching.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from scrubjay.agents.plain_words import plain_words
from scrubjay.agents.quoting import quote
from scrubjay.agents.session import Session
from scrubjay.agents.support import evidence, supported
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import prompt, write_answer
from scrubjay.core.nouns import Answer, Passage, Question, Source
from scrubjay.models.languages import Detector, Language, WordDetector, languages
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.retrieval.fusion import reciprocal_rank_fusion
from scrubjay.retrieval.glossary import Glossary, world_glossary

Route = Literal["direct", "translate", "both"]
GLOSSARY_FILE = "SCRUBJAY_GLOSSARY"
"""Environment variable: a table (language, local, name) of the names in one's own documents."""


class Translator(Protocol):
    """From a question's language to the index's."""

    async def translate(self, text: str, language: str, session: Session) -> str: ...


@dataclass(frozen=True, slots=True)
class ByGlossary:
    """By dictionary; asks no model."""

    glossary: Glossary
    words: bool = True
    """Translate words, too, and not only names."""

    async def translate(self, text: str, language: str, session: Session) -> str:
        return self.glossary.translate(text, language, words=self.words)


@dataclass(frozen=True, slots=True)
class ByModel:
    """The session's model translates."""

    target: str = "English"

    async def translate(self, text: str, language: str, session: Session) -> str:
        reply = await session.generate(
            prompt("translate_query", question=one_line(text), target=self.target),
            max_tokens=48,
            stop=("\n",),
        )
        return one_line(reply.text) or text


@dataclass(frozen=True, slots=True)
class MultilingualRAG:
    """Detects, translates, searches, answers, checks, localises."""

    glossary: Glossary = field(default_factory=Glossary)
    translator: Translator | None = None
    """None: by the glossary."""
    detect: Detector = field(default_factory=WordDetector)
    index_language: str = "en"
    route: Route = "both"
    unsure: float = 0.3
    """Below this confidence in the language both routes are taken, whatever ``route`` says."""
    k: int = 3
    least: float | Mapping[str, float] = 0.0
    """Share of the query's words that a sentence must hold, for all languages or for each."""
    guard: bool = True
    writer: Literal["glossary", "model", "quote"] = "glossary"
    plain: bool = False
    name: str = "multilingual-rag"
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        said = self.detect(question.text)
        language = languages().get(said.code)
        session.note(f"language: {said.code or 'unknown'}, confidence {said.confidence:.2f}")
        if not question.text.strip():
            return self._decline("the question is empty", language, session)
        asked = await self._translated(question.text, said.code, session)
        passages = await self.search(question.text, asked, said.confidence, session)
        held = evidence(asked, passages)
        if not passages or held < self._least(said.code):
            return self._decline(f"evidence {held:.2f} is too little", language, session)
        translated = replace(question, text=asked)
        reply = await self._write(translated, question, language, passages, session)
        if self.guard and not supported(self._back(reply, said.code), passages):
            return self._decline(f"{reply!r} is not in the documents", language, session)
        text = self.glossary.localise(reply, said.code)
        if self.plain:
            text = await plain_words(text, language.name if language else "", session)
        return Answer(text, session.trace, citations=tuple(p.id for p in passages))

    async def search(
        self, question: str, asked: str, confidence: float, session: Session
    ) -> list[Passage]:
        """The ``k`` best passages by the routes taken; ``asked`` is the translated question."""
        route = "both" if confidence < self.unsure else self.route
        chosen = {"direct": [question], "translate": [asked], "both": [question, asked]}[route]
        queries = list(dict.fromkeys(chosen))
        rankings = [[h.passage for h in await session.search(q, 2 * self.k)] for q in queries]
        known = {p.id: p for ranking in rankings for p in ranking}
        fused = reciprocal_rank_fusion([[p.id for p in ranking] for ranking in rankings])
        return [known[name] for name, _ in fused[: self.k]]

    async def _translated(self, text: str, code: str, session: Session) -> str:
        if code in ("", self.index_language):
            return text
        translator = self.translator or ByGlossary(self.glossary)
        # A query of nothing but small words leaves nothing: then the question has to do.
        return await translator.translate(text, code, session) or text

    async def _write(
        self,
        asked: Question,
        question: Question,
        language: Language | None,
        passages: list[Passage],
        session: Session,
    ) -> str:
        if self.writer == "quote":
            return quote(asked.text, passages, self.glossary)
        if self.writer == "glossary" or language is None:
            return (await write_answer(asked, session, passages)).text
        reply = await session.generate(
            prompt("answer_in", question=question.text, language=language.name, passages=passages),
            max_tokens=48,
            stop=("\n",),
            reading=passages,
        )
        return reply.text.strip()

    def _back(self, reply: str, code: str) -> str:
        """The reply with names as the documents have them."""
        if self.writer != "model":
            return reply
        return self.glossary.translate(reply, code, words=False)

    def _least(self, code: str) -> float:
        if isinstance(self.least, Mapping):
            return self.least.get(code, max(self.least.values(), default=0.0))
        return self.least

    def _decline(self, why: str, language: Language | None, session: Session) -> Answer:
        """Not an error: the polite sentence in the user's language; the reason is in the trace."""
        session.note(f"declined: {why}")
        told = language or languages()[self.index_language]
        return Answer(told.not_found, session.trace, Source.NOWHERE, 0.0)


def multilingual_rag() -> MultilingualRAG:
    """The registered agent: names of the real world, and those of ``$SCRUBJAY_GLOSSARY``.

    Raises:
        InputError: that table can't be read.
        MissingExtra: pycountry isn't installed.
    """
    glossary, own = world_glossary(), os.environ.get(GLOSSARY_FILE)
    return MultilingualRAG(glossary | Glossary.load(own) if own else glossary)
