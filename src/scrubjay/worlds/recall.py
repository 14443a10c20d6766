"""Single-fact recall: one hop, from a subject to its object.

'What is the capital of France?' The easiest question there is, and so the one in which even a small
model shows what it remembers. Relations take turns; a question is dropped when more than
``MOST_ANSWERS`` answers would be right, or when the subject's name gives the answer away.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

from scrubjay.core.randomness import stream
from scrubjay.worlds.documents import MarkedDocument, Ref
from scrubjay.worlds.items import Item, RealNames, fill, stated, tidy, value_type
from scrubjay.worlds.universe import Fact, Relation, Universe, Value

MOST_ANSWERS = 4


def sample(
    universe: Universe, marked: Sequence[MarkedDocument], n: int, seed: int = 0
) -> list[Item]:
    """Up to ``n`` items, one relation after the other; ``group`` is the relation's id."""
    told, names = stated(marked), RealNames(universe)
    turns = [
        _items(universe, relation, told, names, seed)
        for relation in universe.relations.values()
        if relation.question
    ]
    return list(islice(take_turns(turns), n))


def take_turns(sources: Sequence[Iterator[Item]]) -> Iterator[Item]:
    """The first of every source, then the second of every source, …; empty sources drop out."""
    left = list(sources)
    while left:
        still = []
        for source in left:
            item = next(source, None)
            if item is not None:
                still.append(source)
                yield item
        left = still


def most_frequent_answers(universe: Universe) -> dict[str, Value]:
    """The object that each relation has most often (the first of them in a tie).

    Answering it always is the baseline that a model without memory can reach.
    """
    counts: defaultdict[str, Counter[Value]] = defaultdict(Counter)
    for fact in universe.facts:
        counts[fact.relation][fact.object] += 1
    return {r: c.most_common(1)[0][0] for r, c in counts.items()}


def _items(
    universe: Universe,
    relation: Relation,
    told: frozenset[Fact],
    names: RealNames,
    seed: int,
) -> Iterator[Item]:
    subjects = list(dict.fromkeys(f.subject for f in universe.by_relation.get(relation.id, ())))
    stream(seed, "recall", relation.id).shuffle(subjects)
    words = relation.question.replace("[S]", " ")
    for subject in subjects:
        answers = universe.objects(subject, relation.id)
        if len(answers) > MOST_ANSWERS:
            continue
        if any(Fact(subject, relation.id, answer) not in told for answer in answers):
            continue
        if any(names.clue(answer, [subject], words) for answer in answers):
            continue
        yield Item(
            "recall",
            relation.id,
            tidy(fill(relation.question, "[S]", [Ref(subject)])),
            answers,
            (subject,),
            value_type(universe, answers[0]),
            ((subject, relation.id, "?answer"),),
        )
