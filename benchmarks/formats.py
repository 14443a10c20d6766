"""The number format our models take on this processor beside the other one.

formats-product  a layer's product alone: 2,048 rows of 576 numbers by a weight of 576 x 1,536
formats-batch    32 prompts of 172 tokens that go on for 32, all at once
formats-alone    one of them, where reading the weights takes the time
formats-encoder  passages of the atlas through the built-in encoder, 300 at a time
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable
from functools import partial
from typing import Any

from rounds import THREADS, rounds, row

ROUNDS = 5
PROMPTS, TOKENS = 32, 32
PASSAGES = 300
REPEATS = 50


def run() -> list[dict[str, Any]]:
    """Four rows."""
    import torch

    from scrubjay.models.local import LocalModel
    from scrubjay.models.processor import prefers_bfloat16
    from scrubjay.retrieval.encoders import load_encoder
    from scrubjay.worlds import load_world

    torch.set_num_threads(THREADS)
    names = ["float32", "bfloat16"]
    if prefers_bfloat16():
        names.reverse()
    models = [LocalModel.load("smollm2-135m", dtype=name) for name in names]
    encoders = [load_encoder() for _ in names]
    for name, encoder in zip(names, encoders):
        encoder._model.to(getattr(torch, name))
    texts = [d.text for d in load_world("atlas").documents()][:PASSAGES]

    def rate(name: str, calls: list[Callable[[], Any]], amount: int, unit: str) -> dict[str, Any]:
        seconds = rounds(calls[0], calls[1], ROUNDS)
        made = row(name, [(amount / a, amount / b) for a, b in seconds], names[1], unit)
        return made | {"machine": f"{platform.machine()}, {THREADS} threads, ours in {names[0]}"}

    layers = [torch.nn.Linear(576, 1536, bias=False, dtype=getattr(torch, n)) for n in names]
    inputs = [torch.randn(2048, 576, dtype=layer.weight.dtype) for layer in layers]
    products = [partial(_repeat, layer, x) for layer, x in zip(layers, inputs)]
    rows = [rate("formats-product", products, REPEATS, "products/s")]
    for name, count in (("batch", PROMPTS), ("alone", 1)):
        tales = [partial(_generate, m, count) for m in models]
        rows.append(rate(f"formats-{name}", tales, count * TOKENS, "tokens/s"))
    readings = [partial(e.encode, texts) for e in encoders]
    return [*rows, rate("formats-encoder", readings, PASSAGES, "passages/s")]


def _repeat(layer: Any, x: Any) -> None:
    for _ in range(REPEATS):
        layer(x)


def _generate(model: Any, count: int) -> None:
    async def everything() -> None:
        tale = "tells a long story about the sea, the birds and the wind. " * 12
        await asyncio.gather(
            *(model.generate(f"Number {i} {tale}", max_tokens=TOKENS) for i in range(count))
        )

    model.settle()
    asyncio.run(everything())
