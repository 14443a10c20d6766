"""Attention weights of chosen queries and heads, whatever implementation the model runs.

Fast attention kernels return no weights, and the slow one returns all of them: (layers, heads, T,
T). Here the model keeps its own kernel; a tap at a layer's attention sees the queries and keys as
the kernel gets them (after norms and rotation, cached keys included) and computes only the rows
asked for,

    row_i = softmax_j( cap(scale q_i · k_j) + mask_ij ),   cap(s) = c tanh(s / c) where c is given.

It can also blank queries (every visible key then weighs the same) or put rows in the place of the
model's own. transformers looks its attention function up by a name in the configuration; for as
long as somebody watches, that name leads here and from here to the usual function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from scrubjay.probing.errors import ProbeError

if TYPE_CHECKING:
    from scrubjay.probing.anatomy import Anatomy


@dataclass(slots=True)
class Attention:
    """One layer's attention, about to be computed."""

    query: Tensor
    """(batch, heads, queries, size); may be replaced."""
    key: Tensor
    """(batch, key-value heads, keys, size)."""
    value: Tensor
    mask: Any
    options: dict[str, Any]
    rows_put: list[tuple[Tensor, Tensor, Tensor, Tensor]] = field(default_factory=list)

    @property
    def keys(self) -> int:
        return int(self.key.shape[2])

    def rows(self, columns: Tensor, heads: Tensor | None = None) -> Tensor:
        """Attention weights (batch, queries, heads, keys), softmax in float32.

        Args:
            columns: (batch, queries) columns of this pass.
            heads: the query heads; None: all.
        """
        batch, count, length, size = self.query.shape
        heads = torch.arange(count, device=self.query.device) if heads is None else heads
        groups = heads * self.key.shape[1] // count
        at = columns[:, None, :, None].expand(batch, len(heads), columns.shape[1], size)
        q = self.query[:, heads].gather(2, at).float()
        scores = torch.einsum("bhqd,bhkd->bhqk", q, self.key[:, groups].float())
        scale = self.options.get("scaling")
        scores *= size**-0.5 if scale is None else scale
        cap = self.options.get("softcap")
        if cap is not None:
            scores = torch.tanh(scores / cap) * cap
        hidden = self._hidden(columns, length)
        if hidden.dtype == torch.bool:
            # The lowest number, not -inf: a padded query sees nothing, and then everything alike.
            scores = scores.masked_fill_(hidden, torch.finfo(scores.dtype).min)
        else:
            scores += hidden.float()
        return scores.softmax(-1).transpose(1, 2)

    def blank(self, columns: Tensor, held: Tensor, heads: Tensor) -> None:
        """Let these queries weigh every visible key the same."""
        rows, slots = held.nonzero(as_tuple=True)
        query = self.query.clone()
        query[rows[:, None], heads, columns[rows, slots][:, None]] = 0
        self.query = query

    def put(self, rows: Tensor, columns: Tensor, heads: Tensor, weights: Tensor) -> None:
        """Use ``weights`` (n, keys) in row ``rows``, query ``columns``, head ``heads`` (each n)."""
        self.rows_put.append((rows, columns, heads, weights))

    def finish(self, out: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the kernel returned, (batch, queries, heads, size), with the rows put in."""
        for rows, columns, heads, new in self.rows_put:
            groups = heads * self.key.shape[1] // self.query.shape[1]
            mixed = torch.einsum("nk,nkd->nd", new.to(out.dtype), self.value[rows, groups])
            out = out.index_put((rows, columns, heads), mixed)
            if weights is not None:
                weights = weights.index_put((rows, heads, columns), new.to(weights.dtype))
        return out, weights

    def _hidden(self, columns: Tensor, length: int) -> Tensor:
        """What each query may not see: True, or numbers to add; (batch, 1, queries, keys)."""
        if self.mask is not None and not isinstance(self.mask, Tensor):
            raise ProbeError(
                "attention weights aren't available with this attention implementation; load the "
                "model with attn_implementation='sdpa' or 'eager'"
            )
        if self.mask is not None and self.mask.dim() == 4:
            mask = self.mask[:, :1, :, : self.keys].expand(len(columns), -1, -1, -1)
            at = columns[:, None, :, None].expand(-1, -1, -1, self.keys)
            mask = mask.gather(2, at)
            return ~mask if mask.dtype == torch.bool else mask
        seen = torch.arange(self.keys, device=columns.device)
        own = (columns + self.keys - length)[:, None, :, None]
        hidden = seen > own
        window = self.options.get("sliding_window")
        if window is not None:
            hidden = hidden | (seen <= own - window)
        if self.mask is not None:  # (batch, keys), 1 where there is a token
            hidden = hidden | (self.mask[:, None, None, -self.keys :] == 0)
        return hidden


Watcher = Callable[[Attention], None]

_watchers: WeakKeyDictionary[nn.Module, list[Watcher]] = WeakKeyDictionary()
_switched: dict[int, tuple[Any, int]] = {}
"""Configurations whose attention leads here: the usual name, and how many watch."""

_PREFIX = "scrubjay-watch-"


@contextmanager
def watched(anatomy: Anatomy, attention: nn.Module, watcher: Watcher) -> Iterator[None]:
    """Inside, ``watcher`` is called each time before ``attention`` attends.

    Raises:
        ProbeError: at the first pass, if the model's attention doesn't show its weights.
    """
    called = False

    def call(now: Attention) -> None:
        nonlocal called
        called = True
        watcher(now)

    def check(*_: Any) -> None:
        nonlocal called
        if not called:
            raise ProbeError(
                f"{anatomy.name}: attention weights aren't available, its attention doesn't go "
                "through transformers' attention interface"
            )
        called = False

    with ExitStack() as stack:
        for config in {id(c): c for c in (attention.config, anatomy.body.config)}.values():
            stack.enter_context(_leading_here(config))
        stack.callback(attention.register_forward_hook(check).remove)
        _watchers.setdefault(attention, []).append(call)
        stack.callback(_forget, attention, call)
        yield


def _forget(attention: nn.Module, call: Watcher) -> None:
    _watchers[attention].remove(call)
    if not _watchers[attention]:
        del _watchers[attention]


@contextmanager
def _leading_here(config: Any) -> Iterator[None]:
    kept, count = _switched.get(id(config), (config._attn_implementation_internal, 0))
    if not count:
        config._attn_implementation_internal = _register(kept or "eager")
    _switched[id(config)] = (kept, count + 1)
    try:
        yield
    finally:
        _, count = _switched.pop(id(config))
        if count > 1:
            _switched[id(config)] = (kept, count - 1)
        else:
            config._attn_implementation_internal = kept


def _register(usual: str) -> str:
    """A name under which transformers finds the watched form of an attention implementation."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS as MASKS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS as KERNELS

    def attend(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, **options: Any
    ) -> tuple[Tensor, Tensor | None]:
        now = Attention(query, key, value, mask, options)
        for watcher in tuple(_watchers.get(module, ())):
            watcher(now)
        own: Any = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
        kernel = KERNELS.get_interface(usual, own)
        return now.finish(*kernel(module, now.query, key, value, mask, **options))

    name = _PREFIX + usual
    if name not in KERNELS:
        AttentionInterface.register(name, attend)
        if usual in MASKS:
            AttentionMaskInterface.register(name, MASKS[usual])
    return name
