"""What a policy earns in a grid world, to the last digit: no episode has to be played.

With j steps left, state s = (cell, things there), and M the chances of things to come back,

    V_0 = 0
    V_j(s) = Σ_a π(a|s) [ r(s, a) + (1 − e(s, a)) Σ_m M(m'(s, a), m) V_{j−1}(c'(s, a), m) ]

and the expected return of an episode is the mean of V_limit over the cells it may start in. With
the maximum over a in place of the mean under π it is the return of the best agent that knows the
clock, an upper bound for all that don't (``best_return``).

Ours: paper 17 estimates returns from episodes.
"""

from __future__ import annotations

import numpy as np

from scrubjay.worlds.gridworld import Floats, GridWorld


def expected_return(world: GridWorld, policy: Floats) -> Floats:
    """The return (C,) of an episode under ``policy`` (C, S, A); discount 1."""
    by_action = np.ascontiguousarray(np.moveaxis(policy, -1, 0))
    return _backups(world, lambda q: (q * by_action).sum(axis=0))


def best_return(world: GridWorld) -> Floats:
    """The highest that any agent can expect, (C,)."""
    return _backups(world, lambda q: q.max(axis=0))


def random_return(world: GridWorld) -> Floats:
    """That of an agent that chooses blindly, (C,)."""
    return _backups(world, lambda q: q.mean(axis=0))


def _backups(world: GridWorld, choose) -> Floats:  # type: ignore[no-untyped-def]
    count, sets = len(world.all), 1 << world.things
    rows = np.arange(count)[:, None]
    cell, there = np.divmod(np.arange(world.states), sets)
    # The action stands in front, (A, C, S): numpy sums over a short last axis slowly. A flat index
    # into all rows: np.take is several times faster than indexing by three arrays.
    cell = np.moveaxis(world.next[:, cell], -1, 0)
    thing = world.thing_at[rows, cell]
    taken = (there >> thing) & 1
    reward = world.reward[rows, thing] * taken
    goes_on = 1 - world.ends[rows, thing] * taken
    left = rows * world.states + (cell << world.things | there & ~(taken << thing))
    back = _chances_back(world.returns, world.things)
    value, found = np.zeros((count, world.states), np.float32), np.zeros(count)
    starting = np.arange(world.cells) < world.free[:, None]
    first = world.starts << world.things | world.all[:, None]
    for steps in range(1, int(world.limit.max()) + 1):
        after = value.reshape(count, world.cells, sets) @ back.transpose(0, 2, 1)
        value = choose(reward + goes_on * np.take(after, left))
        now = world.limit == steps
        if now.any():
            mean = (np.take_along_axis(value, first, axis=1) * starting).sum(axis=1) / world.free
            found[now] = mean[now]
    return found


def _chances_back(returns: Floats, things: int) -> Floats:
    """(C, 2^K, 2^K): from what is there to what is there a moment later."""
    sets = np.arange(1 << things)
    out = np.ones((len(returns), len(sets), len(sets)), np.float32)
    for k in range(things):
        before, after = (sets[:, None] >> k) & 1, (sets[None] >> k) & 1
        chance = returns[:, k, None, None]
        gone = np.where(after == 1, chance, 1 - chance)
        out *= np.where(before == 1, (after == 1).astype(np.float32), gone)
    return out
