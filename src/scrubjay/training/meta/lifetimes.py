"""Whole lives of tabular agents in grid worlds, and what a rule is worth by the end of them.

    for n = 0 … N − 1:   play 20 steps in 8 environments;  the rule updates the agent, knowing n, N

Lifetimes differ within a batch. Agents are ordered by theirs, longest first; whoever has had all N
updates leaves the batch and is never touched again: a mask that costs nothing. A test holds
every agent of a mixed batch equal to the same agent alone.

The score of a rule is the expected return of the *final* policy, exactly (worlds.gridworld_values).
Scored along the way, exploring early would cost, and the reason to know one's horizon is gone.

``GridScore`` is antithetic task sampling: the two candidates of a pair live in the same level, from
the same initial agent, with the same luck. Equal candidates get scores equal to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from scrubjay.training.meta.agents import Agents, Rollout, play
from scrubjay.training.meta.objectives import LearnedPolicyGradient, LPGNet
from scrubjay.worlds.gridworld import Draws, GridWorld, Level, Levels
from scrubjay.worlds.gridworld_values import expected_return

Floats = np.ndarray


class Rule(Protocol):
    """A way to learn: changes agents in place after a rollout."""

    @property
    def width(self) -> int:
        """Columns of the agents' second table."""
        ...

    def update(self, agents: Agents, rollout: Rollout, done: Floats, lifetime: Floats) -> Floats:
        """Update after ``done`` of ``lifetime`` updates, (C,) each; mean size of the step's
        weights, (C,)."""
        ...

    def ordered(self, place: Floats) -> Rule:
        """The same rule for agents that stand in another order: row i is now agent place[i]."""
        ...


@dataclass(frozen=True, slots=True)
class Experience:
    """How agents gather it."""

    environments: int = 8
    steps: int = 20


EXPERIENCE, LEVELS = Experience(), Levels()


@dataclass(frozen=True, slots=True)
class Lived:
    """Agents after their lives, in the order of their levels."""

    returns: Floats
    """Expected return of the final policy, (C,)."""
    agents: Agents
    size: Floats
    """Mean |weight of log π| in every update, (C, most N); NaN where there was none."""
    entropy: Floats
    """Mean entropy of the policy where the agent was, the same."""


def live(
    rule: Rule,
    levels: Sequence[Level],
    how: Experience = EXPERIENCE,
    copies: int = 1,
    room: Levels | None = None,
) -> Lived:
    """Train an agent in every level (``copies`` of them, in adjacent rows) for its lifetime.

    Args:
        room: the distribution that tables are made large enough for; by default the largest of
            ``levels``, so that what is drawn in a level depends on what stands beside it.
    """
    order = np.argsort([-level.lifetime for level in levels], kind="stable")
    ranked = [levels[i] for i in order]
    rows = [level for level in ranked for _ in range(copies)]
    place = (order[:, None] * copies + np.arange(copies)).ravel()
    cells, things = (room.cells, room.things[1]) if room else (0, 0)
    world, draws = GridWorld(rows, how.environments, cells, things), Draws(ranked, copies)
    agents = Agents.new(world, rule.width, ranked, copies)
    whole = GridWorld(rows, 1, world.cells, world.things)
    world.start(draws.take(len(rows), how.environments))
    lifetime = np.array([level.lifetime for level in rows])
    length = int(lifetime[0])
    size, entropy = np.full((2, len(rows), length), np.nan)
    inner = rule.ordered(place)
    for n in range(length):
        alive = int((lifetime > n).sum())
        world.keep(alive)
        mine = agents.first(alive)
        rollout = play(world, mine, draws, how.steps)
        size[:alive, n] = inner.update(mine, rollout, np.full(alive, n), lifetime[:alive])
        entropy[:alive, n] = rollout.entropy
    back = np.argsort(place)
    returns = expected_return(whole, agents.probabilities())
    agents = Agents(agents.policy[back], agents.memory[back])
    return Lived(returns[back], agents, size[back], entropy[back])


@dataclass(frozen=True, slots=True)
class GridScore:
    """Scores (P, 2) of candidate objectives: P levels a step, a new set for every step."""

    net: LPGNet
    levels: Levels = LEVELS
    how: Experience = EXPERIENCE
    seed: int = 0

    def __call__(self, candidates: Floats, step: int) -> Floats:
        pairs = len(candidates) // 2
        drawn = [self.levels.draw(self.seed, "meta", step, j) for j in range(pairs)]
        rule = LearnedPolicyGradient(self.net, candidates)
        lived = live(rule, drawn, self.how, copies=2, room=self.levels)
        return lived.returns.reshape(pairs, 2)


def with_lifetime(levels: Sequence[Level], lifetime: int) -> list[Level]:
    """The same levels, all lived in for ``lifetime`` updates."""
    return [replace(level, lifetime=lifetime) for level in levels]
