"""Q-learning over repeated tasks: targets by hand, memories as they say, a planted task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from scrubjay.core.errors import InputError
from scrubjay.deciding.bandits import EpsilonGreedy, Greedy
from scrubjay.training.rl.dqn import DQN, Logged, Practice, discounts, double_targets, train_dqn
from scrubjay.training.rl.networks import QSpec, build_network
from scrubjay.training.rl.players import ByBandit, Chance, GreedyQ, Informed
from scrubjay.training.rl.stretches import Seen, Stretch, play
from scrubjay.worlds.arms import BernoulliArms, GaussianArms
from scrubjay.worlds.blocks import EPISODE_END, RUNNING, TASK_END, TRUNCATED, RepeatedTask
from scrubjay.worlds.lake import LakeMaze


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- targets -------------------------------------------------------------------------------------


def test_targets_by_hand_at_every_boundary() -> None:
    """Two actions; the online network picks, the slow one values, and only a task end cuts."""
    code = np.array([[RUNNING, EPISODE_END, TRUNCATED, TASK_END]])
    settings = DQN(gamma_step=0.5, gamma_episode=0.25)
    reward = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    online = torch.tensor([[[9.0, 0.0], [0.0, 1.0], [3.0, 2.0], [0.0, 5.0], [7.0, 0.0]]])
    slow = torch.tensor([[[9.0, 9.0], [8.0, 2.0], [4.0, 16.0], [6.0, 12.0], [99.0, 99.0]]])
    discount = torch.as_tensor(discounts(code, settings))
    assert discount.tolist() == [[0.5, 0.25, 0.25, 0.0]]
    found = double_targets(reward, discount, online, slow)
    # s_1: online prefers action 1, slow says 2; s_2: 0, 4; s_3: 1, 12.
    assert found.tolist() == [[1 + 0.5 * 2, 2 + 0.25 * 4, 3 + 0.25 * 12, 4.0]]


def test_an_update_moves_values_to_the_targets_and_the_slow_network_by_p() -> None:
    """One step of one update, against the same written out with plain tensors."""
    blocks = RepeatedTask(GaussianArms(2), 3)
    practice = Practice(blocks, lanes=4, steps=6, seed=1)
    network = build_network(QSpec.of(blocks.tasks, width=8), seed=2)
    before = build_network(QSpec.of(blocks.tasks, width=8), seed=2)
    (row,) = train_dqn(network, practice, DQN(updates=1, rate=0.0, gamma_episode=0.7))
    stretch = practice(0, before)
    values = before.values(stretch.seen()).detach().numpy()
    total = 0.0
    for lane in range(4):
        for t in range(6):
            y = stretch.reward[lane, t]
            if t % 3 < 2:
                y += 0.7 * values[lane, t + 1].max()
            total += (values[lane, t, stretch.action[lane, t]] - y) ** 2
    assert row.loss == pytest.approx(total / 24, rel=1e-5)
    assert row.reward == pytest.approx(stretch.reward.mean())


def test_bonus_counts_within_the_block() -> None:
    stretch = Stretch(
        observation=np.array([[0, 0, 1, 0, 0]]),
        action=np.array([[1, 1, 1, 1]]),
        reward=np.zeros((1, 4)),
        code=np.array([[EPISODE_END, EPISODE_END, TASK_END, EPISODE_END]]),
        fresh=np.zeros((1, 5), bool),
        began=np.ones((1, 5), bool),
    )
    found = stretch.with_bonus(2.0).reward[0]
    assert found == pytest.approx([2.0, 2 / np.sqrt(2), 2.0, 2.0])


# --- memory --------------------------------------------------------------------------------------

SPECS = {
    "gru": QSpec(3, 4, True, width=8),
    "gru, one step": QSpec(3, 4, True, width=8, window=1),
    "gru, nothing": QSpec(3, 4, True, width=8, blind=True),
    "transformer": QSpec(3, 4, True, "transformer", width=8),
    "transformer, 4 steps": QSpec(3, 4, True, "transformer", width=8, window=4),
    "transformer, one step": QSpec(3, 4, True, "transformer", width=8, window=1),
    "transformer, nothing": QSpec(3, 4, True, "transformer", width=8, blind=True),
}


def history(lanes: int = 3, steps: int = 12, fresh_at: tuple[int, ...] = (0,)) -> Seen:
    rng = np.random.default_rng(0)
    fresh = np.zeros((lanes, steps), bool)
    fresh[:, list(fresh_at)] = True
    return Seen(
        rng.integers(0, 4, (lanes, steps)),
        rng.integers(0, 3, (lanes, steps)),
        rng.normal(size=(lanes, steps)),
        fresh,
        rng.random((lanes, steps)) < 0.3,
    )


def reaches(spec: QSpec, seen: Seen) -> set[int]:
    """How many inputs back a change of reward or action changes the last step's values."""
    network = build_network(spec, seed=1)
    last = seen.reward.shape[1] - 1
    plain = network.values(seen)[:, -1]
    found = set()
    for back in range(last + 1):
        reward, action = seen.reward.copy(), seen.action.copy()
        reward[:, last - back] += 5.0
        action[:, last - back] = (action[:, last - back] + 1) % 3
        moved = network.values(Seen(seen.observation, action, reward, seen.fresh, seen.began))
        if not torch.equal(moved[:, -1], plain):
            found.add(back)
    return found


@pytest.mark.parametrize(
    ("name", "back"),
    [
        ("gru", range(11)),
        ("gru, one step", range(1)),
        ("gru, nothing", range(0)),
        ("transformer", range(11)),
        ("transformer, 4 steps", range(4)),
        ("transformer, one step", range(1)),
        ("transformer, nothing", range(0)),
    ],
)
def test_memory_reaches_as_far_as_it_says(name: str, back: range) -> None:
    # The first input's action and reward are of the task before: nobody sees them.
    assert reaches(SPECS[name], history()) == {*back}


@pytest.mark.parametrize("name", ["gru", "transformer", "transformer, 4 steps"])
def test_nothing_is_remembered_across_a_boundary(name: str) -> None:
    assert reaches(SPECS[name], history(fresh_at=(0, 9))) == {0, 1}


@pytest.mark.parametrize("name", ["gru, nothing", "transformer, nothing"])
def test_without_history_only_the_observation_counts(name: str) -> None:
    network, seen = build_network(SPECS[name], seed=1), history(lanes=200, steps=3)
    values = network.values(seen)[:, -1].detach().numpy()
    for kind in range(4):
        rows = values[seen.observation[:, -1] == kind]
        assert np.ptp(rows, axis=0).max() < 1e-6
    assert np.ptp(values, axis=0).max() > 1e-3


@pytest.mark.parametrize("name", list(SPECS))
def test_step_by_step_is_the_same_as_at_once(name: str) -> None:
    network, seen = build_network(SPECS[name], seed=3), history(fresh_at=(0, 5))
    seen.fresh[1, 7] = True
    at_once, state = network.values(seen), None
    for t in range(12):
        one = Seen(*(getattr(seen, k)[:, t : t + 1] for k in Seen.__slots__))
        values, state = network(*network.spec.encode(one), state)
        assert torch.allclose(values[:, 0], at_once[:, t], atol=1e-5)


# --- playing -------------------------------------------------------------------------------------


def test_a_stretch_holds_what_the_stream_gave_and_boundaries_can_be_hidden() -> None:
    for visible in (True, False):
        blocks = RepeatedTask(LakeMaze(3, 3, least=2, limit=4), 2, boundary_visible=visible)
        stretch = play(blocks.open(5, 1), Chance(4), 40, seed=2)
        again = blocks.open(5, 1)
        assert (stretch.observation[:, 0] == again.observation).all()
        for t in range(40):
            step = again.step(stretch.action[:, t])
            assert (step.observation == stretch.observation[:, t + 1]).all()
            assert (step.reward == stretch.reward[:, t]).all()
            assert (stretch.began[:, t + 1] == (step.code != RUNNING)).all()
            assert (stretch.fresh[:, t + 1] == (visible & (step.code == TASK_END))).all()
        seen = stretch.seen()
        assert (seen.action[:, 1:] == stretch.action).all()
        assert (seen.reward[:, 1:] == stretch.reward).all()


def test_ties_are_broken_at_random_and_epsilon_is_what_it_says() -> None:
    network = build_network(QSpec(4, width=4), seed=0)
    with torch.no_grad():
        for p in network.parameters():
            p.zero_()
    blocks = RepeatedTask(GaussianArms(4), 1)
    counts = np.bincount(play(blocks.open(4000, 1), GreedyQ(network), 1).action.ravel())
    assert counts / 4000 == pytest.approx([0.25] * 4, abs=0.03)
    with torch.no_grad():
        dict(network.named_parameters())["advantage.bias"][2] = 1.0
    stretch = play(blocks.open(4000, 1), GreedyQ(network, epsilon=0.4), 1)
    assert (stretch.action == 2).mean() == pytest.approx(0.6 + 0.4 / 4, abs=0.03)
    assert (play(blocks.open(9, 1), GreedyQ(network), 3).action == 2).all()


def test_a_bandit_starts_anew_with_every_block() -> None:
    blocks = RepeatedTask(BernoulliArms(2), 10)
    stretch = play(blocks.open(2000, 1), ByBandit(Greedy(), 2, 10), 30)
    by_pull = stretch.reward.mean(axis=0).reshape(3, 10)
    assert (by_pull[:, -1] > 0.57).all()
    assert by_pull[:, 0] == pytest.approx([0.5] * 3, abs=0.05)


def test_whoever_knows_the_lake_wins_every_episode() -> None:
    stream = RepeatedTask(LakeMaze(), 3).open(20, 5)
    stretch = play(stream, Informed(stream.tasks.optimal), 48)
    assert (stretch.reward.sum(axis=1) >= 3).all()
    assert ((stretch.code == RUNNING) | (stretch.reward == 1)).all()


# --- learning ------------------------------------------------------------------------------------


class TellingArms(BernoulliArms):
    """Two arms; the good one pays 1 always, the other never: one pull tells all."""

    def open(self, lanes, rng):  # type: ignore[no-untyped-def]
        tasks = super().open(lanes, rng)
        renew = tasks.renew

        def planted(where):  # type: ignore[no-untyped-def]
            renew(where)
            tasks.means = np.where(tasks.means == tasks.means.max(1, keepdims=True), 1.0, 0.0)

        tasks.renew = planted  # type: ignore[method-assign]
        return tasks


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_a_small_network_learns_to_stay_or_change(kind) -> None:  # type: ignore[no-untyped-def]
    blocks = RepeatedTask(TellingArms(2), 4)
    network = build_network(QSpec.of(blocks.tasks, kind=kind, width=12), seed=0)
    settings = DQN(updates=200, rate=1e-2, polyak=0.2)
    train_dqn(network, Practice(blocks, lanes=64, steps=4, anneal=100), settings)
    reward = play(blocks.open(300, 9, "test"), GreedyQ(network), 4).reward.mean(axis=0)
    assert reward[0] == pytest.approx(0.5, abs=0.12)
    assert (reward[1:] > 0.99).all()


def test_a_log_of_chance_teaches_the_same() -> None:
    blocks = RepeatedTask(TellingArms(2), 4)
    log = play(blocks.open(500, 3, "log"), Chance(2), 4)
    network = build_network(QSpec.of(blocks.tasks, width=12), seed=0)
    train_dqn(network, Logged(log, lanes=64), DQN(updates=200, rate=1e-2, polyak=0.2))
    reward = play(blocks.open(300, 9, "test"), GreedyQ(network), 4).reward.mean(axis=0)
    assert (reward[1:] > 0.99).all()


def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    blocks = RepeatedTask(GaussianArms(2), 5)
    practice, settings = Practice(blocks, lanes=8, steps=10, anneal=10), DQN(updates=12, bonus=0.1)
    spec = QSpec.of(blocks.tasks, width=6)

    whole = build_network(spec, seed=1)
    expected = train_dqn(whole, practice, settings)

    class Killed(Exception):
        pass

    def stop(done: int, row: object) -> None:
        if done == 8:
            raise Killed

    with pytest.raises(Killed):
        train_dqn(
            build_network(spec, seed=1),
            practice,
            settings,
            checkpoint=tmp_path / "s",
            every=5,
            look=stop,
        )
    resumed, seen = build_network(spec, seed=1), []
    found = train_dqn(
        resumed, practice, settings, checkpoint=tmp_path / "s", look=lambda n, row: seen.append(n)
    )
    assert seen[0] == 6
    assert found == expected
    for a, b in zip(resumed.parameters(), whole.parameters()):
        assert torch.equal(a, b)


def test_rewards_that_are_no_numbers_are_one_sentence() -> None:
    class Broken(BernoulliArms):
        def open(self, lanes, rng):  # type: ignore[no-untyped-def]
            tasks = super().open(lanes, rng)
            step = tasks.step

            def broken(actions):  # type: ignore[no-untyped-def]
                done = step(actions)
                done.reward[0] = np.nan
                return done

            tasks.step = broken  # type: ignore[method-assign]
            return tasks

    blocks = RepeatedTask(Broken(2), 2)
    network = build_network(QSpec.of(blocks.tasks, width=4))
    with pytest.raises(InputError, match="must be a finite number, not nan"):
        train_dqn(network, Practice(blocks, lanes=4, steps=2), DQN(updates=1))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: QSpec(1), "nothing to choose among 1"),
        (lambda: QSpec(3, window=0), "window holds at least one step"),
        (lambda: QSpec(3, window=-2), "window holds at least one step"),
        (lambda: QSpec(3, window=5), "take a transformer for 5 steps"),
        (lambda: QSpec(3, width=7), "even number"),
        (lambda: QSpec(3, kind="cnn"), "'gru' or 'transformer'"),
        (lambda: DQN(updates=0), "at least one update"),
        (lambda: DQN(gamma_episode=1.0), r"lies in \[0, 1\)"),
        (lambda: DQN(gamma_step=float("nan")), r"lies in \[0, 1\)"),
        (lambda: GreedyQ(build_network(QSpec(2)), epsilon=1.5), "a probability"),
        (
            lambda: play(RepeatedTask(BernoulliArms(2), 1).open(2, 0), Chance(2), 0),
            "at least one step",
        ),
        (
            lambda: play(
                RepeatedTask(BernoulliArms(2), 3, "geometric").open(50, 0),
                ByBandit(EpsilonGreedy(0.1), 2, 9),
                9,
            ),
            "blocks of one fixed length",
        ),
    ],
)
def test_bad_settings_are_one_sentence(make, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        make()
