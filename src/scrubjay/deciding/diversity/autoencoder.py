"""A dense autoencoder in a page of numpy: pictures to a few numbers and back.

    z = W₂ selu(W₁ x + b₁) + b₂            x̂ = σ(W₄ selu(W₃ z + b₃) + b₄)
    loss = mean over pixels of (x − x̂)²     Adam, batches of 128, early stop on held-out pictures

Source: STAX (paper 27), 3.3. Ours: two dense layers a side instead of four convolutions, which a
16 × 16 picture doesn't need; a sigmoid at the end instead of a ReLU (pixels lie in [0, 1], and a
ReLU that starts below 0 never learns); a linear code, since SELU's floor at −1.76 squeezes
distances.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scrubjay.core.randomness import numpy_stream
from scrubjay.deciding.diversity.types import Floats, Images, SearchError

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
PATIENCE = 4
"""Checks in a row in which the held-out error may rise."""


class Autoencoder:
    """Encodes rows of ``pixels`` numbers in [0, 1] as ``latent`` numbers.

    Raises:
        SearchError: a size below 1.
    """

    def __init__(self, pixels: int, latent: int = 10, hidden: int = 64, seed: int = 0) -> None:
        if min(pixels, latent, hidden) < 1:
            raise SearchError("an autoencoder needs at least one pixel, unit and number of code")
        self.seed, self.trained = seed, 0
        rng = numpy_stream(seed, "autoencoder")
        shapes = ((pixels, hidden), (hidden, latent), (latent, hidden), (hidden, pixels))
        self.parts: list[Images] = []
        for a, b in shapes:
            self.parts.append((rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32))
            self.parts.append(np.zeros(b, dtype=np.float32))
        self._moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self.parts]
        self._steps = 0

    def encode(self, x: Images) -> Floats:
        """Codes (n, latent) of pictures (n, pixels)."""
        w1, b1, w2, b2 = self.parts[:4]
        return np.asarray(_selu(x @ w1 + b1) @ w2 + b2, dtype=float)

    def error(self, x: Images) -> Floats:
        """Mean squared error of the reconstruction of each picture, (n,)."""
        w3, b3, w4, b4 = self.parts[4:]
        back = _sigmoid(_selu(self.encode(x).astype(np.float32) @ w3 + b3) @ w4 + b4)
        return np.asarray(((x - back) ** 2).mean(axis=1), dtype=float)

    def fit(
        self,
        x: Images,
        *,
        epochs: int = 20,
        rate: float = 1e-3,
        batch: int = 128,
        held_out: float = 0.2,
        look: Callable[[int, float], None] = lambda *_: None,
    ) -> float:
        """Train on pictures (n, pixels); the held-out error at the end. Goes on from what it is.

        Raises:
            SearchError: fewer than two pictures.
        """
        if len(x) < 2:
            raise SearchError("an autoencoder can't be trained on fewer than two pictures")
        self.trained += 1
        rng = numpy_stream(self.seed, "training", self.trained)
        order = rng.permutation(len(x))
        cut = max(1, int(held_out * len(x)))
        test, train = x[order[:cut]], x[order[cut:]]
        last, worse = np.inf, 0
        for epoch in range(epochs):
            rows = rng.permutation(len(train))
            for begin in range(0, len(rows), batch):
                self._step(train[rows[begin : begin + batch]], rate)
            now = float(self.error(test).mean())
            look(epoch, now)
            worse = worse + 1 if now > last else 0
            last = now
            if worse == PATIENCE:
                break
        return last

    def _step(self, x: Images, rate: float) -> None:
        w1, b1, w2, b2, w3, b3, w4, b4 = self.parts
        a1 = x @ w1 + b1
        h1 = _selu(a1)
        z = h1 @ w2 + b2
        a3 = z @ w3 + b3
        h3 = _selu(a3)
        back = _sigmoid(h3 @ w4 + b4)
        # Backwards; d.. is the gradient of the mean loss at each place.
        d4 = 2 * (back - x) / x.size * back * (1 - back)
        d3 = (d4 @ w4.T) * _selu_slope(a3)
        dz = d3 @ w3.T
        d1 = (dz @ w2.T) * _selu_slope(a1)
        grads = [
            x.T @ d1, d1.sum(0), h1.T @ dz, dz.sum(0), z.T @ d3, d3.sum(0), h3.T @ d4, d4.sum(0)
        ]  # fmt: skip
        self._steps += 1
        for part, grad, (m, v) in zip(self.parts, grads, self._moments):
            m += 0.1 * (grad - m)
            v += 0.001 * (grad**2 - v)
            mean, spread = m / (1 - 0.9**self._steps), v / (1 - 0.999**self._steps)
            part -= (rate * mean / (np.sqrt(spread) + 1e-8)).astype(np.float32)


def _selu(x: Any) -> Any:
    return SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0)))


def _selu_slope(x: Any) -> Any:
    return SCALE * np.where(x > 0, np.float32(1), ALPHA * np.exp(np.minimum(x, 0)))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
