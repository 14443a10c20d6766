"""Prompts as the tools take them, checked before anything runs.

    [5, 9, 3]                          one prompt
    [[5, 9, 3], [7, 7, 1]]             a batch of prompts of one length
    tensor (rows, tokens)
    {"input_ids": …, "attention_mask": …}   goes to the model as it is

``padded`` makes the last form of prompts of different lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.taps import check_length

InputsLike = Tensor | Sequence[int] | Sequence[Sequence[int]] | Mapping[str, Any]


def as_inputs(anatomy: Anatomy, prompts: InputsLike) -> dict[str, Tensor]:
    """The arguments of one forward pass.

    Raises:
        ProbeError: there are no tokens, the prompts have different lengths, a token isn't in the
            vocabulary, or a prompt is longer than the context.
    """
    more: dict[str, Tensor] = {}
    if isinstance(prompts, Mapping):
        if "input_ids" not in prompts:
            raise ProbeError("the inputs have no input_ids")
        more = {k: torch.as_tensor(v) for k, v in prompts.items() if k != "input_ids"}
        prompts = prompts["input_ids"]
    ids = _tensor(prompts)
    if not ids.numel():
        raise ProbeError("a prompt needs at least one token")
    size = anatomy.w_e.shape[0]
    if int(ids.min()) < 0 or int(ids.max()) >= size:
        wrong = int(ids.min()) if int(ids.min()) < 0 else int(ids.max())
        raise ProbeError(f"token {wrong} isn't in the model's vocabulary of {size}")
    check_length(anatomy, ids.shape[1])
    for name, value in more.items():
        if value.shape[:1] != ids.shape[:1] or value.shape[-1] != ids.shape[1]:
            raise ProbeError(
                f"{name} has the shape {tuple(value.shape)}, the prompts {tuple(ids.shape)}"
            )
    return {k: v.to(anatomy.device) for k, v in {"input_ids": ids, **more}.items()}


def padded(
    prompts: Sequence[Sequence[int]], *, pad: int = 0, side: str = "left"
) -> dict[str, Tensor]:
    """Prompts of different lengths as one batch, each of which the model reads as if it were alone.

    With padding on the left, position -1 is every prompt's last token.

    Args:
        pad: any token; it is masked.
        side: left or right.

    Raises:
        ProbeError: there is no prompt, an empty one, or no such side.
    """
    if side not in ("left", "right"):
        raise ProbeError(f"padding stands on the left or right, not '{side}'")
    if not prompts or not all(len(p) for p in prompts):
        raise ProbeError("a prompt needs at least one token")
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        part = slice(longest - len(prompt), None) if side == "left" else slice(len(prompt))
        ids[row, part] = torch.as_tensor(prompt)
        mask[row, part] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}


def rows_of(inputs: dict[str, Tensor], part: Tensor) -> dict[str, Tensor]:
    """Some of the rows of ``as_inputs``."""
    return {name: value[part.to(value.device)] for name, value in inputs.items()}


def each_position(position: int | Tensor, count: int, length: int, name: str) -> Tensor:
    """(examples,) positions counted from 0.

    Raises:
        ProbeError: one lies outside the prompts, or they are of another number.
    """
    each = torch.as_tensor(position).long().cpu()
    each = each.expand(count) if each.dim() == 0 else each
    if each.shape != (count,):
        raise ProbeError(f"{name}: one position for each of {count} examples is due")
    if int(each.min()) < -length or int(each.max()) >= length:
        raise ProbeError(f"{name}: prompts of {length} tokens have no position {position}")
    return torch.where(each < 0, each + length, each)


def _tensor(prompts: Any) -> Tensor:
    ids: Tensor
    if isinstance(prompts, Tensor):
        ids = prompts
    else:
        rows = [list(p) for p in prompts] if prompts and not isinstance(prompts[0], int) else None
        if rows is not None and len({len(row) for row in rows}) > 1:
            low, high = min(map(len, rows)), max(map(len, rows))
            raise ProbeError(
                f"the prompts have {low} to {high} tokens and can't be aligned; use prompts of one "
                "length, or padded() where each stands for itself"
            )
        try:
            ids = torch.tensor(prompts if rows is None else rows)
        except (TypeError, ValueError) as error:
            raise ProbeError("prompts are lists of token numbers") from error
    if ids.is_floating_point() and ids.numel():
        raise ProbeError("prompts are lists of token numbers")
    if ids.dim() not in (1, 2):
        raise ProbeError(f"prompts have the shape (rows, tokens), not {tuple(ids.shape)}")
    return ids.long()[None] if ids.dim() == 1 else ids.long()
