"""What a model writes after prompts, and how surprising texts are to it; for any open model."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.inputs import as_inputs, padded
from scrubjay.probing.open import OpenModel


def continuations(model: OpenModel, prompts: Sequence[str], tokens: int) -> list[str]:
    """What the model writes after each prompt, greedily.

    Raises:
        ProbeError: prompt and continuation don't fit into the context.
    """
    written = continued(model, encoded(model, prompts), tokens)
    said: list[str] = model.tokenizer.batch_decode(written, skip_special_tokens=True)
    return said


def continued(model: OpenModel, prompts: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
    """The same in token ids, without the end token and what comes after it.

    Raises:
        ProbeError: prompt and continuation don't fit into the context.
    """
    anatomy = Anatomy.of(model.model)
    given = as_inputs(anatomy, padded(prompts))
    width = given["input_ids"].shape[1]
    if width + tokens > anatomy.context:
        raise ProbeError(
            f"{width} tokens and {tokens} more don't fit into a context of {anatomy.context}"
        )
    end = model.tokenizer.eos_token_id
    with torch.no_grad():
        ids = anatomy.model.generate(
            input_ids=given["input_ids"],
            attention_mask=given["attention_mask"],
            max_new_tokens=tokens,
            do_sample=False,
            eos_token_id=end,
            pad_token_id=end,
        )
    rows: list[list[int]] = ids[:, width:].tolist()
    return [r[: r.index(end)] if end in r else r for r in rows]


def nats(
    model: OpenModel,
    rows: Sequence[Sequence[int]],
    *,
    begin: Sequence[int] | None = None,
    batch: int = 32,
) -> list[float]:
    """Mean surprisal a token of each text, from its token number ``begin`` (default: 1) on."""
    anatomy, found = Anatomy.of(model.model), list[float]()
    for start in range(0, len(rows), batch):
        given = as_inputs(anatomy, padded(rows[start : start + batch], side="right"))
        with torch.no_grad():
            logits = anatomy.model(**given, use_cache=False).logits
        log = logits[:, :-1].float().log_softmax(-1)
        mask = given["attention_mask"][:, 1:].float()
        for row, first in enumerate(begin[start : start + batch] if begin else ()):
            mask[row, : first - 1] = 0
        each = -log.gather(-1, given["input_ids"][:, 1:, None])[..., 0] * mask
        found += (each.sum(1) / mask.sum(1).clamp_min(1)).tolist()
    return found


def encoded(model: OpenModel, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, without special tokens."""
    return [list(model.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
