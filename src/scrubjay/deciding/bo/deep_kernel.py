"""Only the surrogate is learned: a Gaussian process on features that related tasks have shaped.

    k(x, x') = s² exp(−½ ‖φ(x) − φ(x')‖²),  φ an MLP        max Σ_tasks log p(y | x) over φ, s², n²

At test φ stays, the process is conditioned on the history, and expected improvement chooses.
Source: few-shot Bayesian optimisation (Wistuba and Grabocka, 2021), a baseline of paper 32; ours
leaves out the adaptation of φ at test.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from scrubjay.core.randomness import derive, numpy_stream
from scrubjay.deciding.bo.env import State
from scrubjay.deciding.bo.gp import expected_improvement
from scrubjay.deciding.bo.metabo import one_hot
from scrubjay.deciding.bo.tasks import Floats, TaskFamily


class DeepKernel(nn.Module):
    """Surrogate and optimiser; see ``fit_deep_kernel``."""

    name = "deep-kernel"

    def __init__(self, kinds: tuple[int, ...], hidden: int = 32, features: int = 8) -> None:
        super().__init__()
        self.kinds = kinds
        columns = sum(kind or 1 for kind in kinds)
        self.phi = nn.Sequential(
            nn.Linear(columns, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, features),
        )
        self.signal = nn.Parameter(torch.zeros(()))
        self.noise = nn.Parameter(torch.tensor(-3.0))

    def kernel(self, a: Tensor, b: Tensor) -> Tensor:
        """Of features (…, n, f) and (…, m, f)."""
        squares = ((a[..., :, None, :] - b[..., None, :, :]) ** 2).sum(-1)
        out: Tensor = self.signal.exp() * (-0.5 * squares).exp()
        return out

    def features(self, x: Floats) -> Tensor:
        out: Tensor = self.phi(torch.tensor(one_hot(x, self.kinds), dtype=torch.float32))
        return out

    def root(self, phi: Tensor) -> Tensor:
        """Cholesky root of K."""
        noise = (self.noise.exp() + 1e-4) * torch.eye(phi.shape[-2])
        out: Tensor = torch.linalg.cholesky(self.kernel(phi, phi) + noise)
        return out

    def log_marginal(self, x: Floats, y: Tensor) -> Tensor:
        """log p(y) of standardised values (…, t)."""
        root = self.root(self.features(x))
        alpha = torch.cholesky_solve(y[..., None], root)[..., 0]
        half = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        half = half + 0.5 * y.shape[-1] * np.log(2 * np.pi)
        return torch.as_tensor(-0.5 * (y * alpha).sum(-1) - half)

    def posterior(self, x: Floats, y: Tensor, at: Floats) -> tuple[Tensor, Tensor]:
        """Mean and deviation at ``at`` (…, m, d)."""
        phi, there = self.features(x), self.features(at)
        root, between = self.root(phi), self.kernel(phi, there)
        mean = (between * torch.cholesky_solve(y[..., None], root)).sum(-2)
        lost = torch.linalg.solve_triangular(root, between, upper=False).pow(2).sum(-2)
        return mean, (self.signal.exp() - lost).clamp(min=1e-8).sqrt()

    def scores(self, state: State, rng: np.random.Generator) -> Floats:
        if state.seen.shape[1] == 0:
            return np.zeros(state.candidates.shape[:2])
        y = _standard(state.seen)
        with torch.no_grad():
            mean, deviation = self.posterior(state.history, y, state.candidates)
        best = y.max(dim=1, keepdim=True).values
        return expected_improvement(*(t.double().numpy() for t in (mean, deviation, best)))


def fit_deep_kernel(
    family: TaskFamily, *, steps: int = 300, tasks: int = 16, points: int = 20, seed: int = 0
) -> DeepKernel:
    """Adam on the mean log marginal likelihood of random points of random tasks."""
    torch.manual_seed(derive(seed, "deep kernel") % 2**63)
    model = DeepKernel(family.kinds)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(steps):
        rng = numpy_stream(seed, "deep kernel", step)
        drawn = [family.sample(rng) for _ in range(tasks)]
        rows = [rng.permutation(len(t.values))[:points] for t in drawn]
        x = np.array([t.candidates[r] for t, r in zip(drawn, rows)])
        y = _standard(np.array([t.values[r] for t, r in zip(drawn, rows)]))
        loss = -model.log_marginal(x, y).mean() / points
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def _standard(y: Floats) -> Tensor:
    deviation = y.std(axis=1, keepdims=True)
    out = (y - y.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1.0)
    return torch.tensor(out, dtype=torch.float32)
