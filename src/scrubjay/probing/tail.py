"""Runs that begin in the middle: only the blocks and positions that a change can reach.

A change at block l, position p of a causal model leaves everything below l and everything before p
as it was. ``Base`` runs the prompts once and keeps what later runs start from:

    stream[l]        residual stream entering block l; the last: the final norm
                                                           (examples, T, width)
    keys, values[l]  of every position                     (examples, heads, T, size)

    base.rerun(rows, layer=l, start=p, taps=…)   # row r is example rows[r], changed by the taps

runs the model itself on columns p … T - 1, with keys and values of the columns before p as its
cache, blocks below l stepped over, and block l given the kept stream. Embedding, masks, rotation,
final norm and unembedding are the model's own code, so this holds for every family. Logits are
computed where they are read and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.errors import OverBudget, ProbeError
from scrubjay.probing.recording import record
from scrubjay.probing.sites import Site
from scrubjay.probing.taps import AttentionTap, Tap, tapped

Taps = Sequence[tuple[str, int | None, Tap | AttentionTap]]


class Base:
    """Prompts run once, to be run again from the middle."""

    def __init__(
        self, anatomy: Anatomy, inputs: dict[str, Tensor], *, keep: Sequence[Site] = ()
    ) -> None:
        """
        Args:
            inputs: see ``as_inputs``.
            keep: components (whole) to record as well.

        Raises:
            ProbeError: an activation isn't finite, tokens see later ones in this model, or it is in
                training mode.
        """
        if anatomy.model.training:
            raise ProbeError("the model is in training mode; call its eval() first")
        if getattr(anatomy.config, "use_bidirectional_attention", False):
            raise ProbeError("this model's tokens see later ones; no run can begin in the middle")
        self.anatomy, self.inputs = anatomy, inputs
        self.length = int(inputs["input_ids"].shape[1])
        self.device = inputs["input_ids"].device
        streams = (*anatomy.sites("resid_pre"), Site("resid_post", anatomy.n_layers - 1))
        cache = DynamicCache()
        with torch.no_grad(), record(anatomy, *streams, *keep, budget="1TB") as seen:
            anatomy.body(**inputs, past_key_values=cache, use_cache=True)
        self.stream = [seen[site].to(self.device) for site in streams]
        self.kept = {site: seen[site].to(self.device) for site in keep}
        layers: list[Any] = list(cache.layers)
        self.keys: list[Tensor] = [layer.keys for layer in layers]
        self.values: list[Tensor] = [layer.values for layer in layers]

    def __len__(self) -> int:
        return len(self.inputs["input_ids"])

    def logits(self, read: Tensor) -> Tensor:
        """Of the unchanged run at position ``read`` (examples,) of each: (examples, vocabulary)."""
        return self.rerun(torch.arange(len(self)), layer=self.anatomy.n_layers, read=read)

    def rerun(
        self,
        rows: Tensor,
        *,
        layer: int,
        start: int = 0,
        read: Tensor | None = None,
        taps: Taps = (),
        alone: Tensor | None = None,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """Run the model from block ``layer`` and position ``start`` on.

        Args:
            rows: (rows,) which example each row is.
            layer: the first block to run; ``n_layers``: none.
            read: (rows,) the position of each row whose logits are returned; None: an empty result.
            taps: see ``tapped``; the pass's columns begin at ``start``.
            alone: (rows,) instead of the columns from ``start`` on, run this one of each row, which
                then sees only itself (for runs in which every head's output is written anyway).
            hidden: (rows, columns, width) what block ``layer`` gets, if not the kept stream.

        Returns:
            (rows, vocabulary) logits.
        """
        anatomy, rows = self.anatomy, rows.to(self.device)
        stop = self.length if read is None else int(read.max()) + 1
        options = self._options(rows, start, stop, alone)
        if hidden is None:
            hidden = self._part(self.stream[layer], rows, start, stop, alone)
        columns = None
        if read is not None:
            columns = (read.to(self.device) - start) if alone is None else torch.zeros_like(rows)
        with torch.no_grad(), ExitStack() as stack:
            stack.enter_context(_between(anatomy, layer, anatomy.n_layers, hidden))
            stack.enter_context(tapped(anatomy, taps))
            if columns is None:
                anatomy.body(**options)
                return hidden.new_empty(0)
            stack.enter_context(_reading(anatomy, columns))
            logits: Tensor = anatomy.model(**options).logits
        return logits[:, 0]

    def column(self, rows: Tensor, *, layer: int, own: Tensor, taps: Taps) -> Tensor:
        """What column ``own`` (rows,) of each row is after block ``layer``, which is run on that
        column alone (see ``rerun``): (rows, width)."""
        rows = rows.to(self.device)
        found: list[Tensor] = []
        hidden = self._part(self.stream[layer], rows, 0, 0, own)
        taps = [*taps, ("resid_post", layer, lambda x, _: found.append(x[:, 0].clone()))]
        with torch.no_grad(), ExitStack() as stack:
            stack.enter_context(_between(self.anatomy, layer, layer + 1, hidden))
            stack.enter_context(tapped(self.anatomy, taps))
            self.anatomy.body(**self._options(rows, 0, 0, own))
        return found[0]

    def _options(self, rows: Tensor, start: int, stop: int, alone: Tensor | None) -> dict[str, Any]:
        """Arguments of the model's own forward."""
        options: dict[str, Any] = {"use_cache": False}
        for name, value in self.inputs.items():
            if name == "attention_mask":
                if alone is None:
                    options[name] = value[rows, :stop]
            else:
                options[name] = self._part(value, rows, start, stop, alone)
        if start and alone is None:
            options["past_key_values"] = _Prefix(self.keys, self.values, rows, start)
        return options

    @staticmethod
    def _part(x: Tensor, rows: Tensor, start: int, stop: int, alone: Tensor | None) -> Tensor:
        return x[rows, start:stop] if alone is None else x[rows, alone.to(x.device)][:, None]


class _Prefix(DynamicCache):
    """Keys and values of the columns before ``start``, which a pass reads and doesn't add to."""

    def __init__(self, keys: Any, values: Any, rows: Tensor, start: int) -> None:
        super().__init__()
        self.prefix = (keys, values)
        self.rows, self.start = rows, start

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        old = (kept[layer_idx][self.rows, :, : self.start] for kept in self.prefix)
        new = (key_states, value_states)
        k, v = (torch.cat(pair, 2) for pair in zip(old, new, strict=True))
        return k, v

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.start

    def get_query_offset(self, layer_idx: int = 0) -> int:
        return self.start

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return self.start + query_length, 0


@contextmanager
def _between(anatomy: Anatomy, first: int, last: int, hidden: Tensor) -> Iterator[None]:
    """Only the blocks ``first`` up to ``last`` run; the others hand on what they get. Block
    ``first`` gets ``hidden``, or the final norm, if there is no such block."""
    blocks = [block.module for block in anatomy.blocks]
    target = [*blocks, anatomy.norm][first]

    def give(_: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if args:
            return (hidden, *args[1:]), options
        return args, options | {"hidden_states": hidden}

    with ExitStack() as stack:
        for module in blocks[:first] + blocks[last:]:
            before = module.__dict__.get("forward")
            module.__dict__["forward"] = _hand_on
            stack.callback(_restore, module, before)
        stack.callback(target.register_forward_pre_hook(give, with_kwargs=True).remove)
        yield


def _hand_on(hidden_states: Any, *_: Any, **__: Any) -> Any:
    return hidden_states


def _restore(module: nn.Module, before: Any) -> None:
    if before is None:
        del module.__dict__["forward"]
    else:
        module.__dict__["forward"] = before


@contextmanager
def _reading(anatomy: Anatomy, columns: Tensor) -> Iterator[None]:
    """The unembedding gets one column of each row."""

    def gather(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        rows = torch.arange(len(columns), device=columns.device)
        return (args[0][rows, columns][:, None], *args[1:])

    handle = anatomy.unembedding.register_forward_pre_hook(gather)
    try:
        yield
    finally:
        handle.remove()


def most_rows(anatomy: Anatomy, budget: int) -> int:
    """Rows of a batch whose logits, and a metric's copies of them, fit into a quarter."""
    return max(1, budget // 4 // (3 * 4 * anatomy.w_u.shape[1]))


def example_parts(
    anatomy: Anatomy, sites: Sequence[Site], count: int, length: int, budget: int
) -> list[Tensor]:
    """Examples in parts whose kept activations, of both runs, fit into half of the budget; the
    other half is for the runs themselves.

    Raises:
        OverBudget: one example is too much.
    """
    size = torch.empty(0, dtype=anatomy.dtype).element_size()
    kept = anatomy.n_layers * (anatomy.d_model + 2 * anatomy.n_kv_heads * anatomy.d_head)
    wanted = {(s.component, s.layer) for s in sites}
    width = max(anatomy.d_model, anatomy.n_heads * anatomy.d_head)
    for site in sites:
        if site.component == "neurons":
            width = max(width, anatomy.neurons(site.layer or 0))
    one = length * size * (kept + 2 * len(wanted) * width)
    fit = budget // 2 // one
    if fit < 1:
        raise OverBudget(
            f"one example of {length} tokens needs {2 * one:,} bytes, the budget is {budget:,}; "
            "sweep fewer layers at once or raise it"
        )
    return [torch.arange(i, min(i + fit, count)) for i in range(0, count, fit)]
