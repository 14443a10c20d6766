"""What a model knows of a world by itself: asked twice, and against rivals.

    known     right closed-book in two phrasings, and the right object ranked first among others
    unknown   wrong at once

What lies in between is neither. A multi-hop question is known by the same rule: the model says its
answer without a document, whether it walks the chain or has met the sum of it. Other objects of the
answer's relation are the rivals (other subjects, where the answer is the subject).
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt, write_answer
from scrubjay.core.errors import RunMismatch
from scrubjay.core.files import JsonLines
from scrubjay.core.nouns import Question
from scrubjay.core.progress import Count, silent
from scrubjay.core.randomness import stream
from scrubjay.evaluation.text import exact_match, extract
from scrubjay.evaluation.times import score_time
from scrubjay.models.types import LanguageModel
from scrubjay.worlds.universe import Value
from scrubjay.worlds.world import World

CHUNK = 64
PATIENCE = 24
"""Questions about a relation after which a model that knew none is asked no more of them."""
RIVALS = 8
"""Other objects of the relation that the right one must beat to count as known."""
ANSWER = "?answer"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Questions by whether the model knows the answer; what lies in between is left out."""

    known: tuple[Question, ...]
    unknown: tuple[Question, ...]


async def known_questions(
    world: World,
    questions: Sequence[Question],
    model: LanguageModel,
    *,
    file: str | os.PathLike[str] | None = None,
    seed: int = 0,
    progress: Count = silent,
) -> Knowledge:
    """What the model knows robustly, and what it does not know.

    A relation of which it knew nothing in ``PATIENCE`` questions isn't asked about any more; motifs
    of multi-hop questions say nothing of what is known, so all of those are asked.

    Args:
        file: verdicts are kept in it as they come, and not sought again.

    Raises:
        ModelError: the model can't be asked.
        RunMismatch: the file holds verdicts on another model or other facts.
        InputError: the file is damaged.
    """
    lines = JsonLines(file) if file is not None else None
    verdicts = _held(lines, {"model": model.name, "facts": world.hash, "seed": seed})
    asked, right = Counter[str](), Counter[str]()
    for begin in range(0, len(questions), CHUNK):
        part = [
            q
            for q in questions[begin : begin + CHUNK]
            if len(q.query) > 1 or right[q.group] or asked[q.group] < PATIENCE
        ]
        new = [q for q in part if q.id not in verdicts]
        model.settle()
        found = await asyncio.gather(*(_knows(world, q, model, seed) for q in new))
        verdicts |= {q.id: v for q, v in zip(new, found)}
        if lines is not None:
            lines.append([{"question": q.id, "known": v} for q, v in zip(new, found)])
        for question in part:
            asked[question.group] += 1
            right[question.group] += verdicts[question.id] is True
        progress(min(begin + CHUNK, len(questions)), len(questions))
    return Knowledge(
        tuple(q for q in questions if verdicts.get(q.id) is True),
        tuple(q for q in questions if verdicts.get(q.id) is False),
    )


def _held(lines: JsonLines | None, head: dict[str, Any]) -> dict[str, bool | None]:
    """The verdicts of a file, begun with ``head`` if it is new."""
    if lines is None:
        return {}
    held = lines.read()
    if held and held[0] != head:
        raise RunMismatch(f"{lines.path} holds verdicts on {held[0]}, not {head}; name another")
    if not held:
        lines.append([head])
    return {row["question"]: row["known"] for row in held[1:]}


def is_right(answer: str, question: Question) -> bool:
    """Exact match, by the rules of the question's kind."""
    said = extract(answer)
    if question.is_time:
        return score_time(said, question.answers)[1] == 1.0
    return exact_match(said, question.answers) == 1.0


def rephrased(world: World, question: Question) -> str:
    """The question in other words: 'Name the capital of France.'"""
    if len(question.query) > 1:
        return f"Answer this: {question.text}"
    ((subject, relation, _),) = question.query
    noun = world.universe.relations[relation].noun
    if not noun:
        return f"Answer this: {question.text}"
    return f"Name {noun.replace('[S]', world.names.name(subject))}."


def rivals(world: World, question: Question, seed: int, purpose: str) -> list[Value]:
    """What else the answer's relation leads to elsewhere, no answer among them, shuffled."""
    universe = world.universe
    right = universe.query(question.query)
    last = [t for t in question.query if t[2] == ANSWER]
    if last:
        found: list[Value] = [f.object for f in universe.by_relation[last[-1][1]]]
    else:
        relation = next(r for s, r, _ in question.query if s == ANSWER)
        found = [f.subject for f in universe.by_relation[relation]]
    others = [v for v in dict.fromkeys(found) if v not in right]
    stream(seed, purpose, question.id).shuffle(others)
    return others


async def _knows(world: World, question: Question, model: LanguageModel, seed: int) -> bool | None:
    """True: robustly right; False: wrong at once; None: in between."""
    other = replace(question, text=rephrased(world, question))
    if not is_right((await write_answer(question, Session(model), ())).text, question):
        return False
    if not is_right((await write_answer(other, Session(model), ())).text, question):
        return None
    others = [world.names.value(v) for v in rivals(world, question, seed, "rivals")[:RIVALS]]
    ask = prompt("answer", question=question.text, passages=(), thoughts=())
    choice = await Session(model).choose(ask, (question.answers[0], *others))
    return True if choice.index == 0 else None
