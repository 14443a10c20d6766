"""Run an agent over questions: fixed chunks, concurrent inside, recorded whole or not at all.

The questions of a chunk run as concurrent coroutines, so that the model can batch what they ask
for; before each chunk the model forgets what earlier ones left behind. A chunk's results therefore
don't depend on what ran before it in the same process, and a killed run that is started again ends
with the same tables as one that was never interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from hashlib import blake2b
from typing import Any, TypeVar

from scrubjay.agents.provenance import explain
from scrubjay.agents.session import Session
from scrubjay.agents.types import Agent
from scrubjay.core.errors import BudgetExceeded
from scrubjay.core.nouns import Answer, Question
from scrubjay.core.progress import Count
from scrubjay.core.randomness import derive
from scrubjay.core.trace import Generated, Moved
from scrubjay.evaluation.runs import Record, Run
from scrubjay.evaluation.scoring import score

T = TypeVar("T")


async def run_agent(
    agent: Agent,
    questions: Sequence[Question],
    make_session: Callable[[Question], Session],
    *,
    run: Run,
    setting: str,
    world: str,
    chunk: int = 32,
    seed: int = 0,
    sources: bool = False,
    progress: Count | None = None,
) -> list[Record]:
    """Answer every question not answered yet; the records of all, in the questions' order.

    ``world`` is 'real' or 'twin-0', 'twin-1', …. ``make_session`` gives each question its session;
    the runner sets its ``seed``, the same in every world, so that sampling is mirrored too.
    ``progress`` is called with (answered, all). ``sources``: say of every answer where it came from
    (``agents.provenance``; what that asks of the model is not counted as the agent's cost).

    An agent that runs out of budget gives a partial answer, which is scored and noted.

    Raises:
        ScrubjayError: anything else that went wrong; the chunks finished before are recorded, and
            the same call goes on after them.
    """
    finished, records = 0, []

    def advance(by: int = 1) -> None:
        nonlocal finished
        finished += by
        if progress:
            progress(finished, len(questions))

    for begin in range(0, len(questions), chunk):
        part = questions[begin : begin + chunk]
        key = chunk_key(setting, world, part)
        if run.done(key):
            advance(len(part))
        else:
            sessions = [make_session(q) for q in part]
            _settle(sessions)
            for question, session in zip(part, sessions):
                session.seed = derive(seed, setting, question.id) % 2**31
            answers = await _together(
                [_answer(agent, q, s, advance, sources) for q, s in zip(part, sessions)]
            )
            run.add(
                key,
                [
                    _record(q, a, note, s, setting, world, begin + i)
                    for i, (q, s, (a, note)) in enumerate(zip(part, sessions, answers))
                ],
            )
        records += run.chunk(key)
    return records


def chunk_key(setting: str, world: str, questions: Sequence[Question]) -> str:
    """Names a chunk by what was asked, so that other questions are never taken for these."""
    digest = blake2b(digest_size=8)
    for question in questions:
        digest.update(f"{question.id}\x1f{question.text}\x1e".encode("utf-8", "replace"))
    return f"{setting}/{world}/{digest.hexdigest()}"


def _settle(sessions: Sequence[Session]) -> None:
    models = {id(s.model): s.model for s in sessions if s.model is not None}
    for model in models.values():
        model.settle()


async def _together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Like ``gather``, but when one fails the others are stopped before the error goes on."""
    tasks = [asyncio.ensure_future(c) for c in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(
    agent: Agent,
    question: Question,
    session: Session,
    advance: Callable[[], None],
    sources: bool = False,
) -> tuple[Answer, str]:
    """The agent's answer and, if it is only a partial one, why."""
    try:
        answer, note = await agent.answer(question, session), ""
    except BudgetExceeded as error:
        session.note(f"stopped: {error}")
        answer, note = _partial(question, session), str(error)
    if sources and session.model is not None and not question.goal:
        answer = (await explain(question, answer, session)).answer
    advance()
    return answer, note


def _partial(question: Question, session: Session) -> Answer:
    """What can be told from the trace of an agent that ran out of budget."""
    steps = session.trace.steps
    written = [s.text for s in steps if isinstance(s, Generated)]
    if not question.goal:
        return Answer(written[-1] if written else "", session.trace)
    path = (question.start, *(s.target for s in steps if isinstance(s, Moved) and s.ok))
    return Answer("", session.trace, path=path, success=question.goal in path)


def _record(
    question: Question,
    answer: Answer,
    note: str,
    session: Session,
    setting: str,
    world: str,
    index: int,
) -> Record:
    return Record(
        setting=setting,
        world=world,
        question=question.id,
        task=question.task,
        group=question.group,
        text=question.text,
        gold=question.answers,
        prediction=answer.text,
        scores=score(question, answer, session.graph),
        index=index,
        source=str(answer.source or ""),
        confidence=answer.confidence,
        citations=answer.citations,
        path=answer.path,
        note=note,
        cost=asdict(answer.trace.cost),
        steps=tuple(answer.trace.to_list()),
    )
