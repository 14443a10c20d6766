"""Double DQN over streams of repeated tasks, with one discount within and one across episodes.

    y_t = r_t + g_t Q_slow(h_{t+1}, argmax_a Q(h_{t+1}, a))
    g_t = gamma_step      RUNNING
          gamma_episode   EPISODE_END or TRUNCATED: the task comes again, what was learned is of use
          0               TASK_END
    loss = mean (Q(h_t, a_t) - y_t)²,       slow <- slow + p (Q - slow)  after each update

Only the end of a *task* cuts the value; gamma_episode = 0 makes an agent that does not care for
later episodes. Reward is all there is to learn from, unless ``bonus`` adds one for what was rarely
tried in the block (the usual explicit incentive, as a baseline). Source: paper 07, section 3.2.

``experience(update, network)`` gives the stretch an update learns from, and must depend on nothing
else: a run that was killed goes on as if it had not been. ``Practice`` plays the network on new
tasks, ``Logged`` takes rows of what others did.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scrubjay.core.errors import InputError
from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.checkpoint import load_state, save_state
from scrubjay.training.pretrain import Schedule
from scrubjay.training.rl.networks import QNetwork
from scrubjay.training.rl.players import GreedyQ
from scrubjay.training.rl.stretches import Stretch, play
from scrubjay.worlds.blocks import RUNNING, TASK_END, RepeatedTask

Experience = Callable[[int, QNetwork], Stretch]


@dataclass(frozen=True, slots=True)
class DQN:
    """Settings, with the paper's symbols.

    Raises:
        InputError: no updates, or a discount outside [0, 1).
    """

    updates: int = 500
    gamma_step: float = 0.9
    gamma_episode: float = 0.9
    rate: float = 1e-2
    """Peak of Adam's learning rate; warms up and falls to a tenth (``Schedule``)."""
    polyak: float = 0.2
    """p."""
    bonus: float = 0.0
    clip: float = 1.0
    """Gradients are scaled down to this length."""

    def __post_init__(self) -> None:
        if self.updates < 1:
            raise InputError(f"training takes at least one update, not {self.updates}")
        for gamma in (self.gamma_step, self.gamma_episode):
            if not 0 <= gamma < 1:
                raise InputError(f"a discount lies in [0, 1), not at {gamma:g}")


@dataclass(frozen=True, slots=True)
class Learned:
    """What one update saw; means over its steps."""

    loss: float
    reward: float
    value: float
    """Q of the actions taken."""


def discounts(code: np.ndarray, settings: DQN) -> np.ndarray:
    """g_t of every step."""
    within = np.where(code == RUNNING, settings.gamma_step, settings.gamma_episode)
    return np.where(code == TASK_END, 0.0, within).astype(np.float32)


def double_targets(reward: Tensor, discount: Tensor, online: Tensor, slow: Tensor) -> Tensor:
    """y_t of every step.

    Args:
        reward: (lanes, T).
        discount: g_t, (lanes, T).
        online: its values at s_0 … s_T, (lanes, T+1, actions).
        slow: the same of the slow network.
    """
    best = online[:, 1:].argmax(dim=-1, keepdim=True)
    return reward + discount * slow[:, 1:].gather(-1, best).squeeze(-1)


@dataclass(frozen=True, slots=True)
class Practice:
    """New tasks for every update, played by the network itself with chance epsilon of a random
    action: 1 at first, falling evenly to ``end`` over the first ``anneal`` updates."""

    blocks: RepeatedTask
    lanes: int = 128
    steps: int = 32
    anneal: int = 250
    end: float = 0.05
    seed: int = 0

    def epsilon(self, update: int) -> float:
        return max(self.end, 1 - (1 - self.end) * update / max(1, self.anneal))

    def __call__(self, update: int, network: QNetwork) -> Stretch:
        stream = self.blocks.open(self.lanes, self.seed, "practice", update)
        return play(stream, GreedyQ(network, self.epsilon(update)), self.steps, update)


@dataclass(frozen=True, slots=True)
class Logged:
    """Rows of a log, drawn anew for every update: nobody explores for the network's sake."""

    log: Stretch
    lanes: int = 128
    seed: int = 0

    def __call__(self, update: int, network: QNetwork) -> Stretch:
        rng = numpy_stream(self.seed, "logged", update)
        return self.log.rows(rng.integers(0, len(self.log.action), self.lanes))


def train_dqn(
    network: QNetwork,
    experience: Experience,
    settings: DQN = DQN(),
    *,
    checkpoint: Path | None = None,
    every: int = 100,
    look: Callable[[int, Learned], None] | None = None,
) -> list[Learned]:
    """Train in place; returns what every update saw.

    Args:
        checkpoint: a file to go on from if it exists, rewritten every ``every`` updates.
        look: called after each update with (updates done, what it saw).

    Raises:
        InputError: a reward is not a finite number.
        DiskError: the checkpoint can't be written.
    """
    both = torch.nn.ModuleDict({"online": network, "slow": copy.deepcopy(network)})
    slow = both["slow"].requires_grad_(False)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.rate)
    schedule = Schedule(settings.updates, settings.rate, warmup=min(20, settings.updates // 10))
    history: list[Learned] = []
    if checkpoint and checkpoint.exists():
        history = [Learned(*row) for row in load_state(checkpoint, both, optimizer).tolist()]
    for number in range(len(history), settings.updates):
        for group in optimizer.param_groups:
            group["lr"] = schedule.at(number)
        stretch = experience(number, network)
        history.append(_update(network, slow, optimizer, stretch, settings))  # type: ignore[arg-type]
        if checkpoint and (number + 1) % every == 0 and number + 1 < settings.updates:
            save_state(checkpoint, both, optimizer, [astuple(row) for row in history])
        if look:
            look(number + 1, history[-1])
    return history


def _update(
    network: QNetwork,
    slow: QNetwork,
    optimizer: torch.optim.Optimizer,
    stretch: Stretch,
    settings: DQN,
) -> Learned:
    paid = stretch.with_bonus(settings.bonus) if settings.bonus else stretch
    reward = torch.as_tensor(paid.reward).float()
    discount = torch.as_tensor(discounts(stretch.code, settings))
    seen = stretch.seen()
    values = network.values(seen)
    with torch.no_grad():
        slowly = slow.values(seen) if bool(discount.any()) else values
        target = double_targets(reward, discount, values, slowly)
    taken = values[:, :-1].gather(-1, torch.as_tensor(stretch.action).unsqueeze(-1)).squeeze(-1)
    loss = (taken - target).square().mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
    optimizer.step()
    with torch.no_grad():
        for old, new in zip(slow.parameters(), network.parameters(), strict=True):
            old.lerp_(new, settings.polyak)
    return Learned(loss.item(), float(stretch.reward.mean()), taken.mean().item())
