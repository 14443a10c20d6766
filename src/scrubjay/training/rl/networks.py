"""Q-functions with a memory: action values from a history, Q(h_t, a).

    input at t    one-hot observation ⊕ one-hot last action ⊕ last reward ⊕ "an episode begins"
    window X      how many inputs back the values at t may depend on, this one included
                  None  all of the block        1  this one alone: the last action and reward
    blind         only the observation is left of the input: no history at all

    GRU           h_t = GRU(x_t, h_{t-1});  X is None or 1
    Transformer   causal; the layers' spans add up to X, so that no chain of layers sees further

    Q(h, a) = V(h) + A(h, a) - mean_a' A(h, a)       what comes in any case, and what a changes

The last line (Wang et al., 2016) is ours: the values of a long block are large and nearly equal
across actions, and one output an action learns the difference slowly.

Where a task begins (and the agent is told) memory is wiped: nothing seen before helps. A GRU or a
transformer takes a whole stretch at once to learn and one step at a time to act, with the same
numbers. Source: paper 07, section 3.2, where Q is read from a language model of 3B parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from scrubjay.core.errors import InputError
from scrubjay.core.randomness import derive
from scrubjay.training.rl.stretches import Seen
from scrubjay.worlds.blocks import TaskLaw

Kind = Literal["gru", "transformer"]


@dataclass(frozen=True, slots=True)
class QSpec:
    """What a network sees and how large it is.

    Raises:
        InputError: fewer than two actions, a window below one step, or one that a GRU can't have.
    """

    actions: int
    observations: int = 1
    episodes: bool = False
    """Whether episodes have more than one step, so that their begin is worth a mark."""
    kind: Kind = "gru"
    width: int = 48
    window: int | None = None
    blind: bool = False

    def __post_init__(self) -> None:
        if self.actions < 2:
            raise InputError(f"there is nothing to choose among {self.actions} actions")
        if self.width < 2 or self.width % 2:
            raise InputError(f"the width of a network is an even number, not {self.width}")
        if self.kind not in ("gru", "transformer"):
            raise InputError(f"networks are 'gru' or 'transformer', not '{self.kind}'")
        if self.window is not None and self.window < 1:
            raise InputError(f"a window holds at least one step, not {self.window}")
        if self.kind == "gru" and self.window not in (None, 1):
            raise InputError(
                f"a GRU remembers all or one step; take a transformer for {self.window} steps"
            )

    @staticmethod
    def of(law: TaskLaw, **more: Any) -> QSpec:
        """For the tasks of a law."""
        return QSpec(law.actions, law.observations, law.longest > 1, **more)

    @property
    def inputs(self) -> int:
        """Numbers of an input."""
        return self.observations + self.actions + 1 + self.episodes

    def encode(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """Inputs (lanes, steps, inputs) and where memory is wiped (lanes, steps)."""
        observation = torch.as_tensor(seen.observation)
        fresh = torch.as_tensor(seen.fresh)
        known = (~fresh & (not self.blind)).float().unsqueeze(-1)
        parts = [
            nn.functional.one_hot(observation, self.observations).float(),
            nn.functional.one_hot(torch.as_tensor(seen.action), self.actions) * known,
            torch.as_tensor(seen.reward).float().unsqueeze(-1) * known,
        ]
        if self.episodes:
            mark = torch.as_tensor(seen.began).float().unsqueeze(-1)
            parts.append(mark * (not self.blind))
        return torch.cat(parts, dim=-1), fresh


class QNetwork(nn.Module):
    """What both kinds share: inputs in, action values out."""

    def __init__(self, spec: QSpec) -> None:
        super().__init__()
        self.spec = spec
        self.value = nn.Linear(spec.width, 1)
        self.advantage = nn.Linear(spec.width, spec.actions)

    def read(self, hidden: Tensor) -> Tensor:
        """Q from what the memory holds: (…, width) to (…, actions)."""
        advantage = self.advantage(hidden)
        found: Tensor = self.value(hidden) + advantage - advantage.mean(dim=-1, keepdim=True)
        return found

    def values(self, seen: Seen) -> Tensor:
        """Q(h_t, a) for a whole stretch: array (lanes, steps, actions)."""
        inputs, fresh = self.spec.encode(seen)
        values: Tensor = self(inputs, fresh, None)[0]
        return values


def build_network(spec: QSpec, seed: int = 0) -> QNetwork:
    """A new network; ``seed`` fixes its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights") % 2**31)
        return GRU(spec) if spec.kind == "gru" else Transformer(spec)


class GRU(QNetwork):
    """A recurrent network; its state is the hidden vector (1, lanes, width)."""

    def __init__(self, spec: QSpec) -> None:
        super().__init__(spec)
        self.cell = nn.GRU(spec.inputs, spec.width, batch_first=True)

    def forward(self, inputs: Tensor, fresh: Tensor, state: Tensor | None) -> tuple[Tensor, Any]:
        lanes, steps, wide = inputs.shape
        if self.spec.window == 1 or self.spec.blind:
            hidden = self.cell(inputs.reshape(lanes * steps, 1, wide))[0]
            return self.read(hidden.reshape(lanes, steps, -1)), None
        if state is None:
            state = inputs.new_zeros(1, lanes, self.spec.width)
        # Between two steps in which some lane is wiped, all lanes go through at once.
        cuts = [t for t in range(1, steps) if bool(fresh[:, t].any())]
        parts = []
        for start, end in zip([0, *cuts], [*cuts, steps]):
            state = state * (~fresh[None, :, start, None]).float()
            hidden, state = self.cell(inputs[:, start:end], state)
            parts.append(hidden)
        return self.read(torch.cat(parts, dim=1)), state


class Transformer(QNetwork):
    """Causal layers of two heads with linear distance penalties instead of position vectors; its
    state is what the layers keep of the steps so far."""

    LAYERS = 2

    def __init__(self, spec: QSpec) -> None:
        super().__init__(spec)
        self.embed = nn.Linear(spec.inputs, spec.width)
        self.layers = nn.ModuleList(_Layer(spec.width, s) for s in _spans(spec, self.LAYERS))
        self.norm = nn.LayerNorm(spec.width)

    def forward(self, inputs: Tensor, fresh: Tensor, state: Any) -> tuple[Tensor, Any]:
        x = self.embed(inputs)
        kept = []
        # Which block a step is of: counted from the begin of the stretch.
        block = fresh.long().cumsum(1) + (0 if state is None else state[0])
        for number, layer in enumerate(self.layers):
            x, past = layer(x, block, None if state is None else state[1][number])
            kept.append(past)
        return self.read(self.norm(x)), (block[:, -1:], kept)


def _spans(spec: QSpec, layers: int) -> list[int | None]:
    """How far back each layer looks: they reach X - 1 steps back together."""
    if spec.blind:
        return [1] * layers
    if spec.window is None:
        return [None] * layers
    reach = spec.window - 1
    return [1 + reach // layers + (n < reach % layers) for n in range(layers)]


class _Layer(nn.Module):
    HEADS = 2

    def __init__(self, width: int, span: int | None) -> None:
        super().__init__()
        self.span = span
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, block: Tensor, past: Any) -> tuple[Tensor, Any]:
        lanes, steps, width = x.shape
        q, k, v = self.project(self.before(x)).chunk(3, dim=-1)
        blocks = block
        if past is not None:
            k, v = torch.cat([past[0], k], 1), torch.cat([past[1], v], 1)
            blocks = torch.cat([past[2], block], 1)
        age = (blocks.shape[1] - steps + torch.arange(steps))[:, None] - torch.arange(k.shape[1])
        allowed = (age >= 0) & (block[:, :, None] == blocks[:, None, :])
        if self.span is not None:
            allowed = allowed & (age < self.span)
        slopes = torch.tensor([0.0, 0.25])[:, None, None]
        bias = (-slopes * age).masked_fill(~allowed[:, None], -math.inf)
        shape = (lanes, -1, self.HEADS, width // self.HEADS)
        queries, keys, contents = (t.reshape(shape).transpose(1, 2) for t in (q, k, v))
        mixed = nn.functional.scaled_dot_product_attention(queries, keys, contents, attn_mask=bias)
        x = x + self.out(mixed.transpose(1, 2).reshape(lanes, steps, width))
        keep = k.shape[1] if self.span is None else self.span
        kept = (k[:, -keep:], v[:, -keep:], blocks[:, -keep:])
        return x + self.feed(self.between(x)), kept
