"""What a search takes for an episode's behaviour: given by hand, or learned while it searches.

    HandMade            the true behaviour
    LearnedDescriptor   bd(g) = the codes of the S observations, one after another
                        surprise(g) = sum of their reconstruction errors

A learned space moves with every training: whoever keeps descriptors must compute them again
(``stax`` does), and surprises of different trainings can't be compared.

Source: STAX and TAXONS (paper 27), section 2 and 3.3.
"""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np

from scrubjay.deciding.diversity.autoencoder import Autoencoder
from scrubjay.deciding.diversity.types import Evaluations, Floats, SearchError


class Descriptor(Protocol):
    """A space of behaviours."""

    learns: bool

    def begin(self, seed: int) -> None:
        """Forget everything that was learned."""
        ...

    def describe(self, found: Evaluations) -> tuple[Floats, Floats]:
        """(descriptors (n, d), surprises (n,))."""
        ...

    def fit(self, found: Evaluations) -> float | None:
        """Learn from episodes; the held-out error, None when nothing was learned."""
        ...


class HandMade:
    """The space that somebody who knows the task would use; nothing surprises it."""

    learns = False

    def begin(self, seed: int) -> None:
        pass

    def describe(self, found: Evaluations) -> tuple[Floats, Floats]:
        return found.behaviour, np.zeros(len(found))

    def fit(self, found: Evaluations) -> None:
        return None


class LearnedDescriptor:
    """A space learned from observations by an autoencoder.

    Args:
        latent: size of the autoencoder's code.
        hidden: size of its hidden layer.
        epochs: of each training, at most.
        most: observations to train on, at most (drawn evenly).
        trains: False leaves it as it was drawn: a random projection, without surprise.

    Raises:
        SearchError: a size below 1.
    """

    def __init__(
        self,
        latent: int = 10,
        hidden: int = 64,
        epochs: int = 20,
        most: int = 4000,
        trains: bool = True,
    ) -> None:
        if min(latent, hidden, epochs, most) < 1:
            raise SearchError("sizes of a learned descriptor must be at least 1")
        self.latent, self.hidden, self.epochs, self.most = latent, hidden, epochs, most
        self.learns = trains
        self._seed = 0
        self._model: Autoencoder | None = None

    def begin(self, seed: int) -> None:
        self._seed, self._model = seed, None

    def describe(self, found: Evaluations) -> tuple[Floats, Floats]:
        n, samples, *size = found.observations.shape
        pictures = found.observations.reshape(n * samples, int(np.prod(size)))
        model = self._ready(pictures.shape[1])
        if not n:
            return np.zeros((0, samples * self.latent)), np.zeros(0)
        codes = model.encode(pictures).reshape(n, -1)
        if not self.learns:
            return codes, np.zeros(n)
        return codes, model.error(pictures).reshape(n, samples).sum(axis=1)

    def fit(self, found: Evaluations) -> float | None:
        n, samples, *size = found.observations.shape
        pictures = found.observations.reshape(n * samples, int(np.prod(size)))
        model = self._ready(pictures.shape[1])
        if not self.learns:
            return None
        if len(pictures) < 2 or np.ptp(pictures, axis=0).max() == 0:
            warnings.warn(
                "all observations are equal, so no behaviour space can be learned from them",
                stacklevel=2,
            )
            return None
        if len(pictures) > self.most:
            pictures = pictures[np.linspace(0, len(pictures) - 1, self.most).astype(int)]
        return model.fit(pictures, epochs=self.epochs)

    def _ready(self, pixels: int) -> Autoencoder:
        if self._model is None:
            self._model = Autoencoder(pixels, self.latent, self.hidden, self._seed)
        return self._model
