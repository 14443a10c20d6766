"""Self-practice, its splits, and a critic on planted evidence."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agents.scripted import Scripted, Shelf

from scrubjay.agents import MultiRoundRAG, OracleCritic, PromptedReasoner, Session, StopRule
from scrubjay.agents.reasoner import Attempt
from scrubjay.agents.search_state import SearchState
from scrubjay.core import Passage, Question, RunMismatch, ScrubjayError
from scrubjay.core.files import JsonLines
from scrubjay.evaluation import exact_match
from scrubjay.evaluation.stopping import sufficiency
from scrubjay.training import (
    Practice,
    PracticeRow,
    balance_by_group,
    self_practice,
    split_by_group,
    train_critic,
)
from scrubjay.training.critic import logistic

PAGES = [Passage(i, f"{i} is a town in Chad.", i) for i in "abcdefgh"]
QUESTIONS = [Question(f"q{i}", f"Where is {p.title}?", ("Chad",)) for i, p in enumerate(PAGES)]


def practise(file: Path, model: Any, questions: Sequence[Question] = QUESTIONS, **more: Any) -> Any:
    return asyncio.run(
        self_practice(
            PromptedReasoner(),
            questions,
            lambda _: Session(model, Shelf(PAGES)),
            file,
            world="w",
            practice=Practice(rounds=2, chunk=3, **more),
        )
    )


def test_practice_goes_on_after_a_right_answer_and_rows_hold_no_truth(tmp_path: Path) -> None:
    model = Scripted(["Chad"])
    rows = practise(tmp_path / "p.jsonl", model)
    assert [r.round for r in rows] == [0, 1, 2] * len(QUESTIONS)
    assert all(r.label for r in rows)
    assert all(r.state.question.answers == () for r in rows)
    assert len(rows[2].state.passages) == 4
    assert [PracticeRow.from_dict(r.to_dict()) for r in rows] == rows


def test_killed_practice_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    whole = practise(tmp_path / "a.jsonl", Scripted(["Chad"]))

    class Killed(Scripted):
        async def generate(self, *a: Any, **k: Any) -> Any:
            if len(self.asked) > 20:
                raise KeyboardInterrupt
            return await super().generate(*a, **k)

    with pytest.raises(KeyboardInterrupt):
        practise(tmp_path / "b.jsonl", Killed(["Chad"]))
    assert 1 < len(JsonLines(tmp_path / "b.jsonl").read()) < 4
    fresh = Scripted(["Chad"])
    assert practise(tmp_path / "b.jsonl", fresh) == whole
    assert len(fresh.asked) < 5 * len(QUESTIONS)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_practice_of_other_questions_or_settings_is_refused(tmp_path: Path) -> None:
    practise(tmp_path / "p.jsonl", Scripted(["Chad"]))
    for more in ({"questions": QUESTIONS[1:]}, {"k": 3}):
        with pytest.raises(RunMismatch, match="other questions or settings"):
            practise(tmp_path / "p.jsonl", Scripted(["Chad"]), **more)


def test_questions_without_answers_are_passed_over(tmp_path: Path) -> None:
    assert practise(tmp_path / "p.jsonl", Scripted(["x"]), [Question("q", "Where?")]) == []


def test_live_rule_ends_where_practice_says_it_would(tmp_path: Path) -> None:
    lines = ["Peru", "q", "Chad", "Chad"]
    (question,) = QUESTIONS[:1]
    rows = practise(tmp_path / "p.jsonl", Scripted(["Peru", "Chad", "more", "Chad"]), [question])
    first = next(r.round for r in rows if r.label)
    agent = MultiRoundRAG(rule=StopRule(OracleCritic(exact_match), max_rounds=2), feedback=False)
    session = Session(Scripted([lines[0], lines[2]]), Shelf(PAGES))
    answer = asyncio.run(agent.answer(question, session))
    assert answer.trace.cost.searches == first == 1


def rows_of(labels: Sequence[tuple[str, str, bool]]) -> list[PracticeRow]:
    return [
        PracticeRow(q, w, 0, SearchState(Question(q, "x")), Attempt("y", logprob=-1.0), label)
        for w, q, label in labels
    ]


ROWS = st.lists(
    st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdefghij"), st.booleans()), max_size=60
)


@settings(max_examples=60)
@given(ROWS, st.integers(0, 3))
def test_splits_keep_questions_whole_and_lose_nothing(labels: Any, seed: int) -> None:
    rows = rows_of(labels)
    learn, held = split_by_group(rows, 0.3, seed)
    assert not {(r.world, r.question) for r in learn} & {(r.world, r.question) for r in held}
    assert sorted(map(id, [*learn, *held])) == sorted(map(id, rows))


@settings(max_examples=60)
@given(ROWS, st.integers(0, 3))
def test_balance_is_even_in_every_world(labels: Any, seed: int) -> None:
    rows = rows_of(labels)
    kept = balance_by_group(rows, seed)
    for world in "uvw":
        all_of = [r.label for r in rows if r.world == world]
        mine = [r.label for r in kept if r.world == world]
        assert sum(mine) * 2 == len(mine) == 2 * min(sum(all_of), len(all_of) - sum(all_of))
    assert kept == balance_by_group(rows, seed)


def test_logistic_regression_finds_planted_weights_and_its_gradient_vanishes() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 3))
    z = x @ np.array([1.5, -0.7, 0.0]) + 0.3
    y = (rng.random(4000) < 1 / (1 + np.exp(-z))).astype(float)
    w, b = logistic(x, y, strength=1e4)
    assert np.allclose([*w, b], [1.5, -0.7, 0.0, 0.3], atol=0.15)
    error = 1 / (1 + np.exp(-(x @ w + b))) - y
    assert abs(error.sum()) < 0.5
    assert np.abs(x.T @ error + w / 1e4).max() < 0.5


def planted(n: int, seed: int, questions: int = 0) -> list[PracticeRow]:
    """Right where the passage that names the asked town says the answer, nine times in ten."""
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        town = f"Town{rng.randrange(10**6)}"
        question = Question(f"q{i % (questions or n)}", f"In which country is {town}?")
        said, other = f"Land{rng.randrange(99)}", f"Land{rng.randrange(100, 199)}"
        good = rng.random() < 0.5
        text = f"The country of {town} is {said if good else other}. Far away lies {said}."
        state = SearchState(question).then("q", [], 1)
        rounds = (type(state.rounds[0])("q", (Passage("p", text, town),)),)
        label = good if rng.random() < 0.9 else not good
        attempt = Attempt(said, logprob=-rng.random(), tokens=2)
        rows.append(PracticeRow(question.id, "w", 0, SearchState(question, rounds), attempt, label))
    return rows


def test_a_critic_learns_what_is_planted_and_is_calibrated_on_unseen_names() -> None:
    trained = train_critic(planted(400, 1), trained_on="planted")
    test = planted(600, 2)
    p = [trained.critic.probability(r.state, r.attempt) for r in test]
    labels = [r.label for r in test]
    seen = sufficiency(
        p, labels, [r.attempt.logprob or 0 for r in test], [r.question for r in test]
    )
    assert seen.accuracy.value > 0.85
    assert (seen.over_majority.low or 0) > 0.2
    assert (seen.over_baseline.low or 0) > 0.2
    sure = [(q, y) for q, y in zip(p, labels) if q > 0.5]
    assert abs(np.mean([q for q, _ in sure]) - np.mean([y for _, y in sure])) < 0.06


def test_questions_alone_teach_nothing_when_they_are_held_out() -> None:
    """Labels that depend on the question only, many rows a question: leaking would look perfect."""
    rng = random.Random(0)
    luck = [rng.random() < 0.5 for _ in range(40)]
    rows = [
        PracticeRow(
            f"q{i % 40}", "w", i, SearchState(Question(f"q{i % 40}", f"What is {i % 40}?")),
            Attempt("y", logprob=-1.0), luck[i % 40],
        )
        for i in range(400)
    ]  # fmt: skip
    trained = train_critic(rows)
    assert (
        0.3
        < np.mean([(p > 0.5) == r.label for p, r in zip(trained.probabilities, trained.rows)])
        < 0.7
    )


def test_too_little_practice_is_refused() -> None:
    with pytest.raises(ScrubjayError, match="practise on more questions"):
        train_critic(rows_of([("u", f"q{i}", False) for i in range(50)]))
