"""EncoderCritic: evidence → standardise → logistic regression → Platt, as one small JSON file.

    p = sigmoid(slope * (w · (x - mean) / scale + b) + offset)

``x`` are the numbers of ``agents.evidence``. ``training.train_critic`` makes it from practice rows;
it is a few hundred bytes of numbers that anyone can read, never a pickle.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.agents.critics import Platt, correct_prior
from scrubjay.agents.evidence import NAMES, evidence, from_vectors, needed, shared_words
from scrubjay.agents.reasoner import Attempt
from scrubjay.agents.search_state import SearchState
from scrubjay.agents.session import Session
from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, write_atomic

if TYPE_CHECKING:
    from scrubjay.retrieval.types import Encoder

FORMAT = "scrubjay-critic-1"


@dataclass(frozen=True, slots=True)
class Weights:
    """One number per name of ``evidence.NAMES``, and the intercept."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    intercept: float

    def __call__(self, x: Sequence[float]) -> float:
        """The uncalibrated log-odds."""
        parts = zip(x, self.mean, self.scale, self.weight, strict=True)
        return self.intercept + sum(w * (v - m) / s for v, m, s, w in parts)


@dataclass(frozen=True, slots=True)
class EncoderCritic:
    """The critic that is trained on practice."""

    weights: Weights
    platt: Platt = field(default_factory=Platt)
    prior: float = 0.5
    """Share of right answers in the practice that the probability was calibrated on."""
    used: float | None = None
    """Share of right answers expected in use; the probability is corrected for it."""
    trained_on: str = ""
    """Model and worlds, in words."""
    encoder: Encoder | None = field(default=None, repr=False)
    """None: similarity is shared words."""
    name: str = "critic"

    async def score(self, state: SearchState, attempt: Attempt, session: Session) -> float:
        return self.probability(state, attempt)

    def probability(self, state: SearchState, attempt: Attempt) -> float:
        """Calibrated probability that the answer is right; 0 for no answer."""
        if not attempt.answer:
            return 0.0
        (row,) = evidence_rows([(state, attempt)], self.encoder)
        return self.of(row)

    def of(self, row: Sequence[float]) -> float:
        """The same from the numbers of ``evidence``."""
        p = self.platt(self.weights(row))
        return p if self.used is None else correct_prior(p, self.prior, self.used)

    def at_prior(self, used: float) -> EncoderCritic:
        """The critic for use where a share ``used`` of the answers is right."""
        return replace(self, used=used)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the critic, whole or not at all.

        Raises:
            DiskError: the disk is full or not writable.
        """
        encoder = None if self.encoder is None else self.encoder.name
        value = {
            "format": FORMAT,
            "names": NAMES,
            "weights": asdict(self.weights),
            "platt": asdict(self.platt),
            "prior": self.prior,
            "used": self.used,
            "trained_on": self.trained_on,
            "encoder": encoder,
        }
        write_atomic(file, dump_json(value, indent=1) + "\n")

    @classmethod
    def load(cls, file: str | os.PathLike[str], *, encoder: Encoder | None = None) -> EncoderCritic:
        """The critic that ``save`` wrote; its encoder is loaded unless it is given.

        Raises:
            InputError: the file is not a critic, is one of another version, or is damaged.
            ModelError: its encoder can't be loaded.
        """
        try:
            value = json.loads(Path(file).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"can't be read as a critic ({error})", file=file) from error
        critic = _parse(value, file)
        if encoder is None and value["encoder"]:
            encoder = _encoder(str(value["encoder"]))
        if encoder is not None and encoder.name != value["encoder"]:
            raise InputError(
                f"this critic was trained with the encoder {value['encoder']}, not {encoder.name}",
                file=file,
            )
        return replace(critic, encoder=encoder)


@cache
def default_critic() -> EncoderCritic:
    """The built-in critic, ``critic.json`` (see ``trained_on``); it needs no encoder."""
    file = resources.files("scrubjay.agents").joinpath("critic.json")
    with resources.as_file(file) as path:
        return EncoderCritic.load(path)


def _parse(value: Any, file: str | os.PathLike[str]) -> EncoderCritic:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError("is not a critic; make one with 'scrubjay train critic'", file=file)
    try:
        numbers = value["weights"]
        mean, scale, weight = (
            tuple(float(v) for v in numbers[key]) for key in ("mean", "scale", "weight")
        )
        weights = Weights(mean, scale, weight, float(numbers["intercept"]))
        platt = Platt(float(value["platt"]["slope"]), float(value["platt"]["offset"]))
        used = None if value["used"] is None else float(value["used"])
        critic = EncoderCritic(
            weights, platt, float(value["prior"]), used, str(value["trained_on"])
        )
        if tuple(value["names"]) != NAMES or {
            len(weights.mean), len(weights.scale), len(weights.weight)
        } != {len(NAMES)}:  # fmt: skip
            raise ValueError("it was trained on other evidence than this version collects")
        critic.of([0.0] * len(NAMES))
        _ = value["encoder"]
        return critic
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(
            f"is a damaged critic ({error}); train it again with 'scrubjay train critic'", file=file
        ) from error


def evidence_rows(
    attempts: Sequence[tuple[SearchState, Attempt]], encoder: Encoder | None
) -> list[list[float]]:
    """Evidence of many attempts (n, len(NAMES)); every text is encoded once."""
    if encoder is None:
        return [evidence(state, attempt, shared_words) for state, attempt in attempts]
    texts = list(dict.fromkeys(t for state, attempt in attempts for t in needed(state, attempt)))
    similar = from_vectors(dict(zip(texts, encoder.encode(texts))))
    return [evidence(state, attempt, similar) for state, attempt in attempts]


def _encoder(name: str) -> Encoder:
    from scrubjay.retrieval.encoders import load_encoder

    return load_encoder(name.rpartition("@")[0] or name)
