"""Learned policy optimisation: how far a policy may drift from the one that gathered the data.

Every sample pulls its action's ratio ρ = π/π_old along its advantage A; a drift D ≥ 0 pulls back:

    loss = −mean( ρ A − D(ρ, A) )
    x    = [ log ρ, (log ρ)², 1 − ρ, (1 − ρ)², and the four times A ]
    D    = ReLU( net(x) − ξ )                                   start "zero"        (paper 17, 3.2)
    D    = ReLU( ReLU((ρ − clip(ρ, 1 ± ε)) A) + net(x) − ξ )    start "ppo": PPO when net = 0
    net reads [x] (LPO), [x, (n/N) x] (TA-LPO), or [x, (n/N) x, (log N) x]

with net = w₂ · tanh(W₁ ·), without biases. At ρ = 1 all of x is 0, so net is, and D and its slope
vanish at ρ = 1 for every A and n: the first step is that of plain policy gradients, whatever was
learned. Time *multiplies* x to keep it so; given as an input of its own it would break the rule.

tanh is odd and w₂ is odd again: weights η and −η are the same drift. A search around η = 0 sees
equal scores in every antithetic pair and never moves; ``LearnedDrift.start`` draws weights.

PPO is a drift too, ReLU((ρ − clip(ρ)) A), since min(ρA, clip(ρ)A) = ρA − that (``ClipDrift``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from scrubjay.core.errors import InputError
from scrubjay.training.meta.layout import Layout

Floats = np.ndarray
Clock = Literal["none", "relative", "relative and length"]


class Drift(Protocol):
    """What holds a policy back."""

    def __call__(
        self, log_ratio: Floats, advantage: Floats, done: Floats, lifetime: Floats
    ) -> tuple[Floats, Floats]:
        """D and ∂D/∂log ρ, both (C, T, B).

        Args:
            log_ratio: log ρ, (C, T, B): samples of T tasks of C objectives.
            advantage: A of the same samples.
            done: n of every task, (T,).
            lifetime: N of every task, (T,).
        """
        ...


@dataclass(frozen=True, slots=True)
class ClipDrift:
    """PPO's clip as a drift; ``anneal`` narrows it linearly to 0 over the lifetime."""

    clip: float = 0.2
    anneal: bool = False

    def __post_init__(self) -> None:
        if not (np.isfinite(self.clip) and self.clip > 0):
            raise InputError(f"the clip must be a number above 0, not {self.clip}")

    def __call__(
        self, log_ratio: Floats, advantage: Floats, done: Floats, lifetime: Floats
    ) -> tuple[Floats, Floats]:
        width: Floats | float = self.clip
        if self.anneal:
            width = (self.clip * (1 - done / np.maximum(lifetime, 1)))[:, None]
        return clipped(log_ratio, advantage, width)


def clipped(log_ratio: Floats, advantage: Floats, width: Floats | float) -> tuple[Floats, Floats]:
    """ReLU((ρ − clip(ρ, 1 ± width)) A) and its slope in log ρ."""
    ratio = np.exp(log_ratio)
    over = (ratio - np.clip(ratio, 1 - width, 1 + width)) * advantage
    return np.maximum(over, 0), np.where(over > 0, ratio * advantage, 0)


@dataclass(frozen=True, slots=True)
class DriftNet:
    """The shape of a learned drift, without weights."""

    hidden: int = 16
    clock: Clock = "none"
    start_at: Literal["zero", "ppo"] = "ppo"
    clip: float = 0.2
    margin: float = 1e-4
    """ξ."""

    def __post_init__(self) -> None:
        if self.hidden < 1:
            raise InputError("a drift needs at least one hidden unit")
        if self.clock not in ("none", "relative", "relative and length"):
            raise InputError(f"there is no clock '{self.clock}'")

    @property
    def layout(self) -> Layout:
        shapes: dict[str, tuple[int, ...]] = {"plain": (8, self.hidden)}
        if self.clock != "none":
            shapes["late"] = (8, self.hidden)
        if self.clock == "relative and length":
            shapes["long"] = (8, self.hidden)
        return Layout({**shapes, "out": (self.hidden,)})


class LearnedDrift:
    """A population of learned drifts.

    Args:
        weights: (dim,), one drift for all, or (C, dim).
    """

    def __init__(self, net: DriftNet, weights: Floats) -> None:
        self.net = net
        self._weights = net.layout.split(np.asarray(weights, np.float32))

    @staticmethod
    def start(net: DriftNet, rng: np.random.Generator, spread: float = 0.3) -> Floats:
        """Weights to begin a search at, never 0 (see above)."""
        return rng.normal(0, spread, net.layout.dim).astype(np.float32)

    def __call__(
        self, log_ratio: Floats, advantage: Floats, done: Floats, lifetime: Floats
    ) -> tuple[Floats, Floats]:
        w, (_, tasks, samples) = self._weights, log_ratio.shape
        x, slope = _features(log_ratio, advantage)
        both = np.concatenate([x, slope], axis=1)
        # Time multiplies the features: one product of wider ones, for values and slopes at once.
        parts, layers = [both], [w["plain"]]
        if self.net.clock != "none":
            parts.append(both * _twice(done / np.maximum(lifetime, 1), samples))
            layers.append(w["late"])
        if self.net.clock == "relative and length":
            parts.append(both * _twice(np.log(np.maximum(lifetime, 1)), samples))
            layers.append(w["long"])
        inner = np.concatenate(parts, axis=-1) @ np.concatenate(layers, axis=1)
        inner, turn = inner[:, : tasks * samples], inner[:, tasks * samples :]
        bent = np.tanh(inner)
        out = w["out"][..., None]
        net = (bent @ out).reshape(log_ratio.shape)
        net_slope = (((1 - bent * bent) * turn) @ out).reshape(log_ratio.shape)
        if self.net.start_at == "ppo":
            base, base_slope = clipped(log_ratio, advantage, self.net.clip)
            net, net_slope = net + base, net_slope + base_slope
        value = np.maximum(net - self.net.margin, 0)
        return value, np.where(value > 0, net_slope, 0)


def _twice(time: Floats, samples: int) -> Floats:
    """A number a task, (T,), for the samples of values and again for those of slopes."""
    return np.tile(np.repeat(time, samples), 2).astype(np.float32)[:, None]


def _features(log_ratio: Floats, advantage: Floats) -> tuple[Floats, Floats]:
    """x and ∂x/∂log ρ, (C, T · B, 8)."""
    ratio = np.exp(log_ratio)
    away = 1 - ratio
    four = (log_ratio, log_ratio**2, away, away**2)
    turns = (np.ones_like(ratio), 2 * log_ratio, -ratio, -2 * away * ratio)
    return tuple(  # type: ignore[return-value]
        np.stack([*part, *(p * advantage for p in part)], axis=-1)
        .reshape(len(ratio), -1, 8)
        .astype(np.float32, copy=False)
        for part in (four, turns)
    )


def clip_width(drift: Drift, done: int, lifetime: int, most: float = 3.0) -> tuple[float, float]:
    """How far a ratio may go: (up for A = 1, down for A = −1), as distances from 1.

    The first place on the way where the pull back outweighs the pull of the advantage; ``most``,
    and 1 on the way down, where there is none. For PPO both are its clip.
    """
    found = []
    for advantage, end in ((1.0, np.log(1 + most)), (-1.0, np.log(1e-3))):
        path = np.linspace(0, end, 2001)[1:]
        samples = path[None, None], np.full((1, 1, 2000), advantage)
        _, slope = drift(*samples, np.array([done]), np.array([lifetime]))
        pull = np.exp(path) * advantage - slope[0, 0]
        stops = np.flatnonzero(pull * advantage <= 0)
        place = np.exp(path[stops[0]]) if len(stops) else np.exp(end)
        found.append(abs(float(place) - 1))
    return found[0], found[1]
