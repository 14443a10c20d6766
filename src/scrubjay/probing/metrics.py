"""What is read off the logits of a patched run: one number for each row.

metric(logits, examples)    logits (rows, vocabulary); which example each row is, (rows,)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from scrubjay.probing.errors import ProbeError

Metric = Callable[[Tensor, Tensor], Tensor]
"""Logits (rows, vocabulary) and the example each row is (rows,) → one number a row."""


def logit_difference(right: Sequence[int] | Tensor, wrong: Sequence[int] | Tensor) -> Metric:
    """Logit of each example's ``right`` token minus that of its ``wrong`` one."""
    a, b = torch.as_tensor(right), torch.as_tensor(wrong)
    return lambda x, n: x.gather(1, a.to(n)[n, None])[:, 0] - x.gather(1, b.to(n)[n, None])[:, 0]


def log_probability(tokens: Sequence[int] | Tensor) -> Metric:
    """Log-probability (natural) of each example's token."""
    a = torch.as_tensor(tokens)
    return lambda x, n: x.float().log_softmax(-1).gather(1, a.to(n)[n, None])[:, 0]


def measured(metric: Metric, logits: Tensor, examples: Tensor) -> Tensor:
    """The metric as float64 on the CPU.

    Raises:
        ProbeError: it isn't one finite number a row.
    """
    found = torch.as_tensor(metric(logits, examples.to(logits.device))).detach().double().cpu()
    if found.shape != examples.shape or not bool(found.isfinite().all()):
        raise ProbeError(
            f"the metric must return one finite number for each of {len(examples)} rows, not "
            f"{tuple(found.shape)} with {int((~found.isfinite()).sum())} that aren't finite"
        )
    return found
