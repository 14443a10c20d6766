"""Functions at places inside a running model: the one way in which the tools read and write.

    with tapped(anatomy, [("z", 5, look)]):       # look(x, now) -> None, or what x becomes
        model(ids)                                # or model.generate(…): every pass goes through it

A tap gets its component in one layout for every family (see ``sites``), and ``now``, which says
where the pass stands in its sequences. PyTorch's hooks carry the taps; attention weights come from
the attention interface (see ``attention``). When the block ends, normally or by an exception, the
hooks are gone and the model is what it was. Taps of an outer block run before those of an inner
one at the same place, so the innermost sees what the others did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.attention import Attention, watched
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.parts import Block, split


@dataclass(slots=True)
class Pass:
    """The forward pass under way."""

    number: int = -1
    batch: int = 0
    length: int = 0
    """Columns this pass computes."""
    offset: int = 0
    """Columns that stood in the cache before."""
    longest: int = 0
    """Most columns, cached ones included, of any pass so far."""


Tap = Callable[[Tensor, Pass], Tensor | None]
AttentionTap = Callable[[Attention, Pass], None]


@contextmanager
def tapped(
    anatomy: Anatomy, taps: Iterable[tuple[str, int | None, Tap | AttentionTap]]
) -> Iterator[Pass]:
    """Inside, each (component, layer, tap) is called whenever the model computes that component.

    Taps of ``attn`` are called with an ``Attention`` before it is computed.

    Raises:
        ProbeError: at the first pass, if a prompt doesn't fit into the model's context.
    """
    now = Pass()
    with ExitStack() as stack:
        opened = anatomy.body.register_forward_pre_hook(_opening(anatomy, now), with_kwargs=True)
        stack.callback(opened.remove)
        for component, layer, tap in taps:
            if component == "attn":
                block = anatomy.blocks[layer or 0]
                stack.enter_context(watched(anatomy, block.attention, _called(tap, now)))
            else:
                hook = _attach(anatomy, component, layer, _called(tap, now))
                stack.callback(hook.remove)
        yield now


def _called(tap: Any, now: Pass) -> Callable[[Any], Any]:
    return lambda x: tap(x, now)


def _opening(anatomy: Anatomy, now: Pass) -> Callable[..., None]:
    """What notes where a pass stands, before anything of it is computed."""

    def note(_: nn.Module, args: Any, options: dict[str, Any]) -> None:
        given: Any = options.get("inputs_embeds")
        if given is None:
            given = options.get("input_ids", args[0] if args else None)
        past = options.get("past_key_values")
        now.number += 1
        now.batch, now.length = int(given.shape[0]), int(given.shape[1])
        now.offset = int(past.get_seq_length()) if past is not None else 0
        now.longest = max(now.longest, now.offset + now.length)
        check_length(anatomy, now.offset + now.length)

    return note


def check_length(anatomy: Anatomy, tokens: int) -> None:
    """Raises:
    ProbeError: the model's context is shorter.
    """
    if tokens > anatomy.context:
        raise ProbeError(
            f"the prompt has {tokens} tokens, the model's context {anatomy.context}; shorten it"
        )


def _attach(
    anatomy: Anatomy, component: str, layer: int | None, tap: Callable[[Tensor], Tensor | None]
) -> Any:
    if layer is None:
        return anatomy.model.register_forward_hook(_on_logits(tap))
    block = anatomy.blocks[layer]
    if component in ("q", "k", "v"):
        projection = anatomy.projection(layer, component)
        return projection.module.register_forward_hook(_on_view(tap, projection.view))
    if component == "z":
        shape = (anatomy.n_heads, anatomy.d_head)
        return block.out.register_forward_pre_hook(_on_input(tap, shape), with_kwargs=True)
    if component == "resid_mid":
        return _middle(block).register_forward_pre_hook(_in_place(tap), with_kwargs=True)
    if component == "neurons":
        assert block.down is not None  # ``Anatomy.check`` says so
        return block.down.register_forward_pre_hook(_on_input(tap), with_kwargs=True)
    if component == "resid_pre":
        return block.module.register_forward_pre_hook(_on_input(tap), with_kwargs=True)
    after = {
        "resid_post": block.module,
        "attn_out": block.attention_end,
        "mlp_out": block.mlp_end,
    }[component]
    return after.register_forward_hook(_on_output(tap))


def _middle(block: Block) -> nn.Module:
    assert block.middle is not None  # ``Anatomy.check`` says so
    return block.middle


def _on_output(tap: Callable[[Tensor], Tensor | None]) -> Callable[..., Any]:
    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        x = output[0] if isinstance(output, tuple) else output
        new = tap(x)
        if new is None:
            return None
        new = new.to(x.dtype)
        return (new, *output[1:]) if isinstance(output, tuple) else new

    return hook


def _on_view(
    tap: Callable[[Tensor], Tensor | None], view: Callable[[Tensor], Tensor]
) -> Callable[..., Any]:
    """For a projection that may make more than one thing."""

    def hook(_: nn.Module, __: Any, output: Tensor) -> Tensor | None:
        new = tap(view(output))
        if new is None:
            return None
        whole = output.clone()
        view(whole).copy_(new)
        return whole

    return hook


def _on_input(
    tap: Callable[[Tensor], Tensor | None], heads: tuple[int, int] | None = None
) -> Callable[..., Any]:
    def hook(_: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        x = args[0] if args else options["hidden_states"]
        new = tap(x if heads is None else split(x, -1, *heads))
        if new is None:
            return None
        new = new.to(x.dtype).reshape(x.shape)
        return ((new, *args[1:]), options) if args else (args, options | {"hidden_states": new})

    return hook


def _in_place(tap: Callable[[Tensor], Tensor | None]) -> Callable[..., None]:
    """For the stream between attention and MLP: the block keeps the very tensor that its second
    norm gets as its residual, so what is written must be written into it."""

    def hook(_: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        x = args[0] if args else options["hidden_states"]
        new = tap(x)
        if new is not None:
            x.copy_(new)

    return hook


def _on_logits(tap: Callable[[Tensor], Tensor | None]) -> Callable[..., Any]:
    def hook(_: nn.Module, __: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            raise ProbeError("logits need a pass that returns an output object: return_dict=True")
        new = tap(output.logits)
        if new is not None:
            output.logits = new.to(output.logits.dtype)
        return output

    return hook


def written(x: Tensor) -> Tensor:
    """A copy that may be written into; autograd flows through it."""
    return x.clone(memory_format=torch.contiguous_format)
