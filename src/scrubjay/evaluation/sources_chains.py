"""Source cases of multi-hop questions: the facts of one answer are split over several documents.

    case        world  closed book     pages of the chain   an answer's source
    memory      real   right           not all of them      memory, if it is right
    documents   twin   can't be right  all                  documents, if it is right
    both        real   right           all                  both, if it is right
    conflict    real   right           all, another object  documents if it is that object,
                                       in the answer's place  memory if it is right
    neither     twin   can't be right  not all of them      nowhere, whatever it says

Pages are whole, in any order, 3 to 10 of them, as agents really have them before them: distractors
name somebody on the chain or are of a kind with its pages. Where the chain is to be broken, one or
more of its pages are missing, and with them every page that names both ends of an edge that was
lost; so the edge can't be read anywhere. What is left of the chain stays: half a chain is what
agents mostly find, and it must not pass for the whole.

*Memory* means that the model gives the answer without a document (``known_questions``: in two
phrasings, before its rivals); whether it walks the chain inside can't be told from outside, and is
not claimed. An answer of which one hop is remembered and the other one read has no label among
the four; no case is built of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from scrubjay.core.nouns import Passage, Question
from scrubjay.core.randomness import stream
from scrubjay.evaluation.sources import CASES, Edge, SourceCase, altered, check_cases, forms, says
from scrubjay.evaluation.sources_known import ANSWER
from scrubjay.worlds.items import Item, render
from scrubjay.worlds.universe import Value
from scrubjay.worlds.world import World

FEWEST, MOST = 3, 10
"""Passages of a case."""


def chain_cases(
    world: World,
    twin: World,
    known: Sequence[Item],
    n: int,
    *,
    unknown: Sequence[Item] = (),
    cases: Sequence[str] = CASES,
    seed: int = 0,
) -> list[SourceCase]:
    """Up to ``n`` of each case, as ``source_cases`` makes them of single facts.

    Args:
        known: multi-hop items that the model answers closed book; the cases of memory are about
            these, in ``world``, the others about the same in ``twin``.
        unknown: items it can't answer; the cases without memory are then about these in ``world``.

    Raises:
        ValueError: a case that isn't among ``CASES``, or a question with more than one way through.
    """
    check_cases(cases)
    out: list[SourceCase] = []
    for case in cases:
        remembered = case in ("memory", "both", "conflict")
        home = world if remembered or unknown else twin
        asked = list(known if remembered else unknown or known)
        stream(seed, "chain cases", case, home.name).shuffle(asked)
        made: list[SourceCase] = []
        for item in asked:
            if len(made) == n:
                break
            found = _case(case, home, render(item, home.names), seed)
            made += [found] if found else []
        out += made
    return out


def edges(world: World, question: Question) -> list[Edge]:
    """The facts of the question, its variables bound; in the order of its pattern.

    Raises:
        ValueError: a variable of the pattern has several values, or none.
    """
    variables = {t for s, _, o in question.query for t in (s, o) if t.startswith("?")}
    bound: dict[str, Value] = {}
    for wanted in sorted(variables):
        swapped = {ANSWER: "?other", wanted: ANSWER}
        pattern = [(swapped.get(s, s), r, swapped.get(o, o)) for s, r, o in question.query]
        values = world.universe.query(pattern)
        if len(values) != 1:
            raise ValueError(f"{question.id}: {wanted} has {len(values)} values")
        bound[wanted] = values.pop()
    return [Edge(str(bound.get(s, s)), r, bound.get(o, o)) for s, r, o in question.query]


def tells(world: World, page: Passage, edge: Edge) -> bool:
    """Whether a page names both ends: more than stating the edge, so that nothing is missed."""
    return all(any(says(page, f) for f in forms(world, end)) for end in (edge.subject, edge.object))


def _case(case: str, world: World, question: Question, seed: int) -> SourceCase | None:
    """The case, or None where the world can't make it of this question."""
    chain = edges(world, question)
    draw = stream(seed, "chain", case, question.id)
    pages = [world.pages[e.subject] for e in chain]
    told: tuple[str, ...] = ()
    lost: list[Edge] = []
    if case == "conflict":
        answers = world.universe.query(question.query)
        last = [e for e in chain if e.subject in answers or e.object in answers]
        if len(last) != 1 or last[0].object not in answers:
            return None
        found = altered(world, question, last[0], [e.subject for e in chain], seed)
        if found is None:
            return None
        pages, told = found
        lost = last
    elif case in ("memory", "neither"):
        pages, lost = _broken(world, chain, draw)
    gold = tuple(p.id for p in pages) if not lost or case == "conflict" else ()
    size = draw.randint(max(FEWEST, len(pages) + 1), MOST)
    pages += _distractors(world, chain, lost, size - len(pages), draw)
    draw.shuffle(pages)
    return SourceCase(case, question, tuple(pages), world.name, told, gold)


def _broken(world: World, chain: Sequence[Edge], draw: Random) -> tuple[list[Passage], list[Edge]]:
    """Some pages of a chain, at least one missing, and the edges that none of these tells."""
    kept = set(draw.sample([e.subject for e in chain], draw.randrange(len(chain))))
    while True:
        lost = [e for e in chain if e.subject not in kept]
        telling = {s for s in kept if any(tells(world, world.pages[s], e) for e in lost)}
        if not telling:
            return [world.pages[e.subject] for e in chain if e.subject in kept], lost
        kept -= telling


def _distractors(
    world: World, chain: Sequence[Edge], lost: Sequence[Edge], n: int, draw: Random
) -> list[Passage]:
    """Pages off the chain, none of which tells a lost edge: half name somebody on it, half are of a
    kind with its pages."""
    on = {e.subject for e in chain}
    kinds = {world.universe.entities[s].type for s in on}
    met = {end for e in chain for end in (e.subject, e.object) if isinstance(end, str)}
    near, alike = [], []
    for id, page in world.pages.items():
        if id in on:
            continue
        if any(isinstance(v, str) and v in met for _, _, v, _ in page.meta["mentions"]):
            near.append(page)
        elif world.universe.entities[id].type in kinds:
            alike.append(page)
    draw.shuffle(near)
    draw.shuffle(alike)
    mixed = [p for pair in zip(near, alike) for p in pair]
    rest = near[len(mixed) // 2 :] + alike[len(mixed) // 2 :]
    fit = (p for p in [*mixed, *rest] if not any(tells(world, p, e) for e in lost))
    return [p for _, p in zip(range(n), fit)]
