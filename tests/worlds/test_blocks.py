"""Streams of repeated tasks, arms, lakes and look-ups, against independent counts."""

from __future__ import annotations

import itertools
import re

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay.core.errors import InputError
from scrubjay.worlds.arms import BernoulliArms, GaussianArms
from scrubjay.worlds.blocks import (
    EPISODE_END,
    RUNNING,
    TASK_END,
    TRUNCATED,
    RepeatedTask,
)
from scrubjay.worlds.lake import LakeMaze, Lakes
from scrubjay.worlds.lookup import AskOrGuess, HiddenFacts


def test_a_fixed_block_ends_after_n_episodes_and_only_then_the_task_changes() -> None:
    stream = RepeatedTask(GaussianArms(3), 4).open(5, seed=1)
    seen = []
    for t in range(12):
        seen.append(stream.tasks.means.copy())
        code = stream.step(np.zeros(5, int)).code
        assert (code == (TASK_END if t % 4 == 3 else EPISODE_END)).all()
    for first in (0, 4, 8):
        assert all((seen[first + i] == seen[first]).all() for i in range(4))
    assert not (seen[0] == seen[4]).any()


def test_geometric_blocks_have_their_law() -> None:
    stream = RepeatedTask(BernoulliArms(2), 5, "geometric").open(400, seed=2)
    codes = np.array([stream.step(np.zeros(400, int)).code for _ in range(200)]).T
    lengths = np.concatenate([np.diff(np.flatnonzero(lane == TASK_END)) for lane in codes])
    # Cutting at 200 steps misses some long ones: 1 in 40 blocks.
    assert lengths.mean() == pytest.approx(5, abs=0.15)
    for k in (1, 2, 5, 10):
        assert (lengths > k).mean() == pytest.approx(0.8**k, abs=0.015)


def test_same_seed_same_luck_whatever_others_do() -> None:
    law = RepeatedTask(GaussianArms(3), 6)
    a, b = law.open(4, 3, "x"), law.open(4, 3, "x")
    for t in range(13):
        mine, other = np.full(4, t % 3), np.array([t % 3, 0, 1, 2])
        assert a.step(mine).reward[0] == b.step(other).reward[0]
    assert (law.open(4, 3, "y").tasks.means != law.open(4, 3, "x").tasks.means).all()


def test_arms_pay_their_means() -> None:
    stream = RepeatedTask(GaussianArms(2, spread=2, noise=0.3), 500).open(300, seed=0)
    paid = np.array([stream.step(np.ones(300, int)).reward for _ in range(400)])
    assert np.abs(paid.mean(0) - stream.tasks.means[:, 1]).max() < 0.3 / 20 * 4.5
    assert paid.std(0).mean() == pytest.approx(0.3, abs=0.005)
    assert stream.tasks.means.std() == pytest.approx(2, abs=0.15)
    coins = RepeatedTask(BernoulliArms(2), 500).open(300, seed=0)
    paid = np.array([coins.step(np.ones(300, int)).reward for _ in range(400)])
    assert set(np.unique(paid)) == {0.0, 1.0}
    assert np.abs(paid.mean(0) - coins.tasks.means[:, 1]).max() < 0.5 / 20 * 4.5
    assert coins.tasks.means.mean() == pytest.approx(0.5, abs=0.05)


# --- lakes ---------------------------------------------------------------------------------------


def lakes(law: LakeMaze, lanes: int = 30, seed: int = 0) -> Lakes:
    tasks = RepeatedTask(law, 1).open(lanes, seed).tasks
    assert isinstance(tasks, Lakes)
    return tasks


def test_a_lake_moves_as_gymnasiums_frozen_lake() -> None:
    law = LakeMaze(4, 3, limit=9)
    stream = RepeatedTask(law, 1000).open(6, seed=4)
    tasks = stream.tasks
    games = []
    for lane in range(6):
        grid = np.where(tasks.holes[lane], "H", "F")
        grid[tasks.begin[lane]], grid[tasks.goal[lane]] = "S", "G"
        rows = ["".join(row) for row in grid.reshape(3, 4)]
        game = gymnasium.make("FrozenLake-v1", desc=rows, is_slippery=False, max_episode_steps=9)
        assert game.reset(seed=0)[0] == stream.observation[lane]
        games.append(game)
    codes, rng = set(), np.random.default_rng(1)
    for _ in range(150):
        actions = rng.integers(0, 4, 6)
        step = stream.step(actions)
        codes |= {*step.code.tolist()}
        for lane, game in enumerate(games):
            at, paid, ended, cut, _ = game.step(int(actions[lane]))
            expected = EPISODE_END if ended else TRUNCATED if cut else RUNNING
            assert (step.reward[lane], step.code[lane]) == (paid, expected)
            if ended or cut:
                at = game.reset()[0]
            assert step.observation[lane] == at
    assert codes == {RUNNING, EPISODE_END, TRUNCATED}


def brute_value(tasks: Lakes, lane: int, gamma: float, steps: int) -> float:
    """Best discounted reward from the start over all action sequences."""
    law, best = tasks.law, 0.0
    for plan in itertools.product(range(4), repeat=steps):
        row, column = divmod(int(tasks.begin[lane]), law.width)
        for t, action in enumerate(plan):
            down, right = ((0, -1), (1, 0), (0, 1), (-1, 0))[action]
            row = min(max(row + down, 0), law.height - 1)
            column = min(max(column + right, 0), law.width - 1)
            cell = row * law.width + column
            if cell == tasks.goal[lane]:
                best = max(best, gamma**t)
            if cell == tasks.goal[lane] or tasks.holes[lane, cell]:
                break
    return best


def test_value_iteration_is_what_all_plans_find() -> None:
    tasks = lakes(LakeMaze(3, 2, holes=0.3, least=2, limit=5), lanes=12)
    values = tasks.values(0.8)
    for lane in range(12):
        expected = brute_value(tasks, lane, 0.8, 5)
        assert values[lane, tasks.begin[lane]] == pytest.approx(expected)
        assert expected == pytest.approx(0.8 ** (tasks.path[lane] - 1))
        assert values[lane, tasks.goal[lane]] == 0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(4, 4, 4, 16), (5, 2, 3, 8), (3, 3, 1, 5)]))
def test_lakes_keep_their_law_and_can_be_walked(seed: int, shape: tuple) -> None:
    width, height, least, limit = shape
    law = LakeMaze(width, height, 0.2, least, limit)
    stream = RepeatedTask(law, 1000).open(16, seed)
    tasks = stream.tasks
    assert ((tasks.path >= least) & (tasks.path <= limit)).all()
    assert not tasks.holes[np.arange(16), tasks.goal].any()
    won_at = np.zeros(16, int)
    for t in range(1, int(tasks.path.max()) + 1):
        step = stream.step(tasks.optimal())
        won_at = np.where((won_at == 0) & (step.reward == 1), t, won_at)
    assert (won_at == tasks.path).all()


# --- ask or guess --------------------------------------------------------------------------------


def test_looking_up_costs_and_shows_the_fact_once() -> None:
    law = AskOrGuess(values=3, cost=0.25, questions=2)
    stream = RepeatedTask(law, 5).open(50, seed=1)
    facts = stream.tasks
    assert isinstance(facts, HiddenFacts)
    asked, truth = stream.observation // 4, facts.facts.copy()
    assert (stream.observation % 4 == 3).all()
    step = stream.step(np.full(50, law.look_up))
    assert (step.reward == -0.25).all()
    assert (step.observation % 4 == truth[np.arange(50), asked]).all()
    asked = step.observation // 4
    assert {*asked.tolist()} == {0, 1}
    step = stream.step(np.full(50, 2))
    assert (step.reward == (truth[np.arange(50), asked] == 2)).all()
    assert (step.observation % 4 == 3).all()
    assert (facts.facts == truth).all()
    for _ in range(2):
        stream.step(np.full(50, 0))
    last = stream.step(np.full(50, law.look_up))
    # What the last look-up showed belongs to the old task and is not shown.
    assert (last.code == TASK_END).all()
    assert (last.observation % 4 == 3).all()


def played_out(law: AskOrGuess, block: int, policy: tuple[int, ...]) -> float:
    """Expected total of one question: policy[m] says from how many episodes left on to look up
    while m values are possible; else guess the lowest."""

    def worth(m: int, left: int) -> float:
        if not left:
            return 0.0
        if m == 1:
            return left
        if left >= policy[m]:
            return -law.cost + (left - 1)
        return (1 / m) * left + (1 - 1 / m) * worth(m - 1, left - 1)

    return worth(law.values, block)


@pytest.mark.parametrize("cost", [0.0, 0.3, 0.9, 1.5, 3.0])
def test_the_optimum_of_one_question_is_the_best_of_all_threshold_plans(cost: float) -> None:
    law, block = AskOrGuess(4, cost), 5
    plans = itertools.product(range(1, block + 2), repeat=3)
    best = max(played_out(law, block, (0, 0, *plan)) for plan in plans)
    total, better = law.optimum(block)
    assert total == pytest.approx(best)
    assert better[1].sum() == better[:, 0].sum() == 0


def test_the_optimum_of_many_questions_is_what_playing_it_brings() -> None:
    law, block, lanes = AskOrGuess(4, 0.4, questions=3), 12, 20_000
    total, better = law.optimum(block)
    stream = RepeatedTask(law, block).open(lanes, seed=3)
    rows, paid = np.arange(lanes), 0.0
    possible = np.ones((lanes, 3, 4), bool)
    for t in range(block):
        asked = stream.observation // 5
        mine = possible[rows, asked]
        look = better[mine.sum(1), block - t] == 1
        action = np.where(look, law.look_up, mine.argmax(1))
        truth = stream.tasks.facts[rows, asked]
        step = stream.step(action)
        paid += step.reward.mean()
        known = look | (step.reward == 1)
        mine[rows, np.where(look, 0, action)] &= look
        possible[rows, asked] = np.where(known[:, None], np.eye(4, dtype=bool)[truth], mine)
    assert paid == pytest.approx(total, abs=0.05)
    assert 0 < better[4].sum() < block


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: RepeatedTask(GaussianArms(), 0), "at least one episode"),
        (lambda: RepeatedTask(GaussianArms(), float("nan"), "geometric"), "at least one episode"),
        (lambda: RepeatedTask(GaussianArms(), 2.5), "whole number"),
        (lambda: RepeatedTask(GaussianArms(), 2, "odd"), "'fixed' or 'geometric'"),
        (lambda: RepeatedTask(GaussianArms(), 2).open(0, 1), "at least one lane"),
        (lambda: GaussianArms(1), "nothing to choose"),
        (lambda: BernoulliArms(1), "nothing to choose"),
        (lambda: GaussianArms(noise=0), "above 0"),
        (lambda: AskOrGuess(1), "nothing to guess"),
        (lambda: AskOrGuess(cost=-1), "from 0 up"),
        (lambda: AskOrGuess(questions=0), "at least one question"),
        (lambda: LakeMaze(1, 1), "two cells"),
        (lambda: LakeMaze(holes=1.0), "lies in [0, 1)"),
        (lambda: LakeMaze(3, 3, least=9), "doesn't fit"),
        (lambda: lakes(LakeMaze(3, 3, holes=0.0, least=8, limit=8)), "too rare"),
    ],
)
def test_bad_settings_are_one_sentence(make, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=re.escape(says)):
        make()


def test_actions_that_are_not_there_are_refused() -> None:
    stream = RepeatedTask(GaussianArms(2), 2).open(3, 0)
    with pytest.raises(ValueError, match="0 to 1"):
        stream.step([0, 2, 0])
    with pytest.raises(ValueError, match="shape"):
        stream.step([0])
