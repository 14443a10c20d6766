"""Whole lives of softmax agents on Bernoulli bandits, updated through a drift.

    for n = 0 … N − 1:
        8 pulls from π;  A = (r − mean r) / deviation of r
        4 passes:  logits ← logits − rate · ∇ mean( −ρ A + D(ρ, A, n, N) )

with ∂/∂logits of log ρ = onehot(a) − π, so that everything is in closed form. The score of a drift
is what its final policy earns, as a share of the best arm: Σ_a π(a) p_a / max p.

All candidates of a step meet the same tasks with the same luck (one uniform number a pull, for the
arm and for its reward), so equal candidates get equal scores. Tasks with different N stand in one
batch, longest first; who is done leaves it and is never touched again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.core.randomness import numpy_stream
from scrubjay.training.meta.agents import softmax, total
from scrubjay.training.meta.drift import Drift, DriftNet, LearnedDrift

Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Tasks:
    """Bandits and how many updates an agent gets on each."""

    means: Floats
    """Chance of a reward, (T, arms)."""
    horizons: Floats
    """N, (T,)."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.means.ndim != 2 or not ((self.means >= 0) & (self.means <= 1)).all():
            raise InputError("the chances of bandit tasks are a table of numbers from 0 to 1")
        if self.horizons.shape != (len(self.means),) or (self.horizons < 0).any():
            raise InputError("every bandit task needs a horizon of 0 updates or more")

    @classmethod
    def draw(cls, count: int, horizons: tuple[int, ...], seed: int, *names: object) -> Tasks:
        """``count`` tasks of five arms with chances from U(0, 1); horizons take turns."""
        rng = numpy_stream(seed, "tasks", *names)
        turns = np.array([horizons[i % len(horizons)] for i in range(count)])
        return cls(rng.random((count, 5)), turns, int(rng.integers(2**62)))


@dataclass(frozen=True, slots=True)
class Pulling:
    """How an agent learns from its pulls."""

    pulls: int = 8
    passes: int = 4
    rate: float = 2.0


PULLING = Pulling()


def pull_lives(
    drift: Drift,
    tasks: Tasks,
    how: Pulling = PULLING,
    population: int = 1,
    look: Callable[[int, Floats, Floats], None] | None = None,
) -> Floats:
    """The share of the best arm that final policies earn, (C, T).

    Args:
        population: C, how many objectives ``drift`` holds.
        look: called before every update with n, the rows of tasks that still learn, and π.
    """
    order = np.argsort(-tasks.horizons, kind="stable")
    means, horizons = tasks.means[order], tasks.horizons[order]
    logits = np.zeros((population, *means.shape), np.float32)
    for n in range(int(horizons.max(initial=0))):
        alive = int((horizons > n).sum())
        rng = numpy_stream(tasks.seed, "pulls", n)
        luck = rng.random((len(order), 2, how.pulls), np.float32)[order[:alive]]
        mine = logits[:, :alive]
        if look is not None:
            look(n, order[:alive], softmax(mine))
        _update(drift, mine, means[:alive], luck, np.full(alive, n), horizons[:alive], how)
    earned = total(softmax(logits).astype(float) * means) / means.max(axis=1)
    back = np.argsort(order)
    return np.asarray(earned[:, back])


def _update(
    drift: Drift,
    logits: Floats,
    means: Floats,
    luck: Floats,
    done: Floats,
    horizons: Floats,
    how: Pulling,
) -> None:
    """One batch of pulls and the passes over it; ``logits`` (C, T, arms) are changed."""
    arms = means.shape[1]
    pi = softmax(logits)
    steep = np.cumsum(pi, axis=-1)[..., :-1]
    actions = np.zeros((*pi.shape[:2], how.pulls), int)
    for k in range(arms - 1):
        actions += luck[:, 0] >= steep[..., k, None]
    tasks = np.arange(len(means))[:, None]
    rewards = (luck[:, 1] < means[tasks, actions]).astype(np.float32)
    apart = rewards - rewards.mean(axis=-1, keepdims=True)
    advantage = apart / (np.sqrt((apart**2).mean(axis=-1, keepdims=True)) + 1e-8)
    chosen = (actions[..., None] == np.arange(arms)).astype(np.float32)
    before = np.log(np.take_along_axis(pi, actions, axis=-1))
    for k in range(how.passes):
        if k == 0:  # every ratio is 1: a drift has no slope there
            pull = -advantage
        else:
            pi = softmax(logits)
            log_ratio = np.log(np.take_along_axis(pi, actions, axis=-1)) - before
            _, slope = drift(log_ratio, advantage, done, horizons)
            pull = slope - np.exp(log_ratio) * advantage
        toward = (pull[..., None, :] @ chosen)[..., 0, :]
        logits -= how.rate / how.pulls * (toward - pull.sum(axis=-1, keepdims=True) * pi)


@dataclass(frozen=True, slots=True)
class BanditScore:
    """Scores (2 P,) of candidate drifts: the mean over one set of tasks, new for every step."""

    net: DriftNet
    tasks: int = 40
    horizons: tuple[int, ...] = (5, 10, 20, 40)
    how: Pulling = PULLING
    seed: int = 0

    def __call__(self, candidates: Floats, step: int) -> Floats:
        drawn = Tasks.draw(self.tasks, self.horizons, self.seed, "meta", step)
        drift = LearnedDrift(self.net, candidates)
        return np.asarray(pull_lives(drift, drawn, self.how, len(candidates)).mean(axis=1))
