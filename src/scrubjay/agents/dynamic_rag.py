"""Retrieval while writing: draft, check, look up, go on. One loop; triggers and queries plug in.

    text = ""
    repeat:
        draft = model(question, text)                       # up to ``ahead`` tokens
        flag  = trigger(draft)                              # the first doubtful sentence
        if no flag:  text += draft
        else:        docs  = search(query(draft, flag))
                     text += draft before that sentence
                     text += first sentence of model(docs, question, text)
    until "the answer is" in text, or it is long enough, or it stopped growing

    dragin          RIND, QFS                        white-box: attention and entropy
    flare           LowProbability, MaskedSentence   log-probabilities; searches the question first
    fixed-length    EveryN, LastTokens               text only
    fixed-sentence  EverySentence, LastSentence      text only

Sources: DRAGIN (Su et al. 2024, arXiv 2403.10081) and our sheet of it; FLARE (Jiang et al. 2023),
whose drafts read the passages found last, one sentence at a time. Passages of the trigger before
are replaced, not accumulated. Ours: the draft ends at the end of a line; a text that never gives
its answer gets the announcement written for it, then at most 20 more tokens; worked examples are
about invented things, because the model should learn a form from them and no facts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scrubjay.agents.draft import Draft, cut, read_draft, split
from scrubjay.agents.queries import QFS, LastSentence, LastTokens, MaskedSentence, QueryFormer
from scrubjay.agents.rind import RIND
from scrubjay.agents.session import Session
from scrubjay.agents.triggers import (
    WHITE_BOX,
    EveryN,
    EverySentence,
    Flag,
    LowProbability,
    Trigger,
)
from scrubjay.agents.types import QUESTIONS
from scrubjay.agents.writing import prompt
from scrubjay.core.errors import ModelError, ScrubjayError
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.core.randomness import stream
from scrubjay.models.prompting.untrusted import harmless, one_line
from scrubjay.models.types import Completion
from scrubjay.models.words import sentence_spans

STOPS = ("\n", "Question:")


@dataclass(slots=True)
class _Answering:
    """The state of one question: what is written, and what was read last."""

    question: str
    session: Session
    pieces: list[str] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def write(self, pieces: Sequence[str]) -> bool:
        """Add to the text; False when that adds nothing."""
        if not "".join(pieces).strip():
            return False
        if self.pieces and self.text[-1:].isspace() and pieces[0][:1].isspace():
            self.pieces[-1] = self.pieces[-1].rstrip()
        self.pieces += pieces
        return True


def as_examples(question: str, passages: Sequence[Passage], text: str) -> str:
    """The prompt file ``dynamic_rag``: worked examples, passages, the question, the text so far."""
    asked = prompt("dynamic_rag", question=question, passages=passages, text=text)
    assert isinstance(asked, str)
    return asked


@dataclass(frozen=True, slots=True)
class DynamicRAG:
    """Writes an answer, and looks things up when the trigger says so."""

    trigger: Trigger
    former: QueryFormer
    name: str = "dynamic-rag"
    k: int = 3
    """Passages per search."""
    ahead: int = 64
    """Tokens of a draft."""
    most: int = 100
    """Tokens of the whole text."""
    rounds: int = 8
    """Drafts."""
    search_first: bool = False
    """Begin with a search for the question."""
    draft_reads: bool = False
    """Drafts have the passages found last in front of them."""
    template: Callable[[str, Sequence[Passage], str], str] = as_examples
    """The prompt, from question, passages and the text so far, with which it must end."""
    marker: str = "the answer is"
    """Announces the answer; empty: the whole text is the answer."""
    tasks = QUESTIONS
    needs = frozenset({"model", "retriever"})

    async def answer(self, question: Question, session: Session) -> Answer:
        """
        Raises:
            ScrubjayError: the model doesn't show what the trigger looks at.
        """
        state = _Answering(one_line(question.text), session)
        random = stream(session.seed, "trigger", question.id)
        if self.search_first:
            await self._look_up(state, state.question)
        for _ in range(self.rounds):
            draft, done = await self._draft(state) if self.trigger.drafts else (_text(state), None)
            flag = self.trigger.find(draft, random)
            if done is not None:
                self._note(session, draft, flag)
            if flag is None:
                going = state.write(self._unflagged(draft)) and not _ended(draft, done, state)
            else:
                going = await self._revise(state, draft, flag)
            if not going:
                session.note("stopped: the text ended")
                break
            announced = self.marker and self.marker in state.text.lower()
            if announced or len(state.pieces) >= self.most:
                break
        said = await self._conclude(state) if self.marker else state.text.strip()
        return Answer(said, session.trace, citations=tuple(p.id for p in state.passages))

    async def _draft(self, state: _Answering) -> tuple[Draft, Completion]:
        reading = state.passages if self.draft_reads else []
        asked = self._prompt(state, reading)
        want = self.trigger.want | self.former.want
        try:
            done = await state.session.generate(
                asked, max_tokens=self.ahead, stop=STOPS, want=want, reading=reading
            )
        except ModelError as error:
            if want & {"attention", "heads"} and "attention" in str(error):
                raise ScrubjayError(WHITE_BOX) from error
            raise
        if want & {"attention", "heads"} and not want <= {*done.extra, "entropy"}:
            raise ScrubjayError(WHITE_BOX)
        return read_draft(done, asked, state.question, state.pieces), done

    def _prompt(self, state: _Answering, passages: Sequence[Passage]) -> str:
        return self.template(state.question, passages, harmless(state.text).rstrip())

    def _unflagged(self, draft: Draft) -> tuple[str, ...]:
        if self.trigger.lookahead == "draft" or not draft.sentences:
            return draft.pieces
        return cut(draft.pieces, draft.sentences[0][1])

    async def _revise(self, state: _Answering, draft: Draft, flag: Flag) -> bool:
        """Keep what stands before the flag, look it up, and write the next sentence (or the next
        ``n`` tokens) with what was found."""
        await self._look_up(state, self.former.form(draft, flag))
        if flag.sentence[0]:
            state.write(cut(draft.pieces, flag.sentence[0]))
        fixed = self.trigger.n if isinstance(self.trigger, EveryN) else None
        done = await state.session.generate(
            self._prompt(state, state.passages),
            max_tokens=fixed or self.ahead,
            stop=STOPS,
            reading=state.passages,
        )
        spans = sentence_spans(done.text)
        length = len(done.text) if fixed or not spans else spans[0][1]
        return state.write(cut(split(done), length))

    async def _look_up(self, state: _Answering, query: str) -> None:
        query = query.strip() or state.question
        hits = await state.session.search(query, self.k)
        state.passages = [hit.passage for hit in hits]
        if not hits:
            state.session.note("the search found nothing: going on without passages")

    async def _conclude(self, state: _Answering) -> str:
        """The short answer: what follows the announcement, which is written if need be."""
        text = state.text
        at = text.lower().rfind(self.marker)
        said = "" if at < 0 else text[at + len(self.marker) :]
        ended = len(sentence_spans(said)) > 1 or said.rstrip().endswith((".", "!", "?"))
        if at < 0 or not said.strip(" .:") or not ended:
            if at < 0:
                state.write([f" So {self.marker}"])
            done = await state.session.generate(
                self._prompt(state, state.passages),
                max_tokens=20,
                stop=STOPS,
                reading=state.passages,
            )
            said += done.text
        return short(said)

    def _note(self, session: Session, draft: Draft, flag: Flag | None) -> None:
        """What was seen in the draft, for the trace."""
        scores = self.trigger.scores(draft)
        seen: dict[str, Any] = {
            "draft": draft.text,
            "scores": [[w.text, round(s, 3)] for w, s in zip(draft.words, scores) if s > 0],
        }
        if flag is not None:
            seen["flagged"] = [draft.words[i].text for i in flag.words]
            seen["token"] = flag.token
            seen["kept"] = draft.text[: flag.sentence[0]]
        session.note(json.dumps(seen, ensure_ascii=False))


def short(said: str) -> str:
    """The first sentence of what follows the announcement, without marks around it.

    >>> short(" Brenland. It is"), short(": \\"St. Arn\\".")
    ('Brenland', 'St. Arn')
    """
    said = said.strip().lstrip(":").strip()
    spans = sentence_spans(said)
    first = said[slice(*spans[0])] if spans else ""
    return first.strip().strip("\"'“”").rstrip(".!").strip("\"'“”").strip()


def _text(state: _Answering) -> Draft:
    """No draft: the trigger fires and the query comes from the text so far."""
    return Draft(state.question, tuple(state.pieces))


def _ended(draft: Draft, done: Completion | None, state: _Answering) -> bool:
    """Whether the model ended its text with this draft, all of which was kept."""
    whole = state.text.endswith(draft.text)
    return whole and done is not None and done.finish == "stop"


def dragin() -> DynamicRAG:
    return DynamicRAG(RIND(), QFS(), "dragin")


def flare() -> DynamicRAG:
    return DynamicRAG(
        LowProbability(), MaskedSentence(), "flare", k=2, search_first=True, draft_reads=True
    )


def fixed_length() -> DynamicRAG:
    return DynamicRAG(EveryN(), LastTokens(), "fixed-length")


def fixed_sentence() -> DynamicRAG:
    return DynamicRAG(EverySentence(), LastSentence(), "fixed-sentence")
