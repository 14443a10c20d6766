"""Training on related tasks: reinforcement by regret, and regression at every step.

    per iteration   draw 16 tasks; play them to the end by π
    per step        L = −min(ρA, clip(ρ, 1 ± .15)A) + (V − G)² + L_aux
    L_aux           −log p_θ(y | x, H) over all candidates, H = 1 … T − 1 random trials of the task

Regret as a reward speaks only when a new best is found, for a policy that ranks by chance in a
share of about (ln T)/T of the steps (``curves.expected_records``): L_aux speaks at every step.
``reinforce=False`` trains a neural process (for ``NPEI``), ``auxiliary=False`` leaves all to the
reward. Everything that is drawn depends on (seed, iteration) only, so a killed run that goes on at
its checkpoint ends with the same bytes. Source: paper 32, sections 3.2-3.3 of our sheet; sizes are
ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from scrubjay.core.randomness import derive, numpy_stream
from scrubjay.deciding.bo.env import BOEnv, Online, Scaling, UnitRange
from scrubjay.deciding.bo.episodes import Actor, Episodes, log_policy, play
from scrubjay.deciding.bo.metabo import MetaBOStyle, usual_kernel
from scrubjay.deciding.bo.nap import NAPSpec, NeuralAcquisitionProcess, history_inputs
from scrubjay.deciding.bo.tasks import OptimiseError, TaskFamily, draw
from scrubjay.deciding.checkpoint import load_state, save_state
from scrubjay.deciding.policy_gradient import surrogate

A = TypeVar("A", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Fit:
    """Settings, with the paper's symbols."""

    iterations: int
    trials: int = 15
    """T."""
    tasks: int = 16
    """Played side by side in an iteration."""
    steps: int = 4
    """Optimiser steps of an iteration; together they use every transition once."""
    initial: int = 0
    """Random trials that an episode starts with."""
    rate: float = 1e-3
    """Highest learning rate; a twentieth of the iterations warms up, then it falls to 0."""
    clip: float = 0.15
    discount: float = 0.98
    trace: float = 0.98
    """λ."""
    norm: float = 0.5
    """Gradients are scaled down to this length, those of V apart from the others."""
    reinforce: bool = True
    auxiliary: bool = True
    online: bool = False
    """Values are scaled by what was seen (``Online``), not by the task's true range."""
    seed: int = 0

    def at(self, iteration: int) -> float:
        """Learning rate."""
        warm = max(1, self.iterations // 20)
        rest = (self.iterations - iteration) / max(1, self.iterations - warm)
        return self.rate * min((iteration + 1) / warm, rest)


@dataclass(frozen=True, slots=True)
class Step:
    """What an iteration saw; NaN where a part is switched off."""

    auxiliary: float
    """L_aux, in nats."""
    reward: float
    regret: float
    """At the end of an episode, played with π's own noise."""
    found: float
    """Share of trials that found a new best."""


def fit_nap(
    family: TaskFamily,
    settings: Fit,
    spec: NAPSpec | None = None,
    *,
    checkpoint: Path | None = None,
    every: int = 20,
    look: Callable[[int, Step], None] | None = None,
) -> tuple[NeuralAcquisitionProcess, list[Step]]:
    """A neural acquisition process for tasks of this family.

    Args:
        checkpoint: a file to go on from if it exists, rewritten every ``every`` iterations.
        look: called after each iteration with (iterations done, what it saw).

    Raises:
        OptimiseError: settings that leave nothing to learn from.
        DiskError: the checkpoint can't be written.
    """
    usual = Online.of(draw(family, 64, settings.seed, "scale"))
    spec = spec or NAPSpec(family.kinds)
    spec = replace(spec, kinds=family.kinds, mean=usual.mean, deviation=usual.deviation)
    torch.manual_seed(derive(settings.seed, "nap") % 2**63)
    model = NeuralAcquisitionProcess(spec)
    steps = _train(model, family, settings, usual, checkpoint, every, look)
    return model, steps


def fit_metabo(
    family: TaskFamily,
    settings: Fit,
    *,
    checkpoint: Path | None = None,
    every: int = 20,
    look: Callable[[int, Step], None] | None = None,
) -> tuple[MetaBOStyle, list[Step]]:
    """An acquisition function on a fixed Gaussian process, by reward alone; see ``fit_nap``."""
    tasks = draw(family, 32, settings.seed, "kernel")
    theta = usual_kernel(tasks, numpy_stream(settings.seed, "kernel"))
    torch.manual_seed(derive(settings.seed, "metabo") % 2**63)
    model = MetaBOStyle(theta, family.kinds)
    alone = replace(settings, auxiliary=False)
    return model, _train(model, family, alone, Online(), checkpoint, every, look)


def _train(
    model: A,
    family: TaskFamily,
    settings: Fit,
    usual: Online,
    checkpoint: Path | None,
    every: int,
    look: Callable[[int, Step], None] | None,
) -> list[Step]:
    if not (settings.reinforce or settings.auxiliary):
        raise OptimiseError("with neither reward nor regression there is nothing to learn from")
    if settings.auxiliary and settings.trials < 2:
        raise OptimiseError("regression needs tasks of two trials or more")
    if settings.initial >= settings.trials:
        raise OptimiseError("an episode can't be all initial trials")
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.rate)
    history: list[Step] = []
    if checkpoint and checkpoint.exists():
        history = [Step(*row) for row in load_state(checkpoint, model, optimizer).tolist()]
    scaling: Scaling = usual if settings.online else UnitRange()
    for number in range(len(history), settings.iterations):
        for group in optimizer.param_groups:
            group["lr"] = settings.at(number)
        history.append(_iteration(model, optimizer, family, settings, scaling, number))
        if checkpoint and (number + 1) % every == 0 and number + 1 < settings.iterations:
            save_state(checkpoint, model, optimizer, [astuple(s) for s in history])
        if look:
            look(number + 1, history[-1])
    return history


def _iteration(
    model: A,
    optimizer: torch.optim.Optimizer,
    family: TaskFamily,
    settings: Fit,
    scaling: Scaling,
    number: int,
) -> Step:
    rng = numpy_stream(settings.seed, "iteration", number)
    tasks = [family.sample(rng) for _ in range(settings.tasks)]
    env = BOEnv(tasks, settings.trials, scaling)
    actor: Actor = model  # type: ignore[assignment]
    played: Episodes | None = None
    if settings.reinforce:
        env.start(rng, settings.initial)
        played = play(actor, env, rng, discount=settings.discount, trace=settings.trace)
    auxiliary = 0.0
    for rows in _parts(played, settings.steps, rng):
        loss = torch.zeros(())
        if played is not None:
            loss = loss + _policy_loss(actor, played, rows, settings.clip)
        if settings.auxiliary:
            extra = regression_loss(model, env, rng)  # type: ignore[arg-type]
            auxiliary += extra.item() / settings.steps
            loss = loss + extra
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        _clip_gradients(model, settings.norm)
        optimizer.step()
    nothing = float("nan")
    seen = (played.reward, played.regret, played.found) if played else (nothing,) * 3
    return Step(auxiliary if settings.auxiliary else nothing, *seen)


def _parts(played: Episodes | None, steps: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Shuffled transitions in ``steps`` parts of nearly one size (empty ones without episodes)."""
    order = rng.permutation(len(played.actions) if played else 0)
    for part in np.array_split(order, steps):
        yield torch.from_numpy(part)


def _policy_loss(actor: Actor, played: Episodes, rows: Tensor, clip: float) -> Tensor:
    alpha, _, value = actor(*played.inputs.rows(rows))
    new = log_policy(alpha, played.actions[rows])
    gain = surrogate(new, played.logs[rows], played.advantage[rows], clip)
    return ((value - played.returns[rows]) ** 2).mean() - gain.mean()


def regression_loss(
    model: NeuralAcquisitionProcess, env: BOEnv, rng: np.random.Generator
) -> Tensor:
    """L_aux of all candidates of all tasks, each given a random number of random trials."""
    count = rng.integers(1, env.trials, len(env.tasks))
    chosen, seen, targets = env.context(count, rng)
    candidates = env.state.candidates
    x = np.take_along_axis(candidates, chosen[..., None], axis=1)
    inputs = history_inputs(x, seen, candidates, env.trials, count=count)
    logits = model.predict(*inputs[:4])[0]
    return -model.bar.log_prob(logits, torch.tensor(targets, dtype=torch.float32)).mean()


def _clip_gradients(model: nn.Module, norm: float) -> None:
    # Returns are sums of many rewards: in one norm, V's gradient would shrink all the others.
    named = list(model.named_parameters())
    nn.utils.clip_grad_norm_([p for n, p in named if n.startswith("value.")], norm)
    nn.utils.clip_grad_norm_([p for n, p in named if not n.startswith("value.")], norm)
