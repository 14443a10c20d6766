"""What study 53 asks: chains of one to three facts, told in other words than the graph's own.

    The author of The Tin Moth is a certain person. In which city was that person born?
    Marrow / Dunlin / Hale / Brindle          (all cities, all as near to The Tin Moth)

The graph says "the birthplace of the author of The Tin Moth"; a question uses the relation's other
phrasings, so that choosing a relation needs language. Distractors have the answer's type and, where
there are enough of them, its distance from the question's entity: what is merely near is no clue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scrubjay.core.nouns import Question
from scrubjay.core.randomness import stream
from scrubjay.worlds.knowledge import KnowledgeGraph
from scrubjay.worlds.universe import Fact, Universe
from scrubjay.worlds.world import World, load_world
from scrubjay.worlds.writer import type_label


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    universes: int
    entities: int
    each: int
    """Questions of each length, a universe."""
    atlas: int
    """Questions of each length over real names and over invented ones."""


SIZES = {
    "smoke": Size(1, 60, 1, 0),
    "laptop": Size(3, 150, 6, 8),
    "full": Size(3, 300, 100, 100),
}
HOPS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its four candidates (entity ids)."""

    question: Question
    right: str
    candidates: tuple[str, ...]
    hops: int
    chain: tuple[str, ...]
    """Ids of the nodes on the way, the question's entity first."""
    even: bool
    """Whether every distractor is as far from the question's entity as the answer."""


def made(spec: str, seed: int) -> World:
    """The world of a specification: 'random:150', 'atlas', 'atlas twin'."""
    if spec.endswith(" twin"):
        return load_world(spec.removesuffix(" twin"), seed=seed).twin(seed)
    return load_world(spec, seed=seed)


def questions(world: World, each: int, seed: int) -> list[Asked]:
    """``each`` questions of every length. A world and its twin get the same, in other names."""
    graph = world.knowledge
    asked = []
    for hops in HOPS:
        taken = 0
        for chain in _chains(world.universe, hops, seed):
            one = _asked(world, graph, chain, seed)
            if one is not None:
                asked.append(one)
                taken += 1
            if taken == each:
                break
    return asked


def _chains(universe: Universe, hops: int, seed: int) -> Iterator[tuple[Fact, ...]]:
    """Chains of facts that lead to one entity only, relations in turn, each head once."""
    rng = stream(seed, "chains", hops)
    heads = list(universe.by_subject)
    rng.shuffle(heads)
    used: dict[tuple[str, ...], int] = {}
    waiting = []
    for head in heads:
        ways = [
            c for c in _from(universe, head, hops) if len({head, *(f.object for f in c)}) > hops
        ]
        if ways:
            # The least used sequence of relations first, so that none makes up all questions.
            rng.shuffle(ways)
            best = min(ways, key=lambda c: used.get(tuple(f.relation for f in c), 0))
            key = tuple(f.relation for f in best)
            used[key] = used.get(key, 0) + 1
            waiting.append((used[key], best))
    waiting.sort(key=lambda pair: pair[0])
    yield from (chain for _, chain in waiting)


def _from(universe: Universe, head: str, hops: int) -> list[tuple[Fact, ...]]:
    found: list[tuple[Fact, ...]] = []
    for fact in universe.by_subject.get(head, ()):
        relation = universe.relations[fact.relation]
        single = len(universe.objects(head, fact.relation)) == 1
        if not (single and isinstance(fact.object, str) and relation.question):
            continue
        if hops == 1:
            found.append((fact,))
        else:
            found += [(fact, *rest) for rest in _from(universe, fact.object, hops - 1)]
    return found


def _asked(world: World, graph: KnowledgeGraph, chain: tuple[Fact, ...], seed: int) -> Asked | None:
    universe, head, right = world.universe, chain[0].subject, str(chain[-1].object)
    distance = graph.distances(head)
    kind = universe.entities[right].type
    others = [
        e.id for e in universe.by_type[kind] if e.id not in (head, right) and e.id in distance
    ]
    rng = stream(seed, "distractors", head, right)
    rng.shuffle(others)
    others.sort(key=lambda e: abs(distance[e] - distance[right]))
    if len(others) < 3:
        return None
    candidates = [right, *others[:3]]
    rng.shuffle(candidates)
    ways = "|".join(f.relation for f in chain)
    question = Question(
        f"{head}/{ways}",
        _text(world, chain),
        (world.names.name(right),),
        "multihop" if len(chain) > 1 else "recall",
        f"{len(chain)} hops",
        answer_type=kind,
        query=tuple(
            (f.subject if i == 0 else f"?{i}", f.relation,
             "?answer" if i == len(chain) - 1 else f"?{i + 1}")
            for i, f in enumerate(chain)
        ),
    )  # fmt: skip
    return Asked(
        question, right, tuple(candidates), len(chain), (head, *(str(f.object) for f in chain)),
        all(distance[o] == distance[right] for o in others[:3]),
    )  # fmt: skip


def _text(world: World, chain: tuple[Fact, ...]) -> str:
    """All facts but the last as statements about somebody or something, the last as a question."""
    universe, said = world.universe, []
    here = world.names.name(chain[0].subject)
    for fact in chain[:-1]:
        relation = universe.relations[fact.relation]
        kind = type_label(universe.entities[str(fact.object)].type)
        told = relation.phrasings[-1 if len(relation.phrasings) > 1 else 0]
        text = told.replace("[S]", "\0").replace("[O]", f"a certain {kind}")
        text = text.replace("\0", here)
        said.append(text[0].upper() + text[1:])
        here = f"that {kind}"
    asked = universe.relations[chain[-1].relation].question.replace("[S]", here)
    return " ".join([*said, asked])
