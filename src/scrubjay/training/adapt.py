"""Adapt: go on training a language model on a domain's own text.

    L = - Σ_t log p(x_t | x_<t)      over windows of the domain's documents

Plain next-token loss, whole texts up to ``length`` tokens and windows beyond that. Batches depend
on step and seed only, so a killed run goes on at its checkpoint with the texts it would have seen.
What comes out is a folder of safetensors that ``load_model("./folder")`` loads.

Source: Adapt-Retrieve-Revise (paper 56), step "adapt". Departures: no instruction tuning after it
and no general text mixed in unless ``texts`` holds some: after many passes a small model may forget
to follow instructions, so ask an adapted model for continuations.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.core.errors import InputError, ModelError
from scrubjay.core.files import dump_json, folder_atomic, write_atomic
from scrubjay.core.randomness import stream
from scrubjay.models.tiny import settings_hash
from scrubjay.training.pretrain import Example, Schedule, train_causal

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

CARD = "adapted.json"
"""In the folder of an adapted model: what it was trained on, and its losses."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How much is learned, and how fast."""

    epochs: float = 2.0
    """Passes over the text."""
    rate: float = 1e-4
    """Peak learning rate; a model from scratch wants some 2e-3."""
    batch: int = 8
    """Windows a step."""
    length: int = 256
    """Most tokens of a window."""
    seed: int = 0
    half: bool = False
    """bfloat16 products (see ``Schedule``)."""

    def schedule(self, windows: int) -> Schedule:
        """The schedule for so many windows of text."""
        steps = max(1, round(self.epochs * windows / self.batch))
        return Schedule(steps, self.rate, warmup=max(1, steps // 20), half=self.half)


def continue_training(
    model: LlamaForCausalLM,
    tokenizer: Any,
    texts: Sequence[str],
    how: Adaptation = Adaptation(),
    *,
    checkpoint: Path | None = None,
    look: Callable[[int, float], bool] | None = None,
) -> list[float]:
    """Train ``model`` in place on the texts; returns the loss of every step.

    Args:
        checkpoint: a file to go on from if it exists.
        look: called after each step with (steps done, loss); returning True ends training.

    Raises:
        InputError: there is no text.
        ModelError: the model is not built as those that this trains (a Llama or its like).
    """
    pieces = windows(tokenizer, texts, how.length)
    if not pieces:
        raise InputError("there is no text to train on")
    return train_examples(model, _whole(pieces), how, checkpoint=checkpoint, look=look)


def train_examples(
    model: LlamaForCausalLM,
    examples: Sequence[Example],
    how: Adaptation,
    *,
    checkpoint: Path | None = None,
    look: Callable[[int, float], bool] | None = None,
) -> list[float]:
    """Train ``model`` in place on the examples, every epoch in another order.

    Raises:
        ModelError: the model is not built as those that this trains (a Llama or its like).
    """
    if not (hasattr(model, "model") and hasattr(model, "lm_head")):
        raise ModelError(f"a {model.config.model_type} model can't be trained here; take a Llama")
    model.requires_grad_(True)

    def batch(step: int) -> list[Example]:
        at = range(step * how.batch, (step + 1) * how.batch)
        return [examples[_turn(len(examples), how.seed, i)] for i in at]

    schedule = how.schedule(len(examples))
    every = max(1, min(100, schedule.steps // 4))
    losses = train_causal(model, batch, schedule, checkpoint=checkpoint, every=every, look=look)
    model.requires_grad_(False)
    return losses


def adapt_model(
    base: str,
    texts: Sequence[str],
    out: Path,
    how: Adaptation = Adaptation(),
    *,
    look: Callable[[int, int, float], None] = lambda *_: None,
) -> Path:
    """Continue the model that ``base`` names (see ``load_weights``) on ``texts`` into ``out``.

    A run that was killed goes on from a folder beside ``out`` that is named for base, texts and
    settings, and removed in the end. ``look`` is called with (steps done, all steps, loss).

    Raises:
        InputError: there is no text, or ``out`` holds something else.
        ModelError: the base can't be loaded, or is built in a way that can't be trained here.
        DiskError: the folder can't be written.
    """
    if not any(t.strip() for t in texts):
        raise InputError("there is no text to train on")
    settings = {"texts": settings_hash({"texts": list(texts)}), "count": len(texts)}

    def examples(tokenizer: Any) -> list[Example]:
        return _whole(windows(tokenizer, texts, how.length))

    return tune_into(out, base, examples, how, settings, look=look)


def tune_into(
    out: Path,
    base: str,
    examples: Callable[[Any], Sequence[Example]],
    how: Adaptation,
    settings: Mapping[str, Any],
    *,
    look: Callable[[int, int, float], None],
) -> Path:
    """Train a base model on what ``examples`` makes with its tokenizer, into a folder.

    Args:
        settings: what the examples are made of; with base and ``how`` they name the folder of an
            unfinished run, and stand in the card of the finished model.

    Raises:
        InputError: ``out`` holds something else.
        ModelError, DiskError: as ``adapt_model``.
    """
    from scrubjay.models.weights import load_weights

    if out.exists() and not (out / CARD).exists() and (out.is_file() or any(out.iterdir())):
        raise InputError("holds something that is not an adapted model; choose another", file=out)
    settings = {"base": base, **settings, **asdict(how)}
    scratch = out.with_name(f"{out.name}.training-{settings_hash(settings)[:12]}")
    weights = load_weights(base, dtype="float32")
    lessons = examples(weights.tokenizer)
    steps = how.schedule(len(lessons)).steps

    def seen(done: int, loss: float) -> bool:
        look(done, steps, loss)
        return False

    scratch.mkdir(parents=True, exist_ok=True)
    losses = train_examples(weights.model, lessons, how, checkpoint=scratch / "state", look=seen)
    with folder_atomic(out) as part:
        weights.model.save_pretrained(part)
        weights.tokenizer.save_pretrained(part)
        card = {**settings, "steps": steps, "first": losses[0], "last": losses[-1]}
        write_atomic(part / CARD, dump_json(card, indent=1))
    shutil.rmtree(scratch, ignore_errors=True)
    return out


def _whole(pieces: Sequence[list[int]]) -> list[Example]:
    """Every token counts."""
    return [Example(ids, [True] * len(ids)) for ids in pieces]


def windows(tokenizer: Any, texts: Sequence[str], length: int) -> list[list[int]]:
    """Token ids of every text, closed by the end token, in pieces of at most ``length``."""
    end = tokenizer.eos_token_id
    found: list[list[int]] = []
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"] if text.strip() else []
        ids = [*ids, end] if ids else []
        found += [ids[i : i + length] for i in range(0, len(ids), length)]
    return [piece for piece in found if len(piece) > 1]


def _turn(count: int, seed: int, number: int) -> int:
    """The window that comes ``number``-th: every epoch is a fresh shuffle of all of them."""
    epoch, place = divmod(number, count)
    return _shuffled(count, seed, epoch)[place]


@lru_cache(maxsize=2)
def _shuffled(count: int, seed: int, epoch: int) -> tuple[int, ...]:
    order = list(range(count))
    stream(seed, "adapt", epoch).shuffle(order)
    return tuple(order)
