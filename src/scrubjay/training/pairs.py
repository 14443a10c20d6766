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

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scrubjay.core.errors import InputError
from scrubjay.models.tiny import settings_hash
from scrubjay.training.adapt import CARD, Adaptation, tune_into
from scrubjay.training.pretrain import Example

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
    if not pairs:
        raise InputError("there are no questions to train on")
    if out.exists() and not (out / CARD).exists():
        raise InputError("holds something that is not a tuned model; choose another", file=out)
    digest = settings_hash({"pairs": [list(p) for p in pairs]})
    settings = {"pairs": digest, "full_text_loss": full_text_loss}

    def examples(tokenizer: Any) -> list[Example]:
        return [pair_example(tokenizer, q, a, full_text_loss=full_text_loss) for q, a in pairs]

    return tune_into(out, base, examples, how, settings, look=look)
