"""Meta-gradients: the other way to find an objective, by differentiating through a few updates.

    θ_0 → θ_1 → … → θ_K,   each by the objective η;  then a fresh rollout of θ_K scores them:
    L(η) = −mean A_t log π_{θ_K}(a_t|s_t)  −  .05 H(π)  −  .001 H(ŷ)  +  .005 π̂²  +  .001 ŷ²

with advantages A from a critic that learns beside each agent. Agents live on from step to step (K
updates each) until their lifetime is over, then they are born anew in another level; updates beyond
N are masked. Only K updates are seen: what exploring early brings by the end of a life of 60 can't
be credited, which is what paper 17 says makes the method short-sighted.

The inner update is differentiated by torch through the same ``LPGNet.forward`` that evolution runs
in numpy; its gradient with respect to the agent takes the targets as constants, its gradient with
respect to η does not (hence the two copies of an agent's tables below).

Source: paper 17, section 3 and its public code's weights of the regularisers. Ours: tables, step
size, number of agents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scrubjay.core.arrays import load_arrays, save_arrays
from scrubjay.core.errors import InputError
from scrubjay.core.randomness import numpy_stream
from scrubjay.training.meta.actor_critic import gains
from scrubjay.training.meta.agents import Agents, Rollout, into_rows, play
from scrubjay.training.meta.es import Adam
from scrubjay.training.meta.lifetimes import EXPERIENCE, LEVELS, Experience
from scrubjay.training.meta.objectives import LearnedPolicyGradient, LPGNet, relative_time
from scrubjay.worlds.gridworld import GridWorld, Level, Levels

if TYPE_CHECKING:
    import torch

Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Unroll:
    """How meta-gradients are taken."""

    agents: int = 32
    updates: int = 5
    """K."""
    rate: float = 1e-3
    discount: float = 0.99
    trace: float = 0.95
    policy_entropy: float = 5e-2
    target_entropy: float = 1e-3
    size: float = 5e-3
    target_size: float = 1e-3

    def __post_init__(self) -> None:
        if self.agents < 1 or self.updates < 1:
            raise InputError("meta-gradients need at least one agent and one update to unroll")


UNROLL = Unroll()


class MetaGradient:
    """A search by meta-gradients; ``run`` it. ``weights`` (dim,) is what was found so far."""

    def __init__(
        self,
        net: LPGNet,
        start: Floats,
        levels: Levels = LEVELS,
        how: Experience = EXPERIENCE,
        unroll: Unroll = UNROLL,
        seed: int = 0,
    ) -> None:
        self.net, self.levels, self.how, self.unroll, self.seed = net, levels, how, unroll, seed
        self.rule = LearnedPolicyGradient(net, start)
        self.weights = np.asarray(start, np.float64)
        self.adam = Adam.zeros(len(self.weights))
        self.history: list[float] = []
        count = unroll.agents
        self.born, self.done = np.zeros(count, int), np.zeros(count, int)
        lives = [self._level(c) for c in range(count)]
        self.world = GridWorld(lives, how.environments, levels.cells, levels.things[1])
        self.lifetime = np.array([level.lifetime for level in lives])
        self.agents = Agents.new(self.world, net.m, lives)
        self.values = np.zeros((count, self.world.states), np.float32)
        self.world.start(numpy_stream(seed, "starts").random(self.world.cell.shape))

    def _level(self, row: int) -> Level:
        return self.levels.draw(self.seed, "life", row, int(self.born[row]))

    def run(
        self,
        steps: int,
        *,
        checkpoint: Path | None = None,
        every: int = 10,
        look: Callable[[int, float], bool | None] | None = None,
    ) -> list[float]:
        """Move η through ``steps`` meta-steps; the mean reward a step of each outer rollout.

        Arguments and errors are those of ``evolve``.
        """
        if checkpoint is not None and checkpoint.exists():
            self._restore(checkpoint)
        while len(self.history) < steps:
            self.history.append(self.step())
            done = len(self.history)
            if checkpoint is not None and (done % every == 0 or done == steps):
                save_arrays(checkpoint, self._state())
            if look is not None and look(done, self.history[-1]):
                break
        return self.history

    def step(self) -> float:
        """One meta-step; the mean reward of the outer rollout."""
        import torch

        self._rebirth()
        rng = numpy_stream(self.seed, "luck", len(self.history))
        draws = _Luck(rng)
        eta = torch.tensor(self.weights, dtype=torch.float32, requires_grad=True)
        weights = self.net.layout.split(eta)
        policy, memory = torch.tensor(self.agents.policy), torch.tensor(self.agents.memory)
        punished = torch.zeros(())
        for _ in range(self.unroll.updates):
            rollout = self._play(policy, memory, draws)
            self._criticise(rollout)
            policy, memory, cost = self._inner(weights, policy, memory, rollout)
            punished = punished + cost / self.unroll.updates
            self.done += 1
        rollout = self._play(policy, memory, draws)
        loss = self._outer(policy, rollout) + punished
        (gradient,) = torch.autograd.grad(loss, eta)
        found = gradient.numpy().astype(np.float64)
        if np.isfinite(found).all():
            self.weights = self.weights - self.adam.step(found, self.unroll.rate)
        self.agents = Agents(policy.detach().numpy().copy(), memory.detach().numpy().copy())
        return float(rollout.rewards.mean())

    def _play(self, policy: torch.Tensor, memory: torch.Tensor, draws: _Luck) -> Rollout:
        agents = Agents(policy.detach().numpy(), memory.detach().numpy())
        return play(self.world, agents, draws, self.how.steps)

    def _inner(
        self,
        weights: dict[str, Any],
        policy: torch.Tensor,
        memory: torch.Tensor,
        rollout: Rollout,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The agents after one update, differentiable in η, and what the regularisers say."""
        import torch

        states, actions = torch.tensor(rollout.states), torch.tensor(rollout.actions)
        rows = torch.arange(len(states))[:, None, None]
        seen = states[:, :-1]

        def log_chance(table: torch.Tensor) -> torch.Tensor:
            logs = table.log_softmax(-1)[rows, seen]
            return logs.gather(-1, actions[..., None])[..., 0]

        clock = None
        if self.net.aware:
            late, long = relative_time(self.done, self.lifetime)
            clock = torch.tensor(late), torch.tensor(long)
        weight, target = self.net.forward(
            torch,
            weights,
            torch.tensor(rollout.rewards),
            torch.tensor(rollout.ended, dtype=torch.float32),
            log_chance(policy).exp(),
            memory.softmax(-1)[rows, states],
            clock,
        )
        # The agent descends with respect to these copies; π̂ and ŷ hang on the originals.
        own, remembered = policy.clone().requires_grad_(), memory.clone().requires_grad_()
        y = remembered.softmax(-1)[rows, seen]
        kl = (y * (torch.log(y + 1e-8) - torch.log(target + 1e-8))).sum(-1)
        aim = (weight * log_chance(own) + self.rule.alpha * kl).mean((1, 2)).sum()
        slopes = torch.autograd.grad(aim, (own, remembered), create_graph=True)
        alive = torch.tensor((self.done < self.lifetime).astype(np.float32))[:, None, None]
        new = []
        for table, slope, rate in zip(
            (policy, memory), slopes, (self.rule.rate, self.rule.memory_rate)
        ):
            norm = (slope.square().sum((1, 2), keepdim=True) + 1e-24).sqrt()
            new.append(table - alive * rate * torch.clamp(0.5 / norm, max=1.0) * slope)
        entropy = -(target * torch.log(target + 1e-8)).sum(-1).mean()
        cost = self.unroll.size * weight.square().mean() - self.unroll.target_entropy * entropy
        return new[0], new[1], cost + self.unroll.target_size * target.square().sum(-1).mean()

    def _outer(self, policy: torch.Tensor, rollout: Rollout) -> torch.Tensor:
        import torch

        gain = torch.tensor(self._criticise(rollout))
        seen, actions = torch.tensor(rollout.states[:, :-1]), torch.tensor(rollout.actions)
        logs = policy.log_softmax(-1)[torch.arange(len(seen))[:, None, None], seen]
        chosen = logs.gather(-1, actions[..., None])[..., 0]
        entropy = -(logs.exp() * logs).sum(-1).mean()
        return -(gain * chosen).mean() - self.unroll.policy_entropy * entropy

    def _criticise(self, rollout: Rollout) -> Floats:
        """Advantages (C, L, E); the critics learn from the rollout afterwards."""
        rows = np.arange(len(self.values))[:, None, None]
        values = self.values[rows, rollout.states]
        how = self.unroll
        gain = gains(rollout, values, how.discount, how.trace)
        both = np.stack([gain, np.ones_like(gain)], axis=-1)
        summed = into_rows(rollout.states[:, :-1], both, self.values.shape[1])
        self.values += 0.5 * summed[..., 0] / np.maximum(summed[..., 1], 1)
        return gain

    def _rebirth(self) -> None:
        """Agents whose lifetime is over begin again, in another level."""
        for row in np.flatnonzero(self.done >= self.lifetime).tolist():
            self.born[row] += 1
            level = self._level(row)
            self.world.put(row, level)
            self.lifetime[row], self.done[row] = level.lifetime, 0
            fresh = Agents.new(self.world, self.net.m, [level])
            self.agents.policy[row], self.agents.memory[row] = fresh.policy[0], fresh.memory[0]
            self.values[row] = 0
            luck = numpy_stream(level.seed, "starts").random((1, self.how.environments))
            self.world.start(luck, np.array([row]))

    def _state(self) -> dict[str, np.ndarray]:
        return {
            "weights": self.weights,
            "m": self.adam.m,
            "v": self.adam.v,
            "taken": np.array(self.adam.taken),
            "history": np.array(self.history),
            "born": self.born,
            "done": self.done,
            "policy": self.agents.policy,
            "memory": self.agents.memory,
            "values": self.values,
            "standing": np.stack([self.world.cell, self.world.there, self.world.clock]),
        }

    def _restore(self, path: Path) -> None:
        found = load_arrays(path)
        mine = self._state()
        same = found.keys() == mine.keys() and all(
            found[k].shape == v.shape for k, v in mine.items() if k != "history"
        )
        if not same:
            raise InputError(
                "holds the state of another search; delete it or name another", file=path
            )
        self.weights, self.adam.m, self.adam.v = found["weights"], found["m"], found["v"]
        self.adam.taken = int(found["taken"])
        self.history = [float(h) for h in found["history"]]
        self.born, self.done, self.values = found["born"], found["done"], found["values"]
        self.agents = Agents(found["policy"], found["memory"])
        for row in range(len(self.born)):
            level = self._level(row)
            self.world.put(row, level)
            self.lifetime[row] = level.lifetime
        self.world.cell, self.world.there, self.world.clock = found["standing"]


class _Luck:
    """All agents draw from one stream."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def take(self, rows: int, *shape: int) -> Floats:
        return self._rng.random((rows, *shape), np.float32)
