"""Tune a model on questions and answers: it learns what to say, not what is asked.

    Question: In which city was Ana born?
    Answer: Arn<end>                            L = - Σ log p(token), over the answer's tokens

What comes out is a folder of safetensors that ``load_model("./folder")`` loads. ``full_text_loss``
learns the questions too, as MechGPT does.

Source: MechGPT (paper 10), section 3.2 of our sheet. Departures: all weights are tuned, in float32
(no adapters: LoRA on a 4-bit base needs a GPU library), a plain format instead of a chat's, and the
loss counts the answer only.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.core.files import dump_json, folder_atomic, write_atomic
from scrubjay.core.randomness import stream
from scrubjay.models.tiny import settings_hash
from scrubjay.training.adapt import CARD, Adaptation
from scrubjay.training.pretrain import Example, train_causal

THRICE = Adaptation(epochs=3)


def pair_example(
    tokenizer: Any, question: str, answer: str, *, full_text_loss: bool = False
) -> Example:
    """A pair as token ids; the end token is learned too, so that answers end."""
    asked = tokenizer(f"Question: {question}\nAnswer:", add_special_tokens=False)["input_ids"]
    said = tokenizer(f" {answer}", add_special_tokens=False)["input_ids"]
    said = [*said, tokenizer.eos_token_id]
    return Example([*asked, *said], [full_text_loss] * len(asked) + [True] * len(said))


def count_tokens(tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> int:
    """Tokens of one pass over the pairs."""
    return sum(len(pair_example(tokenizer, q, a).ids) for q, a in pairs)


def tune_on_pairs(
    base: str,
    pairs: Sequence[tuple[str, str]],
    out: Path,
    how: Adaptation = THRICE,
    *,
    full_text_loss: bool = False,
    look: Callable[[int, int, float], None] = lambda *_: None,
) -> Path:
    """Tune the model that ``base`` names (see ``load_weights``) on (question, answer) into ``out``.

    A run that was killed goes on from a folder beside ``out``, which is removed in the end.
    ``look`` is called with (steps done, all steps, loss).

    Raises:
        InputError: there are no pairs, or ``out`` holds something else.
        ModelError: the base can't be loaded.
        DiskError: the folder can't be written.
    """
    from scrubjay.models.weights import load_weights

    if not pairs:
        raise InputError("there are no questions to train on")
    if out.exists() and not (out / CARD).exists():
        raise InputError("holds something that is not a tuned model; choose another", file=out)
    settings = {
        "base": base,
        "pairs": settings_hash({"pairs": [list(p) for p in pairs]}),
        "full_text_loss": full_text_loss,
        **asdict(how),
    }
    scratch = out.with_name(f"{out.name}.training-{settings_hash(settings)[:12]}")
    weights = load_weights(base, dtype="float32")
    examples = [
        pair_example(weights.tokenizer, q, a, full_text_loss=full_text_loss) for q, a in pairs
    ]
    schedule = how.schedule(len(examples))

    def batch(step: int) -> list[Example]:
        places = range(step * how.batch, (step + 1) * how.batch)
        return [examples[_turn(len(examples), how.seed, at)] for at in places]

    def seen(done: int, loss: float) -> bool:
        look(done, schedule.steps, loss)
        return False

    scratch.mkdir(parents=True, exist_ok=True)
    weights.model.requires_grad_(True)
    losses = train_causal(
        weights.model, batch, schedule, checkpoint=scratch / "state",
        every=max(1, schedule.steps // 3), look=seen,
    )  # fmt: skip
    with folder_atomic(out) as part:
        weights.model.save_pretrained(part)
        weights.tokenizer.save_pretrained(part)
        card = {**settings, "steps": schedule.steps, "first": losses[0], "last": losses[-1]}
        write_atomic(part / CARD, dump_json(card, indent=1))
    shutil.rmtree(scratch, ignore_errors=True)
    return out


def _turn(count: int, seed: int, at: int) -> int:
    """The example that comes at a place: every pass is a fresh shuffle of all of them."""
    epoch, place = divmod(at, count)
    order = list(range(count))
    stream(seed, "pairs", epoch).shuffle(order)
    return order[place]
