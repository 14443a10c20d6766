"""Self-practice: a Reasoner answers questions whose truth is known, and every answer is labelled.

    for (q, gold):  s = (q, [])
        for t in 0..T:
            (a, r) = Reasoner.answer(s);  y = EM(a, gold);  keep (s, a, r, y)
            if t < T:  s += (query, search(query))

Practice goes on after a right answer, so a critic also sees answers that more reading spoiled. The
only label is the final answer's exact match; nobody marks steps.

Rows are kept a chunk of questions at a time: killed practice goes on where it stopped and ends with
the same rows. Source: SIM-RAG (paper 72), section 3.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from scrubjay.agents.reasoner import Attempt, Reasoner
from scrubjay.agents.search_state import Round, SearchState
from scrubjay.agents.session import Session
from scrubjay.agents.sim_rag import search_on
from scrubjay.core.errors import RunMismatch
from scrubjay.core.files import JsonLines
from scrubjay.core.nouns import Passage, Question
from scrubjay.core.progress import Count
from scrubjay.core.randomness import derive, stream
from scrubjay.evaluation.text import exact_match, extract
from scrubjay.evaluation.times import score_time
from scrubjay.models.prompting.prompts import list_prompts


@dataclass(frozen=True, slots=True)
class PracticeRow:
    """An attempt from a state, and whether it was right."""

    question: str
    """Id; rows are split by it."""
    world: str
    sample: int
    state: SearchState
    """Without the gold answers: a critic must not see them."""
    attempt: Attempt
    label: bool

    @property
    def round(self) -> int:
        return len(self.state.rounds)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; ``from_dict`` is its inverse."""
        rounds = [
            {"query": r.query, "passages": [[p.id, p.title, p.text] for p in r.passages]}
            for r in self.state.rounds
        ]
        return {
            "question": self.question,
            "text": self.state.question.text,
            "world": self.world,
            "sample": self.sample,
            "rounds": rounds,
            "attempt": asdict(self.attempt),
            "label": self.label,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> PracticeRow:
        rounds = tuple(
            Round(r["query"], tuple(Passage(i, text, title) for i, title, text in r["passages"]))
            for r in value["rounds"]
        )
        state = SearchState(Question(value["question"], value["text"]), rounds)
        attempt = Attempt(**value["attempt"])
        return cls(
            value["question"], value["world"], value["sample"], state, attempt, value["label"]
        )


@dataclass(frozen=True, slots=True)
class Practice:
    """How to practise."""

    rounds: int = 3
    """Searches per question; a question gives one row more."""
    k: int = 2
    """New documents a round."""
    samples: int = 1
    """Runs of each question; more than one makes sense at a temperature only."""
    seed: int = 0
    chunk: int = 32
    """Questions practised at the same time and kept together."""


PRACTICE = Practice()


class MakeSession(Protocol):
    """Gives every question a session of its own."""

    def __call__(self, question: Question) -> Session: ...


async def self_practice(
    reasoner: Reasoner,
    questions: Sequence[Question],
    make_session: MakeSession,
    file: Path,
    *,
    world: str = "",
    practice: Practice = PRACTICE,
    progress: Count | None = None,
) -> list[PracticeRow]:
    """All rows, in the order of the questions; those that ``file`` holds already aren't made again.

    Questions without known answers are passed over. ``progress`` is called with (done, all).

    Raises:
        RunMismatch: ``file`` holds the practice of other questions or settings.
        DiskError: ``file`` can't be written.
    """
    todo = [q for q in questions if q.answers for _ in range(practice.samples)]
    samples = [s for q in questions if q.answers for s in range(practice.samples)]
    settings = {"world": world, "reasoner": repr(reasoner), **asdict(practice)}
    settings["questions"] = derive(0, *(f"{q.id} {q.text}" for q in todo))
    settings["prompts"] = derive(0, *(p.text for p in list_prompts() if "sim_" in p.name))
    settings["model"] = getattr(make_session(todo[0]).model, "name", "") if todo else ""
    log = JsonLines(file)
    kept = log.read()
    if not kept:
        log.append([settings])
    elif kept[0] != settings:
        raise RunMismatch(
            f"{file} holds the practice of other questions or settings; choose another file"
        )
    chunks = [[PracticeRow.from_dict(v) for v in c["rows"]] for c in kept[1:]]
    for begin in range(len(chunks) * practice.chunk, len(todo), practice.chunk):
        part = range(begin, min(begin + practice.chunk, len(todo)))
        sessions = [make_session(todo[i]) for i in part]
        for model in {id(s.model): s.model for s in sessions if s.model}.values():
            model.settle()
        runs = []
        for i, session in zip(part, sessions):
            session.seed = derive(practice.seed, "practice", todo[i].id, samples[i]) % 2**31
            runs.append(_practise(reasoner, todo[i], session, world, samples[i], practice))
        rows = [row for run in await asyncio.gather(*runs) for row in run]
        log.append([{"rows": [row.to_dict() for row in rows]}])
        chunks.append(rows)
        if progress:
            progress(part.stop, len(todo))
    return [row for chunk in chunks for row in chunk]


async def _practise(
    reasoner: Reasoner,
    question: Question,
    session: Session,
    world: str,
    sample: int,
    practice: Practice,
) -> list[PracticeRow]:
    # The agent's own parts see a question without its answers, so nothing can leak into a row.
    state = SearchState(Question(question.id, question.text))
    rows = []
    for t in range(practice.rounds + 1):
        attempt = await reasoner.answer(state, session)
        label = is_right(attempt.answer, question)
        rows.append(PracticeRow(question.id, world, sample, state, attempt, label))
        if t < practice.rounds:
            state = await search_on(state, reasoner, session, practice.k)
    return rows


def is_right(answer: str, question: Question) -> bool:
    """Exact match with a right answer; dates by the rules for dates."""
    said = extract(answer)
    if question.is_time:
        return score_time(said, question.answers)[1] == 1
    return exact_match(said, question.answers) == 1


def split_by_group(
    rows: Sequence[PracticeRow], held_out: float = 0.2, seed: int = 0
) -> tuple[list[PracticeRow], list[PracticeRow]]:
    """Rows to learn from and rows held out: whole questions, stratified by their majority label.

    Splitting rows instead would put a question on both sides, and a critic that recognises it would
    look far better than it is.
    """
    labels: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for row in rows:
        labels[row.world, row.question].append(row.label)
    strata: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    for group, seen in labels.items():
        strata[2 * sum(seen) >= len(seen)].append(group)
    out: set[tuple[str, str]] = set()
    for label, groups in strata.items():
        stream(seed, "split", label).shuffle(groups)
        out |= set(groups[: round(held_out * len(groups))])
    learn = [r for r in rows if (r.world, r.question) not in out]
    return learn, [r for r in rows if (r.world, r.question) in out]


def balance_by_group(rows: Sequence[PracticeRow], seed: int = 0) -> list[PracticeRow]:
    """As many right as wrong rows *within each world*: the more frequent label is thinned out.

    A world in which everything is right, or everything wrong, tells nothing and gives no row.
    """
    groups: dict[str, dict[bool, list[int]]] = defaultdict(lambda: {False: [], True: []})
    for i, row in enumerate(rows):
        groups[row.world][row.label].append(i)
    kept: set[int] = set()
    for world, by_label in groups.items():
        size = min(map(len, by_label.values()))
        for label, places in by_label.items():
            kept |= set(stream(seed, "balance", world, label).sample(places, size))
    return [row for i, row in enumerate(rows) if i in kept]
