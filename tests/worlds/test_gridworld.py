"""Grid worlds against a plain one with a single environment, and returns against played ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scrubjay.core.errors import InputError
from scrubjay.worlds.gridworld import Draws, GridWorld, Level, Levels, Thing
from scrubjay.worlds.gridworld_values import best_return, expected_return, random_return


class Plain:
    """One environment, by the rules as they are told: sets and coordinates."""

    def __init__(self, level: Level, luck: float) -> None:
        self.level = level
        self.begin(luck)

    def begin(self, luck: float) -> None:
        free = [
            (y, x)
            for y in range(self.level.side)
            for x in range(self.level.side)
            if self.number(y, x) not in self.level.walls
            and self.number(y, x) not in {t.cell for t in self.level.things}
        ]
        self.y, self.x = free[int(luck * len(free))]
        self.there = set(range(len(self.level.things)))
        self.clock = 0

    def number(self, y: int, x: int) -> int:
        return y * self.level.side + x

    def step(self, action: int, luck: np.ndarray) -> tuple[float, bool]:
        name = ["up", "down", "left", "right"][self.level.moves[action]]
        y, x = self.y, self.x
        y += {"up": -1, "down": 1}.get(name, 0)
        x += {"left": -1, "right": 1}.get(name, 0)
        inside = 0 <= y < self.level.side and 0 <= x < self.level.side
        if inside and self.number(y, x) not in self.level.walls:
            self.y, self.x = y, x
        reward, over = 0.0, False
        self.clock += 1
        taken = [
            k
            for k, t in enumerate(self.level.things)
            if k in self.there and t.cell == self.number(self.y, self.x)
        ]
        for k in taken:
            reward = self.level.things[k].reward
            over = luck[0] < self.level.things[k].ends
            self.there.remove(k)
        for k, thing in enumerate(self.level.things):
            if luck[2 + k] < thing.returns:
                self.there.add(k)
        over = over or self.clock >= self.level.limit
        if over:
            self.begin(luck[1])
        return reward, over


def test_many_at_once_do_what_one_plain_world_does() -> None:
    spec = Levels(side=(3, 5), limit=(6, 20), returns=(0.05, 0.5))
    levels = [spec.draw(0, i) for i in range(12)]
    world, rng = GridWorld(levels, 3), np.random.default_rng(1)
    begin = rng.random((12, 3)).astype(np.float32)
    world.start(begin)
    plain = [[Plain(level, begin[c, e]) for e in range(3)] for c, level in enumerate(levels)]
    seen_reward = seen_back = 0
    for _ in range(150):
        actions = rng.integers(4, size=(12, 3))
        luck = rng.random((12, 3, 5)).astype(np.float32)
        rewards, ended = world.step(actions, luck)
        for c, e in np.ndindex(12, 3):
            one = plain[c][e]
            before = len(one.there)
            reward, over = one.step(int(actions[c, e]), luck[c, e])
            assert rewards[c, e] == pytest.approx(reward)
            assert ended[c, e] == over
            cell, there = divmod(int(world.observation[c, e]), 1 << world.things)
            assert cell == one.number(one.y, one.x)
            assert {k for k in range(3) if there >> k & 1} == one.there
            seen_reward += reward != 0
            seen_back += len(one.there) > before and not over
    assert seen_reward > 50
    assert seen_back > 20


def corridor(**change: object) -> Level:
    """Three cells in a row of a 3 × 3 square, the thing at the right end."""
    base = Level(3, frozenset({3, 4, 5, 6, 7, 8}), (Thing(2, 1.0, 1.0, 0.0),), 4, 1)
    return replace(base, **change)  # type: ignore[arg-type]


def test_returns_by_hand() -> None:
    # Starts: cell 0 (two steps away) and cell 1 (one step).
    world = GridWorld([corridor(), corridor(limit=1), corridor(limit=2)], 1)
    assert best_return(world) == pytest.approx([1.0, 0.5, 1.0])
    # Blindly, one step: from cell 1 right is 1 of 4 moves; from cell 0 the thing is out of reach.
    # Two steps: from cell 0 right, right: 1/16; from cell 1: 1/4 + 1/2 · 1/4 + 1/4 · 0.
    assert random_return(world)[1:] == pytest.approx([0.125, (1 / 16 + 3 / 8) / 2])
    # Taken again and again: it comes back at once, and the agent bumps into the border beside it.
    again = GridWorld([corridor(things=(Thing(2, 1.0, 0.0, 1.0),), limit=3)], 1)
    assert best_return(again) == pytest.approx([(2 + 3) / 2])


def test_expected_returns_are_those_of_played_episodes() -> None:
    spec = Levels(side=(3, 4), limit=(5, 15), returns=(0.05, 0.5))
    levels = [spec.draw(3, i) for i in range(5)]
    rng, envs = np.random.default_rng(0), 4000
    world = GridWorld(levels, envs)
    policy = rng.dirichlet(np.ones(4), size=(5, world.states))
    world.start(rng.random((5, envs)))
    alive, earned = np.ones((5, envs), bool), np.zeros((5, envs))
    for _ in range(15):
        chances = policy[np.arange(5)[:, None], world.observation].cumsum(-1)
        actions = (rng.random((5, envs, 1)) > chances[..., :3]).sum(-1)
        reward, ended = world.step(actions, rng.random((5, envs, 2 + world.things)))
        earned += reward * alive
        alive &= ~ended
    assert not alive.any()
    error = earned.std(axis=1) / envs**0.5
    exact = expected_return(world, policy)
    assert (np.abs(exact - earned.mean(axis=1)) < 4 * error + 1e-6).all()
    assert (exact <= best_return(world) + 1e-6).all()
    uniform = np.full(policy.shape, 0.25)
    assert expected_return(world, uniform) == pytest.approx(random_return(world), abs=1e-5)


def test_levels_are_of_their_distribution_and_repeat() -> None:
    spec = Levels()
    drawn = [spec.draw(0, i) for i in range(300)]
    assert drawn[7] == spec.draw(0, 7)
    assert drawn[7] != spec.draw(1, 7)
    assert {level.side for level in drawn} == {4, 5, 6}
    assert {len(level.things) for level in drawn} == {1, 2, 3}
    assert all(5 <= level.lifetime <= 60 and 20 <= level.limit <= 60 for level in drawn)
    assert all(level.things[0].reward > 0 for level in drawn)
    # A learned rule can't know which action is which.
    assert len({level.moves for level in drawn}) == 24
    assert np.median([level.lifetime for level in drawn]) == pytest.approx(300**0.5, rel=0.2)


def test_luck_belongs_to_the_level_not_to_the_batch() -> None:
    levels = [Levels().draw(0, i) for i in range(3)]
    both, alone = Draws(levels, copies=2).take(6, 4, 2), Draws(levels[1:2]).take(1, 4, 2)
    assert np.array_equal(both[2], both[3])
    assert np.array_equal(both[2], alone[0])
    assert not np.array_equal(both[0], both[2])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lifetime": -1}, "lifetime"),
        ({"limit": 0}, "limit"),
        ({"moves": (0, 0, 1, 2)}, "some order"),
        ({"walls": frozenset({2})}, "lies in a wall"),
        ({"walls": frozenset({11})}, "outside"),
        ({"things": (Thing(2, 1.0, 1.5, 0.0),)}, "between 0 and 1"),
        ({"walls": frozenset({0, 1, 3, 4, 5, 6, 7, 8})}, "no free cell"),
    ],
)
def test_a_bad_level_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        corridor(**change)
    with pytest.raises(InputError, match="at least one"):
        GridWorld([], 1)
