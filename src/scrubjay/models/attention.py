"""Attention over packed rows that share prefixes.

All tokens of a pass lie in one line (1, tokens), so nothing is padded. Layer by layer the new keys
and values are stored, then each run of tokens attends to itself and to all that is stored before
it. A long run has all keys it attends to laid side by side. Short runs under one shared node are
put together: they attend to the node at once and to themselves apart, and the partial results are
merged by their log-sum-exp, which gives exactly the softmax over all of them (the "cascade" of
shared-prefix attention):

    out = Σ_i exp(l_i) out_i / Σ_i exp(l_i),   l_i = log Σ_j exp(q · k_j)  over part i.

The model is an unmodified transformers model: it calls ``attend`` through its attention interface.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from scrubjay.models.processor import has_tiles

NAME = "scrubjay"
_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default


@dataclass(slots=True)
class Store:
    """Where the new keys and values of ``tokens`` go: ``kv[0 or 1, layer][places]``."""

    kv: Tensor
    """(2, layers, places, key-value heads, head size), or with blocks before the places."""
    tokens: Tensor | slice
    places: slice | tuple[Tensor, Tensor]
    """Places, or blocks and places."""


@dataclass(slots=True)
class Long:
    """A long run that is computed whole in this pass."""

    tokens: slice
    """Its place in the line."""
    before: list[Tensor]
    """What it attends to beside itself: each (2, layers, key-value heads, tokens, head size)."""


@dataclass(slots=True)
class Fresh:
    """Short runs that are computed whole in this pass and attend to themselves, padded to one
    length."""

    tokens: Tensor
    """(runs, length): index of each token in the line; padding repeats a token of the run."""
    real: Tensor
    """(number of real tokens,): their places in ``tokens.flatten()``, in the order of ``line``."""
    line: Tensor
    """(number of real tokens,): the same tokens' index in the line."""


@dataclass(slots=True)
class Grown:
    """Rows that add a few tokens to what they stored earlier."""

    kv: Tensor
    """(2, layers, blocks, key-value heads, places in a block, head size)."""
    tokens: Tensor
    """(rows, steps): index in the line of each row's new tokens, the last one repeated."""
    readers: Tensor
    """(blocks,): the row that reads each block."""
    table: Tensor
    """(rows, most): the blocks of each row, the first one repeated behind the last."""
    mask: Tensor
    """(blocks, 1, steps, 1, places): 0 where the row has a token by then, -inf elsewhere."""


@dataclass(slots=True)
class Shared:
    """All short runs below one node attend to it: ``line[tokens]`` over ``kv``."""

    kv: Tensor
    """(2, layers, key-value heads, tokens, head size)."""
    tokens: slice | Tensor


@dataclass(slots=True)
class Plan:
    """One pass: what is stored where, and who attends to what. The same for every layer."""

    stores: list[Store] = field(default_factory=list)
    long: list[Long] = field(default_factory=list)
    fresh: list[Fresh] = field(default_factory=list)
    grown: Grown | None = None
    shared: list[Shared] = field(default_factory=list)
    watched: Tensor | None = None
    """Index in the line of the tokens whose queries are to be remembered."""
    queries: Tensor | None = None
    """(watched, heads, head size), of the layer that attended last; scaled as for the softmax."""

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """Attention output (tokens, heads, head size) of queries ``q`` of the same shape."""
        for store in self.stores:
            store.kv[0, layer][store.places] = k[store.tokens]
            store.kv[1, layer][store.places] = v[store.tokens]
        if self.watched is not None:
            self.queries = q[self.watched].float() * scale
        out = torch.empty_like(q, memory_format=torch.contiguous_format)
        total = torch.empty(q.shape[:2], dtype=torch.float32)
        for run in self.long:
            part, before = run.tokens, [kv[:, layer] for kv in run.before]
            out[part] = _long(q[part], k[part], v[part], before, scale)
        for fresh in self.fresh:
            _fresh(fresh, q, k, v, scale, out, total)
        if self.grown is not None:
            _grown(self.grown, layer, q, scale, out, total)
        for shared in self.shared:
            so_far, sums = out[shared.tokens], total[shared.tokens]  # copies, if not of a slice
            _merge(so_far, sums, *_over(q[shared.tokens], shared.kv[:, layer], scale))
            out[shared.tokens], total[shared.tokens] = so_far, sums
        return out

    @contextmanager
    def active(self, config: Any) -> Iterator[None]:
        """Inside, a model with this ``config`` attends as planned here."""
        global _plan
        before, _plan = config._attn_implementation, self
        config._attn_implementation = NAME
        try:
            yield
        finally:
            config._attn_implementation, _plan = before, None


_plan: Plan | None = None


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """What a transformers model calls: (1, heads, tokens, size) in, (1, tokens, heads, size) out.

    Raises:
        Unsupported: the model asks for a kind of attention that isn't plain causal softmax.
    """
    strange = [n for n in _STRANGE if options.get(n) is not None]
    if _plan is None or strange or key.shape[-1] != value.shape[-1]:
        raise Unsupported(f"attention with {', '.join(strange) or 'unequal head sizes'}")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    return _plan.attend(module.layer_idx, q, k, v, scale)[None], None


_STRANGE = ("sliding_window", "softcap", "s_aux", "position_bias", "past_key_values")


class Unsupported(Exception):
    """The model's attention can't be split over shared prefixes."""


def register() -> None:
    """Make ``attend`` known to transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


def _long(q: Tensor, k: Tensor, v: Tensor, before: list[Tensor], scale: float) -> Tensor:
    """A run (tokens, heads, size) that attends to itself and to what comes before it."""
    if not _fused(q):
        own = torch.stack([k, v]).transpose(1, 2)
        return _side_by_side(q, torch.cat([*before, own], 2), scale)
    o, lse = (x[0] for x in _causal(q[None], k[None], v[None], scale))
    if before:
        _merge(o, lse, *_over(q, torch.cat(before, 2), scale))
    return o


def _fresh(
    run: Fresh, q: Tensor, k: Tensor, v: Tensor, scale: float, out: Tensor, total: Tensor
) -> None:
    o, lse = _causal(q[run.tokens], k[run.tokens], v[run.tokens], scale)
    out[run.line] = o.flatten(0, 1)[run.real]
    total[run.line] = lse.flatten(0, 1)[run.real]


def _causal(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Runs (runs, tokens, heads, size) that attend to themselves: output of the same shape and
    log-sum-exp (runs, tokens, heads)."""
    runs, length, heads, size = q.shape
    groups = k.shape[2]
    # Batches of the heads that share a key, which then needn't be repeated for them.
    queries = q.unflatten(2, (groups, -1)).permute(0, 2, 3, 1, 4).flatten(0, 1)
    keys, values = (
        x.transpose(1, 2).reshape(-1, 1, length, size).expand(-1, queries.shape[1], -1, -1)
        for x in (k, v)
    )
    o, lse = _flash(queries, keys, values, is_causal=True, scale=scale)
    o = o.reshape(runs, heads, length, size).transpose(1, 2).contiguous()
    return o, lse.reshape(runs, heads, length).transpose(1, 2).contiguous()


def _grown(rows: Grown, layer: int, q: Tensor, scale: float, out: Tensor, total: Tensor) -> None:
    keys, values = rows.kv[0, layer], rows.kv[1, layer]
    blocks, groups = keys.shape[:2]
    count, steps = rows.tokens.shape
    size = q.shape[-1]
    queries = (q[rows.tokens] * scale).view(count, steps, groups, -1, size).transpose(1, 2)
    queries = queries.reshape(count, groups, -1, size)[rows.readers]
    # Reading the keys takes the time: on the left of the product they needn't be transposed.
    scores = torch.matmul(keys, queries.transpose(-1, -2)).transpose(-1, -2).contiguous()
    scores.view(blocks, groups, steps, -1, scores.shape[-1]).add_(rows.mask)
    most = scores.amax(-1)[rows.table].amax(1)
    weights = scores.sub_(most[rows.readers].unsqueeze(-1)).exp_()
    sums = torch.zeros(most.shape, dtype=torch.float32)
    sums.index_add_(0, rows.readers, weights.sum(-1, dtype=torch.float32))
    o = torch.zeros(*most.shape, size, dtype=torch.float32)
    o.index_add_(0, rows.readers, torch.matmul(weights, values).float())
    o = o.div_(sums.unsqueeze(-1)).view(count, groups, steps, -1, size).transpose(1, 2)
    lse = sums.log_().add_(most).view(count, groups, steps, -1).transpose(1, 2)
    out[rows.tokens] = o.reshape(count, steps, -1, size).to(q.dtype)
    total[rows.tokens] = lse.reshape(count, steps, -1)


def _over(q: Tensor, kv: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """All queries over all of ``kv`` (2, key-value heads, all, size): (tokens, heads, size) and
    log-sum-exp (tokens, heads)."""
    n, heads, size = q.shape
    groups = kv.shape[1]
    queries = q.view(n, groups, -1, size).transpose(0, 1).reshape(groups, -1, size)
    if _fused(q):
        o, lse = (x[0] for x in _flash(queries[None], kv[None, 0], kv[None, 1], scale=scale))
    else:
        o, lse = _in_steps(queries * scale, kv)
    o = o.view(groups, n, -1, size).transpose(0, 1).reshape(n, heads, size)
    return o, lse.reshape(groups, n, -1).transpose(0, 1).reshape(n, heads)


def _fused(q: Tensor) -> bool:
    """Whether PyTorch's fused kernel is the fastest for many queries: in bfloat16 it multiplies
    matrices no faster than in float32, unless the processor has tiles for them (AMX). Elsewhere
    oneDNN multiplies, blocks of queries whose scores stay in the processor's cache."""
    return q.dtype == torch.float32 or has_tiles()


def _side_by_side(q: Tensor, kv: Tensor, scale: float) -> Tensor:
    """Queries (tokens, heads, size) of the last tokens over ``kv`` (2, key-value heads, all, size),
    none over a later one."""
    n, heads, size = q.shape
    groups, most = kv.shape[1:3]
    queries = (q * scale).view(n, groups, -1, size).permute(1, 2, 0, 3)
    keys, out = kv[0].transpose(1, 2), torch.empty(n, heads, size, dtype=q.dtype)
    block = min(n, max(64, _CACHED // (heads * most)))
    later = torch.full((block, block), -torch.inf, dtype=q.dtype).triu(1)
    for first in range(0, n, block):
        last = min(first + block, n)
        length, seen = last - first, most - n + last
        scores = torch.bmm(queries[:, :, first:last].flatten(1, 2), keys[..., :seen])
        own = scores.view(groups, -1, length, seen)[..., seen - length :]
        own += later[:length, :length]
        o = torch.bmm(scores.softmax(-1), kv[1, :, :seen])
        out[first:last] = o.view(heads, length, size).transpose(0, 1)
    return out


def _in_steps(q: Tensor, kv: Tensor) -> tuple[Tensor, Tensor]:
    """Queries (key-value heads, queries, size), scaled, over all of ``kv``: output of their shape
    and log-sum-exp (key-value heads, queries)."""
    block = max(64, _CACHED // (q.shape[0] * kv.shape[2]))
    keys = kv[0].transpose(1, 2)
    parts = [_weigh(torch.bmm(some, keys), kv[1]) for some in q.split(block, 1)]
    outs, sums = zip(*parts)
    return (outs[0], sums[0]) if len(parts) == 1 else (torch.cat(outs, 1), torch.cat(sums, 1))


def _weigh(scores: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Values averaged by the softmax of ``scores`` (overwritten), and the log-sum-exp."""
    most = scores.amax(-1, keepdim=True)
    weights = scores.sub_(most).exp_()
    total = weights.sum(-1, keepdim=True, dtype=torch.float32)
    return torch.bmm(weights, v).div_(total), total.log_().add_(most)[..., 0]


_CACHED = 1_000_000
"""Scores worked on at a time."""


def _merge(out: Tensor, total: Tensor, o: Tensor, lse: Tensor) -> None:
    """Merge a part into the running output and log-sum-exp, in place."""
    weight = torch.sigmoid(lse - total).to(out.dtype).unsqueeze(-1)
    out.lerp_(o, weight)
    torch.logaddexp(total, lse, out=total)
