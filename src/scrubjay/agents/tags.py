"""The tag agent: a model that thinks, searches and answers inside tags, as Search-R1 has it.

    repeat:  <think> … </think>  then  <search> query </search>  or  <answer> short answer </answer>
             a search is answered with  <information> documents </information>
             a turn with neither is answered with one fixed sentence of correction
    after the last turn the model must answer

One agent; what the papers vary is a ``TagFormat``: the prompt, the tag of what was found, the
number of turns and documents. Only what the *model wrote* is parsed. A passage is made harmless
when it arrives, so that none can issue a search or end an answer, and searches are counted where
they happen (``Session``), never by looking for tags in a text.

``decide="write"``: the model writes whole turns, which are parsed. ``decide="choose"``: the model
writes its thought, ``choose`` weighs the two next tags, and only that tag's content is written: a
model too small to keep to a format can't break it.

Sources: the rollout formats of IKEA (paper 40), InForage (35), ZeroSearch (36) and their common
ancestor Search-R1, untrained. Search-R1's own limits are in no sheet; its turns are our choice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scrubjay.agents.session import Session
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import prompt
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.models.prompting.untrusted import as_data
from scrubjay.models.types import Completion

Decide = Literal["choose", "write"]
Kind = Literal["search", "answer"]

CORRECTION = (
    "That turn did nothing: it holds neither a search nor an answer. "
    "Write <search> query </search> to look something up, or <answer> … </answer> to finish."
)
_CLOSE = re.compile(r"</(search|answer)>")
_OPENED = re.compile(r"<(search|answer)>((?:(?!<(?:search|answer)>).)*)\Z", re.DOTALL)
_FOUND = re.compile(r"</?(?:information|evidence)>")
_THOUGHT = 40
"""Tokens of a thought and …"""
_CONTENT = 24
"""… of a tag's content, where ``choose`` decides."""


@dataclass(frozen=True, slots=True)
class TagFormat:
    """What the papers' formats differ in."""

    name: str
    prompt: str
    """Prompt file; its text says what the paper wants of the model, in our words."""
    turns: int
    """Turns in which the model may search; one more, without searching, is for the answer."""
    k: int = 3
    """Documents a search."""
    tokens: int = 500
    """Most tokens a turn, and (by four characters a token) most of what a search returns."""


SEARCH_R1 = TagFormat("search-r1", "tags_search_r1", turns=4)
IKEA = TagFormat("ikea", "tags_ikea", turns=3)
INFORAGE = TagFormat("inforage", "tags_inforage", turns=6)
ZEROSEARCH = TagFormat("zerosearch", "tags_zerosearch", turns=5, k=5)


@dataclass(frozen=True, slots=True)
class Action:
    """What a turn asks for: a search for ``content``, or ``content`` as the answer."""

    kind: Kind
    content: str
    text: str
    """The turn up to and including the tag that closes the action; what followed is cut."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as the prompt shows it: what the model wrote, and what came back."""

    text: str
    searched: bool = False
    found: tuple[Passage, ...] = ()
    """Harmless already; nothing when the search found nothing."""
    correction: str = ""


def parse_turn(text: str, *, ended: bool = False) -> Action | None:
    """The action of a turn the model wrote; None when there is none.

    The first closed tag wins, whatever stands inside or after it. ``ended``: the model stopped by
    itself or at a closing tag, which ``Completion.text`` doesn't show; then the tag that was opened
    last is taken as closed.

    >>> parse_turn("<think> hm </think><search> a <b </search><answer> c </answer>").content
    'a <b'
    """
    for close in _CLOSE.finditer(text):
        start = text.rfind(f"<{close[1]}>", 0, close.start())
        if start >= 0:
            content = text[start + len(close[1]) + 2 : close.start()]
            return _action(close[1], content, text[: close.end()])
    if ended and (opened := _OPENED.search(text)):
        return _action(opened[1], opened[2], f"{text.rstrip()} </{opened[1]}>")
    return None


def _action(tag: str, content: str, text: str) -> Action:
    kind: Kind = "search" if tag == "search" else "answer"
    return Action(kind, " ".join(content.split()), text.strip())


@dataclass(frozen=True, slots=True)
class TagAgent:
    """Thinks, searches and answers inside tags."""

    format: TagFormat = SEARCH_R1
    decide: Decide = "choose"
    name: str = "search-r1"
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        turns: list[Turn] = []
        for number in range(self.format.turns + 1):
            last = number == self.format.turns
            turn = self._choose if self.decide == "choose" else self._write
            said, action = await turn(question, session, turns, last)
            if action is not None and action.kind == "answer":
                return self._finish(action.content, session, turns)
            if action is None or not action.content:
                session.note("a turn with neither a search nor an answer")
                turns.append(Turn(_own(said), correction=CORRECTION))
            else:
                hits = await session.search(action.content, self.format.k)
                found = self._shown([hit.passage for hit in hits])
                turns.append(Turn(_own(action.text), searched=True, found=found))
        raise AssertionError("the last turn answers")

    async def _write(
        self, question: Question, session: Session, turns: Sequence[Turn], last: bool
    ) -> tuple[str, Action | None]:
        """A whole turn by the model; its text, and the action in it if there is one.

        The last turn is begun for the model: it can only answer.
        """
        if last:
            done = await self._ask(question, session, turns, "<answer>", _CONTENT)
            text = _plain(done.text)
            return text, Action("answer", text, text)
        done = await self._ask(question, session, turns, "", self.format.tokens)
        return done.text.strip(), parse_turn(done.text, ended=done.finish == "stop")

    async def _choose(
        self, question: Question, session: Session, turns: Sequence[Turn], last: bool
    ) -> tuple[str, Action | None]:
        """A thought, the next tag by ``choose``, and that tag's content."""
        thought = await self._ask(question, session, turns, "<think>", _THOUGHT)
        begun = f"<think> {_plain(thought.text)} </think>\n"
        kind: Kind = "answer"
        if not last:
            options = ("<search>", "<answer>")
            text = self._prompt(question, turns, begun)
            choice = await session.choose(text, options, reading=_read(turns))
            kind = "search" if choice.index == 0 else "answer"
        content = _plain(
            (await self._ask(question, session, turns, f"{begun}<{kind}>", _CONTENT)).text
        )
        text = f"{begun}<{kind}> {content} </{kind}>"
        return text, Action(kind, content, text)

    async def _ask(
        self,
        question: Question,
        session: Session,
        turns: Sequence[Turn],
        begun: str,
        most: int,
    ) -> Completion:
        stop = ("</search>", "</answer>") + (("</think>", "\n") if begun else ())
        text = self._prompt(question, turns, begun)
        return await session.generate(text, max_tokens=most, stop=stop, reading=_read(turns))

    def _prompt(self, question: Question, turns: Sequence[Turn], begun: str) -> str:
        text = prompt(self.format.prompt, question=question.text, turns=turns, begun=begun)
        if not isinstance(text, str):
            raise TypeError(f"the prompt '{self.format.prompt}' must be one text to be continued")
        return text

    def _shown(self, passages: Sequence[Passage]) -> tuple[Passage, ...]:
        """The passages as data, cut to the observation's length, in equal parts."""
        room = 4 * self.format.tokens // max(1, len(passages))
        shown: list[Passage] = as_data(passages)
        return tuple(p if len(p.text) <= room else replace(p, text=p.text[:room]) for p in shown)

    @staticmethod
    def _finish(text: str, session: Session, turns: Sequence[Turn]) -> Answer:
        return Answer(text, session.trace, citations=tuple(p.id for p in _read(turns)))


def _read(turns: Sequence[Turn]) -> list[Passage]:
    """Every passage found so far, once."""
    return list({p.id: p for turn in turns for p in turn.found}.values())


def _own(text: str) -> str:
    """A turn without the tags of what is found: only a search brings documents."""
    return _FOUND.sub(" ", text)


def _plain(text: str) -> str:
    """Content that the agent itself puts between tags: one line that opens and closes none."""
    return " ".join(re.sub(r"</?\w+>", " ", text).split())


def search_r1() -> TagAgent:
    """Search-R1's format."""
    return TagAgent()


def ikea() -> TagAgent:
    """IKEA's: the model's own knowledge first, a search only where that ends (paper 40)."""
    return TagAgent(IKEA, name="ikea")


def inforage() -> TagAgent:
    """InForage's: what was found is ``<evidence>``, up to six turns (paper 35)."""
    return TagAgent(INFORAGE, name="inforage")


def zerosearch() -> TagAgent:
    """ZeroSearch's: five documents a search, up to five turns (paper 36)."""
    return TagAgent(ZEROSEARCH, name="zerosearch")
