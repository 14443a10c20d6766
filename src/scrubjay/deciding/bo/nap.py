"""The neural acquisition process: one transformer is the surrogate and the acquisition function.

    tokens      history h_i = Enc_x(x_i) + Enc_y(y_i);  candidate c = Enc_x(x)       no positions
    attention   every token sees the (filled) history and itself; candidates never see each other
    surrogate   logits = MLP(c'), a bar distribution over y                          p_θ(y | x, H)
    acquisition α = MLP([softmax(logits), Enc_x(x), best y, t/T])                    head "mlp"
                or EI, UCB of the bars                                               "ei", "ucb"
    value       V = MLP([best y, t/T])

So the order of the history can't matter, and what is said of a candidate can't depend on which
others there are. The mask is computed as it is, in two streams, history and candidates: N × N
scores are never made. ``joint=False`` stops the acquisition's gradient before the transformer.
Source: paper 32, section 3.1 of our sheet. Ours: norms before the blocks, sizes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from scrubjay.deciding.bo.bar import BarDistribution
from scrubjay.deciding.bo.env import State
from scrubjay.deciding.bo.tasks import Floats, Ints, OptimiseError
from scrubjay.deciding.checkpoint import load_model, save_model

Head = Literal["mlp", "ei", "ucb"]


@dataclass(frozen=True, slots=True)
class NAPSpec:
    """Sizes; the paper's are width 512, 6 layers, 4 heads, 1000 buckets, acquisition 200 × 3."""

    kinds: tuple[int, ...]
    width: int = 64
    layers: int = 3
    heads: int = 2
    buckets: int = 64
    acquisition: int = 64
    head: Head = "mlp"
    joint: bool = True
    mean: float = 0.5
    """Usual mean and deviation of values in [0, 1] scale: what ``Online`` scaling needs."""
    deviation: float = 0.2


class Inputs(NamedTuple):
    """Tensors of B states; histories are padded on the right."""

    x_hist: Tensor
    """(B, T, d)"""
    y_hist: Tensor
    """(B, T)"""
    n_hist: Tensor
    """(B,): how much of the history is filled."""
    x_cand: Tensor
    """(B, N, d)"""
    feats: Tensor
    """(B, 2): best value, t/T."""

    def pick(self, index: Tensor) -> Inputs:
        """With these candidates (B, k) only."""
        wide = index[..., None].expand(-1, -1, self.x_cand.shape[-1])
        return self._replace(x_cand=self.x_cand.gather(1, wide))

    def rows(self, index: Tensor) -> Inputs:
        return Inputs(*(part[index] for part in self))

    @staticmethod
    def join(parts: list[Inputs]) -> Inputs:
        return Inputs(*(torch.cat(part) for part in zip(*parts)))


class NeuralAcquisitionProcess(nn.Module):
    """Optimises tasks of the kinds it was made for."""

    name = "nap"

    def __init__(self, spec: NAPSpec) -> None:
        super().__init__()
        if spec.width % spec.heads:
            raise OptimiseError(f"{spec.heads} heads can't share a width of {spec.width}")
        self.spec = spec
        self.bar = BarDistribution.even(spec.buckets)
        w, hidden = spec.width, spec.acquisition
        self.numbers = [j for j, kind in enumerate(spec.kinds) if not kind]
        self.levels = [j for j, kind in enumerate(spec.kinds) if kind]
        self.enc_x = nn.Linear(len(self.numbers), w)
        self.enc_levels = nn.ModuleList(nn.Embedding(spec.kinds[j], w) for j in self.levels)
        self.enc_y = nn.Linear(1, w)
        self.blocks = nn.ModuleList(Block(w, spec.heads) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(w)
        self.surrogate = nn.Sequential(nn.Linear(w, w), nn.GELU(), nn.Linear(w, spec.buckets))
        self.acquire = nn.Sequential(
            nn.Linear(spec.buckets + w + 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )
        self.value = nn.Sequential(nn.Linear(2, w), nn.Tanh(), nn.Linear(w, 1))

    def encode(self, x: Tensor) -> Tensor:
        """Enc_x: numbers by one linear layer, every level by a vector of its own, summed."""
        out: Tensor = self.enc_x(x[..., self.numbers])
        for j, table in zip(self.levels, self.enc_levels):
            out = out + table(x[..., j].long())
        return out

    def predict(
        self, x_hist: Tensor, y_hist: Tensor, n_hist: Tensor, x_cand: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(logits (B, N, buckets), Enc_x of the candidates (B, N, width))."""
        filled = torch.arange(x_hist.shape[1]) < n_hist[:, None]
        encoded = self.encode(x_cand)
        history, candidates = self.encode(x_hist) + self.enc_y(y_hist[..., None]), encoded
        for block in self.blocks:
            history, candidates = block(history, candidates, filled)
        return self.surrogate(self.norm(candidates)), encoded

    def forward(
        self, x_hist: Tensor, y_hist: Tensor, n_hist: Tensor, x_cand: Tensor, feats: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(acquisition values (B, N), logits (B, N, buckets), value (B,))."""
        logits, encoded = self.predict(x_hist, y_hist, n_hist, x_cand)
        mine = (logits, encoded) if self.spec.joint else (logits.detach(), encoded.detach())
        return self._alpha(*mine, feats), logits, self.value(feats)[..., 0]

    def _alpha(self, logits: Tensor, encoded: Tensor, feats: Tensor) -> Tensor:
        if self.spec.head == "ei":
            return self.bar.ei(logits, feats[:, None, 0])
        if self.spec.head == "ucb":
            return self.bar.ucb(logits)
        wide = feats[:, None].expand(-1, logits.shape[1], -1)
        out: Tensor = self.acquire(torch.cat([logits.softmax(-1), encoded, wide], dim=-1))
        return out[..., 0]

    def inputs(self, state: State) -> Inputs:
        """A state as tensors, the history padded to T."""
        if state.kinds != self.spec.kinds:
            raise OptimiseError(
                f"this model optimises settings of the kinds {self.spec.kinds}, not {state.kinds}"
            )
        return history_inputs(state.history, state.seen, state.candidates, state.trials)

    def scores(self, state: State, rng: np.random.Generator) -> Floats:
        """Acquisition values (B, N), as any optimiser gives them."""
        with torch.no_grad():
            alpha = self(*self.inputs(state))[0]
        return np.asarray(alpha.double().numpy())

    def save(self, path: Path) -> None:
        """One safetensors file.

        Raises:
            DiskError: it can't be written.
        """
        save_model(path, self, asdict(self.spec))


def load_nap(path: Path) -> NeuralAcquisitionProcess:
    """A saved model.

    Raises:
        InputError: the file isn't one, or can't be read.
    """

    def build(spec: dict[str, Any]) -> NeuralAcquisitionProcess:
        return NeuralAcquisitionProcess(NAPSpec(**{**spec, "kinds": tuple(spec["kinds"])}))

    return load_model(path, build, "a saved neural acquisition process")


def history_inputs(
    x: Floats, y: Floats, candidates: Floats, trials: int, *, count: Ints | None = None
) -> Inputs:
    """Histories x (B, t, d), y (B, t), of which ``count`` (B,) are filled, padded to T.

    The features are the best value and the share of trials spent.
    """
    b, t = y.shape
    filled = np.full(b, t) if count is None else count
    # No history may still be of zero width: one empty slot stands for it.
    width = max(trials, t, 1)
    hist_x, hist_y = np.zeros((b, width, x.shape[2])), np.zeros((b, width))
    hist_x[:, :t], hist_y[:, :t] = x, y
    real = np.arange(width) < filled[:, None]
    best = np.where(filled > 0, np.where(real, hist_y, -np.inf).max(axis=1), 0.0)
    feats = np.stack([best, filled / trials], axis=1)
    x_hist, y_hist, x_cand, features = (
        torch.tensor(part, dtype=torch.float32) for part in (hist_x, hist_y, candidates, feats)
    )
    return Inputs(x_hist, y_hist, torch.tensor(filled), x_cand, features)


class Block(nn.Module):
    """A transformer layer over two streams with the mask of this model."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, history: Tensor, candidates: Tensor, filled: Tensor) -> tuple[Tensor, Tensor]:
        t = history.shape[1]
        tokens = torch.cat([history, candidates], dim=1)
        b, n, w = tokens.shape
        parts = self.qkv(self.first(tokens)).reshape(b, n, 3, self.heads, w // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each (B, heads, tokens, width of a head)
        scale = (w // self.heads) ** -0.5
        others = q @ k[:, :, :t].transpose(-1, -2) * scale
        # A filled history token is among "the history" already; "itself" must not count twice.
        hidden = ~filled[:, None, None, :].expand(b, 1, n, t)
        own = torch.eye(n, t, dtype=torch.bool)
        others = others.masked_fill(hidden | own, float("-inf"))
        itself = (q * k).sum(-1, keepdim=True) * scale
        weights = torch.cat([others, itself], dim=-1).softmax(-1)
        mixed = weights[..., :t] @ v[:, :, :t] + weights[..., t:] * v
        tokens = tokens + self.out(mixed.transpose(1, 2).reshape(b, n, w))
        tokens = tokens + self.feed(self.second(tokens))
        return tokens[:, :t], tokens[:, t:]
