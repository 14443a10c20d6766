"""Floor and ceiling: baselines on worlds whose truth is known."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from scrubjay.agents import MostFrequentAnswer, Oracle, RandomOfType, Session, make_agent
from scrubjay.agents.ranking import Ranking
from scrubjay.core import Question, UnknownName
from scrubjay.evaluation import f1
from scrubjay.models.types import Scored
from scrubjay.worlds import World, random_universe


@pytest.fixture(scope="module")
def worlds() -> tuple[World, World]:
    real = World.build(random_universe(entities=150, seed=4), "baselines")
    return real, real.twin(2)


def scores(agent: object, questions: list[Question], seed: int = 0) -> list[float]:
    async def run() -> list[str]:
        return [(await agent.answer(q, Session(seed=seed))).text for q in questions]  # type: ignore[attr-defined]

    return [f1(text, q.answers) for text, q in zip(asyncio.run(run()), questions)]


def test_the_oracle_is_always_right_in_every_world(worlds: tuple[World, World]) -> None:
    for world in worlds:
        for task in ("recall", "multihop"):
            assert set(scores(Oracle(world), world.questions(task, 24))) == {1.0}


def test_the_frequent_answer_is_right_as_often_as_it_is_frequent(
    worlds: tuple[World, World],
) -> None:
    for world in worlds:
        agent = MostFrequentAnswer(world)
        (question,) = (q for q in world.questions("recall", 1))
        ((_, relation, obj),) = question.query
        assert obj == "?answer"
        counts = Counter(f.object for f in world.universe.by_relation[relation])
        answer = asyncio.run(agent.answer(question, Session())).text
        best = max(counts.values())
        assert answer in {world.names.value(v) for v, n in counts.items() if n == best}


def test_baselines_score_alike_in_both_worlds(worlds: tuple[World, World]) -> None:
    real, twin = worlds
    a = scores(MostFrequentAnswer(real), real.questions("recall", 60))
    b = scores(MostFrequentAnswer(twin), twin.questions("recall", 60))
    assert [x == 1 for x in a] == [x == 1 for x in b]


def test_random_answers_are_of_the_right_type_and_repeat(worlds: tuple[World, World]) -> None:
    world, _ = worlds
    questions = [
        q for q in world.questions("recall", 40) if q.answer_type in world.universe.by_type
    ]
    agent = RandomOfType(world)
    for q in questions:
        first = asyncio.run(agent.answer(q, Session(seed=1))).text
        assert first == asyncio.run(agent.answer(q, Session(seed=1))).text
        names = {world.names.name(e.id) for e in world.universe.by_type[q.answer_type]}
        assert first in names


class LikesLong:
    """Scores a continuation by its length."""

    name = "likes-long"

    async def score(self, prompt: object, continuations: list[str]) -> list[Scored]:
        return [Scored(c, (float(len(c)),)) for c in continuations]

    def count_tokens(self, text: str) -> int:
        return 1


def test_ranking_weighs_mirrored_candidates_with_the_truth_among_them(
    worlds: tuple[World, World],
) -> None:
    weighed = []
    for world in worlds:
        question = next(
            q for q in world.questions("recall", 40) if q.answer_type in world.universe.by_type
        )
        session = Session(LikesLong(), pages=world.pages)  # type: ignore[arg-type]
        answer = asyncio.run(Ranking(world, most=5).answer(question, session))
        (step,) = answer.trace
        options = [c.strip() for c in step.continuations]  # type: ignore[attr-defined]
        assert answer.text == max(options, key=len)
        assert set(options) & set(question.answers)
        assert len(options) <= 5 + len(question.answers)
        weighed.append([world.names.identify(o) for o in options])
    assert weighed[0] == weighed[1]


def test_agents_are_made_by_name(worlds: tuple[World, World]) -> None:
    world, _ = worlds
    assert make_agent("oracle", world).name == "oracle"
    assert make_agent("content-links", world).name == "content-links"
    assert make_agent("reading-ranking", world).name == "reading-ranking"
    with pytest.raises(UnknownName, match="did you mean 'ircot'"):
        make_agent("ircott", world)
