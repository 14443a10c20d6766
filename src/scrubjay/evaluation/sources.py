"""Cases in which it is known by construction where an answer can come from.

    case        world  the model knows it  the passages say   an answer's source
    memory      real   yes                 nothing of it      memory, if it is the fact
    documents   twin   no                  the fact           documents, if it is the fact
    both        real   yes                 the fact           both, if it is the fact
    conflict    real   yes                 another object     documents if it is that object,
                                                              memory if it is the fact
    neither     twin   no                  nothing of it      nowhere, whatever it says

*Known* is strict (``known_questions``): right closed-book in two phrasings, and the right object
ranked first among others of its relation. Passages that don't say it are pages that mention the
question's subject, then pages of its kind, none of which holds subject and answer together. An
answer that its case doesn't allow for (a slip while reading, a distractor copied) has no true
source and is counted apart. 'documents' and 'neither' can also be built from facts of the real
world that the model does not know: familiar names must not pass for memory (``unknown`` of
``source_cases``).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scrubjay.agents.focused_rag import focus
from scrubjay.agents.session import Session
from scrubjay.agents.writing import prompt, write_answer
from scrubjay.core.nouns import Passage, Question, Source
from scrubjay.core.randomness import stream
from scrubjay.evaluation.text import exact_match, extract
from scrubjay.evaluation.times import score_time
from scrubjay.models.types import LanguageModel
from scrubjay.worlds.documents import MarkedDocument, Ref
from scrubjay.worlds.universe import Value
from scrubjay.worlds.world import World

CASES = ("memory", "documents", "both", "conflict", "neither")
PASSAGES = 4
"""Passages of a case."""
SENTENCES = 3
"""Sentences of a focused reading."""
CHUNK = 64
PATIENCE = 24
"""Questions about a relation after which a model that knew none is asked no more of them."""
RIVALS = 8
"""Other objects of the relation that the right one must beat to count as known."""


@dataclass(frozen=True, slots=True)
class SourceCase:
    """A question with passages, and what the answer's source is by construction."""

    case: str
    question: Question
    passages: tuple[Passage, ...]
    world: str
    told: tuple[str, ...] = ()
    """Conflict: what the altered passage says, in all its forms."""
    gold: str = ""
    """Id of the passage that says it (or something else in its place); empty: none does."""
    focused: bool = False
    """The reader sees the sentences that bear on the question, as ``focused-rag`` reads; whoever
    names the source is shown the passages whole."""

    def source(self, answer: str) -> Source | None:
        """Where this answer came from; None if the case doesn't tell."""
        right = is_right(answer, self.question)
        if self.case == "neither":
            return Source.NOWHERE
        if self.case == "conflict":
            if is_right(answer, replace(self.question, answers=self.told)):
                return Source.DOCUMENTS
            return Source.MEMORY if right else None
        return Source(self.case) if right else None

    def shown(self, passages: Sequence[Passage]) -> Sequence[Passage]:
        """What the reader gets of the opened passages."""
        return focus(self.question.text, passages, SENTENCES) if self.focused else passages

    def session(self, model: LanguageModel | None) -> Session:
        """A session in which these passages, and no others, can be opened."""
        return Session(model, pages={p.id: p for p in self.passages})


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
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Knowledge:
    """What the model knows robustly, and what it does not know, of single-fact questions.

    A relation of which it knew nothing in ``PATIENCE`` questions isn't asked about any more.

    Raises:
        ModelError: the model can't be asked.
    """
    known: list[Question] = []
    unknown: list[Question] = []
    asked, right = Counter[str](), Counter[str]()
    for begin in range(0, len(questions), CHUNK):
        model.settle()
        part = [
            q
            for q in questions[begin : begin + CHUNK]
            if right[q.group] or asked[q.group] < PATIENCE
        ]
        verdicts = await asyncio.gather(*(_knows(world, q, model, seed) for q in part))
        for question, verdict in zip(part, verdicts):
            asked[question.group] += 1
            right[question.group] += verdict is True
        known += [q for q, v in zip(part, verdicts) if v]
        unknown += [q for q, v in zip(part, verdicts) if v is False]
        progress(min(begin + CHUNK, len(questions)), len(questions))
    return Knowledge(tuple(known), tuple(unknown))


def source_cases(
    world: World,
    twin: World,
    known: Sequence[Question],
    n: int,
    *,
    unknown: Sequence[Question] = (),
    cases: Sequence[str] = CASES,
    seed: int = 0,
) -> list[SourceCase]:
    """Up to ``n`` of each case: those of memory about ``known`` questions of the real ``world``,
    the others about the same questions in ``twin``, or about ``unknown`` ones of ``world``.

    ``known`` and ``unknown`` come from ``known_questions``. The twin is asked what the real world
    is asked, so that a split by question holds in every world.
    """
    out: list[SourceCase] = []
    for case in cases:
        home = world if case in ("memory", "both", "conflict") or unknown else twin
        asked = list(known if case in ("memory", "both", "conflict") else unknown or known)
        stream(seed, "cases", case, home.name).shuffle(asked)
        asked = [in_world(q, home) for q in asked]
        made = (_case(case, home, q, seed) for q in asked)
        out += [c for c in made if c is not None][:n]
    return out


def in_world(question: Question, world: World) -> Question:
    """The single-fact question as another world with the same facts asks it."""
    from scrubjay.worlds.items import Item, fill, render, tidy, value_type

    universe = world.universe
    ((subject, relation, _),) = question.query
    answers = universe.objects(subject, relation)
    item = Item(
        question.task,
        relation,
        tidy(fill(universe.relations[relation].question, "[S]", [Ref(subject)])),
        answers,
        (subject,),
        value_type(universe, answers[0]),
        question.query,
    )
    return render(item, world.names)


def is_right(answer: str, question: Question) -> bool:
    """Exact match, by the rules of the question's kind."""
    said = extract(answer)
    if question.is_time:
        return score_time(said, question.answers)[1] == 1.0
    return exact_match(said, question.answers) == 1.0


def rephrased(world: World, question: Question) -> str:
    """The question in other words: 'Name the capital of France.'"""
    ((subject, relation, _),) = question.query
    noun = world.universe.relations[relation].noun
    if not noun:
        return f"Answer this: {question.text}"
    return f"Name {noun.replace('[S]', world.names.name(subject))}."


async def _knows(world: World, question: Question, model: LanguageModel, seed: int) -> bool | None:
    """True: robustly right; False: wrong at once; None: in between."""
    other = replace(question, text=rephrased(world, question))
    if not is_right((await write_answer(question, Session(model), ())).text, question):
        return False
    if not is_right((await write_answer(other, Session(model), ())).text, question):
        return None
    rivals = [world.names.value(v) for v in _others(world, question, seed, "rivals")[:RIVALS]]
    ask = prompt("answer", question=question.text, passages=(), thoughts=())
    choice = await Session(model).choose(ask, (question.answers[0], *rivals))
    return True if choice.index == 0 else None


def _others(world: World, question: Question, seed: int, purpose: str) -> list[Value]:
    """Objects that the relation has elsewhere, none of them an answer, shuffled."""
    ((subject, relation, _),) = question.query
    right = set(world.universe.objects(subject, relation))
    facts = world.universe.by_relation[relation]
    others = [v for v in dict.fromkeys(f.object for f in facts) if v not in right]
    stream(seed, purpose, question.id).shuffle(others)
    return others


def _case(case: str, world: World, question: Question, seed: int) -> SourceCase | None:
    """The case, or None where the world can't make it of this question."""
    ((subject, _, _),) = question.query
    distractors = _distractors(world, question, seed)
    gold: list[Passage] = []
    told: tuple[str, ...] = ()
    if case in ("documents", "both"):
        gold = [world.pages[subject]]
    elif case == "conflict":
        altered = _altered(world, question, seed)
        if altered is None:
            return None
        page, told = altered
        gold = [page]
    passages = [*gold, *distractors[: PASSAGES - len(gold)]]
    if len(passages) < 2:
        return None
    stream(seed, "order", case, question.id).shuffle(passages)
    return SourceCase(case, question, tuple(passages), world.name, told, subject if gold else "")


def _altered(world: World, question: Question, seed: int) -> tuple[Passage, tuple[str, ...]] | None:
    """The subject's page, saying another object of the relation wherever it says the right one."""
    ((subject, relation, _),) = question.query
    right = world.universe.objects(subject, relation)
    document = next(d for d in world.marked if d.entity == subject)
    mentioned = {s.value for s in document.segments if isinstance(s, Ref)}
    others = [v for v in _others(world, question, seed, "altered") if v not in mentioned]
    if len(right) != 1 or not others:
        return None
    other = others[0]
    segments = tuple(
        Ref(other) if isinstance(s, Ref) and s.value == right[0] else s for s in document.segments
    )
    page = MarkedDocument(subject, segments).render(world.names, world.pages.keys())
    if any(_says(page, a) for a in question.answers):
        return None
    forms = world.names.forms(other) if isinstance(other, str) else (world.names.value(other),)
    return page, tuple(forms)


def _distractors(world: World, question: Question, seed: int) -> list[Passage]:
    """Pages that don't hold the answer beside the subject: half mention the subject, half are
    of its kind; more of the second where there are few of the first."""
    ((subject, _, _),) = question.query
    names = world.names.forms(subject)
    near, alike = [], []
    kind = world.universe.entities[subject].type
    for page in world.pages.values():
        if page.id == subject:
            continue
        mentions = any(n in page.text for n in names)
        if mentions and any(_says(page, a) for a in question.answers):
            continue
        if mentions:
            near.append(page)
        elif world.universe.entities[page.id].type == kind:
            alike.append(page)
    draw = stream(seed, "distractors", question.id)
    draw.shuffle(near)
    draw.shuffle(alike)
    return [*near[: PASSAGES // 2], *alike[:PASSAGES], *near[PASSAGES // 2 :]]


def _says(page: Passage, answer: str) -> bool:
    return answer in page.text or answer in page.title
