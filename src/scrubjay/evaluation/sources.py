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

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scrubjay.agents.focused_rag import focus
from scrubjay.agents.session import Session
from scrubjay.core.nouns import Passage, Question, Source
from scrubjay.core.randomness import stream
from scrubjay.evaluation.sources_known import is_right, rivals
from scrubjay.models.types import LanguageModel
from scrubjay.worlds.documents import MarkedDocument, Ref
from scrubjay.worlds.universe import Value
from scrubjay.worlds.world import World

CASES = ("memory", "documents", "both", "conflict", "neither")
PASSAGES = 4
"""Passages of a case."""
SENTENCES = 3
"""Sentences of a focused reading."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One fact of a question; the page of its subject states it."""

    subject: str
    relation: str
    object: Value


@dataclass(frozen=True, slots=True)
class SourceCase:
    """A question with passages, and what the answer's source is by construction."""

    case: str
    question: Question
    passages: tuple[Passage, ...]
    world: str
    told: tuple[str, ...] = ()
    """Conflict: what the altered passage says, in all its forms."""
    gold: tuple[str, ...] = ()
    """Ids of the passages that together say it (or something else in its place); empty: not all
    of them are there."""
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

    Raises:
        ValueError: a case that isn't among ``CASES``.
    """
    check_cases(cases)
    out: list[SourceCase] = []
    for case in cases:
        home = world if case in ("memory", "both", "conflict") or unknown else twin
        asked = list(known if case in ("memory", "both", "conflict") else unknown or known)
        stream(seed, "cases", case, home.name).shuffle(asked)
        asked = [in_world(q, home) for q in asked]
        made = (_case(case, home, q, seed) for q in asked)
        out += [c for c in made if c is not None][:n]
    return out


def check_cases(cases: Sequence[str]) -> None:
    """Refuse a case that isn't among ``CASES``.

    Raises:
        ValueError: there is one.
    """
    if strange := [c for c in cases if c not in CASES]:
        raise ValueError(f"no such case: {', '.join(strange)}; there are {', '.join(CASES)}")


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


def _case(case: str, world: World, question: Question, seed: int) -> SourceCase | None:
    """The case, or None where the world can't make it of this question."""
    ((subject, relation, _),) = question.query
    distractors = _distractors(world, question, seed)
    gold: list[Passage] = []
    told: tuple[str, ...] = ()
    if case in ("documents", "both"):
        gold = [world.pages[subject]]
    elif case == "conflict":
        edge = Edge(subject, relation, world.universe.objects(subject, relation)[0])
        found = altered(world, question, edge, [subject], seed)
        if found is None:
            return None
        gold, told = found
    passages = [*gold, *distractors[: PASSAGES - len(gold)]]
    if len(passages) < 2:
        return None
    stream(seed, "order", case, question.id).shuffle(passages)
    return SourceCase(case, question, tuple(passages), world.name, told, (subject,) if gold else ())


def altered(
    world: World, question: Question, edge: Edge, pages: Sequence[str], seed: int
) -> tuple[list[Passage], tuple[str, ...]] | None:
    """The pages of these entities, saying another object of the edge's relation wherever they say
    the right one; and that object in all its forms. None where the world has no other that fits,
    or the right one can still be read."""
    universe = world.universe
    if len(universe.objects(edge.subject, edge.relation)) != 1:
        return None
    documents = {d.entity: d for d in world.marked if d.entity in pages}
    mentioned = {s.value for d in documents.values() for s in d.segments if isinstance(s, Ref)}
    others = [
        v
        for v in rivals(world, question, seed, "altered")
        if v not in mentioned and v not in documents
    ]
    if not others:
        return None

    def told(page: str) -> Passage:
        segments = tuple(
            Ref(others[0]) if isinstance(s, Ref) and s.value == edge.object else s
            for s in documents[page].segments
        )
        return MarkedDocument(page, segments).render(world.names, world.pages.keys())

    made = [told(page) for page in pages]
    if any(says(page, a) for page in made for a in question.answers):
        return None
    return made, tuple(forms(world, others[0]))


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
        if mentions and any(says(page, a) for a in question.answers):
            continue
        if mentions:
            near.append(page)
        elif world.universe.entities[page.id].type == kind:
            alike.append(page)
    draw = stream(seed, "distractors", question.id)
    draw.shuffle(near)
    draw.shuffle(alike)
    return [*near[: PASSAGES // 2], *alike[:PASSAGES], *near[PASSAGES // 2 :]]


def says(page: Passage, answer: str) -> bool:
    """Whether it stands in text or title."""
    return answer in page.text or answer in page.title


def forms(world: World, value: Value) -> Sequence[str]:
    """What a value is called in a world."""
    return world.names.forms(value) if isinstance(value, str) else (world.names.value(value),)
